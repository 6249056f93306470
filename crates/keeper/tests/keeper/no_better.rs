//! Answers that are no better than what was held: saved, and not asked for over and over.

use std::time::Duration;

use rampauth_core::{ErrorKind, Expiry, RefreshToken, TokenSet};
use rampauth_keeper::EventKind;

use crate::support::{LIFETIME, Move, World, pass, tokens};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The access token with this number and a refresh token with that one.
fn mixed(access: usize, expiry: Expiry, refresh: usize) -> TokenSet {
    let refresh = RefreshToken::new(format!("refresh-{refresh}")).expect("a token");
    tokens(access, expiry).with_refresh_token(refresh, Expiry::Unknown)
}

#[tokio::test(start_paused = true)]
async fn the_very_token_that_was_rejected_is_a_failure_that_starts_the_floor() {
    let mut world = World::new().await;
    let token = world.session.access_token().await.expect("a token");
    let expiry = Expiry::At(world.wall.now() + LIFETIME);
    world.provider.next([Move::Answer(mixed(0, expiry, 1))]);
    world.session.reject(&token).await.expect("noted");
    for _ in 0..20 {
        let error = world.session.access_token().await.expect_err("rejected");
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        assert!(error.to_string().contains("that it had rejected"), "{error}");
    }
    assert_eq!(world.provider.presented(), ["refresh-0"]);
    assert_eq!(world.happened(), ["refreshed", "refresh_failed"]);
    assert_eq!(world.store.record().await.generation, 2, "its refresh token is the live one");
    pass(seconds(5)).await;
    assert_eq!(world.token().await, "access-2");
    assert_eq!(world.provider.presented(), ["refresh-0", "refresh-1"]);
}

#[tokio::test(start_paused = true)]
async fn one_that_dies_at_the_very_same_time_lives_no_longer_and_one_that_dies_just_after_it_does() {
    for (longer, told) in
        [(Duration::ZERO, &["refreshed", "refresh_failed"][..]), (Duration::from_nanos(1), &["refreshed"])]
    {
        let mut world = World::new().await;
        let expiry = world.wall.now() + LIFETIME + longer;
        world.provider.next([Move::Answer(mixed(1, Expiry::At(expiry), 1))]);
        // Until just after the refresh ahead of time, and before the next.
        pass(LIFETIME * 81 / 100).await;
        assert_eq!(world.provider.calls(), 1);
        assert_eq!(world.happened(), told, "{longer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_lives_no_longer_than_the_one_in_use_is_a_failure_that_callers_do_not_see() {
    let mut world = World::new().await;
    let expiry = world.wall.now() + LIFETIME;
    world.provider.next([Move::Answer(mixed(1, Expiry::At(expiry - seconds(1)), 1))]);
    assert_eq!(world.events.next().await.expect("an event").kind.as_str(), "refreshed");
    let failed = world.events.next().await.expect("an event").kind;
    let EventKind::RefreshFailed(error) = failed else { panic!("{failed:?}") };
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert_eq!(world.store.record().await.generation, 2, "its refresh token is the live one");
    assert_eq!(world.token().await, "access-1");
    // The pause stands for whoever wants more, and ends with the token.
    for _ in 0..5 {
        let error = world.session.access_token_for(LIFETIME / 2).await.expect_err("none lives that long");
        assert!(error.to_string().contains("lives longer than the one in use"), "{error}");
    }
    assert_eq!(world.provider.presented(), ["refresh-0"]);
    pass(expiry.duration_since(world.wall.now()).expect("later")).await;
    assert_eq!(world.token().await, "access-2");
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_longer_than_the_provider_grants_now_spends_one_token() {
    let world = World::new().await;
    let expiry = world.wall.now() + LIFETIME;
    pass(LIFETIME / 2).await;
    world.provider.next((1..9).map(|number| Move::Answer(mixed(number, Expiry::At(expiry), number))));
    for _ in 0..5 {
        world.session.access_token_for(LIFETIME * 6 / 10).await.expect_err("none lives that long");
        assert_eq!(world.token().await, "access-1");
    }
    assert_eq!(world.provider.presented(), ["refresh-0"]);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_keeps_both_tokens_while_they_live_troubles_nobody() {
    let world = World::new().await;
    let expiry = Expiry::At(world.wall.now() + LIFETIME);
    world.provider.next((0..40).map(|_| Move::Answer(tokens(0, expiry))));
    world.session.refresh().await.expect("who asks by hand has the tokens that there are");
    for _ in 1..1_000 {
        pass(seconds(1)).await;
        assert_eq!(world.token().await, "access-0");
    }
    let calls = world.provider.calls();
    assert!((2..=15).contains(&calls), "{calls} presentations");
}

#[tokio::test(start_paused = true)]
async fn the_pause_after_an_answer_that_is_no_better_ends_with_its_token() {
    // A pause is drawn at random: of this many, one at least would be too long.
    for _ in 0..8 {
        let world = World::new().await;
        let expiry = world.wall.now() + seconds(1);
        world.session.put(tokens(0, Expiry::At(expiry))).await.expect("saved");
        world.provider.next([Move::Answer(tokens(0, Expiry::At(expiry)))]);
        let left = || expiry.duration_since(world.wall.now()).expect("later");
        pass(left() - Duration::from_millis(20)).await;
        assert_eq!((world.token().await.as_str(), world.provider.calls()), ("access-0", 1));
        pass(left() + Duration::from_millis(1)).await;
        assert_eq!(world.token().await, "access-2");
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_a_longer_life_than_any_token_has_does_not_spend_one_with_each_call() {
    let world = World::new().await;
    for _ in 0..20 {
        let error = world.session.access_token_for(LIFETIME * 2).await.expect_err("none lives that long");
        assert!(error.to_string().ends_with("no token lives as long as was asked for"), "{error}");
        pass(seconds(1)).await;
    }
    assert_eq!(world.provider.calls(), 1);
    // A life that tokens have is granted, and a rejected token is replaced, whatever was asked for in vain.
    let long = world.session.access_token_for(LIFETIME - seconds(10)).await.expect("a token");
    assert_eq!((long.expose_secret(), world.provider.calls()), ("access-2", 2));
    world.session.reject(&long).await.expect("noted");
    world.session.access_token_for(LIFETIME * 2).await.expect_err("none lives that long");
    assert_eq!((world.token().await.as_str(), world.provider.calls()), ("access-3", 3));
    // Longer ones are noticed.
    world.provider.next([Move::GrantUntil(LIFETIME * 3), Move::GrantUntil(LIFETIME * 3)]);
    pass(LIFETIME).await;
    assert_eq!(world.session.access_token_for(LIFETIME * 2).await.expect("a token").expose_secret(), "access-4");
    pass(LIFETIME * 13 / 10).await;
    assert_eq!(world.session.access_token_for(LIFETIME * 2).await.expect("a token").expose_secret(), "access-5");
}
