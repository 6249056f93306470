//! What callers are told about whether the call happened, when it is the store or the record that fails behind it.

use std::time::Duration;

use rampauth_core::{ErrorKind, Expiry, Outcome};
use rampauth_keeper::{
    AttemptId, AttemptRef, Event, EventKind, Events, Keeper, Operation, SealingKeys, Session, reseal,
};
use rampauth_test_kit::logs::CaptureLogs;

use crate::sealing::sealing_key;
use crate::support::{LIFETIME, Move, Step, World, error, key, pass, tokens};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_cannot_be_saved_may_have_happened() {
    let logs = CaptureLogs::start();
    let mut world = World::new().await;
    for store in ["fails", "does not answer"] {
        match store {
            "fails" => world.store.refuse_commits(true),
            _ => {
                world.store.refuse_commits(false);
                world.store.delay_the_next(Step::Commit, seconds(60));
            }
        }
        let error = world.session.refresh().await.expect_err("not saved");
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Internal, Outcome::Unknown), "{error}");
        assert!(logs.text().lines().last().is_some_and(|line| line.ends_with("outcome=unknown")), "{}", logs.text());
        let told = std::iter::from_fn(|| world.events.try_next()).find_map(|event| match event.kind {
            EventKind::SaveFailed(error) => Some(error),
            _ => None,
        });
        assert_eq!(told.expect("an event").outcome(), Outcome::Unknown);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_with_the_deadline_is_taken() {
    let mut world = World::new().await;
    world.provider.next([Move::GrantAfter(seconds(35))]);
    let start = tokio::time::Instant::now();
    world.session.refresh().await.expect("refreshed");
    assert!(start.elapsed() >= seconds(35), "it is the keeper's own deadline: {:?}", start.elapsed());
    assert_eq!((world.token().await.as_str(), world.happened()), ("access-1", vec!["refreshed"]));
}

/// As it is with a process that was stopped for a minute: its timers are up, and the answer takes a moment to be read.
#[tokio::test(start_paused = true)]
async fn an_answer_that_came_while_the_process_stood_still_is_taken() {
    for stopped_at in [seconds(5), seconds(35) + Duration::from_millis(100)] {
        let world = World::new().await;
        world.provider.next([Move::GrantAfter(stopped_at + seconds(60) + Duration::from_millis(100))]);
        let refresh = tokio::spawn({
            let session = world.session.clone();
            async move { session.refresh().await }
        });
        pass(stopped_at).await;
        tokio::time::advance(seconds(60)).await;
        refresh.await.expect("no panic").expect("refreshed");
        assert_eq!(world.token().await, "access-1");
    }
}

#[tokio::test(start_paused = true)]
async fn a_grant_after_a_logout_may_have_happened_whatever_the_store_says_then() {
    let world = World::new().await;
    world.provider.next([Move::GrantAfter(seconds(5))]);
    let refresh = tokio::spawn({
        let session = world.session.clone();
        async move { session.refresh().await }
    });
    pass(seconds(1)).await;
    world.session.remove().await.expect("removed");
    world.store.fail(true);
    let error = refresh.await.expect("no panic").expect_err("the store does not answer");
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Internal, Outcome::Unknown), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_the_store_does_not_take_is_told_all_the_same() {
    for (kind, outcome, told) in [
        (ErrorKind::Timeout, Outcome::Unknown, "doubtful"),
        (ErrorKind::Unreachable, Outcome::NotSent, "refresh_failed"),
    ] {
        let mut world = World::new().await;
        world.provider.next([Move::FailAfter(seconds(5), error(kind, outcome))]);
        let refresh = tokio::spawn({
            let session = world.session.clone();
            async move { session.refresh().await }
        });
        pass(seconds(1)).await;
        world.store.fail(true);
        let error = refresh.await.expect("no panic").expect_err("it fails");
        assert_eq!((error.kind(), error.outcome()), (kind, outcome), "{error}");
        assert_eq!(world.happened(), [told]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_outside_the_providers_call_is_told_and_tried_again_unasked() {
    for policy in [false, true] {
        let mut world = World::new().await;
        match policy {
            true => world.provider.panic_when_asked_for_the_policy(true),
            false => world.store.panic_next(),
        }
        let event = tokio::time::timeout(LIFETIME, world.events.next()).await.expect("in time").expect("an event");
        let EventKind::RefreshFailed(error) = &event.kind else { panic!("{event:?}") };
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Internal, Outcome::Unknown), "{error}");
        assert_eq!(world.token().await, "access-0");
        world.provider.panic_when_asked_for_the_policy(false);
        pass(seconds(10)).await;
        assert_eq!((world.token().await.as_str(), world.happened().last()), ("access-1", Some(&"refreshed")));
        world.store.panic_next();
        let error = world.session.refresh().await.expect_err("it panicked");
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Internal, Outcome::Unknown), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_granted_outlives_a_panic_of_the_store_and_the_handles() {
    let World { store, session, provider, keeper: _keeper, .. } = World::new().await;
    provider.next([Move::GrantAfter(seconds(5))]);
    let refresh = tokio::spawn(async move { session.refresh().await });
    pass(seconds(1)).await;
    store.panic_next();
    refresh.await.expect("no panic of ours").expect_err("the save panicked");
    pass(seconds(10)).await;
    assert_eq!(store.record().await.generation, 2, "saved unasked");
    assert_eq!(provider.presented(), ["refresh-0"]);
}

/// A session of a process that has one sealing key, in a store where all can be sealed with another one.
struct Sealed {
    world: World,
    session: Session,
    events: Events,
    _keeper: Keeper,
}

impl Sealed {
    async fn new() -> Self {
        let world = World::new().await;
        let clock = std::sync::Arc::clone(&world.clock);
        let builder = Keeper::builder(world.store.clone()).clock(move || clock());
        let keeper = builder.sealing(SealingKeys::new(sealing_key(1))).spawn().expect("a keeper");
        let session = keeper.session(key(), world.provider.clone()).await.expect("a session");
        session.put(tokens(0, Expiry::At(world.wall.now() + LIFETIME))).await.expect("saved");
        let events = keeper.events();
        Self { world, session, events, _keeper: keeper }
    }

    /// A refresh during which the record is sealed with a key that this process does not have.
    async fn refresh(&self, answer: Move) -> rampauth_core::Error {
        self.world.provider.next([answer]);
        let session = self.session.clone();
        let refresh = tokio::spawn(async move { session.refresh().await });
        pass(seconds(1)).await;
        let both = SealingKeys::new(sealing_key(2)).with_readable(sealing_key(1));
        reseal(&self.world.store, &both).await.expect("sealed anew");
        refresh.await.expect("no panic").expect_err("it fails")
    }

    fn happened(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.events.try_next()).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn the_providers_error_stands_though_the_record_cannot_be_read_any_more() {
    for (kind, outcome, first) in [
        (ErrorKind::Timeout, Outcome::Unknown, "doubtful"),
        (ErrorKind::LoginNeeded, Outcome::Refused, "login_needed"),
        (ErrorKind::RateLimited, Outcome::Refused, "refresh_failed"),
    ] {
        let mut sealed = Sealed::new().await;
        let returned = sealed.refresh(Move::FailAfter(seconds(5), error(kind, outcome))).await;
        assert_eq!((returned.kind(), returned.outcome()), (kind, outcome), "{returned}");
        let happened = sealed.happened();
        let names: Vec<_> = happened.iter().map(|event| event.kind.as_str()).collect();
        assert_eq!(names, [first, "refresh_failed"], "{kind:?}");
        let EventKind::RefreshFailed(unreadable) = &happened[1].kind else { panic!("{happened:?}") };
        assert!(unreadable.to_string().contains(sealing_key(2).id()), "{unreadable}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_grant_behind_a_record_that_cannot_be_read_may_have_happened() {
    let mut sealed = Sealed::new().await;
    let record = sealed.world.store.record().await;
    let attempt = AttemptRef { id: AttemptId::from_random(7), session: record.session, generation: record.generation };
    let tokens = record.tokens.expect("tokens");
    sealed.world.store.after_the_next_begin(move || vec![Operation::Commit { attempt, tokens }]);
    let returned = sealed.refresh(Move::GrantAfter(seconds(5))).await;
    assert_eq!((returned.kind(), returned.outcome()), (ErrorKind::Internal, Outcome::Unknown), "{returned}");
    assert!(returned.help().contains("give the key"), "{}", returned.help());
    let names: Vec<_> = sealed.happened().iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(names, ["orphaned"]);
}
