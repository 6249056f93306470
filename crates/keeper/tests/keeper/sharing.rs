//! One refresh at a time: in a process, between processes, and whatever its callers do.

use std::time::Duration;

use rampauth_core::{ErrorKind, Expiry, Outcome, WhenUnknown};
use rampauth_keeper::SessionKey;
use tokio::runtime::Builder;

use crate::support::{LIFETIME, Move, Provider, World, error, key, pass, tokens};

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

#[test]
fn a_refresh_whose_runtime_is_gone_is_an_error_for_each_who_asks() {
    let (sender, errors) = std::sync::mpsc::channel();
    // On a thread of its own: it was a wait for ever once.
    std::thread::spawn(move || {
        let runtime =
            |paused| Builder::new_current_thread().enable_all().start_paused(paused).build().expect("a runtime");
        let built_on = runtime(true);
        let world = built_on.block_on(World::new());
        drop(built_on);
        for _ in 0..2 {
            sender.send(runtime(false).block_on(world.session.refresh())).expect("somebody listens");
        }
    });
    for _ in 0..2 {
        let error = errors.recv_timeout(Duration::from_secs(30)).expect("a result").expect_err("nothing can run");
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Internal, Outcome::Unknown));
    }
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

#[tokio::test(start_paused = true)]
async fn all_handles_on_a_key_share_one_session_however_they_were_asked_for() {
    let mut world = World::new().await;
    let second = world.keeper.session(key(), world.provider.clone()).await.expect("a session");
    assert_eq!(second.try_access_token().expect("fresh").expose_secret(), "access-0");
    world.provider.next([Move::GrantAfter(Duration::from_secs(5))]);
    let before = world.store.steps();
    let (one, two) = tokio::join!(world.session.refresh(), second.refresh());
    one.expect("refreshed");
    two.expect("refreshed");
    assert_eq!((world.provider.calls(), world.store.steps() - before), (1, 3), "one look, one begin, one commit");
    assert_eq!(second.try_access_token().expect("fresh").expose_secret(), "access-1");
    assert_eq!(world.session.try_access_token().expect("fresh").expose_secret(), "access-1");
    assert_eq!(world.happened(), ["refreshed"]);
}

#[tokio::test(start_paused = true)]
async fn of_many_sessions_each_is_its_own() {
    let world = World::new().await;
    let mut sessions = Vec::new();
    for number in 0..1_000 {
        let key = SessionKey::parse(format!("fake/test/account/{number}")).expect("a key");
        let session = world.keeper.session(key.clone(), world.provider.clone()).await.expect("a session");
        assert_eq!(*session.key(), key);
        sessions.push(session);
    }
    for (number, session) in sessions.into_iter().enumerate() {
        let again = world.keeper.session(session.key().clone(), world.provider.clone()).await.expect("a session");
        session.put(tokens(number, Expiry::At((world.clock)() + LIFETIME))).await.expect("saved");
        assert_eq!(again.try_access_token().expect("shared").expose_secret(), format!("access-{number}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_asked_for_again_has_what_the_store_has_now() {
    let mut world = World::new().await;
    let (_keeper, other) = world.another_process().await;
    other.refresh().await.expect("refreshed");
    let second = world.keeper.session(key(), world.provider.clone()).await.expect("a session");
    assert_eq!(second.try_access_token().expect("fresh").expose_secret(), "access-1");
    assert_eq!(world.session.try_access_token().expect("fresh").expose_secret(), "access-1");
    assert_eq!(world.happened(), ["adopted"]);
    // Another login is not kept waiting for what failed before it.
    world.provider.next([Move::Fail(
        error(ErrorKind::RateLimited, Outcome::Refused).with_retry_after(Some(Duration::from_secs(3_000))),
    )]);
    world.session.refresh().await.expect_err("not now");
    other.put(tokens(9, Expiry::At((world.clock)() + LIFETIME))).await.expect("a login");
    world.keeper.session(key(), world.provider.clone()).await.expect("a session");
    pass(LIFETIME * 85 / 100).await;
    assert!(world.session.try_access_token().is_some_and(|token| token.expose_secret() != "access-9"));
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_last_handle_is_gone_is_opened_anew() {
    let World { keeper, session, provider, store, clock, .. } = World::new().await;
    drop(session);
    let another = Provider::new(move || clock());
    let session = keeper.session(key(), another.clone()).await.expect("a session");
    session.refresh().await.expect("refreshed");
    assert_eq!((provider.calls(), another.presented()), (0, vec!["refresh-0".to_owned()]));
    assert_eq!(store.record().await.generation, 2);
}
