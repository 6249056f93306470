//! A person refreshes by hand although a login is needed: the stored token is sent once, and nothing but a grant changes what
//! the session is.

use std::time::Duration;

use rampauth_core::{Error, ErrorKind, Expiry, Outcome, TokenSet};
use rampauth_keeper::{DueQuery, Operation, SessionId, State, Store as _, StoreExt as _};
use tokio::runtime::Builder;

use crate::support::{LIFETIME, Move, Step, World, error, key, pass, tokens};

/// Longer than every pause.
const HOURS: Duration = Duration::from_secs(10 * 3_600);

fn dead() -> Error {
    error(ErrorKind::LoginNeeded, Outcome::Refused)
}

/// The provider said that the token is dead, once.
async fn condemned() -> World {
    let mut world = World::new().await;
    world.provider.next([Move::Fail(dead())]);
    world.session.refresh().await.expect_err("dead");
    assert_eq!(world.store.record().await.state, State::LoginNeeded);
    assert_eq!(world.happened(), ["login_needed"]);
    world
}

#[tokio::test(start_paused = true)]
async fn a_grant_makes_the_session_ready_again() {
    let mut world = condemned().await;
    world.session.refresh().await.expect("granted");
    assert_eq!(world.provider.presented(), ["refresh-0", "refresh-0"]);
    let record = world.store.record().await;
    assert!(record.state == State::Ready && record.attempt.is_none() && record.generation == 2);
    assert_eq!(world.token().await, "access-2");
    assert_eq!(world.happened()[0], "refreshed");
    // From here on it is a session like any other.
    pass(LIFETIME).await;
    assert_eq!(world.token().await, "access-3");
}

#[tokio::test(start_paused = true)]
async fn every_other_answer_leaves_a_login_needed_and_is_told_as_what_it_is() {
    use ErrorKind::{Forbidden, RateLimited, Refused, Server, Timeout, Unauthorized, Unreachable};
    for (kind, outcome) in [
        (Unauthorized, Outcome::Refused),
        (Forbidden, Outcome::Refused),
        (Refused, Outcome::Refused),
        (RateLimited, Outcome::Refused),
        (Unreachable, Outcome::NotSent),
        (Timeout, Outcome::Unknown),
        (Server, Outcome::Unknown),
    ] {
        let mut world = condemned().await;
        world.provider.next([Move::Fail(error(kind, outcome))]);
        let told = world.session.refresh().await.expect_err("no grant");
        assert_eq!((told.kind(), told.outcome()), (kind, outcome));
        assert_eq!(world.happened(), ["refresh_failed"], "{kind:?}");
        let record = world.store.record().await;
        assert_eq!((record.state, record.due()), (State::LoginNeeded, None), "{kind:?}");
        assert_eq!(record.last_error.expect("noted").kind, kind.as_str());
        // Nothing repeats it, for callers neither.
        pass(HOURS).await;
        let needed = world.session.access_token().await.expect_err("dead");
        assert_eq!((needed.kind(), needed.outcome()), (ErrorKind::LoginNeeded, Outcome::NotSent));
        assert_eq!(world.provider.calls(), 2, "{kind:?}");
        // But for the next person, at once.
        world.session.refresh().await.expect("granted");
        assert_eq!(world.store.record().await.state, State::Ready, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_dead_indeed_is_said_to_be_so() {
    let mut world = condemned().await;
    world.provider.next([Move::Fail(dead())]);
    let told = world.session.refresh().await.expect_err("dead");
    assert_eq!((told.kind(), told.outcome()), (ErrorKind::LoginNeeded, Outcome::Refused));
    assert_eq!(world.happened(), ["login_needed"]);
    let record = world.store.record().await;
    assert!(record.state == State::LoginNeeded && record.attempt.is_none());
}

#[tokio::test(start_paused = true)]
async fn what_was_given_up_or_refused_in_doubt_is_tried_as_well() {
    let world = World::new().await;
    world.provider.next([Move::LoseAnswer, Move::Fail(dead())]);
    world.session.refresh().await.expect_err("lost");
    world.session.settle().await.expect_err("dead");
    world.provider.next([Move::LoseAnswer]);
    world.session.refresh().await.expect_err("lost");
    pass(HOURS).await;
    assert_eq!(world.provider.calls(), 3, "a try without an answer is no doubt");
    world.session.refresh().await.expect("granted");
    assert_eq!(world.provider.presented(), ["refresh-0"; 4]);
}

#[tokio::test(start_paused = true)]
async fn settling_sends_nothing_where_a_login_is_needed() {
    let world = condemned().await;
    let told = world.session.settle().await.expect_err("dead");
    assert_eq!((told.kind(), told.outcome(), world.provider.calls()), (ErrorKind::LoginNeeded, Outcome::NotSent, 1));
}

#[tokio::test(start_paused = true)]
async fn a_logout_and_a_passed_expiry_stand_above_a_persons_word() {
    let world = condemned().await;
    world.session.remove().await.expect("removed");
    let told = world.session.refresh().await.expect_err("removed");
    assert_eq!((told.kind(), told.outcome()), (ErrorKind::LoginNeeded, Outcome::NotSent));

    let world = World::new().await;
    let until = Expiry::At(world.wall.now() + LIFETIME);
    let refresh = tokens(0, until).refresh_token.expect("a refresh token");
    let expiring: TokenSet = tokens(0, until).with_refresh_token(refresh, until);
    world.session.put(expiring).await.expect("saved");
    world.provider.next([Move::Fail(dead()), Move::Fail(error(ErrorKind::Timeout, Outcome::Unknown))]);
    world.session.refresh().await.expect_err("dead");
    pass(LIFETIME - Duration::from_secs(1)).await;
    world.session.refresh().await.expect_err("lost");
    assert_eq!(world.provider.calls(), 2, "a moment before, it was tried");
    pass(Duration::from_secs(1)).await;
    let told = world.session.refresh().await.expect_err("expired");
    assert_eq!((told.kind(), told.outcome()), (ErrorKind::LoginNeeded, Outcome::NotSent));
    assert_eq!(told.to_string(), "failed to refresh the tokens: the session's token has expired");
    assert_eq!(world.provider.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_person_who_joins_a_look_of_somebody_elses_has_the_token_sent_all_the_same() {
    let world = condemned().await;
    world.session.reject(&world.session.access_token().await.expect("it lives")).await.expect("noted");
    world.store.delay_the_next(Step::Load, Duration::from_secs(2));
    let caller = tokio::spawn({
        let session = world.session.clone();
        async move { session.access_token().await }
    });
    pass(Duration::from_secs(1)).await;
    world.session.refresh().await.expect("granted");
    assert_eq!(caller.await.expect("no panic").expect_err("it only looked").kind(), ErrorKind::LoginNeeded);
    assert_eq!(world.provider.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_once_an_earlier_answer_has_healed_the_session() {
    let world = condemned().await;
    let record = world.store.record().await;
    // Another process's answer to an earlier presentation arrives between the claim and the look after it.
    let attempt = rampauth_keeper::AttemptRef {
        id: rampauth_keeper::AttemptId::from_random(77),
        session: record.session,
        generation: record.generation,
    };
    let mut granted = record.tokens.expect("tokens");
    granted.presents = rampauth_keeper::TokenDigest::of("refresh-9");
    world.store.after_the_next_begin(move || vec![Operation::Commit { attempt, tokens: granted }]);
    world.session.refresh().await.expect("healed");
    assert_eq!((world.provider.calls(), world.store.record().await.generation), (1, 2));
}

#[test]
fn a_process_that_dies_over_it_leaves_nothing_that_sends_it_again() {
    let runtime = || Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    let dies = runtime();
    let world = dies.block_on(async {
        let world = condemned().await;
        world.provider.next([Move::Hang]);
        let session = world.session.clone();
        tokio::spawn(async move { session.refresh().await });
        pass(Duration::from_secs(1)).await;
        world
    });
    drop(dies);
    assert_eq!(world.provider.calls(), 2);
    runtime().block_on(async {
        let record = world.store.record().await;
        assert!(record.state == State::LoginNeeded && record.attempt.is_some_and(|it| it.lease.is_some()));
        world.wall.step(10);
        let (_keeper, next) = world.another_process().await;
        pass(HOURS).await;
        world.wall.step(36_000);
        assert_eq!(next.access_token().await.expect_err("dead").kind(), ErrorKind::LoginNeeded);
        assert_eq!(world.provider.calls(), 2);
        assert!(world.store.due(&DueQuery::new(world.wall.now(), 9)).await.expect("a listing").is_empty());
        // A person may ask again: the claim has lapsed.
        next.refresh().await.expect("granted");
        assert_eq!(world.store.record().await.state, State::Ready);
    });
}

#[tokio::test(start_paused = true)]
async fn a_claim_of_another_persons_is_waited_for() {
    let world = condemned().await;
    let record = world.store.record().await;
    let claim = Operation::ClaimManually {
        generation: record.generation,
        presents: record.tokens.expect("tokens").presents,
        attempt: rampauth_keeper::AttemptId::from_random(5),
        owner: rampauth_keeper::OwnerId::from_random(6),
        lease: Duration::from_secs(20),
    };
    world.store.apply(&key(), claim).await.expect("claimed");
    let refresh = tokio::spawn({
        let session = world.session.clone();
        async move { session.refresh().await }
    });
    pass(Duration::from_secs(19)).await;
    assert_eq!(world.provider.calls(), 1);
    refresh.await.expect("no panic").expect("granted");
    assert_eq!(world.provider.calls(), 2);
    assert_ne!(world.store.record().await.session, SessionId::from_random(0));
}
