//! Access tokens that the provider rejects while the store is down, or before they are saved.

use std::time::Duration;

use rampauth_core::{AccessToken, Expiry};

use crate::support::{LIFETIME, Move, World, pass, tokens};

#[tokio::test(start_paused = true)]
async fn a_rejection_while_the_store_is_down_is_remembered_and_reaches_the_record() {
    let world = World::new().await;
    let (_keeper, other) = world.another_process().await;
    let token = world.session.access_token().await.expect("a token");
    world.store.fail(true);
    world.session.reject(&token).await.expect_err("the store cannot be told");
    assert!(world.session.try_access_token().is_none(), "not handed out any more");
    world.session.access_token().await.expect_err("nothing else is there");
    assert_eq!(other.try_access_token().expect("it cannot know").expose_secret(), "access-0");
    world.store.fail(false);
    pass(Duration::from_secs(60)).await;
    // Nobody had to ask.
    assert_eq!(world.session.try_access_token().expect("fresh").expose_secret(), "access-1");
    assert_eq!(world.provider.presented(), ["refresh-0"]);
}

#[tokio::test(start_paused = true)]
async fn a_rejection_reaches_the_record_before_the_token_is_presented() {
    let world = World::new().await;
    let token = world.session.access_token().await.expect("a token");
    world.store.fail(true);
    world.session.reject(&token).await.expect_err("the store cannot be told");
    world.store.fail(false);
    world.provider.next([Move::Hang]);
    pass(Duration::from_secs(10)).await;
    assert_eq!(world.provider.calls(), 1);
    let record = world.store.record().await;
    assert!(record.rejected.is_some() && record.rejected == record.tokens.expect("tokens").access);
}

#[tokio::test(start_paused = true)]
async fn a_look_at_the_record_does_not_bring_a_rejected_token_back() {
    let world = World::new().await;
    let token = world.session.access_token().await.expect("a token");
    world.store.fail(true);
    world.session.reject(&token).await.expect_err("the store cannot be told");
    world.store.fail(false);
    // Whatever reads the record before it knows.
    world.session.reject(&AccessToken::new("another").expect("a token")).await.expect("nothing to do");
    assert!(world.session.try_access_token().is_none());
    let again = world.keeper.session(world.session.key().clone(), world.provider.clone()).await.expect("a session");
    assert!(again.try_access_token().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_rejection_while_the_store_is_down_yields_to_what_another_process_brought() {
    let mut world = World::new().await;
    let (_keeper, other) = world.another_process().await;
    let token = world.session.access_token().await.expect("a token");
    other.refresh().await.expect("refreshed");
    world.store.fail(true);
    world.session.reject(&token).await.expect_err("the store cannot be told");
    world.store.fail(false);
    pass(Duration::from_secs(60)).await;
    assert_eq!(world.session.try_access_token().expect("fresh").expose_secret(), "access-1");
    assert_eq!(world.provider.calls(), 1, "the newer token was adopted, and not rejected");
    assert_eq!(world.happened(), ["adopted"]);
    assert!(world.store.record().await.rejected.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_login_is_believed_over_an_earlier_rejection() {
    let world = World::new().await;
    let token = world.session.access_token().await.expect("a token");
    world.store.fail(true);
    world.session.reject(&token).await.expect_err("the store cannot be told");
    world.store.fail(false);
    let login = || tokens(0, Expiry::At((world.clock)() + LIFETIME));
    world.session.put(login()).await.expect("saved");
    assert_eq!(world.session.try_access_token().expect("fresh").expose_secret(), "access-0");

    world.store.fail(true);
    world.session.reject(&token).await.expect_err("the store cannot be told");
    world.store.fail(false);
    world.session.refresh().await.expect("refreshed");
    // Another process logs in.
    let (_keeper, other) = world.another_process().await;
    other.put(login()).await.expect("saved");
    world.session.settle().await.expect("there is no doubt");
    assert_eq!(world.session.try_access_token().expect("fresh").expose_secret(), "access-0");
}

#[tokio::test(start_paused = true)]
async fn a_late_word_while_the_store_is_down_changes_nothing() {
    let world = World::new().await;
    let old = world.session.access_token().await.expect("a token");
    world.session.refresh().await.expect("refreshed");
    world.store.fail(true);
    world.session.reject(&old).await.expect_err("the store cannot be asked");
    assert_eq!(world.session.try_access_token().expect("fresh").expose_secret(), "access-1");
    world.store.fail(false);
    pass(LIFETIME / 2).await;
    assert_eq!(world.provider.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_rejection_of_tokens_that_are_not_saved_yet_counts_too() {
    let world = World::new().await;
    world.store.refuse_commits(true);
    world.session.refresh().await.expect_err("not saved");
    let token = world.session.access_token().await.expect("a token");
    assert_eq!(token.expose_secret(), "access-1");
    world.session.reject(&token).await.expect("the record has another token still");
    assert!(world.session.try_access_token().is_none());
    world.store.refuse_commits(false);
    pass(Duration::from_secs(60)).await;
    assert_eq!(world.session.try_access_token().expect("fresh").expose_secret(), "access-2");
    assert_eq!(world.provider.presented(), ["refresh-0", "refresh-1"], "saved first, and refreshed then");
}
