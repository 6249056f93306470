//! A wall clock that is set, and a machine that sleeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use rampauth_core::{ErrorKind, Expiry, Outcome};
use rampauth_keeper::{Keeper, MemoryStore};

use crate::support::{LIFETIME, Move, Provider, Step, World, error, key, pass, tokens};

const HOUR: i64 = 3_600;
/// The keeper looks at its clocks at least this often.
const HEARTBEAT: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn a_token_does_not_live_longer_because_the_clock_was_set_back() {
    let world = World::new().await;
    world.provider.next((0..10_000).map(|_| Move::Fail(error(ErrorKind::Unreachable, Outcome::NotSent))));
    pass(LIFETIME / 2).await;
    world.wall.step(-HOUR);
    // Refreshes fail and the record is looked at again and again, which changes nothing about its tokens.
    pass(LIFETIME / 2 - Duration::from_secs(1)).await;
    assert!(world.provider.calls() > 1, "it is due as if nobody had touched the clock");
    assert_eq!(world.token().await, "access-0");
    pass(Duration::from_secs(1)).await;
    assert!(world.session.try_access_token().is_none());
    assert_eq!(world.session.access_token().await.expect_err("expired").kind(), ErrorKind::Unreachable);
}

#[tokio::test(start_paused = true)]
async fn what_is_granted_after_the_clock_was_set_back_lives_as_long_as_ever() {
    let world = World::new().await;
    pass(LIFETIME / 2).await;
    world.wall.step(-HOUR);
    pass(LIFETIME * 4 / 10).await;
    assert_eq!(world.provider.presented(), ["refresh-0"], "ahead of need");
    assert_eq!(world.session.try_access_token().expect("fresh").expose_secret(), "access-1");
    // And twice more, with another hour lost between.
    world.wall.step(-HOUR);
    pass(LIFETIME).await;
    let presented = world.provider.calls();
    assert!((2..=3).contains(&presented), "{presented}");
    pass(LIFETIME / 2).await;
    assert!(world.session.try_access_token().is_some());
    assert!(world.provider.calls() <= presented + 1);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_slewed_moves_nothing() {
    let world = World::new().await;
    world.provider.next((0..10_000).map(|_| Move::Fail(error(ErrorKind::Unreachable, Outcome::NotSent))));
    for _ in 0..20 {
        pass(HEARTBEAT).await;
        world.wall.step(-1);
    }
    // 600 seconds have passed, 580 by the wall clock, and that one counts.
    pass(LIFETIME - Duration::from_secs(581)).await;
    assert_eq!(world.token().await, "access-0");
    pass(Duration::from_secs(1)).await;
    world.session.access_token().await.expect_err("expired");
}

#[tokio::test(start_paused = true)]
async fn set_forward_or_asleep_a_token_is_refreshed_rather_than_handed_out_dead() {
    let world = World::new().await;
    pass(LIFETIME / 10).await;
    world.wall.step(HOUR);
    assert!(world.session.try_access_token().is_none(), "at once: this needs no heartbeat");
    pass(HEARTBEAT).await;
    assert_eq!(world.session.try_access_token().expect("fresh").expose_secret(), "access-1");
    // Once, and what is granted from then on lives as long as ever.
    pass(LIFETIME * 7 / 10).await;
    assert_eq!(world.provider.presented(), ["refresh-0"]);
    pass(LIFETIME / 10).await;
    assert_eq!(world.provider.presented(), ["refresh-0", "refresh-1"]);
}

#[tokio::test(start_paused = true)]
async fn what_the_clock_was_set_forward_counts_once() {
    let world = World::new().await;
    world.provider.next((0..10_000).map(|_| Move::Fail(error(ErrorKind::Unreachable, Outcome::NotSent))));
    pass(HEARTBEAT).await;
    world.wall.step(100);
    pass(LIFETIME - HEARTBEAT - Duration::from_secs(101)).await;
    assert_eq!(world.token().await, "access-0");
    pass(Duration::from_secs(1)).await;
    world.session.access_token().await.expect_err("expired");
}

#[tokio::test(start_paused = true)]
async fn what_another_process_brought_after_the_clock_was_set_back_lives_as_long_as_ever() {
    let world = World::new().await;
    let (_keeper, other) = world.another_process().await;
    pass(LIFETIME / 2).await;
    world.wall.step(-HOUR);
    pass(HEARTBEAT).await;
    other.refresh().await.expect("refreshed");
    let long = world.session.access_token_for(LIFETIME * 9 / 10).await.expect("a token");
    assert_eq!((long.expose_secret(), world.provider.calls()), ("access-1", 1), "it needs no refresh of its own");
}

#[tokio::test(start_paused = true)]
async fn the_pause_after_a_failure_goes_by_a_clock_that_nobody_sets() {
    let world = World::new().await;
    let wait = Some(Duration::from_secs(600));
    world.provider.next([Move::Fail(error(ErrorKind::RateLimited, Outcome::Refused).with_retry_after(wait))]);
    world.session.refresh().await.expect_err("not now");
    // When the session was to be woken has come by the wall clock, and the provider's ten minutes have not.
    world.wall.step(HOUR);
    pass(Duration::from_secs(590)).await;
    assert_eq!(world.provider.calls(), 1);
    pass(HEARTBEAT).await;
    assert_eq!(world.provider.calls(), 2, "nobody had to ask");
}

#[tokio::test(start_paused = true)]
async fn a_claim_ages_while_the_machine_sleeps() {
    let world = World::new().await;
    world.store.delay_the_next(Step::Begin, Duration::from_secs(2));
    let refresh = tokio::spawn({
        let session = world.session.clone();
        async move { session.refresh().await }
    });
    pass(Duration::from_secs(1)).await;
    world.wall.step(60);
    let error = refresh.await.expect("no panic").expect_err("too old");
    assert_eq!((error.outcome(), world.provider.calls()), (Outcome::NotSent, 0));
    let record = world.store.record().await;
    assert!(record.attempt.is_none(), "and it is taken back");
}

/// On the runtime's real time: nothing but the given clock jumps.
#[tokio::test]
async fn a_jump_of_a_given_clock_is_seen_at_once() {
    let days = Arc::new(AtomicU64::new(0));
    let clock = {
        let days = Arc::clone(&days);
        move || UNIX_EPOCH + Duration::from_secs(1_800_000_000 + 86_400 * days.load(Ordering::SeqCst))
    };
    let provider = Provider::new(clock.clone());
    let store = MemoryStore::new().with_clock(clock.clone());
    let keeper = Keeper::builder(store).clock(clock.clone()).spawn().expect("a keeper");
    let session = keeper.session(key(), provider.clone()).await.expect("a session");
    session.put(tokens(0, Expiry::At(clock() + Duration::from_secs(30 * 86_400)))).await.expect("saved");
    // The keeper waits for a day far ahead by then.
    tokio::time::sleep(Duration::from_millis(300)).await;
    days.store(25, Ordering::SeqCst);
    let jumped = tokio::time::Instant::now();
    while provider.calls() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(jumped.elapsed() < Duration::from_secs(10), "a refresh was due long ago");
    }
}
