//! Answers that are odd: what costs nothing is granted, what is among other text is recovered, and what cannot be read is
//! kept. Nothing is granted or recovered that PayBy did not sign, byte for byte.

mod common;

use common::{BASE, Canned, Sign, client, credential, expand};
use rampauth_payby::{AccessToken, Error, ErrorKind, Outcome, PayByTokens, RefreshToken, SecretBytes};
use rampauth_test_kit::logs::render_error;
use rampauth_test_kit::odd;

async fn refresh(status: u16, sign: Sign, body: &[u8]) -> Result<PayByTokens, Error> {
    client(BASE, Canned::new(status, sign, body)).refresh(&credential()).await
}

fn granting() -> String {
    expand(r#"{#0,"body":{"accessToken":"a","refreshToken":"r"}}"#)
}

#[tokio::test]
async fn what_is_odd_and_read_by_nobody_costs_nothing_where_paybys_signature_covers_it() {
    for (what, body) in odd::harmless(&granting()) {
        let tokens = refresh(200, Sign::Good, &body).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        let (access, refresh_token) = (tokens.access_token(), tokens.refresh_credential().token());
        assert_eq!((access.expose_secret(), refresh_token.expose_secret()), ("a", "r"), "{what}");
        assert_eq!(tokens.raw_body().expose_secret(), body, "{what}");
    }
    // What was signed is all that came: a signature over the document alone is none over what stands around it too.
    let marked = [b"\xef\xbb\xbf", granting().as_bytes()].concat();
    let sign = Sign::Good.over(granting().as_bytes()).expect("a signature");
    let http = Canned::with_headers(200, &[("sign", sign)], marked);
    let error = client(BASE, http).refresh(&credential()).await.expect_err("signed without the mark");
    assert_eq!((error.kind(), error.verified()), (ErrorKind::Untrusted, Some(false)));
}

#[tokio::test]
async fn tokens_among_other_text_are_recovered_where_payby_signed_all_of_it() {
    for (what, body) in odd::surrounded(&granting()) {
        let error = refresh(200, Sign::Good, &body).await.expect_err(what);
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Protocol, Outcome::Unknown), "{what}");
        assert_eq!(error.verified(), Some(true), "{what}");
        let set = error.salvage().unwrap_or_else(|| panic!("{what}: nothing was recovered"));
        let (access, refresh_token) = (set.access_token.as_ref(), set.refresh_token.as_ref());
        assert_eq!(access.map(AccessToken::expose_secret), Some("a"), "{what}");
        assert_eq!(refresh_token.map(RefreshToken::expose_secret), Some("r"), "{what}");
        assert_eq!(error.body().map(SecretBytes::expose_secret), Some(&body[..]), "{what}");
        for sign in [Sign::Absent, Sign::Blank, Sign::Stale, Sign::Foreign] {
            let error = refresh(200, sign, &body).await.expect_err(what);
            assert_eq!(error.outcome(), Outcome::Unknown, "{what} {sign:?}");
            assert!(error.salvage().is_none() && error.verified() == Some(false), "{what} {sign:?}");
            assert_eq!(error.body().map(SecretBytes::expose_secret), Some(&body[..]), "{what} {sign:?}");
        }
    }
}

#[tokio::test]
async fn of_two_answers_neither_is_taken_for_the_right_one() {
    let both = granting() + &expand(r#"{#0,"body":{"accessToken":"a","refreshToken":"other"}}"#);
    let error = refresh(200, Sign::Good, both.as_bytes()).await.expect_err("two answers");
    assert_eq!((error.kind(), error.salvage().is_some()), (ErrorKind::Protocol, false));
}

#[tokio::test]
async fn what_cannot_be_read_is_kept_as_it_came_and_not_shown() {
    for body in odd::unreadable() {
        for sign in [Sign::Good, Sign::Absent, Sign::Stale] {
            let error = refresh(200, sign, &body).await.expect_err("no tokens");
            assert!(matches!(error.kind(), ErrorKind::Protocol | ErrorKind::Untrusted));
            assert_eq!((error.outcome(), error.salvage().is_some()), (Outcome::Unknown, false));
            assert_eq!(error.body().map(SecretBytes::expose_secret), Some(&body[..]));
            let shown = String::from_utf8_lossy(&body[..body.len().min(15)]).into_owned();
            assert!(!render_error(&error).contains(&shown), "{shown}");
        }
    }
    // Nothing is kept of an answer that says by itself that nothing was granted.
    let refusal = expand("{#400}");
    for (status, body) in [(200, &*refusal), (400, &refusal), (401, "<html>"), (429, "{}"), (500, "<html>")] {
        let error = refresh(status, Sign::Absent, body.as_bytes()).await.expect_err("no tokens");
        assert!(error.body().is_none(), "{status} {body}");
    }
}

/// What is compressed on the way is not what was signed.
#[tokio::test]
async fn the_signature_is_over_the_body_after_decoding() {
    let sign = |over: &[u8]| ("sign", Sign::Good.over(over).expect("a signature"));
    for (coding, body) in odd::compressed(&granting()) {
        let coded = |sign| Canned::with_headers(200, &[("content-encoding", coding.to_owned()), sign], body.clone());
        let tokens = client(BASE, coded(sign(granting().as_bytes()))).refresh(&credential()).await.expect(coding);
        assert_eq!(tokens.access_token().expose_secret(), "a", "{coding}");
        assert_eq!(tokens.raw_body().expose_secret(), granting().as_bytes(), "{coding}");
        let error = client(BASE, coded(sign(&body))).refresh(&credential()).await.expect_err(coding);
        assert_eq!((error.kind(), error.verified()), (ErrorKind::Untrusted, Some(false)), "{coding}");
    }
}
