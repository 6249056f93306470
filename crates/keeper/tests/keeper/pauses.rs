//! The floor between attempts: how long a failure stands, and what ends it.

use std::time::Duration;

use rampauth_core::{Error, ErrorKind, Expiry, Outcome};

use crate::support::{LIFETIME, Move, World, error, pass, tokens};

fn busy(wait: Duration) -> Error {
    error(ErrorKind::RateLimited, Outcome::Refused).with_retry_after(Some(wait))
}

async fn reject(world: &World) {
    let token = world.session.access_token().await.expect("a token");
    world.session.reject(&token).await.expect("noted");
}

#[tokio::test(start_paused = true)]
async fn a_success_ends_the_pause_of_the_failure_before_it() {
    let world = World::new().await;
    world.provider.next([Move::Fail(busy(Duration::from_secs(120)))]);
    world.session.refresh().await.expect_err("not now");
    world.session.refresh().await.expect("a person's word stands above the pause");
    reject(&world).await;
    assert_eq!(world.token().await, "access-3", "at once");
}

#[tokio::test(start_paused = true)]
async fn after_a_success_failures_are_counted_anew() {
    let world = World::new().await;
    let down = || Move::Fail(error(ErrorKind::Unreachable, Outcome::NotSent));
    world.provider.next((0..20).map(|_| down()));
    for _ in 0..20 {
        world.session.refresh().await.expect_err("down");
    }
    world.session.refresh().await.expect("refreshed");
    reject(&world).await;
    world.provider.next([down()]);
    world.session.access_token().await.expect_err("down once more");
    pass(Duration::from_secs(2)).await;
    assert!(world.session.try_access_token().is_some(), "a first failure's pause is a second at most");
}

#[tokio::test(start_paused = true)]
async fn no_pause_is_longer_than_an_hour_whatever_the_provider_asks() {
    let world = World::new().await;
    reject(&world).await;
    world.provider.next([Move::Fail(busy(Duration::from_secs(1_000_000)))]);
    pass(Duration::from_secs(3_590)).await;
    assert_eq!(world.provider.calls(), 1);
    pass(Duration::from_secs(20)).await;
    assert_eq!(world.provider.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_and_none_is_shorter_than_a_quarter_of_the_first() {
    let world = World::new().await;
    reject(&world).await;
    world.provider.next((0..10_000).map(|_| Move::Fail(error(ErrorKind::Unreachable, Outcome::NotSent))));
    pass(Duration::from_millis(740)).await;
    assert!((1..=3).contains(&world.provider.calls()), "{} in three quarters of a second", world.provider.calls());
    pass(Duration::from_secs(300)).await;
    let early = world.provider.calls();
    pass(Duration::from_secs(3_000)).await;
    let late = world.provider.calls() - early;
    assert!((5..=60).contains(&early) && late < 30, "{early}, then {late}");
}

#[tokio::test(start_paused = true)]
async fn a_login_ends_the_pause() {
    let world = World::new().await;
    reject(&world).await;
    world.provider.next([Move::Fail(busy(Duration::from_secs(600)))]);
    pass(Duration::from_secs(1)).await;
    world.session.access_token().await.expect_err("not now");
    let expiry = Expiry::At((world.clock)() + LIFETIME);
    world.session.put(tokens(7, expiry)).await.expect("saved");
    reject(&world).await;
    assert_eq!(world.token().await, "access-2");
}

#[tokio::test(start_paused = true)]
async fn where_a_login_is_needed_one_in_another_process_is_seen_at_once() {
    let world = World::new().await;
    let (_keeper, other) = world.another_process().await;
    world.provider.next([Move::Fail(error(ErrorKind::LoginNeeded, Outcome::Refused))]);
    world.session.refresh().await.expect_err("dead");
    pass(LIFETIME * 2).await;
    world.session.access_token().await.expect_err("dead");
    let expiry = Expiry::At((world.clock)() + LIFETIME);
    other.put(tokens(9, expiry)).await.expect("saved");
    assert_eq!(world.token().await, "access-9");
}
