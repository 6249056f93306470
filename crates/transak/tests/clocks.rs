//! A clock that disagrees with Transak's: lives are counted by Transak's clock, and the difference is told.

mod common;

use std::time::SystemTime;

use common::{Canned, DAY, NOW, at, client, jwt, now, user_token};
use rampauth_core::{ClockDifference, TokenSet};
use rampauth_test_kit::clocks::{DateCase, date_cases, moved};
use rampauth_transak::{ErrorKind, Expiry, Outcome, UserToken};

const BASE: &str = "https://api-gateway-stg.transak.com";

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(at(0)).expect("a time after 1970").as_secs()
}

fn answer(case: &DateCase, token: &str) -> Canned {
    Canned::dated(200, case.date.as_deref(), format!(r#"{{"data":{{"accessToken":"{token}"}}}}"#))
}

/// A token that dies in five days by Transak's clock, as an earlier grant under the same clocks left it.
fn presented(case: &DateCase) -> UserToken {
    let theirs = seconds(moved(now(), -case.later));
    user_token(&jwt("presented", theirs + 5 * DAY)).with_expiry(Expiry::At(at(NOW + 5 * DAY)))
}

#[tokio::test]
async fn a_life_is_counted_by_the_providers_clock() {
    for case in date_cases(now()) {
        let theirs = seconds(moved(now(), -case.later));
        let http = answer(&case, &jwt("new", theirs + 30 * DAY));
        let token = client(BASE, http).refresh(&presented(&case)).await.expect("granted");
        assert_eq!(token.expiry(), Expiry::At(at(NOW + 30 * DAY)), "{case:?}");
        let difference = token.clock_difference().map(ClockDifference::milliseconds);
        assert_eq!(difference, case.ahead.map(|it| it * 1_000), "{case:?}");
        // What is stored of it stops the next presentation when it has died by Transak's clock, and not before.
        let set = TokenSet::from(token);
        assert_eq!(UserToken::try_from(&set).expect("a token").expiry(), Expiry::At(at(NOW + 30 * DAY)));
        // A documented lifetime is no instant.
        let opaque = client(BASE, answer(&case, "opaque")).refresh(&presented(&case)).await.expect("granted");
        assert_eq!(opaque.expiry(), Expiry::Assumed(at(NOW + 30 * DAY)), "{case:?}");
    }
}

#[tokio::test]
async fn expired_already_and_no_longer_than_before_are_judged_by_the_providers_clock() {
    for case in date_cases(now()) {
        let theirs = seconds(moved(now(), -case.later));
        let refresh = async |new: String| {
            let result = client(BASE, answer(&case, &new)).refresh(&presented(&case)).await;
            result.map(|token| token.expiry()).map_err(|error| error.to_string())
        };
        let broken = |reason: &str| Err(format!("failed to refresh the Transak user token: {reason} (status 200)"));
        assert_eq!(refresh(jwt("new", theirs)).await, broken("the new token has expired already"), "{case:?}");
        let no_later = broken("the new token expires no later than the one presented");
        assert_eq!(refresh(jwt("new", theirs + 1)).await, no_later, "{case:?}");
        assert_eq!(refresh(jwt("new", theirs + 5 * DAY)).await, no_later, "{case:?}");
        assert_eq!(refresh(jwt("new", theirs + 5 * DAY + 1)).await, Ok(Expiry::At(at(NOW + 5 * DAY + 1))), "{case:?}");
    }
}

#[tokio::test]
async fn a_presented_token_that_says_nothing_of_itself_is_compared_by_this_machines_clock() {
    let presented = user_token("opaque").with_expiry(Expiry::At(at(NOW + 5 * DAY)));
    for case in date_cases(now()) {
        let theirs = seconds(moved(now(), -case.later));
        let refresh = async |lives: u64| {
            let result = client(BASE, answer(&case, &jwt("new", theirs + lives))).refresh(&presented).await;
            result.map(|token| token.expiry()).map_err(|error| error.to_string())
        };
        let reason = "the new token expires no later than the one presented";
        let no_later = Err(format!("failed to refresh the Transak user token: {reason} (status 200)"));
        assert_eq!(refresh(5 * DAY - 1).await, no_later, "{case:?}");
        assert_eq!(refresh(5 * DAY).await, no_later, "{case:?}");
        assert_eq!(refresh(5 * DAY + 1).await, Ok(Expiry::At(at(NOW + 5 * DAY + 1))), "{case:?}");
    }
}

#[tokio::test]
async fn a_clock_that_was_set_in_the_meantime_changes_nothing_about_which_token_lives_longer() {
    // Granted while this machine's clock was 20 minutes ahead; since then it was set right.
    let presented = user_token(&jwt("presented", NOW + 600)).with_expiry(Expiry::At(at(NOW + 1_800)));
    let case = &date_cases(now())[0];
    let http = answer(case, &jwt("new", NOW + 900));
    let token = client(BASE, http).refresh(&presented).await.expect("granted");
    assert_eq!(token.expiry(), Expiry::At(at(NOW + 900)));
}

#[tokio::test]
async fn an_error_tells_the_difference() {
    for case in date_cases(now()) {
        let http = Canned::dated(403, case.date.as_deref(), "");
        let error = client(BASE, http).refresh(&presented(&case)).await.expect_err("forbidden");
        let difference = error.clock_difference();
        assert_eq!(difference.map(ClockDifference::milliseconds), case.ahead.map(|it| it * 1_000), "{case:?}");
        let named = difference.is_some_and(|difference| error.help().ends_with(&format!("; {difference}")));
        assert_eq!(named, case.ahead.is_some_and(|ahead| ahead.abs() > 60), "{case:?}: {}", error.help());
    }
}

#[tokio::test]
async fn a_token_that_died_under_a_wrong_clock_is_said_to() {
    let dead = user_token("opaque").with_expiry(Expiry::At(now()));
    let dead = TokenSet::from(dead).with_clock_difference(Some(ClockDifference::from_milliseconds(-1_200_000)));
    let client = client(BASE, Canned::new(200, ""));
    let error = rampauth_core::Refresh::refresh(&client, &dead).await.expect_err("nothing may be sent");
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::LoginNeeded, Outcome::NotSent));
    insta::assert_snapshot!(error.help(), @"have the person log in again and store the new tokens; this machine's clock is 20 min behind the provider's");
}
