//! Answers that are odd, of both products: what costs nothing is granted, what is among other text is recovered, and what
//! cannot be read is kept.

mod common;

use common::{Canned, card, config, email, now, on_off_ramp};
use rampauth_alix::{
    AccessToken, Error, ErrorKind, Expiry, OnOffRampClient, Outcome, Refresh, RefreshToken, SecretBytes, TokenSet,
};
use rampauth_core::{RsaVerifyingKey, Signer as _};
use rampauth_test_kit::logs::render_error;
use rampauth_test_kit::{keys, odd};

const BASE: &str = "https://api.alixpay.com";
/// As the two pages document an answer: bare, and in an envelope.
const ANSWERS: [&str; 2] = [
    r#"{"accessToken":"a","refreshToken":"r","signature":"s"}"#,
    r#"{"success":true,"message":"m","data":{"accessToken":"a","refreshToken":"r"},"errorCode":0}"#,
];

/// The same answer to both products' calls, as a keeper makes them.
async fn refresh(status: u16, body: &[u8]) -> [Result<TokenSet, Error>; 2] {
    let http = Canned::new(status, body);
    let current = TokenSet::new().with_refresh_token(RefreshToken::new("old").expect("a token"), Expiry::Unknown);
    let [card, ramp]: [Box<dyn Refresh>; 2] = [Box::new(card(BASE, http.clone())), Box::new(on_off_ramp(BASE, http))];
    [card.refresh(&current).await, ramp.refresh(&current).await]
}

fn texts(set: &TokenSet) -> (Option<&str>, Option<&str>) {
    let access = set.access_token.as_ref().map(AccessToken::expose_secret);
    (access, set.refresh_token.as_ref().map(RefreshToken::expose_secret))
}

#[tokio::test]
async fn what_is_odd_and_read_by_nobody_costs_nothing() {
    for answer in ANSWERS {
        for (what, body) in odd::harmless(answer) {
            for result in refresh(200, &body).await {
                let set = result.unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(texts(&set), (Some("a"), Some("r")), "{what}");
            }
        }
    }
}

#[tokio::test]
async fn tokens_among_other_text_are_recovered_and_not_granted() {
    for answer in ANSWERS {
        for (what, body) in odd::surrounded(answer) {
            for result in refresh(200, &body).await {
                let error = result.expect_err(what);
                assert_eq!((error.kind(), error.outcome()), (ErrorKind::Protocol, Outcome::Unknown), "{what}");
                let set = error.salvage().unwrap_or_else(|| panic!("{what}: nothing was recovered"));
                assert_eq!(texts(set), (Some("a"), Some("r")), "{what}");
                assert_eq!(error.body().map(SecretBytes::expose_secret), Some(&body[..]), "{what}");
            }
        }
    }
    // Where the refresh token stays, what comes beside it is recovered with it.
    for result in refresh(200, br#"Notice: {"accessToken":"a"}"#).await {
        assert_eq!(texts(result.expect_err("other text").salvage().expect("tokens")), (Some("a"), Some("old")));
    }
}

#[tokio::test]
async fn of_two_answers_neither_is_taken_for_the_right_one() {
    let both = [ANSWERS[0], &ANSWERS[0].replace(r#""r""#, r#""other""#)].concat();
    for result in refresh(200, both.as_bytes()).await {
        let error = result.expect_err("two answers");
        assert_eq!((error.kind(), error.salvage().is_some()), (ErrorKind::Protocol, false));
    }
}

#[tokio::test]
async fn among_other_text_too_nothing_is_taken_that_alix_did_not_sign() {
    let provider = rampauth_core::RsaSigningKey::parse(keys::PROVIDER_PKCS8.pem).expect("the provider's key");
    let good = provider.sign(b"alix-secret-key-for-tests").await.expect("a signature").to_base64();
    for (signature, recovered) in [(good.expose_secret(), true), ("AAAA", false)] {
        let body = format!(r#"Notice: {{"accessToken":"a","refreshToken":"r","signature":"{signature}"}}"#);
        let key = RsaVerifyingKey::parse(keys::PROVIDER_SPKI.pem).expect("the provider's key");
        let client = OnOffRampClient::with_http_client(config(BASE), Canned::new(200, body)).with_provider_key(key);
        let current = TokenSet::new().with_refresh_token(RefreshToken::new("old").expect("a token"), Expiry::Unknown);
        let error = Refresh::refresh(&client.with_clock(now).session(email()), &current).await.expect_err("other text");
        assert_eq!((error.salvage().is_some(), error.body().is_some()), (recovered, true));
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_kept_as_it_came_and_not_shown() {
    for body in odd::unreadable() {
        for result in refresh(200, &body).await {
            let error = result.expect_err("no tokens");
            assert_eq!((error.kind(), error.outcome()), (ErrorKind::Protocol, Outcome::Unknown));
            assert!(error.salvage().is_none());
            assert_eq!(error.body().map(SecretBytes::expose_secret), Some(&body[..]));
            let shown = String::from_utf8_lossy(&body[..body.len().min(15)]).into_owned();
            assert!(!render_error(&error).contains(&shown), "{shown}");
        }
    }
    // Nothing is kept of an answer that says by itself that nothing was granted.
    let refused = r#"{"success":false,"errorCode":32}"#;
    for (status, body) in [(200, ""), (200, refused), (400, refused), (401, "<html>"), (302, "<html>"), (500, "{}")] {
        for result in refresh(status, body.as_bytes()).await {
            assert!(result.expect_err("no tokens").body().is_none(), "{status} {body}");
        }
    }
}
