//! When tokens are refreshed, and who waits for it.

use std::time::Duration;

use rampauth_core::{AccessToken, ErrorKind, Expiry, Outcome, RefreshToken, TokenSet};
use rampauth_keeper::{Keeper, State};

use crate::support::{LIFETIME, Move, Step, World, error, key, pass, tokens};

#[tokio::test(start_paused = true)]
async fn a_fresh_token_is_read_without_waiting_and_without_a_call() {
    let world = World::new().await;
    assert_eq!(world.session.try_access_token().expect("fresh").expose_secret(), "access-0");
    assert_eq!(world.token().await, "access-0");
    assert_eq!(world.provider.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_advisory_window_refreshes_ahead_and_nobody_waits() {
    let mut world = World::new().await;
    pass(LIFETIME * 7 / 10).await;
    assert_eq!(world.provider.calls(), 0, "three quarters are the earliest");
    pass(LIFETIME * 11 / 100).await;
    assert_eq!(world.session.try_access_token().expect("fresh").expose_secret(), "access-1");
    assert_eq!(world.provider.presented(), ["refresh-0"]);
    assert_eq!(world.happened(), ["refreshed"]);
    // And so on, for as long as the keeper lives.
    pass(LIFETIME * 3).await;
    let presented = world.provider.presented();
    let expected: Vec<_> = (0..presented.len()).map(|number| format!("refresh-{number}")).collect();
    assert_eq!(presented, expected);
    assert!((4..=5).contains(&presented.len()), "{presented:?}");
    assert!(world.session.try_access_token().is_some());
}

#[tokio::test(start_paused = true)]
async fn in_the_mandatory_window_callers_wait_for_the_one_refresh() {
    let world = World::new().await;
    let expiry = (world.clock)() + Duration::from_secs(50);
    world.session.put(tokens(0, Expiry::At(expiry))).await.expect("saved");
    world.provider.next([Move::GrantAfter(Duration::from_secs(30))]);
    // The refresh ahead of need is under way and slow; until a tenth of the lifetime is left nobody waits for it.
    pass(Duration::from_secs(44)).await;
    assert_eq!((world.token().await.as_str(), world.provider.calls()), ("access-0", 1));
    pass(Duration::from_secs(2)).await;
    assert!(world.session.try_access_token().is_none());
    assert_eq!(world.token().await, "access-1");
    assert_eq!(world.provider.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_must_outlive_the_callers_operation() {
    let world = World::new().await;
    let long = world.session.access_token_for(LIFETIME - Duration::from_secs(1)).await.expect("a token");
    assert_eq!(long.expose_secret(), "access-0");
    pass(Duration::from_secs(10)).await;
    let long = world.session.access_token_for(LIFETIME - Duration::from_secs(1)).await.expect("a token");
    assert_eq!(long.expose_secret(), "access-1");
    let error = world.session.access_token_for(LIFETIME * 2).await.expect_err("no token lives that long");
    assert!(error.to_string().ends_with("no token lives as long as was asked for"), "{error}");
    assert_eq!(world.provider.calls(), 2, "what was granted for this caller shows that another grant would not either");
}

fn refresh_token_alone(expiry: Expiry) -> TokenSet {
    TokenSet::new().with_refresh_token(RefreshToken::new("alone").expect("a token"), expiry)
}

#[tokio::test(start_paused = true)]
async fn a_session_without_an_access_token_is_refreshed_at_once() {
    let world = World::new().await;
    world.session.put(refresh_token_alone(Expiry::Unknown)).await.expect("saved");
    pass(Duration::from_secs(1)).await;
    assert_eq!(world.session.try_access_token().expect("fresh").expose_secret(), "access-1");
    // One that a process finds, too; and where the provider is down it is tried again.
    world.keeper.shutdown().await;
    world.session.put(refresh_token_alone(Expiry::Unknown)).await.expect("saved");
    world.provider.next([Move::Fail(error(ErrorKind::Unreachable, Outcome::NotSent))]);
    let (_keeper, other) = world.another_process().await;
    pass(Duration::from_secs(10)).await;
    assert_eq!(other.try_access_token().expect("fresh").expose_secret(), "access-3");
    assert_eq!(world.provider.presented(), ["alone", "alone", "alone"]);
}

#[tokio::test(start_paused = true)]
async fn without_an_access_token_nothing_is_presented_that_may_not_be_or_cannot() {
    let world = World::with(|mut provider| {
        provider.policy = provider.policy.with_unknown_expiry(false);
        provider
    })
    .await;
    world.session.put(refresh_token_alone(Expiry::Unknown)).await.expect("saved");
    pass(LIFETIME).await;
    assert_eq!(world.provider.calls(), 0, "not unasked");
    let world = World::new().await;
    let dead = Expiry::At(world.wall.now() - Duration::from_secs(1));
    world.session.put(refresh_token_alone(dead)).await.expect("saved");
    pass(LIFETIME).await;
    assert_eq!(world.provider.calls(), 0, "it is dead");
}

#[tokio::test(start_paused = true)]
async fn a_token_of_unknown_expiry_is_refreshed_only_when_it_is_rejected() {
    let world = World::new().await;
    world.session.put(tokens(0, Expiry::Unknown)).await.expect("saved");
    pass(LIFETIME * 100).await;
    assert_eq!((world.provider.calls(), world.token().await.as_str()), (0, "access-0"));
    let rejected = world.session.access_token().await.expect("a token");
    world.session.reject(&rejected).await.expect("noted");
    assert_eq!(world.token().await, "access-1");
}

#[tokio::test(start_paused = true)]
async fn a_rejected_token_is_not_handed_out_again_and_a_late_rejection_changes_nothing() {
    let world = World::new().await;
    let old = world.session.access_token().await.expect("a token");
    world.session.reject(&old).await.expect("noted");
    assert_eq!(world.session.try_access_token().map(|token| token.to_owned()).map(drop), None);
    assert_eq!(world.token().await, "access-1");
    world.session.reject(&old).await.expect("noted");
    world.session.reject(&AccessToken::new("never-seen").expect("a token")).await.expect("noted");
    assert_eq!((world.token().await.as_str(), world.provider.calls()), ("access-1", 1));
}

#[tokio::test(start_paused = true)]
async fn a_rejection_starts_a_refresh_unasked_and_one_that_another_process_made_is_adopted() {
    let mut world = World::new().await;
    let (_keeper, other) = world.another_process().await;
    let old = world.session.access_token().await.expect("a token");
    other.refresh().await.expect("refreshed");
    world.session.reject(&old).await.expect("noted");
    assert_eq!(world.session.try_access_token().expect("fresh").expose_secret(), "access-1");
    pass(Duration::from_secs(1)).await;
    assert_eq!(world.provider.calls(), 1, "the rejected one is gone already");
    let current = world.session.access_token().await.expect("a token");
    world.session.reject(&current).await.expect("noted");
    pass(Duration::from_secs(1)).await;
    assert_eq!(world.session.try_access_token().expect("fresh").expose_secret(), "access-2");
    assert_eq!(world.happened(), ["adopted", "refreshed"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_due_while_no_process_was_there_is_refreshed_at_once_and_by_one() {
    let world = World::new().await;
    world.keeper.shutdown().await;
    pass(LIFETIME * 85 / 100).await;
    let (_one, session) = world.another_process().await;
    let (_two, other) = world.another_process().await;
    pass(Duration::from_secs(1)).await;
    assert_eq!(session.try_access_token().expect("fresh").expose_secret(), "access-1");
    // The other sees it when it looks next, and has no need of its own.
    pass(LIFETIME / 10).await;
    assert_eq!(other.try_access_token().expect("fresh").expose_secret(), "access-1");
    assert_eq!(world.provider.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn nobody_sees_tokens_before_the_store_has_them() {
    let world = World::new().await;
    world.store.delay_the_next(Step::Commit, Duration::from_secs(3));
    let refresh = tokio::spawn({
        let session = world.session.clone();
        async move { session.refresh().await }
    });
    pass(Duration::from_secs(2)).await;
    assert_eq!((world.token().await.as_str(), world.provider.calls()), ("access-0", 1));
    refresh.await.expect("no panic").expect("refreshed");
    assert_eq!(world.token().await, "access-1");
}

#[tokio::test(start_paused = true)]
async fn lifetimes_count_from_before_the_request_was_sent() {
    let world = World::new().await;
    world.provider.next([Move::GrantAfter(Duration::from_secs(20))]);
    let sent = (world.clock)();
    world.session.refresh().await.expect("refreshed");
    assert_eq!(world.store.record().await.tokens.expect("tokens").granted_at, sent);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_by_hand_is_made_whatever_the_expiry_says() {
    let world = World::new().await;
    world.session.refresh().await.expect("refreshed");
    world.session.refresh().await.expect("refreshed");
    assert_eq!(world.provider.presented(), ["refresh-0", "refresh-1"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_refresh_token_keeps_the_old_one_and_the_record_has_both() {
    let world = World::new().await;
    world.session.refresh().await.expect("refreshed");
    let record = world.store.record().await;
    assert_eq!((record.state, record.generation, record.base), (State::Ready, 2, 1));
    assert!(record.attempt.is_none() && record.last_error.is_none());
    let stored = record.tokens.expect("tokens");
    assert!(stored.payload.expose_secret().contains("refresh-1") && stored.access.is_some());
}

#[tokio::test(start_paused = true)]
async fn logout_wins_over_a_refresh_in_flight_and_the_answer_is_offered_for_revocation() {
    let mut world = World::new().await;
    world.provider.next([Move::GrantAfter(Duration::from_secs(10))]);
    let refresh = tokio::spawn({
        let session = world.session.clone();
        async move { session.refresh().await }
    });
    pass(Duration::from_secs(1)).await;
    world.session.remove().await.expect("removed");
    refresh.await.expect("no panic").expect("there is nothing left to do");
    assert_eq!(world.happened(), ["removed", "unclaimed"]);
    assert_eq!(world.store.record().await.state, State::Tombstone);
    assert!(world.session.tokens().is_none());
    let error = world.session.access_token().await.expect_err("gone");
    assert!(error.to_string().ends_with("the session was removed"), "{error}");
    // A login afterwards starts anew, and generations go on.
    world.session.put(tokens(7, Expiry::Unknown)).await.expect("saved");
    assert_eq!((world.token().await.as_str(), world.store.record().await.generation), ("access-7", 2));
}

#[tokio::test(start_paused = true)]
async fn shutdown_finishes_what_is_in_flight_and_starts_nothing() {
    let world = World::new().await;
    world.provider.next([Move::GrantAfter(Duration::from_secs(10))]);
    let refresh = tokio::spawn({
        let session = world.session.clone();
        async move { session.refresh().await }
    });
    pass(Duration::from_secs(1)).await;
    world.keeper.shutdown().await;
    assert_eq!(world.store.record().await.generation, 2, "saved when shutdown returns");
    refresh.await.expect("no panic").expect("refreshed");
    let error = world.session.refresh().await.expect_err("refused");
    assert!(error.to_string().ends_with("the keeper is shutting down"), "{error}");
    assert_eq!((world.token().await.as_str(), world.provider.calls()), ("access-1", 1));
}

#[tokio::test(start_paused = true)]
async fn on_demand_nothing_is_refreshed_unasked() {
    let world = World::new().await;
    let clock = std::sync::Arc::clone(&world.clock);
    let keeper = Keeper::builder(world.store.clone()).clock(move || clock()).on_demand().spawn().expect("a keeper");
    world.keeper.shutdown().await;
    let session = keeper.session(key(), world.provider.clone()).await.expect("a session");
    pass(LIFETIME * 9 / 10).await;
    assert_eq!(world.provider.calls(), 0);
    pass(LIFETIME / 20).await;
    assert_eq!(world.provider.calls(), 0);
    assert_eq!(
        session.access_token().await.expect("a token").expose_secret(),
        "access-1",
        "nobody waits longer than this"
    );
}
