//! A clock that disagrees with PayBy's: instants are by PayBy's clock, lifetimes count from the sending, and the difference is
//! told.

mod common;

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::{BASE, Canned, Sign, at, client, credential, expand, now};
use rampauth_core::ClockDifference;
use rampauth_payby::{Expiry, PayByTokens};
use rampauth_test_kit::clocks::{DateCase, date_cases, moved};

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(at(0)).expect("a time after 1970").as_secs()
}

/// A JWT that expires then.
fn jwt(time: SystemTime) -> String {
    let claims = format!(r#"{{"exp":{}}}"#, seconds(time));
    let [header, claims, signature] = [r#"{"alg":"HS256"}"#, &claims, "s"].map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("{header}.{claims}.{signature}")
}

fn answer(case: &DateCase, body: &str) -> Canned {
    let body = expand(body);
    let sign = Sign::Good.over(body.as_bytes()).expect("a signature");
    let mut headers = vec![("sign", sign)];
    headers.extend(case.date.clone().map(|date| ("date", date)));
    Canned::with_headers(200, &headers, body.into_bytes())
}

async fn granted(case: &DateCase, members: &str) -> PayByTokens {
    let http = answer(case, &format!("{{#0,\"body\":{{{members}}}}}"));
    client(BASE, http).refresh(&credential()).await.expect("granted")
}

#[tokio::test]
async fn instants_are_by_the_providers_clock_and_lifetimes_count_from_the_sending() {
    let ours = Expiry::At(moved(now(), 900));
    for case in date_cases(now()) {
        let theirs = moved(now(), -case.later);
        let end = seconds(moved(theirs, 900));
        for members in [
            format!(r#""accessToken":"a","expiresAt":{end}"#),
            format!(r#""accessToken":"a","expires_at":"{end}000""#),
            r#""accessToken":"a","expiresIn":900"#.to_owned(),
            format!(r#""accessToken":"a","expiresIn":900,"expiresAt":{}"#, end + 1),
            format!(r#""accessToken":"a","expiresIn":901,"expiresAt":{end}"#),
            format!(r#""accessToken":"{}""#, jwt(moved(theirs, 900))),
        ] {
            assert_eq!(granted(&case, &members).await.access_expiry(), ours, "{case:?}: {members}");
        }
        let tokens =
            granted(&case, &format!(r#""accessToken":"a","refreshToken":"{}""#, jwt(moved(theirs, 900)))).await;
        assert_eq!(tokens.refresh_credential().expiry(), Expiry::Assumed(moved(now(), 900)), "{case:?}");
        let difference = tokens.clock_difference();
        assert_eq!(rampauth_core::TokenSet::from(tokens).clock_difference, difference);
        let difference = difference.map(ClockDifference::milliseconds);
        assert_eq!(difference, case.ahead.map(|it| it * 1_000), "{case:?}");
    }
}

#[tokio::test]
async fn an_error_tells_the_difference() {
    for case in date_cases(now()) {
        let http = answer(&case, "{#400}");
        let error = client(BASE, http).refresh(&credential()).await.expect_err("refused");
        let difference = error.clock_difference();
        assert_eq!(difference.map(ClockDifference::milliseconds), case.ahead.map(|it| it * 1_000), "{case:?}");
        let named = difference.is_some_and(|difference| error.help().ends_with(&format!("; {difference}")));
        assert_eq!(named, case.ahead.is_some_and(|ahead| ahead.abs() > 60), "{case:?}: {}", error.help());
    }
}
