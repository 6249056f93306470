//! Onboard's refresh call.
//!
//! Facts: Onboard's public API description, operation `refreshAccessToken`, read 2026-11.

use std::time::{Duration, SystemTime};

use axum::http::StatusCode;
use serde_json::json;

use crate::clock::precise_timestamp;
use crate::message::{Answer, Incoming};
use crate::world::{World, opaque_pair};
use crate::{Call, IssuedTokens};

/// Both are the sandbox's own choice: Onboard publishes no lifetime.
const ACCESS: Duration = Duration::from_secs(3_600);
const REFRESH: Duration = Duration::from_secs(30 * 86_400);

/// `POST /auth/oauth/refresh-token`.
pub(crate) fn refresh(world: &World, request: Incoming<'_>) -> Answer {
    let presented = match presented(request) {
        Ok(token) => token,
        Err(reason) => {
            let body = json!({"code": "BAD_REQUEST", "message": "The request is malformed"});
            return Answer::refused(StatusCode::BAD_REQUEST, &body, reason);
        }
    };
    match world.exchange(Call::Onboard, presented) {
        Ok(tokens) => {
            let body = json!({
                "userId": world.credentials.onboard.user_id,
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
pub(crate) fn mint(world: &World, now: SystemTime, lifetime: Option<Duration>) -> IssuedTokens {
    opaque_pair(world, now, lifetime.unwrap_or(ACCESS), REFRESH)
}

fn presented<'a>(request: Incoming<'a>) -> Result<&'a str, String> {
    request.has_no_body()?;
    if !request.states_its_length() {
        return Err("content-length is missing: an empty POST states content-length: 0".to_owned());
    }
    if request.carries("content-type") {
        return Err("content-type came, yet the call has no body to describe".to_owned());
    }
    let token = request.required("x-auth-token")?;
    if token.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer ")) {
        return Err("x-auth-token starts with \"Bearer \": the header is the bare refresh token".to_owned());
    }
    Ok(token)
}
