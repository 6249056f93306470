//! A token that is refused again and again by a provider that has no code for a dead one: *failing*, and how it ends.

use std::time::Duration;

use rampauth_core::{ClockDifference, Error, ErrorKind, Expiry, Outcome, WhenUnknown};
use rampauth_keeper::{EventKind, Keeper, Session, State};

use crate::support::{LIFETIME, Move, World, error, key, pass, tokens};

const HOUR: Duration = Duration::from_secs(3_600);

fn no(kind: ErrorKind) -> Move {
    Move::Fail(error(kind, Outcome::Refused))
}

/// A session whose access token has expired and whose refresh was refused this often, by a person's hand.
async fn refused(times: usize) -> World {
    let mut world = World::new().await;
    world.provider.next((0..times).map(|_| no(ErrorKind::Unauthorized)));
    world.session.put(tokens(0, Expiry::At(world.wall.now()))).await.expect("saved");
    for _ in 0..times {
        world.session.refresh().await.expect_err("refused");
    }
    assert_eq!(world.store.record().await.refusals as usize, times);
    world.happened();
    world
}

/// A program that asks once and ends.
async fn one_shot(world: &World) -> Result<(), Error> {
    let clock = world.clock.clone();
    let keeper = Keeper::builder(world.store.clone()).clock(move || clock()).on_demand().spawn().expect("a keeper");
    let session: Session = keeper.session(key(), world.provider.clone()).await.expect("a session");
    let result = session.access_token().await.map(drop);
    keeper.shutdown().await;
    result
}

#[tokio::test(start_paused = true)]
async fn the_tenth_refusal_makes_it_failing_and_a_login_is_said_to_be_needed() {
    let mut world = refused(9).await;
    world.provider.next([no(ErrorKind::Unauthorized)]);
    let told = world.session.refresh().await.expect_err("refused");
    assert_eq!((told.kind(), told.outcome()), (ErrorKind::Unauthorized, Outcome::Refused));
    assert!(
        told.help().starts_with("refused 10 times in a row, so that a login is probably needed"),
        "{}",
        told.help()
    );
    assert_eq!(world.happened(), ["refresh_failed", "failing"]);
    let record = world.store.record().await;
    assert_eq!((record.state, record.refusals), (State::Ready, 10));
    assert_eq!(record.next_due, Some(world.wall.now() + HOUR));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_refusal_makes_nothing_failing_and_neither_does_a_refusal_while_the_token_lives() {
    use ErrorKind::{RateLimited, Timeout, Unauthorized, Unreachable};
    let mut world = refused(9).await;
    for (kind, outcome) in
        [(Unreachable, Outcome::NotSent), (RateLimited, Outcome::Refused), (Timeout, Outcome::Unknown)]
    {
        world.provider.next([Move::Fail(error(kind, outcome))]);
        world.session.refresh().await.expect_err("no grant");
    }
    assert_eq!(world.store.record().await.refusals, 9);
    assert!(!world.happened().contains(&"failing"));

    let mut world = World::new().await;
    world.provider.next((0..12).map(|_| no(Unauthorized)));
    for _ in 0..12 {
        let told = world.session.refresh().await.expect_err("refused");
        assert!(!told.help().contains("login"), "{}", told.help());
    }
    assert!(world.happened().iter().all(|name| *name == "refresh_failed"));
    assert_eq!(world.store.record().await.refusals, 12);
}

#[tokio::test(start_paused = true)]
async fn it_is_tried_once_for_each_of_the_longest_pauses() {
    let mut world = refused(0).await;
    world.provider.next((0..100).map(|_| no(ErrorKind::Refused)));
    pass(5 * HOUR).await;
    let before = world.provider.calls();
    assert!(before >= 10, "{before} calls");
    pass(10 * HOUR).await;
    let hourly = world.provider.calls() - before;
    assert!((9..=11).contains(&hourly), "{hourly} calls in ten hours");
    let failing = world.happened().iter().filter(|name| **name == "failing").count();
    assert_eq!(failing, 1, "told once");
}

#[tokio::test(start_paused = true)]
async fn a_program_that_starts_anew_sends_once_for_each_of_the_longest_pauses_and_says_why_not_otherwise() {
    let world = refused(10).await;
    world.keeper.shutdown().await;
    world.provider.next((0..9).map(|_| no(ErrorKind::Unauthorized)));
    let sent = world.provider.calls();
    for _ in 0..3 {
        let told = one_shot(&world).await.expect_err("held back");
        assert_eq!((told.kind(), told.outcome()), (ErrorKind::Refused, Outcome::NotSent));
        assert_eq!(
            told.to_string(),
            "failed to refresh the tokens: the provider has refused the token 10 times in a row, so that it is probably dead, and \
             nothing was sent"
        );
        assert!(told.help().starts_with("have the person log in again"), "{}", told.help());
        assert!(told.retry_after().is_some_and(|left| left <= HOUR && left > HOUR / 2), "{:?}", told.retry_after());
        assert_eq!(world.provider.calls(), sent);
    }
    pass(HOUR).await;
    let told = one_shot(&world).await.expect_err("refused");
    assert_eq!((told.kind(), world.provider.calls()), (ErrorKind::Unauthorized, sent + 1));
    one_shot(&world).await.expect_err("held back");
    assert_eq!(world.provider.calls(), sent + 1);
}

/// A clock that is wrong is a reason for refusals too, so it is named wherever a login is said to be needed.
#[tokio::test(start_paused = true)]
async fn a_clock_that_disagrees_is_named_beside_the_login() {
    let world = refused(9).await;
    let ahead = ClockDifference::from_milliseconds(20 * 60_000);
    let refusal = error(ErrorKind::Refused, Outcome::Refused).with_clock_difference(Some(ahead));
    world.provider.next([Move::Fail(refusal)]);
    let told = world.session.refresh().await.expect_err("refused");
    world.keeper.shutdown().await;
    let held_back = one_shot(&world).await.expect_err("held back");
    assert_eq!(held_back.outcome(), Outcome::NotSent);
    for told in [told, held_back] {
        assert!(told.help().contains("log in again"), "{}", told.help());
        assert!(told.help().ends_with("; this machine's clock is 20 min ahead of the provider's"), "{}", told.help());
    }
}

#[tokio::test(start_paused = true)]
async fn a_person_sends_at_once_and_a_grant_is_a_recovery() {
    let mut world = refused(10).await;
    world.session.refresh().await.expect("granted");
    let record = world.store.record().await;
    assert_eq!((record.refusals, record.generation), (0, 3));
    assert_eq!(world.happened(), ["refreshed", "recovered"]);
    // The next time all is as usual, and nothing is recovered from.
    pass(LIFETIME).await;
    assert_eq!(world.happened(), ["refreshed"]);
}

#[tokio::test(start_paused = true)]
async fn a_login_ends_it() {
    let world = refused(10).await;
    world.session.put(tokens(7, Expiry::At(world.wall.now() + LIFETIME))).await.expect("saved");
    assert_eq!((world.token().await.as_str(), world.store.record().await.refusals), ("access-7", 0));
}

#[tokio::test(start_paused = true)]
async fn another_threshold_is_the_callers_to_choose() {
    let world = refused(0).await;
    world.keeper.shutdown().await;
    let clock = world.clock.clone();
    let keeper = Keeper::builder(world.store.clone()).clock(move || clock()).failing_after(2);
    let keeper = keeper.spawn().expect("a keeper");
    let mut events = keeper.events();
    let session = keeper.session(key(), world.provider.clone()).await.expect("a session");
    world.provider.next((0..2).map(|_| no(ErrorKind::Forbidden)));
    for _ in 0..2 {
        session.refresh().await.expect_err("refused");
    }
    let told: Vec<_> = std::iter::from_fn(|| events.try_next()).map(|event| event.kind).collect();
    assert!(matches!(told.last(), Some(EventKind::Failing { refusals: 2 })), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_recovery_is_told_after_failures_alone_and_once_the_tokens_are_saved() {
    let mut world = World::new().await;
    world.session.refresh().await.expect("granted");
    assert_eq!(world.happened(), ["refreshed"]);
    world.provider.next([Move::Fail(error(ErrorKind::Unreachable, Outcome::NotSent))]);
    world.session.refresh().await.expect_err("not sent");
    // The failure is in the record, so that a program that starts anew knows of it.
    let (another, session) = world.another_process().await;
    let mut events = another.events();
    world.store.refuse_commits(true);
    session.refresh().await.expect_err("not saved");
    world.store.refuse_commits(false);
    pass(Duration::from_secs(10)).await;
    let told: Vec<_> = std::iter::from_fn(|| events.try_next()).map(|event| event.kind.as_str()).collect();
    assert_eq!(told.iter().filter(|name| **name != "save_failed").collect::<Vec<_>>(), [&"refreshed", &"recovered"]);
}

#[tokio::test(start_paused = true)]
async fn a_plain_401_condemns_nothing_in_doubt_neither_whatever_the_provider_publishes() {
    for names_dead_tokens in [true, false] {
        let world = World::with(|mut provider| {
            if names_dead_tokens {
                provider.policy = provider.policy.with_named_dead_tokens();
            }
            provider.when_unknown(WhenUnknown::AtLastMoment)
        });
        let world = world.await;
        world.provider.next([Move::LoseAnswer]);
        world.provider.next((0..50).map(|_| no(ErrorKind::Unauthorized)));
        world.session.refresh().await.expect_err("lost");
        for _ in 0..30 {
            let told = world.session.settle().await.expect_err("refused");
            assert_eq!((told.kind(), told.outcome()), (ErrorKind::Unauthorized, Outcome::Refused));
        }
        pass(5 * HOUR).await;
        let record = world.store.record().await;
        assert_eq!((record.state, record.generation), (State::Doubtful, 1), "{names_dead_tokens}");
        assert!(record.refusals >= 31 && record.attempt.is_some(), "{record:?}");
        let hourly = world.provider.calls();
        pass(5 * HOUR).await;
        assert!(world.provider.calls() - hourly <= 6, "it backs off");
    }
}

/// What was noted by a clock that was set back since holds nobody back for as long as that.
#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_ends_the_pause() {
    const YEAR: i64 = 365 * 86_400;
    let world = refused(0).await;
    world.wall.step(YEAR);
    world.provider.next((0..11).map(|_| no(ErrorKind::Unauthorized)));
    for _ in 0..10 {
        world.session.refresh().await.expect_err("refused");
    }
    world.keeper.shutdown().await;
    one_shot(&world).await.expect_err("held back");
    assert_eq!(world.provider.calls(), 10);
    world.wall.step(-YEAR);
    assert_eq!(one_shot(&world).await.expect_err("refused").outcome(), Outcome::Refused);
    assert_eq!(world.provider.calls(), 11);
    // What is noted from here on holds back as ever.
    assert_eq!(one_shot(&world).await.expect_err("held back").outcome(), Outcome::NotSent);
}
