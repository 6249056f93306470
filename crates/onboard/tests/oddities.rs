//! Answers that are odd: what costs nothing is granted, what is among other text is recovered, and what cannot be read is
//! kept.

mod common;

use common::{Canned, client, config, credential, granted, now, user};
use rampauth_onboard::{AccessToken, Client, Error, ErrorKind, OnboardTokens, Outcome, RefreshToken, SecretBytes};
use rampauth_test_kit::logs::render_error;
use rampauth_test_kit::odd;

const BASE: &str = "https://external.dev.onboardpay.co";
const LATER: &str = r#""2026-11-20T10:30:00Z""#;

async fn refresh(body: Vec<u8>) -> Result<OnboardTokens, Error> {
    client(BASE, Canned::new(200, body)).refresh(&credential()).await
}

#[tokio::test]
async fn what_is_odd_and_read_by_nobody_costs_nothing() {
    for (what, body) in odd::harmless(&granted(LATER, LATER)) {
        let tokens = refresh(body).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        let (access, refresh) = (tokens.access_token(), tokens.refresh_credential().token());
        assert_eq!((access.expose_secret(), refresh.expose_secret()), ("a", "r"), "{what}");
        assert_eq!(tokens.user_id().as_str(), "u-1", "{what}");
    }
}

#[tokio::test]
async fn tokens_among_other_text_are_recovered_and_not_granted() {
    for (what, body) in odd::surrounded(&granted(LATER, LATER)) {
        let error = refresh(body.clone()).await.expect_err(what);
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Protocol, Outcome::Unknown), "{what}");
        let set = error.salvage().unwrap_or_else(|| panic!("{what}: nothing was recovered"));
        let (access, refresh) = (set.access_token.as_ref(), set.refresh_token.as_ref());
        assert_eq!(access.map(AccessToken::expose_secret), Some("a"), "{what}");
        assert_eq!(refresh.map(RefreshToken::expose_secret), Some("r"), "{what}");
        assert_eq!(error.body().map(SecretBytes::expose_secret), Some(&body[..]), "{what}");
    }
}

#[tokio::test]
async fn of_two_answers_neither_is_taken_for_the_right_one() {
    let other = granted(LATER, LATER).replace(":\"r\"", ":\"s\"");
    let both = granted(LATER, LATER) + &other;
    let error = refresh(both.clone().into_bytes()).await.expect_err("two answers");
    assert_eq!((error.kind(), error.salvage().is_some()), (ErrorKind::Protocol, false));
    // Nor are tokens of another user than the expected one, whatever stands around them.
    let config = config(BASE).with_user_id(user("u-2"));
    let body = both.replacen("u-1", "u-2", 1);
    let error = Client::with_http_client(config, Canned::new(200, body)).with_clock(now).refresh(&credential()).await;
    let error = error.expect_err("two answers");
    let kept = error.salvage().and_then(|set| set.refresh_token.as_ref()).map(RefreshToken::expose_secret);
    assert_eq!(kept, Some("r"));
}

#[tokio::test]
async fn what_cannot_be_read_is_kept_as_it_came_and_not_shown() {
    for body in odd::unreadable() {
        let error = refresh(body.clone()).await.expect_err("no tokens");
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Protocol, Outcome::Unknown));
        assert!(error.salvage().is_none());
        assert_eq!(error.body().map(SecretBytes::expose_secret), Some(&body[..]));
        let shown = String::from_utf8_lossy(&body[..body.len().min(15)]).into_owned();
        assert!(!render_error(&error).contains(&shown), "{shown}");
    }
    // Nothing is kept of an answer that says by itself that nothing was granted.
    for (status, body) in [(200, ""), (400, "{}"), (401, "<html>"), (429, "{}"), (302, "<html>"), (500, "<html>")] {
        let error = client(BASE, Canned::new(status, body)).refresh(&credential()).await.expect_err("no tokens");
        assert!(error.body().is_none(), "{status} {body}");
    }
}

#[tokio::test]
async fn what_is_compressed_unasked_is_granted() {
    for (coding, body) in odd::compressed(&granted(LATER, LATER)) {
        let http = Canned::new(200, body).with_header("content-encoding", coding);
        let tokens = client(BASE, http).refresh(&credential()).await.expect(coding);
        let (access, refresh) = (tokens.access_token(), tokens.refresh_credential().token());
        assert_eq!((access.expose_secret(), refresh.expose_secret()), ("a", "r"), "{coding}");
    }
}
