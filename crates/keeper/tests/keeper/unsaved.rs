//! Granted tokens that the store does not take: they outlive handles and a shutdown, as far as the store lets them.

use std::time::Duration;

use rampauth_core::{Expiry, RefreshToken};
use rampauth_keeper::SessionKey;
use tokio::time::Instant;

use crate::support::{LIFETIME, Step, World, key, pass, tokens};

/// The keeper's limit for one step in the store.
const SAVE: Duration = Duration::from_secs(5);

async fn unsaved() -> World {
    let mut world = World::new().await;
    world.store.refuse_commits(true);
    world.session.refresh().await.expect_err("not saved");
    assert_eq!(world.happened(), ["save_failed"]);
    world
}

#[tokio::test(start_paused = true)]
async fn shutdown_saves_what_the_store_has_not_taken_so_far() {
    let mut world = unsaved().await;
    world.store.refuse_commits(false);
    world.keeper.shutdown().await;
    assert_eq!(world.store.record().await.generation, 2, "saved when shutdown returns");
    assert_eq!(world.happened(), ["refreshed"]);
    let before = world.store.steps();
    world.keeper.shutdown().await;
    assert_eq!(world.store.steps(), before, "nothing is left to save");
}

#[tokio::test(start_paused = true)]
async fn shutdown_saves_every_session_and_waits_a_while_for_the_store() {
    let world = unsaved().await;
    let another = SessionKey::parse("fake/test/another").expect("a key");
    let other = world.keeper.session(another, world.provider.clone()).await.expect("a session");
    other.put(tokens(7, Expiry::At((world.clock)() + LIFETIME))).await.expect("saved");
    other.refresh().await.expect_err("not saved");
    let store = world.store.clone();
    tokio::spawn(async move {
        pass(SAVE / 2).await;
        store.refuse_commits(false);
    });
    world.keeper.shutdown().await;
    assert_eq!(world.store.record().await.generation, 2);
    assert_eq!(world.store.record_of(other.key()).await.generation, 2);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_saved_at_shutdown_is_told_and_stays_readable() {
    let mut world = unsaved().await;
    let start = Instant::now();
    world.keeper.shutdown().await;
    assert!(start.elapsed() <= 2 * SAVE, "it does not wait for ever");
    let tries = world.happened();
    assert!((2..=8).contains(&tries.len()) && tries.iter().all(|event| *event == "save_failed"), "{tries:?}");
    let held = world.session.tokens().expect("tokens");
    assert_eq!(held.refresh_token.as_ref().map(RefreshToken::expose_secret), Some("refresh-1"));
    pass(LIFETIME).await;
    assert!(world.happened().is_empty(), "and it is over then");
    // Asked again, it tries again.
    world.store.refuse_commits(false);
    world.keeper.shutdown().await;
    assert_eq!((world.happened(), world.store.record().await.generation), (vec!["refreshed"], 2));
}

#[tokio::test(start_paused = true)]
async fn shutdown_does_not_wait_for_ever_for_a_store_that_does_not_answer() {
    let mut world = unsaved().await;
    world.store.refuse_commits(false);
    for _ in 0..10 {
        world.store.delay_the_next(Step::Commit, Duration::from_secs(3_600));
    }
    let start = Instant::now();
    world.keeper.shutdown().await;
    assert!(start.elapsed() <= 2 * SAVE, "{:?}", start.elapsed());
    assert_eq!(world.happened(), ["save_failed"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_granted_outlives_the_handles_on_its_session() {
    let World { store, session, mut events, keeper, provider, .. } = unsaved().await;
    drop(session);
    pass(Duration::from_secs(10)).await;
    // Whoever asks for the session meanwhile gets the tokens that it holds.
    let again = keeper.session(key(), provider).await.expect("a session");
    assert_eq!(again.try_access_token().expect("fresh").expose_secret(), "access-1");
    drop(again);
    store.refuse_commits(false);
    pass(Duration::from_secs(500)).await;
    assert_eq!(store.record().await.generation, 2, "saved unasked");
    assert!(events.try_next().is_some());
    // And then nothing keeps the session any more.
    pass(LIFETIME * 2).await;
    assert_eq!(store.record().await.generation, 2, "nobody needs it, and nobody refreshes it");
}

#[tokio::test(start_paused = true)]
async fn what_the_store_has_not_taken_is_listed_with_its_session_whoever_has_a_handle_on_it() {
    let mut world = unsaved().await;
    let another = SessionKey::parse("fake/test/another").expect("a key");
    let other = world.keeper.session(another.clone(), world.provider.clone()).await.expect("a session");
    other.put(tokens(7, Expiry::At((world.clock)() + LIFETIME))).await.expect("saved");
    let listed = |world: &World| {
        let unsaved = world.keeper.unsaved().into_iter();
        let token = |tokens: rampauth_core::TokenSet| tokens.refresh_token.expect("one").expose_secret().to_owned();
        unsaved.map(|(key, tokens)| (key.to_string(), token(tokens))).collect::<Vec<_>>()
    };
    let expected = [(world.session.key().to_string(), "refresh-1".to_owned())];
    assert_eq!(listed(&world), expected);
    drop(world.session.clone());
    let session = std::mem::replace(&mut world.session, other);
    let key = session.key().clone();
    drop(session);
    assert_eq!(listed(&world), expected, "without a handle too");
    assert!(world.keeper.holds(&key) && world.keeper.holds(&another));
    world.store.refuse_commits(false);
    world.keeper.shutdown().await;
    assert_eq!(listed(&world), [], "saved");
    assert!(!world.keeper.holds(&key), "nobody has it any more");
    assert!(world.keeper.holds(&another));
}
