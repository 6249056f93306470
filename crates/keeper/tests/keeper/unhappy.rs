//! Refusals and broken stores: nothing granted is lost, and nothing gets worse than doing nothing.

use std::error::Error as _;
use std::time::Duration;

use rampauth_core::{AccessToken, Error, ErrorKind, Expiry, Outcome, RefreshToken, TokenSet, WhenUnknown};
use rampauth_keeper::{State, StoreError, StoreErrorKind};

use crate::support::{LIFETIME, Move, Step, World, error, pass, tokens};

#[tokio::test(start_paused = true)]
async fn while_the_token_is_usable_a_failing_refresh_is_invisible() {
    let mut world = World::new().await;
    world.provider.next((0..1_000).map(|_| Move::Fail(error(ErrorKind::Unreachable, Outcome::NotSent))));
    pass(LIFETIME - Duration::from_secs(1)).await;
    assert!(world.provider.calls() > 1);
    assert_eq!(world.token().await, "access-0");
    assert!(world.happened().iter().all(|event| *event == "refresh_failed"));
    pass(Duration::from_secs(2)).await;
    assert_eq!(world.session.access_token().await.expect_err("expired").kind(), ErrorKind::Unreachable);
}

#[tokio::test(start_paused = true)]
async fn what_becomes_due_while_a_failure_stands_is_refreshed_after_it() {
    let world = World::new().await;
    pass(LIFETIME * 7 / 10).await;
    let down = error(ErrorKind::RateLimited, Outcome::Refused).with_retry_after(Some(Duration::from_secs(200)));
    world.provider.next([Move::Fail(down)]);
    world.session.refresh().await.expect_err("told to fail");
    pass(Duration::from_secs(199)).await;
    assert_eq!(world.provider.calls(), 1);
    pass(Duration::from_secs(2)).await;
    assert_eq!(world.session.try_access_token().expect("fresh").expose_secret(), "access-2");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_about_the_token_needs_a_login_and_a_login_heals_it() {
    let mut world = World::new().await;
    world.provider.next([Move::Fail(error(ErrorKind::LoginNeeded, Outcome::Refused))]);
    world.session.refresh().await.expect_err("dead");
    assert_eq!(world.happened(), ["login_needed"]);
    assert_eq!(world.token().await, "access-0", "it lives until it expires");
    pass(LIFETIME * 2).await;
    assert_eq!(world.session.access_token().await.expect_err("dead").kind(), ErrorKind::LoginNeeded);
    assert_eq!(world.provider.calls(), 1, "a dead token is not presented again");
    world.session.put(tokens(9, Expiry::Unknown)).await.expect("saved");
    assert_eq!(world.token().await, "access-9");
}

#[tokio::test(start_paused = true)]
async fn a_failed_save_is_held_served_and_saved_before_anything_else() {
    let mut world = World::new().await;
    world.store.refuse_commits(true);
    world.session.refresh().await.expect_err("not saved");
    assert_eq!(world.happened(), ["save_failed"]);
    assert_eq!(world.token().await, "access-1", "it is served all the same");
    assert_eq!(world.store.record().await.generation, 1);
    pass(Duration::from_secs(10)).await;
    assert_eq!(world.provider.calls(), 1, "nothing is presented while something is held");
    let tries = world.happened();
    assert!((3..=20).contains(&tries.len()) && tries.iter().all(|event| *event == "save_failed"), "{tries:?}");
    world.store.refuse_commits(false);
    pass(Duration::from_secs(500)).await;
    assert_eq!(world.happened(), ["refreshed"], "saved unasked");
    assert_eq!((world.provider.calls(), world.store.record().await.generation), (1, 2));

    world.store.refuse_commits(true);
    world.session.refresh().await.expect_err("not saved");
    world.store.refuse_commits(false);
    assert_eq!(world.happened(), ["save_failed"]);
    world.session.refresh().await.expect("saved, and then refreshed");
    assert_eq!(world.happened(), ["refreshed", "refreshed"], "what was held is saved as the answer that it was");
    assert_eq!(world.provider.presented(), ["refresh-0", "refresh-1", "refresh-2"]);
    assert_eq!(world.store.record().await.generation, 4);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_be_reached_never_blocks_a_usable_token() {
    let world = World::new().await;
    world.store.fail(true);
    pass(LIFETIME * 9 / 10).await;
    assert_eq!(world.token().await, "access-0");
    assert_eq!(world.provider.calls(), 0, "nothing is presented that could not be journalled");
    pass(LIFETIME).await;
    let error = world.session.access_token().await.expect_err("expired");
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Internal, Outcome::NotSent));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_is_said_with_the_session_and_the_limit() {
    let world = World::new().await;
    world.store.delay_the_next(Step::Load, Duration::from_secs(3_600));
    let error = world.session.refresh().await.expect_err("no answer");
    let said = "the store did not answer for fake/test/account within 5s";
    assert_eq!(error.to_string(), format!("failed to use the store: {said}"));
    let cause = error.source().and_then(|cause| cause.downcast_ref::<StoreError>()).expect("as a store says it");
    assert_eq!(cause.kind(), StoreErrorKind::Unavailable);
    assert_eq!(cause.to_string(), "failed to use fake/test/account: the store did not answer within 5s");
}

const STORED: &str = "nothing is in doubt: the tokens that came are stored, and the next refresh presents them";

#[tokio::test(start_paused = true)]
async fn a_contract_breaking_answer_that_brings_a_refresh_token_is_saved_too() {
    let mut world = World::new().await;
    let token = RefreshToken::new("rescued").expect("a token");
    let salvage = TokenSet::new().with_refresh_token(token, Expiry::Unknown);
    let broken = Error::new(ErrorKind::Protocol, Outcome::Unknown, "refresh", "no access token");
    world.provider.next([Move::Fail(broken.with_salvage(Some(salvage)))]);
    let error = world.session.refresh().await.expect_err("broken");
    assert_eq!(error.help(), STORED);
    let record = world.store.record().await;
    assert_eq!((record.state, record.generation), (State::Ready, 2));
    assert!(record.tokens.expect("tokens").payload.expose_secret().contains("rescued"));
    assert_eq!(world.happened(), ["refreshed", "refresh_failed"]);
    world.session.refresh().await.expect("refreshed");
    assert_eq!(world.token().await, "access-2");
    assert_eq!(world.provider.presented(), ["refresh-0", "rescued"]);
}

/// A contract-breaking answer that brought nothing but this refresh token.
fn rescued() -> Move {
    Move::Fail(error(ErrorKind::Protocol, Outcome::Unknown).with_salvage(Some(refresh_token_alone())))
}

fn refresh_token_alone() -> TokenSet {
    TokenSet::new().with_refresh_token(RefreshToken::new("rescued").expect("a token"), Expiry::Unknown)
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_an_access_token_leaves_the_one_in_use_as_it_is() {
    for answer in [rescued(), Move::Answer(refresh_token_alone())] {
        let world = World::new().await;
        let before = world.store.record().await.tokens.expect("tokens");
        pass(LIFETIME / 4).await;
        world.provider.next([answer.clone()]);
        let error = world.session.refresh().await.expect_err("broken");
        assert_eq!((error.kind(), error.help()), (ErrorKind::Protocol, STORED));
        assert_eq!(world.token().await, "access-0", "{answer:?}");
        let after = world.store.record().await.tokens.expect("tokens");
        assert_eq!((after.access, after.access_expiry), (before.access, before.access_expiry));
        assert_eq!(after.granted_at, before.granted_at, "its lifetime counts from when it was asked for");
        assert_ne!(after.presents, before.presents);
        // And it is refreshed when it is due, with what came.
        pass(LIFETIME * 6 / 10).await;
        assert_eq!(world.token().await, "access-2");
        assert_eq!(world.provider.presented(), ["refresh-0", "rescued"]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_an_access_token_does_not_bring_a_dead_one_back() {
    let world = World::new().await;
    let token = world.session.access_token().await.expect("a token");
    world.provider.next([rescued()]);
    world.session.reject(&token).await.expect("noted");
    assert_eq!(world.session.access_token().await.expect_err("rejected").kind(), ErrorKind::Protocol);
    assert!(world.store.record().await.tokens.expect("tokens").access.is_none());

    let world = World::new().await;
    world.keeper.shutdown().await;
    pass(LIFETIME).await;
    let (_keeper, other) = world.another_process().await;
    world.provider.next([rescued()]);
    assert_eq!(other.access_token().await.expect_err("expired").kind(), ErrorKind::Protocol);
    assert!(world.store.record().await.tokens.expect("tokens").access.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_refresh_token_is_kept_with_the_one_that_was_presented() {
    let world = World::new().await;
    let access = AccessToken::new("access-alone").expect("a token");
    let expiry = Expiry::At((world.clock)() + LIFETIME);
    world.provider.next([Move::Answer(TokenSet::new().with_access_token(access, expiry))]);
    world.session.refresh().await.expect("refreshed");
    assert_eq!(world.token().await, "access-alone");
    let record = world.store.record().await;
    assert_eq!((record.state, record.generation), (State::Ready, 2));
    world.session.refresh().await.expect("refreshed");
    assert_eq!(world.provider.presented(), ["refresh-0", "refresh-0"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_brings_nothing_leaves_a_doubt() {
    let mut world = World::new().await;
    let salvage = TokenSet::new().with_access_token(AccessToken::new("stray").expect("a token"), Expiry::Unknown);
    let broken = error(ErrorKind::Protocol, Outcome::Unknown).with_salvage(Some(salvage));
    world.provider.next([Move::Answer(TokenSet::new()), Move::Fail(broken)]);
    world.session.refresh().await.expect_err("nothing came");
    world.session.refresh().await.expect_err("nothing that settles it");
    let record = world.store.record().await;
    assert_eq!((record.state, record.generation), (State::Doubtful, 1));
    assert_eq!(world.happened(), ["doubtful", "doubtful"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_has_expired_already_is_saved_and_starts_the_floor() {
    let mut world = World::new().await;
    world.provider.next([Move::GrantUntil(Duration::ZERO)]);
    let error = world.session.refresh().await.expect_err("expired already");
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert_eq!(world.store.record().await.generation, 2, "its refresh token is the live one");
    assert_eq!(world.happened(), ["refreshed", "refresh_failed"]);
    world.session.access_token().await.expect_err("the floor");
    assert_eq!(world.provider.calls(), 1);
    pass(Duration::from_secs(5)).await;
    assert_eq!((world.token().await.as_str(), world.provider.presented()[1].as_str()), ("access-2", "refresh-1"));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_came_back_older_than_memory_is_given_what_memory_has() {
    let world = World::new().await;
    let before = world.store.record().await;
    world.session.refresh().await.expect("refreshed");
    world.session.refresh().await.expect("refreshed");
    world.store.fail_over_to(before).await;
    assert_eq!(world.token().await, "access-2");
    pass(Duration::from_secs(100)).await;
    let granted_at = (world.clock)() - Duration::from_secs(100);
    world.session.settle().await.expect("there is no doubt");
    let restored = world.store.record().await;
    assert_eq!((restored.generation, restored.tokens.expect("tokens").granted_at), (3, granted_at));
    world.session.refresh().await.expect("refreshed");
    assert_eq!(world.provider.presented(), ["refresh-0", "refresh-1", "refresh-2"], "no spent token is presented");
    assert_eq!(world.store.record().await.generation, 4);
}

#[tokio::test(start_paused = true)]
async fn a_session_without_tokens_says_that_a_login_is_needed() {
    let world = World::new().await;
    let key = rampauth_keeper::SessionKey::parse("fake/test/another").expect("a key");
    let session = world.keeper.session(key, world.provider.clone()).await.expect("a session");
    let error = session.access_token().await.expect_err("none yet");
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::LoginNeeded, Outcome::NotSent));
    let lacking = TokenSet::new();
    assert_eq!(session.put(lacking).await.expect_err("refused").kind(), ErrorKind::Input);
}

#[tokio::test(start_paused = true)]
async fn a_begin_whose_answer_is_lost_leaves_no_doubt_behind() {
    let world = World::with(|provider| provider.when_unknown(WhenUnknown::Stop)).await;
    world.store.lose_the_next_answer_to_begin();
    let error = world.session.refresh().await.expect_err("the store failed");
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Internal, Outcome::NotSent));
    let record = world.store.record().await;
    assert!(record.state == State::Ready && record.attempt.is_none(), "nothing was sent, and the record says so");
    world.session.refresh().await.expect("refreshed");
    assert_eq!(world.provider.presented(), ["refresh-0"]);
}
