//! One refresh at a time: in a process, between processes, and whatever its callers do.

use std::time::Duration;

use rampauth_core::{ErrorKind, Outcome, WhenUnknown};

use crate::support::{LIFETIME, Move, World, error, pass};

#[tokio::test(start_paused = true)]
async fn a_herd_makes_one_call_and_shares_its_answer() {
    let world = World::new().await;
    world.provider.next([Move::GrantAfter(Duration::from_secs(5))]);
    pass(LIFETIME / 2).await;
    let before = world.store.steps();
    let callers: Vec<_> = (0..500)
        .map(|_| {
            let session = world.session.clone();
            tokio::spawn(async move { session.access_token_for(LIFETIME * 3 / 4).await })
        })
        .collect();
    for caller in callers {
        let token = caller.await.expect("no panic").expect("a token");
        assert_eq!(token.expose_secret(), "access-1");
    }
    assert_eq!(world.provider.calls(), 1);
    assert_eq!(world.store.steps() - before, 3, "one look, one begin, one commit");
}

#[tokio::test(start_paused = true)]
async fn a_herd_shares_one_failure_too_and_the_floor_keeps_the_next_one_waiting() {
    let world = World::new().await;
    let down = error(ErrorKind::RateLimited, Outcome::Refused).with_retry_after(Some(Duration::from_secs(120)));
    world.provider.next([Move::Fail(down)]);
    let old = world.session.access_token().await.expect("a token");
    world.session.reject(&old).await.expect("noted");
    let callers: Vec<_> = (0..200)
        .map(|_| {
            let session = world.session.clone();
            tokio::spawn(async move { session.access_token().await })
        })
        .collect();
    for caller in callers {
        let error = caller.await.expect("no panic").expect_err("one failure for all");
        assert_eq!(error.kind(), ErrorKind::RateLimited);
    }
    assert_eq!(world.provider.calls(), 1);
    pass(Duration::from_secs(60)).await;
    world.session.access_token().await.expect_err("the provider asked for two minutes");
    assert_eq!(world.provider.calls(), 1);
    pass(Duration::from_secs(61)).await;
    assert_eq!((world.token().await.as_str(), world.provider.calls()), ("access-2", 2));
}

#[tokio::test(start_paused = true)]
async fn what_the_provider_asks_one_process_to_wait_every_process_waits() {
    let world = World::new().await;
    let (_keeper, _other) = world.another_process().await;
    let down = error(ErrorKind::RateLimited, Outcome::Refused).with_retry_after(Some(Duration::from_secs(90)));
    world.provider.next([Move::Fail(down)]);
    pass(LIFETIME * 80 / 100).await;
    assert_eq!(world.provider.calls(), 1, "when it was due");
    let next_due = world.store.record().await.next_due.expect("a time");
    let left = next_due.duration_since((world.clock)()).expect("to come");
    pass(left - Duration::from_secs(1)).await;
    assert_eq!(world.provider.calls(), 1, "no process asks before");
    pass(Duration::from_secs(60)).await;
    assert_eq!(world.provider.presented(), ["refresh-0", "refresh-0"]);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_is_dropped_changes_nothing() {
    let world = World::new().await;
    world.provider.next([Move::GrantAfter(Duration::from_secs(10))]);
    let impatient = tokio::time::timeout(Duration::from_secs(1), world.session.refresh()).await;
    assert!(impatient.is_err());
    pass(Duration::from_secs(20)).await;
    assert_eq!(world.session.try_access_token().expect("fresh").expose_secret(), "access-1");
    assert_eq!(world.provider.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_panicking_provider_wakes_every_waiter_with_an_error_and_leaves_a_doubt() {
    let mut world = World::new().await;
    world.provider.next([Move::Panic]);
    let error = world.session.refresh().await.expect_err("it panicked");
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Internal, Outcome::Unknown));
    assert_eq!(world.happened(), ["doubtful"]);
    // The token in use is as good as before, and the doubt is settled by itself.
    assert_eq!(world.token().await, "access-0");
    pass(Duration::from_secs(30)).await;
    assert_eq!(world.happened(), ["settled"]);
}

#[tokio::test(start_paused = true)]
async fn two_processes_make_one_call_and_the_other_adopts() {
    let world = World::new().await;
    let (_keeper, other) = world.another_process().await;
    world.provider.next([Move::GrantAfter(Duration::from_secs(5))]);
    let (one, two) = tokio::join!(world.session.access_token_for(LIFETIME), async {
        pass(Duration::from_millis(100)).await;
        other.access_token_for(LIFETIME - Duration::from_secs(60)).await
    });
    assert_eq!(one.expect_err("a second too short by now").kind(), ErrorKind::Internal);
    assert_eq!(two.expect("a token").expose_secret(), "access-0");

    // Both windows are open in both processes: one of them refreshes.
    pass(LIFETIME * 9 / 10).await;
    assert_eq!(world.token().await, other.access_token().await.expect("a token").expose_secret());
    let presented = world.provider.presented();
    let mut unique = presented.clone();
    unique.dedup();
    assert_eq!(presented, unique, "no token was presented twice");
}

#[tokio::test(start_paused = true)]
async fn a_caller_waits_for_the_process_that_holds_the_claim_under_every_policy() {
    let policies = [WhenUnknown::Promptly { within: LIFETIME }, WhenUnknown::AtLastMoment, WhenUnknown::Stop];
    for when_unknown in policies {
        let world = World::with(|provider| provider.when_unknown(when_unknown)).await;
        let (_keeper, other) = world.another_process().await;
        world.provider.next([Move::GrantAfter(Duration::from_secs(10))]);
        let token = world.session.access_token().await.expect("a token");
        world.session.reject(&token).await.expect("noted");
        pass(Duration::from_secs(1)).await;
        other.reject(&token).await.expect("noted");
        let before = world.store.steps();
        assert_eq!(other.access_token().await.expect("a token").expose_secret(), "access-1", "{when_unknown:?}");
        assert_eq!(world.provider.presented(), ["refresh-0"], "{when_unknown:?}");
        // 25 to 250 ms between two looks, and a look is two steps at most.
        let steps = world.store.steps() - before;
        assert!((60..=250).contains(&steps), "{steps} steps in nine seconds, {when_unknown:?}");
    }
}
