//! Transak's refresh of a user access token.
//!
//! Facts: docs.transak.com "Refresh User Access Token" and the error pages beside it, read 2026-11.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use axum::http::StatusCode;
use serde_json::json;

use crate::clock::unix_seconds;
use crate::message::{Answer, Incoming};
use crate::state::State;
use crate::{Call, IssuedTokens};

/// As in the page's sample, and as `ttl` says at login.
const ACCESS: Duration = Duration::from_secs(30 * 86_400);

/// `GET /api/v2/auth/refresh`.
pub(crate) fn refresh(state: &State, request: Incoming<'_>) -> Answer {
    match granted(state, request) {
        Ok(tokens) => Answer::granted(
            &json!({"data": {"accessToken": tokens.access_token}}),
            "access token renewed; the one presented is replaced",
        ),
        Err(Refusal { status, error_code, reason }) => {
            let message = match status {
                StatusCode::UNAUTHORIZED => "Unauthorized",
                _ => "Validation failed",
            };
            let mut body = json!({"error": {"statusCode": status.as_u16(), "message": message}});
            if let Some(code) = error_code {
                body["error"]["errorCode"] = code.into();
            }
            Answer::refused(status, &body, reason)
        }
    }
}

/// The answer that the page documents for a failure of Transak's own.
pub(crate) fn failed(status: StatusCode, reason: &str) -> Answer {
    let body = json!({"error": {"statusCode": status.as_u16(), "message": "Internal Server Error"}});
    Answer::failed(status, &body, reason)
}

/// A JWT with the claims of the page's sample. It expires later than the one it replaces, even within the same second: the
/// expiry is all by which a client can tell that it was renewed.
pub(crate) fn mint(
    state: &State,
    now: SystemTime,
    lifetime: Option<Duration>,
    replaced: Option<SystemTime>,
) -> IssuedTokens {
    let expires_at = now + lifetime.unwrap_or(ACCESS);
    let access_token_expires_at = replaced.map_or(expires_at, |old| expires_at.max(old + Duration::from_secs(1)));
    let claims = json!({
        "active": true,
        "permissions": [],
        "roles": [],
        "token_type": "Bearer",
        "sub": "jane.doe@example.com",
        "aud": "rampauth-sandbox",
        "iss": "https://transak.com/auth",
        "jti": state.mint.uuid(),
        "iat": unix_seconds(now),
        "exp": unix_seconds(access_token_expires_at),
    });
    IssuedTokens {
        number: state.mint.number(),
        access_token: state.mint.jwt(&claims),
        refresh_token: None,
        access_token_expires_at,
        refresh_token_expires_at: None,
    }
}

/// What authenticates a partner (docs.transak.com "Refresh Access Token" and the Auth Reliance pages, read 2026-11): never on
/// one request with a user's `authorization`.
const OF_A_PARTNER: [&str; 4] = ["api-secret", "access-token", "x-access-token", "x-user-identifier"];

struct Refusal {
    status: StatusCode,
    error_code: Option<u16>,
    reason: String,
}

impl Refusal {
    /// 9001: validation.
    fn malformed(reason: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error_code: Some(9001), reason: reason.into() }
    }

    /// 1002: missing, invalid or expired token.
    fn bad_token(reason: impl Into<String>) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, error_code: Some(1002), reason: reason.into() }
    }

    /// 401 without a code: the caller, not the token, is refused.
    fn bad_caller(reason: impl Into<String>) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, error_code: None, reason: reason.into() }
    }
}

fn granted(state: &State, request: Incoming<'_>) -> Result<IssuedTokens, Refusal> {
    request.has_no_body().map_err(Refusal::malformed)?;
    if let Some(name) = OF_A_PARTNER.into_iter().find(|name| request.carries(name)) {
        return Err(Refusal::malformed(format!(
            "header {name} is a partner's: a user's call carries authorization alone"
        )));
    }
    // Asked for on every Whitelabel request by the guides, not listed on this page: checked when sent.
    match request.header("x-user-ip").map_err(Refusal::malformed)? {
        Some(ip) if ip.parse::<IpAddr>().is_err() => {
            return Err(Refusal::malformed("x-user-ip is not exactly one IPv4 or IPv6 address"));
        }
        _ => {}
    }
    match request.header("x-api-key").map_err(Refusal::malformed)? {
        Some(key) if key != state.credentials.transak.api_key => {
            return Err(Refusal::bad_caller("x-api-key is not the sandbox's API key"));
        }
        _ => {}
    }
    let token = request.required("authorization").map_err(Refusal::bad_token)?;
    if token.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer ")) {
        return Err(Refusal::bad_token("authorization starts with \"Bearer \": the header is the bare token"));
    }
    state.exchange(Call::TransakUser, mint, token).map_err(|worthless| Refusal::bad_token(worthless.to_string()))
}
