//! A clock that disagrees with Onboard's: lives are counted by Onboard's clock, and the difference is told.

mod common;

use std::time::SystemTime;

use common::{Canned, NOW, at, client, credential, granted, now};
use rampauth_core::ClockDifference;
use rampauth_onboard::Expiry;
use rampauth_test_kit::clocks::{DateCase, date_cases, moved};

const BASE: &str = "https://external.dev.onboardpay.co";

/// RFC 3339, in whole seconds.
fn rfc3339(time: SystemTime) -> String {
    let jiff = jiff::Timestamp::try_from(time).expect("a timestamp");
    format!("\"{jiff}\"")
}

fn dated(case: &DateCase, status: u16, body: &str) -> Canned {
    let http = Canned::new(status, body);
    match &case.date {
        Some(date) => http.with_header("date", date.as_str()),
        None => http,
    }
}

#[tokio::test]
async fn lives_are_counted_by_the_providers_clock() {
    for case in date_cases(now()) {
        let theirs = moved(now(), -case.later);
        let body = granted(&rfc3339(moved(theirs, 900)), &rfc3339(moved(theirs, 86_400)));
        let tokens = client(BASE, dated(&case, 200, &body)).refresh(&credential()).await.expect("granted");
        assert_eq!(tokens.access_expiry(), Expiry::At(at(NOW + 900)), "{case:?}");
        assert_eq!(tokens.refresh_credential().expiry(), Expiry::At(at(NOW + 86_400)), "{case:?}");
        let difference = tokens.clock_difference();
        assert_eq!(rampauth_core::TokenSet::from(tokens).clock_difference, difference);
        let difference = difference.map(ClockDifference::milliseconds);
        assert_eq!(difference, case.ahead.map(|it| it * 1_000), "{case:?}");
    }
}

#[tokio::test]
async fn an_error_tells_the_difference() {
    for case in date_cases(now()) {
        for status in [401, 403] {
            let http = dated(&case, status, "");
            let error = client(BASE, http).refresh(&credential()).await.expect_err("refused");
            let difference = error.clock_difference();
            assert_eq!(difference.map(ClockDifference::milliseconds), case.ahead.map(|it| it * 1_000), "{case:?}");
            let named = difference.is_some_and(|difference| error.help().contains(&difference.to_string()));
            let expected = case.ahead.is_some_and(|ahead| ahead.abs() > if status == 403 { 30 } else { 60 });
            assert_eq!(named, expected, "{case:?}: {}", error.help());
        }
    }
}
