//! How long tokens live and how often they are exchanged, where a test chooses: per login, to the millisecond, with a grace.

use std::time::{Duration, SystemTime};

use rampauth_sandbox::{Call, Sandbox};

use crate::support::{Client, Reply};

const TRANSAK: &str = "/api/v2/auth/refresh";
const ONBOARD: &str = "/auth/oauth/refresh-token";

async fn present(client: &Client, refresh_token: &str) -> Reply {
    client.send("POST", ONBOARD, &[("content-length", "0"), ("x-auth-token", refresh_token)], "").await
}

fn text(answer: &serde_json::Value, token: &str, member: &str) -> String {
    answer[token][member].as_str().expect("a text").to_owned()
}

#[tokio::test]
async fn a_login_may_live_shortly_and_hands_that_down() {
    let client = Client::start().await;
    let lifetime = Duration::from_millis(400);
    let mut refresh_token = client.sandbox.issue_living(Call::Onboard, lifetime).refresh_token.expect("a token");
    for _ in 0..2 {
        let before = client.sandbox.now();
        let answer = present(&client, &refresh_token).await.granted();
        let told: jiff::Timestamp = text(&answer, "accessToken", "expiry").parse().expect("RFC 3339");
        let told = SystemTime::try_from(told).expect("a time of today");
        let books = client.sandbox.access_expiry(Call::Onboard, &text(&answer, "accessToken", "token"));
        assert_eq!(books, Some(told), "the answer and the books mean the same instant");
        let earliest = before + lifetime - Duration::from_millis(1);
        assert!(earliest <= told && told <= client.sandbox.now() + lifetime, "{told:?}");
        refresh_token = text(&answer, "refreshToken", "token");
    }
    // Other logins are as ever.
    let usual = client.sandbox.issue(Call::Onboard).access_token_expires_at;
    assert!(usual.duration_since(client.sandbox.now()).expect("alive") > Duration::from_secs(3_000));
}

#[tokio::test]
async fn providers_that_tell_whole_seconds_drop_the_fraction() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    for call in Call::ALL.into_iter().filter(|call| *call != Call::Onboard) {
        let tokens = sandbox.issue_living(call, Duration::from_millis(1_999));
        let since = tokens.access_token_expires_at.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
        assert_eq!(since.subsec_nanos(), 0, "{call}");
        assert!(tokens.access_token_expires_at <= sandbox.now() + Duration::from_secs(1), "{call}");
    }
}

#[tokio::test]
async fn the_books_know_the_access_tokens_of_each_call_and_nothing_else() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    for call in Call::ALL {
        let tokens = sandbox.issue(call);
        assert_eq!(sandbox.access_expiry(call, &tokens.access_token), Some(tokens.access_token_expires_at), "{call}");
        let refresh = tokens.refresh_token.unwrap_or_else(|| "unheard-of".to_owned());
        assert_eq!(sandbox.access_expiry(call, &refresh), None, "{call}");
        let another = if call == Call::PayBy { Call::Onboard } else { Call::PayBy };
        assert_eq!(sandbox.access_expiry(another, &tokens.access_token), None, "{call}");
    }
}

#[tokio::test]
async fn within_the_grace_a_token_is_exchanged_again_and_not_after_it() {
    let grace = Duration::from_secs(60);
    let client = Client::of(Sandbox::builder().grace(grace).start().await.expect("a sandbox"));
    let token = client.sandbox.issue(Call::Onboard).refresh_token.expect("a token");
    let first = present(&client, &token).await.granted();
    client.sandbox.advance(Duration::from_secs(30));
    let second = present(&client, &token).await.granted();
    assert_ne!(first["refreshToken"]["token"], second["refreshToken"]["token"]);
    // It counts from the first exchange.
    client.sandbox.advance(Duration::from_secs(31));
    present(&client, &token).await.refused(401, "refresh token was already used");
    // Both that it brought live on.
    for answer in [first, second] {
        present(&client, &text(&answer, "refreshToken", "token")).await.granted();
    }
}

#[tokio::test]
async fn the_grace_is_for_transaks_access_token_too() {
    let grace = Duration::from_secs(60);
    let client = Client::of(Sandbox::builder().grace(grace).start().await.expect("a sandbox"));
    let token = client.sandbox.issue(Call::TransakUser).access_token;
    for _ in 0..2 {
        client.send("GET", TRANSAK, &[("authorization", &token)], "").await.granted();
    }
    client.sandbox.advance(grace);
    let reply = client.send("GET", TRANSAK, &[("authorization", &token)], "").await;
    reply.refused(401, "access token was already replaced by a newer one");
}
