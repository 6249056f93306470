//! Onboard: what it grants and every reason to refuse. Requests are written by hand where a client would tidy them.

use std::time::Duration;

use rampauth_sandbox::{Call, IssuedTokens};
use serde_json::{Value, json};

use crate::support::{Client, raw, seconds};

const PATH: &str = "/auth/oauth/refresh-token";
const EMPTY: (&str, &str) = ("content-length", "0");

fn refresh_token(tokens: &IssuedTokens) -> &str {
    tokens.refresh_token.as_deref().expect("a refresh token")
}

fn seconds_of(expiry: &Value) -> u64 {
    let time: jiff::Timestamp = expiry.as_str().expect("text").parse().expect("RFC 3339");
    u64::try_from(time.as_second()).expect("after 1970")
}

#[tokio::test]
async fn a_refresh_token_is_exchanged() {
    let client = Client::start().await;
    let old = client.sandbox.issue(Call::Onboard);
    let reply = client.send("POST", PATH, &[EMPTY, ("x-auth-token", refresh_token(&old))], "").await;
    let answer = reply.granted();
    assert_eq!(answer["userId"], json!(client.sandbox.credentials().onboard.user_id));
    let now = seconds(client.sandbox.now());
    assert!((now + 3_600).abs_diff(seconds_of(&answer["accessToken"]["expiry"])) <= 5);
    assert!((now + 2_592_000).abs_diff(seconds_of(&answer["refreshToken"]["expiry"])) <= 5);
    assert!(answer["accessToken"]["token"] != json!(old.access_token));
    let new = answer["refreshToken"]["token"].as_str().expect("text");
    client.send("POST", PATH, &[EMPTY, ("x-auth-token", new)], "").await.granted();

    let reply = client.send("POST", PATH, &[EMPTY, ("x-auth-token", refresh_token(&old))], "").await;
    let answer = reply.refused(401, "refresh token was already used");
    assert_eq!(answer["code"], "RE_AUTHENTICATE");
    assert!(answer["message"].is_string());
}

#[tokio::test]
async fn a_token_that_is_not_a_live_refresh_token_means_a_new_login() {
    let client = Client::start().await;
    let tokens = client.sandbox.issue(Call::Onboard);
    for (token, reason) in [
        (tokens.access_token.as_str(), "the access token was presented where the refresh token belongs"),
        ("unheard-of", "the token was not issued by this sandbox"),
    ] {
        let reply = client.send("POST", PATH, &[EMPTY, ("x-auth-token", token)], "").await;
        assert_eq!(reply.refused(401, reason)["code"], "RE_AUTHENTICATE");
    }
    client.sandbox.advance(Duration::from_secs(2_592_000 + 5));
    let reply = client.send("POST", PATH, &[EMPTY, ("x-auth-token", refresh_token(&tokens))], "").await;
    assert!(reply.event.reason.starts_with("refresh token expired "), "{}", reply.event);
    assert_eq!(reply.status, 401);
}

#[tokio::test]
async fn the_shape_of_the_request_is_the_documented_one() {
    let client = Client::start().await;
    let tokens = client.sandbox.issue(Call::Onboard);
    let token = ("x-auth-token", refresh_token(&tokens));
    let bearer = format!("Bearer {}", token.1);
    for (headers, body, status, reason) in [
        (vec![EMPTY], "", 401, "header x-auth-token is missing"),
        (vec![EMPTY, ("x-auth-token", "")], "", 401, "header x-auth-token is empty"),
        (vec![EMPTY, token, token], "", 400, "header x-auth-token came more than once"),
        (
            vec![EMPTY, ("x-auth-token", &bearer)],
            "",
            400,
            "x-auth-token starts with \"Bearer \": the header is the bare refresh token",
        ),
        (vec![token], "{}", 400, "the call has no body, yet one came"),
    ] {
        let answer = client.send("POST", PATH, &headers, body).await.refused(status, reason);
        assert!(answer["code"].is_string() && answer["message"].is_string());
    }
    // None of these spent it.
    client.send("POST", PATH, &[EMPTY, token], "").await.granted();
}

#[tokio::test]
async fn what_the_page_does_not_ask_for_is_not_asked_for() {
    let client = Client::start().await;
    for rest in ["", "content-length: 0\r\n", "content-type: application/json\r\n", "content-type: \r\n"] {
        let token = client.sandbox.issue(Call::Onboard);
        let head = format!(
            "POST {PATH} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-auth-token: {}\r\n",
            refresh_token(&token)
        );
        let answer = raw(&client.sandbox, &format!("{head}{rest}\r\n"));
        assert!(answer.starts_with("HTTP/1.1 200 "), "{rest}: {answer}");
    }
    let token = client.sandbox.issue(Call::Onboard);
    let head =
        format!("POST {PATH} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-auth-token: {}\r\n", refresh_token(&token));
    let answer = raw(&client.sandbox, &format!("{head}transfer-encoding: chunked\r\n\r\n0\r\n\r\n"));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}
