//! A presentation whose answer is lost: when it is repeated, and how the doubt ends.

use std::error::Error as _;
use std::time::Duration;

use rampauth_core::{ErrorKind, Outcome, SecretBytes, WhenUnknown};
use rampauth_keeper::{EventKind, State};
use tokio::runtime::Builder;

use crate::support::{LIFETIME, Move, World, error, pass};

#[tokio::test(start_paused = true)]
async fn promptly_presents_the_token_again_soon() {
    let mut world = World::new().await;
    world.provider.next([Move::LoseAnswer]);
    let lost = world.session.refresh().await.expect_err("the answer is lost");
    assert_eq!(lost.outcome(), Outcome::Unknown);
    assert_eq!(world.store.record().await.state, State::Doubtful);
    assert_eq!(world.token().await, "access-0", "the token in use is as good as before");
    pass(Duration::from_secs(10)).await;
    assert_eq!(world.provider.presented(), ["refresh-0", "refresh-0"]);
    assert_eq!(world.happened(), ["doubtful", "settled"]);
    assert_eq!((world.token().await.as_str(), world.store.record().await.state), ("access-2", State::Ready));
}

#[tokio::test(start_paused = true)]
async fn the_doubt_is_told_with_the_error_that_callers_get() {
    let mut world = World::new().await;
    let cause = std::io::Error::other("the connection was reset");
    let lost = error(ErrorKind::Server, Outcome::Unknown).with_source(cause);
    let lost = lost.with_body(SecretBytes::from(&b"\xff unread"[..]));
    world.provider.next([Move::Fail(lost.with_provider_code("busy"))]);
    let since = world.wall.now();
    let returned = world.session.refresh().await.expect_err("the answer is lost");
    let event = world.events.try_next().expect("an event");
    let EventKind::Doubtful { since: told_since, error: told, .. } = event.kind else { panic!("{event:?}") };
    assert_eq!(told_since, since);
    for error in [returned, told] {
        assert_eq!((error.kind(), error.provider_code()), (ErrorKind::Server, Some("busy")));
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("the connection was reset"));
        assert_eq!(error.body().map(SecretBytes::expose_secret), Some(&b"\xff unread"[..]));
    }
}

#[tokio::test(start_paused = true)]
async fn promptly_gives_way_to_the_last_moment_once_its_time_has_passed() {
    let within = Duration::from_secs(60);
    let world = World::with(|provider| provider.when_unknown(WhenUnknown::Promptly { within })).await;
    world.provider.next((0..200).map(|_| Move::LoseAnswer));
    world.session.refresh().await.expect_err("the answer is lost");
    pass(LIFETIME / 2).await;
    let early = world.provider.calls();
    assert!((2..=60).contains(&early), "{early} presentations");
    pass(LIFETIME / 4).await;
    assert_eq!(world.provider.calls(), early, "a live access token is not risked");
    assert_eq!(world.token().await, "access-0");
    pass(LIFETIME / 4).await;
    assert!(world.provider.calls() > early, "now there is nothing to lose");
}

#[tokio::test(start_paused = true)]
async fn at_the_last_moment_a_live_access_token_is_never_risked() {
    let mut world = World::with(|provider| provider.when_unknown(WhenUnknown::AtLastMoment)).await;
    world.provider.next([Move::LoseAnswer]);
    world.session.refresh().await.expect_err("the answer is lost");
    pass(LIFETIME / 10).await;
    let before = world.store.steps();
    pass(LIFETIME * 8 / 10).await;
    assert_eq!(world.provider.calls(), 1);
    assert!(world.store.steps() - before <= 2, "nobody looks at it before");
    assert_eq!(world.token().await, "access-0");
    pass(LIFETIME / 20).await;
    assert_eq!(world.token().await, "access-2");
    assert_eq!(world.happened(), ["doubtful", "settled"]);
}

#[tokio::test(start_paused = true)]
async fn a_rejection_is_a_last_moment_too() {
    let world = World::with(|provider| provider.when_unknown(WhenUnknown::AtLastMoment)).await;
    world.provider.next([Move::LoseAnswer]);
    world.session.refresh().await.expect_err("the answer is lost");
    let token = world.session.access_token().await.expect("a token");
    pass(Duration::from_secs(5)).await;
    world.session.reject(&token).await.expect("noted");
    assert_eq!(world.token().await, "access-2");
}

#[tokio::test(start_paused = true)]
async fn stop_never_presents_again_and_a_login_is_needed_once_the_token_has_died() {
    let mut world = World::with(|provider| provider.when_unknown(WhenUnknown::Stop)).await;
    world.provider.next([Move::LoseAnswer]);
    world.session.refresh().await.expect_err("the answer is lost");
    pass(LIFETIME * 9 / 10).await;
    assert_eq!(world.token().await, "access-0");
    pass(LIFETIME / 5).await;
    let error = world.session.access_token().await.expect_err("dead");
    assert_eq!(error.kind(), ErrorKind::LoginNeeded);
    assert_eq!(world.provider.calls(), 1);
    assert_eq!(world.happened(), ["doubtful", "login_needed"]);
}

#[test]
fn after_a_crash_the_next_process_finds_the_attempt_and_settles_it() {
    let runtime = || Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    let dies = runtime();
    let world = dies.block_on(async {
        let world = World::new().await;
        world.provider.next([Move::Hang]);
        let session = world.session.clone();
        tokio::spawn(async move { session.refresh().await });
        pass(Duration::from_secs(1)).await;
        world
    });
    // The process dies with its request under way, and everything that it had running with it.
    drop(dies);
    assert_eq!(world.provider.calls(), 1);
    runtime().block_on(async {
        let record = world.store.record().await;
        assert!(record.attempt.is_some_and(|attempt| attempt.lease.is_some()), "the journal came first");
        // The machine's clock went on.
        world.wall.step(10);
        let (keeper, next) = world.another_process().await;
        let mut events = keeper.events();
        // Its tokens are fresh, and nobody asks for anything.
        pass(Duration::from_secs(30)).await;
        assert_eq!((world.provider.calls(), next.try_access_token().is_some()), (1, true));
        pass(Duration::from_secs(10)).await;
        assert_eq!(world.provider.presented(), ["refresh-0", "refresh-0"]);
        assert_eq!(events.try_next().expect("an event").kind.as_str(), "settled");
        assert_eq!(next.try_access_token().expect("fresh").expose_secret(), "access-2");
    });
}

#[tokio::test(start_paused = true)]
async fn a_request_has_a_deadline_and_no_answer_by_then_is_a_doubt() {
    let world = World::with(|provider| provider.when_unknown(WhenUnknown::AtLastMoment)).await;
    world.provider.next([Move::Hang]);
    let refresh = tokio::spawn({
        let session = world.session.clone();
        async move { session.refresh().await }
    });
    pass(Duration::from_secs(36)).await;
    assert!(refresh.is_finished());
    let error = refresh.await.expect("no panic").expect_err("no answer");
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::Unknown));
    assert_eq!(world.store.record().await.state, State::Doubtful);
}

#[tokio::test(start_paused = true)]
async fn not_sent_takes_its_own_presentation_back() {
    let mut world = World::new().await;
    world.provider.next([Move::Fail(error(ErrorKind::Unreachable, Outcome::NotSent))]);
    world.session.refresh().await.expect_err("not sent");
    let record = world.store.record().await;
    assert!(record.state == State::Ready && record.attempt.is_none());
    assert_eq!(record.last_error.expect("noted").kind, "unreachable");
    assert_eq!(world.happened(), ["refresh_failed"]);
}

#[tokio::test(start_paused = true)]
async fn in_doubt_any_refusal_condemns_where_no_code_for_dead_tokens_is_published() {
    let world = World::new().await;
    let no = || Move::Fail(error(ErrorKind::Refused, Outcome::Refused).with_provider_code("32"));
    world.provider.next([no()]);
    world.session.refresh().await.expect_err("refused");
    assert_eq!(world.store.record().await.state, State::Ready, "outside doubt the token was good a moment ago");
    world.provider.next([Move::LoseAnswer, no()]);
    world.session.refresh().await.expect_err("lost");
    pass(Duration::from_secs(30)).await;
    assert_eq!(world.store.record().await.state, State::LoginNeeded);
    assert_eq!(world.token().await, "access-0", "its access token is handed out as long as it lives");
}

#[tokio::test(start_paused = true)]
async fn settle_presents_once_more_whatever_the_policy_says_and_only_in_doubt() {
    let world = World::with(|provider| provider.when_unknown(WhenUnknown::Stop)).await;
    world.session.settle().await.expect("there is no doubt");
    assert_eq!(world.provider.calls(), 0);
    world.provider.next([Move::LoseAnswer]);
    world.session.refresh().await.expect_err("the answer is lost");
    world.session.settle().await.expect("settled");
    assert_eq!(world.provider.presented(), ["refresh-0", "refresh-0"]);
    assert_eq!((world.token().await.as_str(), world.store.record().await.state), ("access-2", State::Ready));
}

#[tokio::test(start_paused = true)]
async fn an_error_is_told_although_the_store_cannot_note_it() {
    let world = World::new().await;
    world.provider.next([Move::FailAfter(Duration::from_secs(2), error(ErrorKind::Forbidden, Outcome::Refused))]);
    let refresh = tokio::spawn({
        let session = world.session.clone();
        async move { session.refresh().await }
    });
    pass(Duration::from_secs(1)).await;
    world.store.fail(true);
    assert_eq!(refresh.await.expect("no panic").expect_err("refused").kind(), ErrorKind::Forbidden);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_has_to_wait_for_the_last_moment_of_a_doubt_hears_of_no_pause() {
    let world = World::with(|provider| provider.when_unknown(WhenUnknown::AtLastMoment)).await;
    world.provider.next([Move::LoseAnswer]);
    world.session.refresh().await.expect_err("the answer is lost");
    pass(LIFETIME / 4).await;
    let error = world.session.access_token_for(LIFETIME * 8 / 10).await.expect_err("none lives that long");
    assert_ne!(error.kind(), ErrorKind::RateLimited, "the provider asked for no pause: {error}");
    assert_eq!(world.provider.calls(), 1);
    assert_eq!(world.token().await, "access-0");
}
