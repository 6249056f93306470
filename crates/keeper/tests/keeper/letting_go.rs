//! Keepers that nobody holds any more, without a shutdown: they end, and lose nothing that was granted.

use std::sync::Arc;
use std::time::Duration;

use rampauth_keeper::Events;
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::support::{Fragile, LIFETIME, Move, World, pass};

/// What is told until the events end, at the latest after this long.
async fn told(mut events: Events, within: Duration) -> Vec<&'static str> {
    let mut told = Vec::new();
    while let Some(event) = timeout(within, events.next()).await.expect("the events end") {
        told.push(event.kind.as_str());
    }
    told
}

/// Nobody but the test holds the store, and nothing runs.
async fn nothing_is_left(store: &Fragile) {
    // A task that was told to end has its turn.
    pass(Duration::from_millis(1)).await;
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
    assert_eq!(Arc::strong_count(&store.store), 1, "the store is closed");
}

#[tokio::test(start_paused = true)]
async fn a_keeper_ends_with_the_last_handle_on_it_and_its_sessions() {
    let World { store, provider, keeper, session, events, .. } = World::new().await;
    drop(keeper);
    // A session is a handle as well, and is refreshed ahead of need.
    pass(LIFETIME * 9 / 10).await;
    assert_eq!(session.try_access_token().expect("fresh").expose_secret(), "access-1");
    drop(session);
    assert_eq!(told(events, Duration::ZERO).await, ["refreshed"]);
    nothing_is_left(&store).await;
    pass(LIFETIME * 2).await;
    assert_eq!(provider.calls(), 1, "nobody refreshes any more");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_in_flight_when_the_last_handle_goes_is_saved() {
    let World { store, provider, keeper, session, events, .. } = World::new().await;
    provider.next([Move::GrantAfter(Duration::from_secs(10))]);
    timeout(Duration::from_secs(1), session.refresh()).await.expect_err("it takes longer");
    drop((keeper, session));
    assert_eq!(told(events, Duration::from_secs(10)).await, ["refreshed"]);
    assert_eq!((store.record().await.generation, provider.calls()), (2, 1));
    nothing_is_left(&store).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_granted_when_the_last_handle_goes_is_saved_once_the_store_takes_it() {
    let World { store, provider, keeper, session, mut events, .. } = World::new().await;
    provider.next([Move::GrantAfter(Duration::from_secs(10))]);
    timeout(Duration::from_secs(1), session.refresh()).await.expect_err("it takes longer");
    store.refuse_commits(true);
    drop((keeper, session));
    pass(Duration::from_secs(60)).await;
    while let Some(event) = events.try_next() {
        assert_eq!(event.kind.as_str(), "save_failed");
    }
    store.refuse_commits(false);
    assert_eq!(told(events, LIFETIME).await, ["refreshed"]);
    assert_eq!((store.record().await.generation, provider.calls()), (2, 1));
    nothing_is_left(&store).await;
}
