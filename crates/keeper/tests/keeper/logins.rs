//! Logins and logouts: safe to ask for again when the store's answer is lost, and possible when nobody can read what is stored.

use std::time::Duration;

use rampauth_core::{AccessToken, ErrorKind, Expiry, Outcome};
use rampauth_keeper::State;

use crate::support::{LIFETIME, Move, Step, World, error, key, tokens};

#[tokio::test(start_paused = true)]
async fn a_login_whose_answer_is_lost_is_recognised_when_it_is_asked_for_again() {
    for lost in [1, 2] {
        let world = World::new().await;
        world.store.lose_answers_to_logins(lost);
        let before = world.store.steps();
        world.session.put(tokens(7, Expiry::At((world.clock)() + LIFETIME))).await.expect("it is stored");
        // Each time it is read and written.
        assert_eq!(world.store.steps() - before, lost + 3, "asked for once more, then looked up");
        assert_eq!(world.session.try_access_token().expect("fresh").expose_secret(), "access-7", "{lost} lost");
        assert_eq!(world.store.record().await.generation, 2, "once");
        // And the next one comes after it.
        world.session.put(tokens(8, Expiry::Unknown)).await.expect("saved");
        assert_eq!(world.token().await, "access-8");
    }
}

#[tokio::test(start_paused = true)]
async fn a_logout_whose_answer_is_lost_is_recognised_when_it_is_asked_for_again() {
    for lost in [1, 2] {
        let mut world = World::new().await;
        world.store.lose_answers_to_logins(lost);
        world.session.remove().await.expect("it is removed");
        assert_eq!((world.happened(), world.store.record().await.state), (vec!["removed"], State::Tombstone));
        assert!(world.session.try_access_token().is_none() && world.session.tokens().is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_stored_before_the_store_was_gone_altogether_is_ones_own_when_it_is_back() {
    let mut world = World::new().await;
    let login = tokens(7, Expiry::At((world.clock)() + LIFETIME));
    let store = world.store.clone();
    let lose_all_answers = || {
        store.lose_answers_to_logins(2);
        // The first two are of the login and of its repetition.
        for wait in [Duration::ZERO, Duration::ZERO, LIFETIME] {
            store.delay_the_next(Step::Load, wait);
        }
    };
    lose_all_answers();
    world.session.put(login.clone()).await.expect_err("no answer");
    assert_eq!(world.token().await, "access-0", "nobody knows better yet");
    world.session.put(login.clone()).await.expect("it is stored");
    assert_eq!((world.token().await.as_str(), world.store.record().await.generation), ("access-7", 2));

    lose_all_answers();
    world.session.remove().await.expect_err("no answer");
    assert!(world.happened().is_empty());
    world.session.remove().await.expect("it is removed");
    assert_eq!((world.happened(), world.session.tokens().is_none()), (vec!["removed"], true));

    // Dead tokens are no login, whoever stored them.
    let world = World::new().await;
    let (_keeper, other) = world.another_process().await;
    other.put(login.clone()).await.expect("saved");
    world.provider.next([Move::Fail(error(ErrorKind::LoginNeeded, Outcome::Refused))]);
    other.refresh().await.expect_err("dead");
    let error = world.session.put(login).await.expect_err("another came first");
    assert_eq!((error.kind(), world.store.record().await.state), (ErrorKind::Input, State::LoginNeeded));
}

#[tokio::test(start_paused = true)]
async fn a_login_that_the_store_does_not_take_is_an_error_and_changes_nothing() {
    let mut world = World::new().await;
    world.store.fail(true);
    let error = world.session.put(tokens(7, Expiry::Unknown)).await.expect_err("out of order");
    assert_eq!((error.kind(), error.help().is_empty()), (ErrorKind::Internal, false));
    world.session.remove().await.expect_err("out of order");
    world.store.fail(false);
    assert_eq!((world.token().await.as_str(), world.store.record().await.generation), ("access-0", 1));
    assert!(world.happened().is_empty());
}

#[tokio::test(start_paused = true)]
async fn another_login_that_comes_before_the_repetition_is_not_taken_for_ones_own() {
    let world = World::new().await;
    let (_keeper, other) = world.another_process().await;
    other.put(tokens(7, Expiry::Unknown)).await.expect("saved");
    world.store.lose_answers_to_logins(2);
    let error = world.session.put(tokens(8, Expiry::Unknown)).await.expect_err("another came first");
    assert_eq!(error.kind(), ErrorKind::Input);
    assert_eq!(world.token().await, "access-7");
    world.store.lose_answers_to_logins(2);
    world.session.put(tokens(8, Expiry::Unknown)).await.expect("it takes the other's place");
    assert_eq!(world.token().await, "access-8");
}

#[tokio::test(start_paused = true)]
async fn a_keeper_ends_a_session_that_is_open_or_not() {
    let mut world = World::new().await;
    let (elsewhere, _other) = world.another_process().await;
    world.keeper.remove(&key()).await.expect("removed");
    assert_eq!((world.happened(), world.store.record().await.state), (vec!["removed"], State::Tombstone));
    assert!(world.session.tokens().is_none(), "whoever has it open sees it at once");
    let error = world.session.access_token().await.expect_err("removed");
    assert_eq!(error.kind(), ErrorKind::LoginNeeded);
    let nobody = rampauth_keeper::SessionKey::parse("fake/test/nobody").expect("a key");
    world.keeper.remove(&nobody).await.expect("nothing to do");
    world.session.put(tokens(7, Expiry::Unknown)).await.expect("saved");
    world.session.reject(&AccessToken::new("access-0").expect("a token")).await.expect("nothing to do");
    assert_eq!(world.token().await, "access-7");
    elsewhere.remove(&key()).await.expect("removed, whichever login it is");
    assert_eq!(world.store.record().await.state, State::Tombstone);
}
