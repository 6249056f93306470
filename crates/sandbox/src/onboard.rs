//! Onboard's refresh call.
//!
//! Facts: Onboard's public API description, operation `refreshAccessToken`, read 2026-11.

use std::time::{Duration, SystemTime};

use axum::http::StatusCode;
use serde_json::json;

use crate::clock::precise_timestamp;
use crate::message::{Answer, Incoming};
use crate::state::{State, opaque_pair};
use crate::{Call, IssuedTokens};

/// Both are the sandbox's own choice: Onboard publishes no lifetime.
const ACCESS: Duration = Duration::from_secs(3_600);
const REFRESH: Duration = Duration::from_secs(30 * 86_400);

/// `POST /auth/oauth/refresh-token`.
pub(crate) fn refresh(state: &State, request: Incoming<'_>) -> Answer {
    let presented = match presented(request) {
        Ok(token) => token,
        Err(Unusable::Malformed(reason)) => {
            let body = json!({"code": "BAD_REQUEST", "message": "The request is malformed"});
            return Answer::refused(StatusCode::BAD_REQUEST, &body, reason);
        }
        Err(Unusable::Missing(reason)) => {
            let body = json!({"code": "UNAUTHORIZED", "message": "The request carries no token"});
            return Answer::refused(StatusCode::UNAUTHORIZED, &body, reason);
        }
    };
    match state.exchange(Call::Onboard, mint, presented) {
        Ok(tokens) => {
            let body = json!({
                "userId": state.credentials.onboard.user_id,
                "accessToken": {
                    "token": tokens.access_token,
                    "expiry": precise_timestamp(tokens.access_token_expires_at).to_string(),
                },
                "refreshToken": {
                    "token": tokens.refresh_token,
                    "expiry": tokens.refresh_token_expires_at.map(|time| precise_timestamp(time).to_string()),
                },
            });
            Answer::granted(&body, "refresh token replaced")
        }
        Err(worthless) => {
            let body = json!({"code": "RE_AUTHENTICATE", "message": "The session is not valid"});
            Answer::refused(StatusCode::UNAUTHORIZED, &body, worthless.to_string())
        }
    }
}

/// An opaque pair.
pub(crate) fn mint(state: &State, now: SystemTime, lifetime: Option<Duration>, _: Option<SystemTime>) -> IssuedTokens {
    opaque_pair(state, now, lifetime.unwrap_or(ACCESS), REFRESH)
}

/// The documented answer to a failure of the provider's own, with the codes of the page's samples.
pub(crate) fn failed(status: StatusCode, reason: &str) -> Answer {
    let body = match status {
        StatusCode::FORBIDDEN => json!({"code": "ACCESS_DENIED", "message": "Forbidden request"}),
        _ => json!({"code": "UNKNOWN_ERROR", "message": "Request could not be completed due to an error"}),
    };
    Answer::failed(status, &body, reason)
}

/// Why no token can be looked up.
enum Unusable {
    /// Without the header the call is not authenticated, which the page answers with 401.
    Missing(String),
    Malformed(String),
}

/// The page asks for the header alone: neither a `content-length` nor a `content-type` is looked at.
fn presented<'a>(request: Incoming<'a>) -> Result<&'a str, Unusable> {
    if !request.body.is_empty() {
        return Err(Unusable::Malformed("the call has no body, yet one came".to_owned()));
    }
    match request.header("x-auth-token").map_err(Unusable::Malformed)? {
        None => Err(Unusable::Missing("header x-auth-token is missing".to_owned())),
        Some("") => Err(Unusable::Missing("header x-auth-token is empty".to_owned())),
        Some(token) if token.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer ")) => {
            let reason = "x-auth-token starts with \"Bearer \": the header is the bare refresh token";
            Err(Unusable::Malformed(reason.to_owned()))
        }
        Some(token) => Ok(token),
    }
}
