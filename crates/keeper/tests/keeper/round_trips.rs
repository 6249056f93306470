//! How often the store is asked for one refresh: reads and writes, each a round trip where the store has a server. And what is
//! known of a record that was read a while ago.

use std::sync::Arc;
use std::time::Duration;

use rampauth_core::{ErrorKind, Outcome, Refresh};
use rampauth_keeper::{Keeper, Operation, Record, StoreExt as _, TokenDigest};

use crate::support::{LIFETIME, Move, Step, World, error, key, pass};

/// A claim with the keeper's usual limits.
const LEASE: Duration = Duration::from_secs(45);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn a_caller_s_refresh_costs_three() {
    let world = World::new().await;
    let before = world.store.steps();
    world.session.refresh().await.expect("refreshed");
    assert_eq!(world.store.steps() - before, 3, "read, claim, commit");
}

#[tokio::test(start_paused = true)]
async fn one_that_the_sweep_found_costs_two() {
    let world = World::new().await;
    // Another process had the token rejected, so that the session is due.
    let Record { session, generation, .. } = world.store.record().await;
    let access = TokenDigest::of("access-0");
    world.store.apply(&key(), Operation::Reject { session, generation, access }).await.expect("noted");
    let before = world.store.steps();
    pass(seconds(6)).await;
    assert_eq!((world.provider.calls(), world.store.steps() - before), (1, 2), "claim, commit");
    assert_eq!(world.token().await, "access-1");
}

#[tokio::test(start_paused = true)]
async fn one_of_a_session_that_nobody_has_open_costs_two() {
    let World { wall, store, provider, keeper, session, .. } = World::new().await;
    let Record { session: login, generation, .. } = store.record().await;
    drop((keeper, session));
    let access = TokenDigest::of("access-0");
    store.apply(&key(), Operation::Reject { session: login, generation, access }).await.expect("noted");
    let client: Arc<dyn Refresh> = Arc::new(provider.clone());
    let builder = Keeper::builder(store.clone()).clock(move || wall.now()).accept_unsealed();
    let _keeper = builder.providers(move |_| Some(Arc::clone(&client))).spawn().expect("a keeper");
    let before = store.steps();
    pass(seconds(6)).await;
    assert_eq!((provider.calls(), store.steps() - before), (1, 2), "claim, commit");
}

#[tokio::test(start_paused = true)]
async fn one_upon_a_record_that_was_seen_shortly_before_costs_two() {
    let world = World::new().await;
    world.provider.next([Move::Fail(error(ErrorKind::Unreachable, Outcome::NotSent))]);
    let before = world.store.steps();
    pass(LIFETIME * 9 / 10).await;
    assert_eq!((world.token().await.as_str(), world.provider.calls()), ("access-2", 2));
    assert_eq!(world.store.steps() - before, 5, "read, claim, conclude; claim, commit");
}

#[tokio::test(start_paused = true)]
async fn the_next_refresh_of_a_token_that_lives_for_seconds_costs_two() {
    let world = World::new().await;
    world.provider.next([Move::GrantUntil(seconds(40)), Move::GrantUntil(LIFETIME)]);
    let before = world.store.steps();
    world.session.refresh().await.expect("refreshed");
    assert_eq!(world.store.steps() - before, 3, "read, claim, commit");
    pass(seconds(40)).await;
    assert_eq!(world.provider.calls(), 2);
    assert_eq!(world.store.steps() - before, 5, "claim, commit upon what was saved");
}

#[tokio::test(start_paused = true)]
async fn what_was_seen_before_is_no_reason_to_send_what_others_have_exchanged_since() {
    let world = World::new().await;
    let (_keeper, other) = world.another_process().await;
    world.provider.next([Move::Fail(error(ErrorKind::Unreachable, Outcome::NotSent))]);
    let rejected = world.session.access_token().await.expect("a token");
    world.session.reject(&rejected).await.expect("noted");
    world.session.access_token().await.expect_err("unreachable");
    other.refresh().await.expect("refreshed");
    let before = world.store.steps();
    world.session.refresh().await.expect("refreshed");
    assert_eq!(world.provider.presented(), ["refresh-0", "refresh-0", "refresh-2"]);
    assert_eq!(world.store.steps() - before, 3, "a claim in vain; claim, commit upon what it saw");
}

#[tokio::test(start_paused = true)]
async fn a_claim_lasts_from_its_own_time_however_long_the_look_took() {
    let world = World::new().await;
    world.provider.next([Move::GrantAfter(seconds(5))]);
    // The store's answer is on its way for three seconds.
    world.store.delay_the_next(Step::Load, seconds(3));
    let refresh = tokio::spawn({
        let session = world.session.clone();
        async move { session.refresh().await }
    });
    let asked = (world.clock)();
    pass(seconds(4)).await;
    let lease = world.store.record().await.attempt.and_then(|attempt| attempt.lease).expect("a claim");
    assert_eq!(lease.until, asked + seconds(3) + LEASE);
    refresh.await.expect("no panic").expect("refreshed");
}
