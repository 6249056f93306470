//! Answers that are odd: what costs nothing is granted, what is among other text is recovered, and what cannot be read is
//! kept.

mod common;

use common::{Canned, DAY, NOW, client, jwt, presented, user_token};
use rampauth_test_kit::logs::render_error;
use rampauth_test_kit::odd;
use rampauth_transak::{AccessToken, Error, ErrorKind, Outcome, SecretBytes, UserToken};

const BASE: &str = "https://api-gateway-stg.transak.com";

fn granting(token: &str) -> String {
    format!(r#"{{"data":{{"accessToken":"{token}"}}}}"#)
}

async fn refresh(status: u16, body: &[u8]) -> Result<UserToken, Error> {
    client(BASE, Canned::new(status, body)).refresh(&user_token(&presented())).await
}

#[tokio::test]
async fn what_is_odd_and_read_by_nobody_costs_nothing() {
    let new = jwt("new", NOW + 30 * DAY);
    for (what, body) in odd::harmless(&granting(&new)) {
        let token = refresh(200, &body).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(token.access_token().expose_secret(), new, "{what}");
    }
}

#[tokio::test]
async fn a_token_among_other_text_is_recovered_and_not_granted() {
    let new = jwt("new", NOW + 30 * DAY);
    for (what, body) in odd::surrounded(&granting(&new)) {
        let error = refresh(200, &body).await.expect_err(what);
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Protocol, Outcome::Unknown), "{what}");
        let set = error.salvage().unwrap_or_else(|| panic!("{what}: nothing was recovered"));
        assert_eq!(set.access_token.as_ref().map(AccessToken::expose_secret), Some(&*new), "{what}");
        assert_eq!(error.body().map(SecretBytes::expose_secret), Some(&body[..]), "{what}");
    }
}

#[tokio::test]
async fn of_two_answers_neither_is_taken_for_the_right_one() {
    let both = granting(&jwt("new", NOW + 30 * DAY)) + &granting(&jwt("other", NOW + 30 * DAY));
    let error = refresh(200, both.as_bytes()).await.expect_err("two answers");
    assert_eq!((error.kind(), error.salvage().is_some()), (ErrorKind::Protocol, false));
}

#[tokio::test]
async fn what_cannot_be_read_is_kept_as_it_came_and_not_shown() {
    for body in odd::unreadable() {
        let error = refresh(200, &body).await.expect_err("no token");
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Protocol, Outcome::Unknown));
        assert!(error.salvage().is_none());
        assert_eq!(error.body().map(SecretBytes::expose_secret), Some(&body[..]));
        let shown = String::from_utf8_lossy(&body[..body.len().min(15)]).into_owned();
        assert!(!render_error(&error).contains(&shown), "{shown}");
    }
    // Nothing is kept of an answer that says by itself that nothing was granted.
    for (status, body) in [(200, ""), (400, "{}"), (401, "<html>"), (429, "{}"), (302, "<html>"), (500, "<html>")] {
        assert!(refresh(status, body.as_bytes()).await.expect_err("no token").body().is_none(), "{status} {body}");
    }
}
