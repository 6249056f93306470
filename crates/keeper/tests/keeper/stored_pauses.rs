//! A provider's wish to be left alone, in the record: processes that start anew heed it, and no doubt is lost for it.

use std::time::Duration;

use rampauth_core::{Error, ErrorKind, Expiry, Outcome, WhenUnknown};
use tokio::time::Instant;

use crate::support::{LIFETIME, Move, World, error, key, pass, tokens};

const MINUTE: Duration = Duration::from_secs(60);

fn busy(wait: Duration) -> Error {
    error(ErrorKind::RateLimited, Outcome::Refused).with_retry_after(Some(wait))
}

/// The access token was rejected, the provider wants to be left alone for this long, and the process is gone.
async fn left_behind(wait: Duration) -> World {
    let world = World::new().await;
    let token = world.session.access_token().await.expect("a token");
    world.session.reject(&token).await.expect("noted");
    world.provider.next([Move::Fail(busy(wait))]);
    world.session.access_token().await.expect_err("not now");
    world.keeper.shutdown().await;
    world
}

#[tokio::test(start_paused = true)]
async fn a_process_that_starts_anew_sends_nothing_before_the_pause_is_over() {
    let world = left_behind(10 * MINUTE).await;
    let (_keeper, session) = world.another_process().await;
    pass(Duration::from_millis(500)).await;
    let error = session.access_token().await.expect_err("not now");
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::RateLimited, Outcome::NotSent));
    assert_eq!(error.retry_after().map(|left| left.as_millis()), Some(599_500), "what is left of it");
    pass(9 * MINUTE + Duration::from_secs(55)).await;
    assert_eq!(session.access_token().await.expect_err("not now").kind(), ErrorKind::RateLimited);
    assert_eq!(world.provider.calls(), 1);
    pass(Duration::from_secs(20)).await;
    assert_eq!(world.provider.calls(), 2, "nobody had to ask");
    assert!(session.try_access_token().is_some());
    assert!(world.store.record().await.paused_until((world.clock)()).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_fresh_token_is_handed_out_and_a_persons_word_stands_above_the_pause() {
    let world = World::new().await;
    world.provider.next([Move::Fail(busy(10 * MINUTE))]);
    world.session.refresh().await.expect_err("not now");
    world.keeper.shutdown().await;
    let (_keeper, session) = world.another_process().await;
    assert_eq!(session.access_token().await.expect("fresh").expose_secret(), "access-0");
    assert_eq!(world.provider.calls(), 1);
    session.refresh().await.expect("refreshed");
    assert_eq!(session.access_token().await.expect("fresh").expose_secret(), "access-2");
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_follows_shortens_no_pause_and_a_login_ends_it() {
    let world = left_behind(10 * MINUTE).await;
    let (keeper, session) = world.another_process().await;
    world.provider.next([Move::Fail(error(ErrorKind::Unreachable, Outcome::NotSent))]);
    session.refresh().await.expect_err("down");
    keeper.shutdown().await;
    let (_keeper, session) = world.another_process().await;
    pass(5 * MINUTE).await;
    session.access_token().await.expect_err("not now");
    assert_eq!(world.provider.calls(), 2);
    session.put(tokens(7, Expiry::At((world.clock)()))).await.expect("saved");
    assert_eq!(session.access_token().await.expect("refreshed").expose_secret(), "access-3");
}

#[tokio::test(start_paused = true)]
async fn callers_who_meet_a_stored_pause_are_no_load_on_the_store() {
    let world = left_behind(10 * MINUTE).await;
    let (_keeper, session) = world.another_process().await;
    session.access_token().await.expect_err("not now");
    let (before, start) = (world.store.steps(), Instant::now());
    for _ in 0..1_000 {
        session.access_token().await.expect_err("not now");
        pass(Duration::from_millis(10)).await;
    }
    let looks = world.store.steps() - before;
    assert!((5..=15).contains(&looks), "{looks} looks in {:?}", start.elapsed());
    assert_eq!(world.provider.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_stored_pause_is_longer_than_an_hour() {
    let world = left_behind(Duration::from_secs(1_000_000)).await;
    let (_keeper, _session) = world.another_process().await;
    pass(Duration::from_secs(3_590)).await;
    assert_eq!(world.provider.calls(), 1);
    pass(Duration::from_secs(20)).await;
    assert_eq!(world.provider.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_doubt_is_resolved_in_time_whatever_the_provider_asked_for() {
    for same_process in [true, false] {
        let within = MINUTE;
        let world = World::with(|it| it.when_unknown(WhenUnknown::Promptly { within })).await;
        let lost = error(ErrorKind::Server, Outcome::Unknown).with_retry_after(Some(10 * MINUTE));
        world.provider.next([Move::Fail(lost)]);
        world.session.refresh().await.expect_err("lost");
        let other = if same_process {
            None
        } else {
            world.keeper.shutdown().await;
            Some(world.another_process().await)
        };
        pass(Duration::from_secs(45)).await;
        assert_eq!(world.provider.calls(), 1, "as long as may be, the provider is left alone");
        pass(Duration::from_secs(14)).await;
        assert_eq!(world.provider.presented(), ["refresh-0", "refresh-0"], "the same process: {same_process}");
        drop(other);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_that_dies_before_the_pause_ends_is_sent_once_more() {
    let world = World::new().await;
    let now = (world.clock)();
    let mut dying = tokens(5, Expiry::At(now + LIFETIME));
    dying.refresh_expiry = Expiry::At(now + 10 * MINUTE);
    world.session.put(dying).await.expect("saved");
    world.provider.next([Move::Fail(busy(30 * MINUTE)), Move::Fail(busy(30 * MINUTE))]);
    world.session.refresh().await.expect_err("not now");
    world.session.reject(&world.session.access_token().await.expect("a token")).await.expect("noted");
    pass(10 * MINUTE).await;
    assert_eq!(world.provider.presented(), ["refresh-5", "refresh-5"], "once before it dies, and not again and again");
    let record = world.store.record_of(&key()).await;
    assert!(record.paused_until((world.clock)()).is_some());
}

/// A machine may start with a clock that is a year ahead: what was noted then pauses nobody for a year.
#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_ends_a_pause() {
    const YEAR: i64 = 365 * 86_400;
    for fails_again in [false, true] {
        let world = World::new().await;
        let token = world.session.access_token().await.expect("a token");
        world.wall.step(YEAR);
        world.session.reject(&token).await.expect("noted");
        world.provider.next([Move::Fail(busy(10 * MINUTE))]);
        world.session.refresh().await.expect_err("not now");
        world.keeper.shutdown().await;
        world.wall.step(-YEAR);
        if fails_again {
            let (keeper, session) = world.another_process().await;
            world.provider.next([Move::Fail(error(ErrorKind::Unreachable, Outcome::NotSent))]);
            session.refresh().await.expect_err("down");
            keeper.shutdown().await;
        }
        let before = world.provider.calls();
        let (_keeper, session) = world.another_process().await;
        session.access_token().await.expect("refreshed");
        assert_eq!(world.provider.calls(), before + 1, "failed again: {fails_again}");
    }
}
