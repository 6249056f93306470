//! A token that is presented once more, the ledger of it, and clients that leave before the answer.

use std::time::Duration;

use rampauth_sandbox::{Builder, Call, Reuse, Sandbox};
use serde_json::Value;

use crate::support::Client;

const PATH: &str = "/auth/oauth/refresh-token";
const WITHIN: Duration = Duration::from_secs(60);

async fn client(set_up: impl FnOnce(Builder) -> Builder) -> Client {
    Client::of(set_up(Sandbox::builder()).start().await.expect("a sandbox"))
}

/// The refresh token that is given for this one, and the access token's number.
async fn exchange(client: &Client, token: &str) -> (String, u64) {
    let answer = client.send("POST", PATH, &[("content-length", "0"), ("x-auth-token", token)], "").await.granted();
    let text = |value: &Value| value["token"].as_str().expect("text").to_owned();
    (text(&answer["refreshToken"]), client.sandbox.number(&text(&answer["accessToken"])).expect("issued"))
}

async fn refused(client: &Client, token: &str) {
    let reply = client.send("POST", PATH, &[("content-length", "0"), ("x-auth-token", token)], "").await;
    reply.refused(401, "refresh token was already used");
}

fn ledger(client: &Client) -> Vec<(u64, Option<u64>)> {
    client.sandbox.presentations().iter().map(|one| (one.presented, one.granted)).collect()
}

#[tokio::test]
async fn without_a_grace_a_second_use_is_refused_and_noted() {
    let client = client(|builder| builder).await;
    let old = client.sandbox.issue(Call::Onboard);
    let token = old.refresh_token.expect("a token");
    assert_eq!((old.number, client.sandbox.number(&token), client.sandbox.number("x")), (1, Some(1), None));
    assert_eq!(exchange(&client, &token).await.1, 2);
    refused(&client, &token).await;
    assert_eq!(ledger(&client), [(1, Some(2)), (1, None)]);
}

#[tokio::test]
async fn within_the_grace_the_same_tokens_are_given_again() {
    let client = client(|builder| builder.reuse(Reuse::SameTokens { within: WITHIN })).await;
    let token = client.sandbox.issue(Call::Onboard).refresh_token.expect("a token");
    let first = exchange(&client, &token).await;
    exchange(&client, &first.0).await;
    client.sandbox.advance(WITHIN / 2);
    assert_eq!(exchange(&client, &token).await, first);
    client.sandbox.advance(WITHIN);
    refused(&client, &token).await;
    assert_eq!(ledger(&client), [(1, Some(2)), (2, Some(3)), (1, Some(2)), (1, None)]);
}

#[tokio::test]
async fn within_the_grace_new_tokens_are_given_each_time() {
    let client = client(|builder| builder.reuse(Reuse::NewTokens { within: WITHIN })).await;
    let token = client.sandbox.issue(Call::Onboard).refresh_token.expect("a token");
    let (first, second) = (exchange(&client, &token).await, exchange(&client, &token).await);
    assert_eq!((first.1, second.1), (2, 3));
    // Both stay good.
    exchange(&client, &first.0).await;
    exchange(&client, &second.0).await;
    client.sandbox.advance(WITHIN * 2);
    refused(&client, &token).await;
    assert_eq!(ledger(&client), [(1, Some(2)), (1, Some(3)), (2, Some(4)), (3, Some(5)), (1, None)]);
}

#[tokio::test]
async fn what_has_arrived_is_carried_out_though_the_client_has_left() {
    let client = client(|builder| builder.latency(Duration::from_millis(100), Duration::from_secs(60))).await;
    let token = client.sandbox.issue(Call::Onboard).refresh_token.expect("a token");
    let headers = [("content-length", "0"), ("x-auth-token", token.as_str())];
    let left = tokio::time::timeout(Duration::from_millis(50), client.send("POST", PATH, &headers, "")).await;
    assert!(left.is_err(), "the answer is on its way for a minute");
    for _ in 0..600 {
        if !client.sandbox.events().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(ledger(&client), [(1, Some(2))]);
}
