//! A clock that disagrees with Alix's: lives are counted by Alix's clock, and the difference is told.

mod common;

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::{Canned, at, card, now, on_off_ramp};
use rampauth_alix::{CardCredential, ErrorKind, Expiry, OnOffRampCredential, Outcome};
use rampauth_core::{ClockDifference, RefreshToken, TokenSet};
use rampauth_test_kit::clocks::{date_cases, moved};

const BASE: &str = "https://sandbox.alixpay.com";

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(at(0)).expect("a time after 1970").as_secs()
}

/// A JWT that expires then.
fn jwt(time: SystemTime) -> String {
    let claims = format!(r#"{{"exp":{}}}"#, seconds(time));
    let [header, claims, signature] = [r#"{"alg":"HS256"}"#, &claims, "s"].map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("{header}.{claims}.{signature}")
}

#[tokio::test]
async fn lives_are_counted_by_the_providers_clock() {
    for case in date_cases(now()) {
        // By Alix's clock the access token lives for 15 minutes and the refresh token for a day, from its answer on.
        let theirs = moved(now(), -case.later);
        let (access_end, refresh_end) = (theirs + Duration::from_secs(900), theirs + Duration::from_secs(86_400));
        let ours = (now() + Duration::from_secs(900), now() + Duration::from_secs(86_400));
        let told = format!(
            r#"{{"success":true,"data":{{"accessToken":"a","refreshToken":"r","accessTokenExpiresAt":"{}","refreshTokenExpiresAt":{}}}}}"#,
            seconds(access_end),
            seconds(refresh_end)
        );
        let of_itself = format!(r#"{{"accessToken":"{}","refreshToken":"{}"}}"#, jwt(access_end), jwt(refresh_end));
        let date = case.date.as_deref();
        for (body, refresh_expiry) in [(told, Expiry::At(ours.1)), (of_itself, Expiry::Assumed(ours.1))] {
            let http = Canned::dated(200, date, body);
            let credential = CardCredential::new("the-refresh-token").expect("a token");
            let card = card(BASE, http.clone()).refresh(&credential).await.expect("granted");
            let credential = OnOffRampCredential::new("the-refresh-token").expect("a token");
            let ramp = on_off_ramp(BASE, http).refresh(&credential).await.expect("granted");
            for (access, refresh, difference) in [
                (card.access_expiry(), card.refresh_credential().expiry(), card.clock_difference()),
                (ramp.access_expiry(), ramp.refresh_credential().expiry(), ramp.clock_difference()),
            ] {
                assert_eq!(access, Expiry::At(ours.0), "{case:?}");
                assert_eq!(refresh, refresh_expiry, "{case:?}");
                assert_eq!(difference.map(ClockDifference::milliseconds), case.ahead.map(|it| it * 1_000), "{case:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_expiry_that_has_passed_by_the_providers_clock_is_none() {
    for case in date_cases(now()) {
        let theirs = moved(now(), -case.later);
        for (end, expected) in [(theirs, Expiry::Unknown), (moved(theirs, 1), Expiry::At(moved(now(), 1)))] {
            let body = format!(r#"{{"accessToken":"a","accessTokenExpiresAt":{}}}"#, seconds(end));
            let credential = CardCredential::new("the-refresh-token").expect("a token");
            let http = Canned::dated(200, case.date.as_deref(), body);
            let granted = card(BASE, http).refresh(&credential).await.expect("granted");
            assert_eq!(granted.access_expiry(), expected, "{case:?}");
        }
    }
}

#[tokio::test]
async fn an_error_tells_the_difference() {
    for case in date_cases(now()) {
        let credential = CardCredential::new("the-refresh-token").expect("a token");
        let http = Canned::dated(403, case.date.as_deref(), "");
        let error = card(BASE, http).refresh(&credential).await.expect_err("forbidden");
        let difference = error.clock_difference();
        assert_eq!(difference.map(ClockDifference::milliseconds), case.ahead.map(|it| it * 1_000), "{case:?}");
        let named = difference.is_some_and(|difference| error.help().ends_with(&format!("; {difference}")));
        assert_eq!(named, case.ahead.is_some_and(|ahead| ahead.abs() > 60), "{case:?}: {}", error.help());
    }
}

#[tokio::test]
async fn a_refresh_token_that_died_under_a_wrong_clock_is_said_to() {
    let dead = TokenSet::new()
        .with_refresh_token(RefreshToken::new("the-refresh-token").expect("a token"), Expiry::At(now()))
        .with_clock_difference(Some(ClockDifference::from_milliseconds(1_200_000)));
    let credential = CardCredential::try_from(&dead).expect("a refresh token");
    let error = card(BASE, Canned::new(200, "")).refresh(&credential).await.expect_err("nothing may be sent");
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::LoginNeeded, Outcome::NotSent));
    insta::assert_snapshot!(error.help(), @"have the person log in again and store the new tokens; this machine's clock is 20 min ahead of the provider's");
}
