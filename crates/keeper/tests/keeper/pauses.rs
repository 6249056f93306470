//! The floor between attempts: how long a failure stands, and what ends it.

use std::sync::Arc;
use std::time::Duration;

use rampauth_core::{Error, ErrorKind, Expiry, Outcome};
use rampauth_keeper::Keeper;
use tokio::time::Instant;

use crate::support::{LIFETIME, Move, Step, World, error, key, pass, tokens};

/// The longest pause of all sessions of a provider after an answer to one of them.
const ALL: Duration = Duration::from_secs(30);

fn busy(wait: Duration) -> Error {
    error(ErrorKind::RateLimited, Outcome::Refused).with_retry_after(Some(wait))
}

async fn reject(world: &World) {
    let token = world.session.access_token().await.expect("a token");
    world.session.reject(&token).await.expect("noted");
}

#[tokio::test(start_paused = true)]
async fn a_success_ends_the_pause_of_the_failure_before_it() {
    let world = World::new().await;
    world.provider.next([Move::Fail(busy(Duration::from_secs(120)))]);
    world.session.refresh().await.expect_err("not now");
    world.session.refresh().await.expect("a person's word stands above the pause");
    reject(&world).await;
    assert_eq!(world.token().await, "access-3", "at once");
}

#[tokio::test(start_paused = true)]
async fn after_a_success_failures_are_counted_anew() {
    let world = World::new().await;
    let down = || Move::Fail(error(ErrorKind::Unreachable, Outcome::NotSent));
    world.provider.next((0..20).map(|_| down()));
    for _ in 0..20 {
        world.session.refresh().await.expect_err("down");
    }
    world.session.refresh().await.expect("refreshed");
    reject(&world).await;
    world.provider.next([down()]);
    world.session.access_token().await.expect_err("down once more");
    pass(Duration::from_secs(2)).await;
    assert!(world.session.try_access_token().is_some(), "a first failure's pause is a second at most");
}

#[tokio::test(start_paused = true)]
async fn no_pause_is_longer_than_an_hour_whatever_the_provider_asks() {
    let world = World::new().await;
    reject(&world).await;
    world.provider.next([Move::Fail(busy(Duration::from_secs(1_000_000)))]);
    pass(Duration::from_secs(3_590)).await;
    assert_eq!(world.provider.calls(), 1);
    pass(Duration::from_secs(20)).await;
    assert_eq!(world.provider.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_and_none_is_shorter_than_a_quarter_of_the_first() {
    let world = World::new().await;
    reject(&world).await;
    world.provider.next((0..10_000).map(|_| Move::Fail(error(ErrorKind::Unreachable, Outcome::NotSent))));
    pass(Duration::from_millis(740)).await;
    assert!((1..=3).contains(&world.provider.calls()), "{} in three quarters of a second", world.provider.calls());
    pass(Duration::from_secs(300)).await;
    let early = world.provider.calls();
    pass(Duration::from_secs(3_000)).await;
    let late = world.provider.calls() - early;
    assert!((5..=60).contains(&early) && late < 30, "{early}, then {late}");
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_although_the_provider_asks_for_short_ones() {
    let world = World::new().await;
    reject(&world).await;
    let short = || error(ErrorKind::Unreachable, Outcome::NotSent).with_retry_after(Some(Duration::from_secs(1)));
    world.provider.next((0..10_000).map(|_| Move::Fail(short())));
    for _ in 0..300 {
        world.session.access_token().await.expect_err("it fails each time");
        pass(Duration::from_secs(1)).await;
    }
    let calls = world.provider.calls();
    assert!((5..=60).contains(&calls), "{calls} calls in five minutes");
}

#[tokio::test(start_paused = true)]
async fn a_login_ends_the_pause() {
    let world = World::new().await;
    reject(&world).await;
    world.provider.next([Move::Fail(busy(Duration::from_secs(600)))]);
    pass(Duration::from_secs(1)).await;
    world.session.access_token().await.expect_err("not now");
    let expiry = Expiry::At((world.clock)() + LIFETIME);
    world.session.put(tokens(7, expiry)).await.expect("saved");
    // That of all the provider's sessions is shorter.
    pass(ALL).await;
    reject(&world).await;
    assert_eq!(world.token().await, "access-2");
}

#[tokio::test(start_paused = true)]
async fn where_a_login_is_needed_one_in_another_process_is_seen_at_once() {
    let world = World::new().await;
    let (_keeper, other) = world.another_process().await;
    world.provider.next([Move::Fail(error(ErrorKind::LoginNeeded, Outcome::Refused))]);
    world.session.refresh().await.expect_err("dead");
    pass(LIFETIME * 2).await;
    world.session.access_token().await.expect_err("dead");
    let expiry = Expiry::At((world.clock)() + LIFETIME);
    other.put(tokens(9, expiry)).await.expect("saved");
    assert_eq!(world.token().await, "access-9");
}

/// The access token was rejected and the provider wants to be left alone for ten minutes.
async fn barred() -> World {
    let world = World::new().await;
    reject(&world).await;
    world.provider.next([Move::Fail(busy(Duration::from_secs(600)))]);
    world.session.access_token().await.expect_err("not now");
    world
}

#[tokio::test(start_paused = true)]
async fn while_a_failure_stands_callers_get_what_another_process_has_stored() {
    for login in [true, false] {
        let mut world = barred().await;
        let (_keeper, other) = world.another_process().await;
        if login {
            other.put(tokens(9, Expiry::At((world.clock)() + LIFETIME))).await.expect("saved");
        } else {
            other.refresh().await.expect("refreshed");
        }
        world.happened();
        pass(Duration::from_secs(1)).await;
        assert_eq!(world.token().await, if login { "access-9" } else { "access-2" });
        assert_eq!(world.happened(), ["adopted"]);
        // And the failure is over: it was about tokens that are no more.
        let calls = world.provider.calls();
        pass(ALL).await;
        reject(&world).await;
        world.token().await;
        assert_eq!(world.provider.calls(), calls + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_elsewhere_whose_access_token_is_dead_already_is_refreshed_for_the_caller_who_finds_it() {
    let world = barred().await;
    let (keeper, other) = world.another_process().await;
    keeper.shutdown().await;
    other.put(tokens(9, Expiry::At((world.clock)()))).await.expect("saved");
    pass(ALL).await;
    assert_eq!(world.token().await, "access-2");
    assert_eq!(world.provider.presented(), ["refresh-0", "refresh-9"]);
}

#[tokio::test(start_paused = true)]
async fn while_a_failure_stands_callers_are_no_load_on_the_store_and_wait_for_nothing() {
    let world = barred().await;
    let (before, start) = (world.store.steps(), Instant::now());
    for _ in 0..1_000 {
        let errors = (0..20).map(|_| {
            tokio::spawn({
                let session = world.session.clone();
                async move { session.access_token().await.expect_err("not now") }
            })
        });
        for error in errors.collect::<Vec<_>>() {
            assert_eq!(error.await.expect("no panic").kind(), ErrorKind::RateLimited);
        }
        pass(Duration::from_millis(10)).await;
    }
    let waited = start.elapsed();
    assert!(waited < Duration::from_secs(12), "{waited:?}");
    let looks = world.store.steps() - before;
    assert!((5..=12).contains(&looks), "{looks} looks in {waited:?}");
    assert_eq!(world.provider.calls(), 1);
    pass(Duration::from_secs(580)).await;
    assert_eq!(world.provider.calls(), 1, "looking moves nothing of the pause");
    pass(Duration::from_secs(21)).await;
    assert_eq!(world.provider.calls(), 2, "nobody had to ask");
}

#[tokio::test(start_paused = true)]
async fn a_person_who_asks_while_a_caller_only_looks_gets_the_refresh() {
    let world = barred().await;
    pass(Duration::from_secs(1)).await;
    world.store.delay_the_next(Step::Load, Duration::from_secs(3));
    let looking = tokio::spawn({
        let session = world.session.clone();
        async move { session.access_token().await }
    });
    pass(Duration::from_secs(1)).await;
    world.session.refresh().await.expect("refreshed");
    looking.await.expect("no panic").expect_err("not now");
    assert_eq!(world.token().await, "access-2");
}

#[tokio::test(start_paused = true)]
async fn after_a_store_has_failed_for_long_its_return_is_seen_within_seconds() {
    let hours = Duration::from_secs(3 * 3_600);
    let mut world = World::new().await;
    world.store.refuse_commits(true);
    world.session.refresh().await.expect_err("not saved");
    pass(hours).await;
    world.happened();
    world.store.refuse_commits(false);
    pass(Duration::from_secs(6)).await;
    assert!(world.store.record().await.generation >= 2, "what was held is saved");
    assert!(world.session.try_access_token().is_some(), "and what is due by then is refreshed");

    world.store.fail(true);
    pass(hours).await;
    world.store.fail(false);
    // What the store did is not held against the provider.
    world.provider.next([Move::Fail(error(ErrorKind::Unreachable, Outcome::NotSent))]);
    pass(Duration::from_secs(20)).await;
    assert!(world.session.try_access_token().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_does_not_grow_stands_all_the_same() {
    let world = World::new().await;
    world.keeper.shutdown().await;
    let (clock, pause) = (Arc::clone(&world.clock), Duration::from_secs(100));
    let keeper = Keeper::builder(world.store.clone()).clock(move || clock()).floor(pause, pause);
    let keeper = keeper.spawn().expect("a keeper");
    let session = keeper.session(key(), world.provider.clone()).await.expect("a session");
    let token = session.access_token().await.expect("a token");
    world.provider.next((0..2).map(|_| Move::Fail(error(ErrorKind::Unreachable, Outcome::NotSent))));
    session.reject(&token).await.expect("noted");
    for _ in 0..2 {
        session.access_token().await.expect_err("down");
    }
    assert_eq!(world.provider.calls(), 1);
}

/// Nothing that a program sets is a time that cannot be counted with.
#[tokio::test(start_paused = true)]
async fn the_longest_deadlines_and_pauses_are_borne() {
    let world = World::new().await;
    world.keeper.shutdown().await;
    let (clock, longest) = (Arc::clone(&world.clock), Duration::MAX);
    let keeper = Keeper::builder(world.store.clone()).clock(move || clock()).floor(longest, longest);
    let keeper = keeper.request_deadline(longest).save_deadline(longest).spawn().expect("a keeper");
    let session = keeper.session(key(), world.provider.clone()).await.expect("a session");
    session.refresh().await.expect("granted");
    let failed = error(ErrorKind::RateLimited, Outcome::Refused).with_retry_after(Some(longest));
    world.provider.next([Move::Fail(failed), Move::LoseAnswer]);
    for kind in [ErrorKind::RateLimited, ErrorKind::Timeout] {
        assert_eq!(session.refresh().await.expect_err("no grant").kind(), kind);
    }
    session.settle().await.expect("granted");
    assert_eq!(world.provider.calls(), 4);
}
