//! What a status of Onboard's means, and what its error body adds.
//!
//! `{"code": "…", "message": "…", "data": {…}}` for 400, 401, 403 and 500 (docs.onboard.xyz, "Refresh token", read
//! 2026-11). The codes are an open set and none is documented for a dead refresh token, so they are kept and decide
//! nothing; that both members are there tells the endpoint's own answer from a gateway's, which may lack them, be HTML or be
//! empty.

use std::time::Duration;

use rampauth_core::json::{Json, JsonObject};
use rampauth_core::{Answer, Error, ErrorKind, Outcome};

/// By how much a clock may be off before signed calls are answered with 403 (docs.onboard.xyz, login pages, read
/// 2026-11). A refresh is not signed, but it tells the time all the same.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(30);

/// The error that an answer's status stands for; `None` for 2xx.
pub(crate) fn status_error(answer: &Answer) -> Option<Error> {
    let json = answer.error_json();
    let body = json.as_ref().and_then(Json::as_object);
    let error = answer.status_error()?;
    let error = match answer.status().as_u16() {
        // The refresh token is all that the call presents, so "Unauthorized request" is about that token. But only in the
        // endpoint's own form: a gateway in front answers 401 for reasons of its own.
        401 if body.is_some_and(is_documented) => answer
            .error(ErrorKind::LoginNeeded, Outcome::Refused, "the refresh token is invalid or has expired")
            .with_help("look whether newer tokens have been stored meanwhile; if not, have the person log in again"),
        401 => error.with_help(
            "check the base URL and what stands before Onboard: this 401 is not in the form of Onboard's own, so it does \
             not prove that the session is dead, and the tokens may still be good",
        ),
        400 => error
            .with_help("read status and code; this does not prove that the session is dead, so keep the tokens"),
        403 => with_clock_help(error),
        _ => error,
    };
    Some(match body {
        Some(body) => with_details(error, body),
        None => error,
    })
}

/// Whether an error's body has the documented form: `code` and `message`, both texts and not empty.
fn is_documented(body: &JsonObject<'_>) -> bool {
    ["code", "message"].iter().all(|name| matches!(body.text(name), Ok(Some(_))))
}

/// Adds the body's code and message to an error about its answer.
pub(crate) fn with_details(mut error: Error, body: &JsonObject<'_>) -> Error {
    if let Some(code) = body.get("code").ok().flatten().as_ref().and_then(Json::as_code) {
        error = error.with_provider_code(&code);
    }
    match body.text("message") {
        Ok(Some(message)) => error.with_provider_message(message.expose_secret()),
        _ => error,
    }
}

/// Says of a 403 whether the clock can be its cause, as far as the answer's `date` tells.
fn with_clock_help(error: Error) -> Error {
    match error.clock_difference() {
        None => error,
        Some(difference) if difference.by() > CLOCK_TOLERANCE => {
            error.with_help(format!("set the clock: {difference}; the tokens may still be good"))
        }
        Some(_) => error.with_help("ask Onboard whether the account is blocked; the tokens may still be good"),
    }
}
