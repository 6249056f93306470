//! Claims of processes that may be gone: who waits for them, until when, and who finds what they left.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rampauth_core::{ErrorKind, Expiry, Outcome};
use rampauth_keeper::{Answer, AttemptId, AttemptRef, Conclusion, Keeper, Operation, OwnerId, State, StoreExt as _};
use tokio::time::Instant;

use crate::support::{Fragile, LIFETIME, Move, Step, World, error, key, pass, tokens};

/// A claim with the keeper's usual limits.
const LEASE: Duration = Duration::from_secs(45);
/// One step in the store.
const SAVE: Duration = Duration::from_secs(5);

fn sweeps(store: &Fragile) -> usize {
    store.sweeps.load(Ordering::SeqCst)
}

/// Another process claims the session for this long, and is never heard of again.
async fn somebody_dies_with_a_claim(world: &World, lease: Duration) {
    let record = world.store.record().await;
    let begin = Operation::Begin {
        generation: record.generation,
        presents: record.tokens.expect("tokens").presents,
        attempt: AttemptId::from_random(4_711),
        owner: OwnerId::from_random(4_711),
        lease,
        settle: false,
    };
    assert!(matches!(world.store.apply(&key(), begin).await, Ok(Answer::Begun(_))));
}

#[tokio::test(start_paused = true)]
async fn a_caller_waits_until_the_claim_of_a_process_that_died_has_lapsed() {
    let world = World::new().await;
    somebody_dies_with_a_claim(&world, LEASE).await;
    let start = Instant::now();
    world.session.refresh().await.expect("refreshed");
    let waited = start.elapsed();
    assert!((LEASE..LEASE + Duration::from_secs(1)).contains(&waited), "{waited:?}");
    assert_eq!(world.provider.presented(), ["refresh-0"]);
}

#[tokio::test(start_paused = true)]
async fn a_doubt_that_ends_between_the_look_and_the_claim_is_not_settled_by_a_presentation() {
    let world = World::new().await;
    somebody_dies_with_a_claim(&world, LEASE).await;
    let before = world.store.record().await;
    world.store.delay_the_next(Step::Begin, Duration::from_secs(2));
    let session = world.session.clone();
    let settled = tokio::spawn(async move { session.settle().await });
    pass(Duration::from_secs(1)).await;
    // It was alive, and could not connect.
    let attempt = before.attempt.expect("a claim").id;
    let attempt = AttemptRef { id: attempt, session: before.session, generation: before.generation };
    let next_due = before.next_due;
    let conclude = Operation::Conclude { attempt, conclusion: Conclusion::NotSent, next_due, error: None };
    assert!(matches!(world.store.apply(&key(), conclude).await, Ok(Answer::Done(_))));
    settled.await.expect("no panic").expect("nothing is in doubt");
    assert_eq!(world.provider.calls(), 0);
    let after = world.store.record().await;
    assert_eq!((after.state, after.generation, after.next_due), (State::Ready, 1, before.next_due));
    assert!(after.attempt.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_outlasts_the_waiting_is_told_with_its_end_and_the_next_who_asks_waits_again() {
    let world = World::new().await;
    somebody_dies_with_a_claim(&world, LEASE * 3).await;
    let start = Instant::now();
    for round in 1..=2 {
        let error = world.session.refresh().await.expect_err("claimed");
        let waited = start.elapsed();
        let expected = (LEASE + SAVE) * round;
        assert!((expected..expected + Duration::from_secs(1)).contains(&waited), "{waited:?}");
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::RateLimited, Outcome::NotSent));
        // The world began at 08:00:00.
        let reason = "another process holds the session's claim until 2027-01-15T08:02:15Z";
        assert!(error.to_string().ends_with(reason), "{error}");
        assert!(error.help().starts_with("try again then"), "{}", error.help());
        let left = (LEASE * 3).saturating_sub(waited).min(LEASE);
        assert_eq!(error.retry_after().map(|wait| wait.as_secs()), Some(left.as_secs()));
    }
    world.session.refresh().await.expect("refreshed once the claim has lapsed");
    assert_eq!(world.provider.presented(), ["refresh-0"]);
}

#[tokio::test(start_paused = true)]
async fn a_look_that_finds_a_claim_comes_back_when_the_claim_lapses() {
    let world = World::new().await;
    world.keeper.shutdown().await;
    pass(LIFETIME * 80 / 100).await;
    somebody_dies_with_a_claim(&world, LEASE).await;
    // The next process starts while the claim holds; a minute after the presentation it would be too late.
    pass(Duration::from_secs(20)).await;
    let (keeper, next) = world.another_process().await;
    let mut events = keeper.events();
    pass(LEASE - Duration::from_secs(20) + Duration::from_secs(1)).await;
    assert_eq!(world.provider.presented(), ["refresh-0"]);
    assert_eq!(events.try_next().expect("an event").kind.as_str(), "settled");
    assert_eq!(next.try_access_token().expect("fresh").expose_secret(), "access-1");
}

#[tokio::test(start_paused = true)]
async fn what_a_process_left_that_refreshed_fresh_tokens_by_hand_is_found_by_the_others_in_time() {
    for known in [true, false] {
        let mut world = World::new().await;
        let expiry = if known { Expiry::At((world.clock)() + LIFETIME) } else { Expiry::Unknown };
        world.session.put(tokens(0, expiry)).await.expect("saved");
        somebody_dies_with_a_claim(&world, LEASE).await;
        pass(LEASE - Duration::from_secs(1)).await;
        assert_eq!(world.provider.calls(), 0, "the claim holds");
        pass(Duration::from_secs(7)).await;
        assert_eq!(world.provider.presented(), ["refresh-0"], "known expiry: {known}");
        assert_eq!(world.happened(), ["settled"]);
        assert_eq!(world.token().await, "access-1");
    }
}

#[tokio::test(start_paused = true)]
async fn a_doubt_whose_next_presentation_was_never_sent_does_not_wait_for_the_tokens_own_time() {
    let world = World::new().await;
    somebody_dies_with_a_claim(&world, LEASE).await;
    world.provider.next([Move::Fail(error(ErrorKind::Unreachable, Outcome::NotSent))]);
    pass(LEASE + Duration::from_secs(6)).await;
    assert_eq!(world.provider.calls(), 1);
    let record = world.store.record().await;
    let next_due = record.next_due.expect("a time");
    assert!(record.attempt.is_some() && next_due <= (world.clock)() + Duration::from_secs(1), "{next_due:?}");
    pass(Duration::from_secs(5)).await;
    assert_eq!((world.token().await.as_str(), world.store.record().await.state), ("access-2", State::Ready));
}

#[tokio::test(start_paused = true)]
async fn the_store_is_asked_every_few_seconds_by_whoever_keeps_a_session_unasked() {
    let mut world = World::new().await;
    pass(Duration::from_secs(100)).await;
    assert!((19..=20).contains(&sweeps(&world.store)), "{}", sweeps(&world.store));
    // A store that fails is no news.
    world.store.fail(true);
    pass(Duration::from_secs(100)).await;
    assert!((39..=40).contains(&sweeps(&world.store)), "{}", sweeps(&world.store));
    assert!(world.happened().is_empty());
    world.store.fail(false);
    // Nobody keeps a session any more.
    let World { store, session, provider, keeper, .. } = world;
    drop(session);
    let before = sweeps(&store);
    pass(Duration::from_secs(100)).await;
    assert_eq!(sweeps(&store), before);
    drop(keeper);
    let keeper = Keeper::builder(store.clone()).on_demand().spawn().expect("a keeper");
    let _session = keeper.session(key(), provider).await.expect("a session");
    pass(Duration::from_secs(100)).await;
    assert_eq!(sweeps(&store), before);
}
