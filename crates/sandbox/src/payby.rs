//! PayBy's refresh call, and the call that proves a pair of keys.
//!
//! Facts: PayBy's page "Refresh Tokens" and its integration guide, read 2026-11. The name of the refresh token's field,
//! the answer's fields and the lifetimes were never published: those here are the sandbox's own choice.

mod mistakes;

use std::time::{Duration, SystemTime};

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::clock::{unix_millis, unix_seconds};
use crate::event::Verdict;
use crate::message::{Answer, Incoming};
use crate::state::{State, opaque_pair};
use crate::{Call, IssuedTokens, diagnose, json};

const ACCESS: Duration = Duration::from_secs(3_600);
const REFRESH: Duration = Duration::from_secs(30 * 86_400);

/// "If the request time is more than 15 minutes away from the current time, the request will be rejected."
const TOLERANCE_MILLIS: u128 = 15 * 60 * 1_000;

/// `POST /sgs/api/oauth2/authz/refresh-token`.
pub(crate) fn refresh(state: &State, request: Incoming<'_>) -> Answer {
    if let Err(refusal) = authentic(state, request) {
        return refusal.unsigned(state);
    }
    match granted(state, request) {
        Ok(tokens) => {
            let body = json!({
                "head": head(state, "SUCCESS", "0", "SUCCESS"),
                "body": {
                    "accessToken": tokens.access_token,
                    "refreshToken": tokens.refresh_token,
                    "expiresIn": lifetime(&tokens),
                },
            });
            signed(state, Answer::granted(&body, "sign verifies over the body; refresh token replaced"))
        }
        Err(refusal) => signed(state, refusal.unsigned(state)),
    }
}

/// `POST /sgs/verifySign`: a signed text comes back signed by PayBy.
///
/// The official SDKs send the text `test echo`; what the gateway answers was not published.
pub(crate) fn echo(state: &State, request: Incoming<'_>) -> Answer {
    let refused = if request.body.is_empty() {
        Err(Refusal::invalid("the body is empty: a text is wanted, such as \"test echo\""))
    } else {
        is_partner(state, request).and_then(|()| is_signed(state, request))
    };
    if let Err(refusal) = refused {
        return refusal.unsigned(state);
    }
    let answer = Answer {
        status: StatusCode::OK,
        content_type: "text/plain; charset=utf-8",
        body: request.body.to_vec(),
        sign: None,
        allow: None,
        verdict: Verdict::Granted,
        reason: "sign verifies over the body; the text goes back signed".to_owned(),
    };
    signed(state, answer)
}

/// The head for a failure of PayBy's own: its codes are no HTTP statuses, and these two may come unsigned.
pub(crate) fn failed(state: &State, status: StatusCode, reason: &str) -> Answer {
    let (code, msg) = match status {
        StatusCode::FORBIDDEN => ("403", "UNAUTHORIZED"),
        _ => ("500", "SYSTEM_ERROR"),
    };
    let body = json!({"head": head(state, "FAIL", code, msg)});
    Answer::failed(StatusCode::OK, &body, reason)
}

/// How long the access token lives, in seconds: counted, as its expiry is, from when the refresh token began its own life.
fn lifetime(tokens: &IssuedTokens) -> u64 {
    let issued = tokens.refresh_token_expires_at.map_or(0, unix_seconds).saturating_sub(REFRESH.as_secs());
    unix_seconds(tokens.access_token_expires_at).saturating_sub(issued)
}

/// An opaque pair.
pub(crate) fn mint(state: &State, now: SystemTime, lifetime: Option<Duration>, _: Option<SystemTime>) -> IssuedTokens {
    opaque_pair(state, now, lifetime.unwrap_or(ACCESS), REFRESH)
}

/// A refusal as the head of an answer, and the reason for the log.
struct Refusal {
    apply_status: &'static str,
    code: &'static str,
    msg: &'static str,
    reason: String,
}

impl Refusal {
    fn invalid(reason: impl Into<String>) -> Self {
        Self { apply_status: "FAIL", code: "400", msg: "INVALID_PARAMETER", reason: reason.into() }
    }

    /// `ERROR` is the gateway's word for a signature that does not verify.
    fn unauthorized(reason: impl Into<String>) -> Self {
        Self { apply_status: "ERROR", code: "403", msg: "UNAUTHORIZED", reason: reason.into() }
    }

    /// Business errors ride on HTTP 200.
    fn unsigned(self, state: &State) -> Answer {
        let body = json!({"head": head(state, self.apply_status, self.code, self.msg)});
        Answer::refused(StatusCode::OK, &body, self.reason)
    }
}

fn head(state: &State, apply_status: &str, code: &str, msg: &str) -> Value {
    json!({"applyStatus": apply_status, "code": code, "msg": msg, "traceCode": state.mint.word()})
}

/// Adds PayBy's signature over the raw body.
fn signed(state: &State, mut answer: Answer) -> Answer {
    match state.payby.sign(&answer.body) {
        Ok(sign) => {
            answer.sign = Some(sign);
            answer
        }
        Err(_) => {
            Refusal { apply_status: "ERROR", code: "500", msg: "SYSTEM_ERROR", reason: "signing failed".to_owned() }
                .unsigned(state)
        }
    }
}

/// Everything that can be judged before the sender is known to be the merchant.
fn authentic(state: &State, request: Incoming<'_>) -> Result<(), Refusal> {
    request.is_json().map_err(Refusal::invalid)?;
    match request.header("content-language").map_err(Refusal::invalid)? {
        Some(language) if language.is_empty() || language.len() > 10 => {
            return Err(Refusal::invalid("content-language is empty or longer than 10 characters"));
        }
        _ => {}
    }
    is_partner(state, request)?;
    is_signed(state, request)
}

fn is_partner(state: &State, request: Incoming<'_>) -> Result<(), Refusal> {
    let partner_id = request.required("partner-id").map_err(Refusal::invalid)?;
    if partner_id.len() > 12 {
        return Err(Refusal::invalid("partner-id is longer than 12 characters"));
    }
    if partner_id != state.credentials.payby.partner_id {
        return Err(Refusal::unauthorized(format!("partner-id is not \"{}\"", state.credentials.payby.partner_id)));
    }
    Ok(())
}

fn is_signed(state: &State, request: Incoming<'_>) -> Result<(), Refusal> {
    let sign = request.required("sign").map_err(Refusal::unauthorized)?;
    diagnose::check(&state.partner, sign, request.body, "the exact bytes of the body", || mistakes::all(request.body))
        .map_err(Refusal::unauthorized)
}

/// What the body says, by now known to be the merchant's words. The token is looked at last.
fn granted(state: &State, request: Incoming<'_>) -> Result<IssuedTokens, Refusal> {
    let body = json::object(request.body).map_err(Refusal::invalid)?;
    is_timely(state, &body)?;
    // The page calls it required; PayBy's own Java SDK leaves it out.
    if body.contains_key("partnerId") {
        let partner_id = json::text(&body, "partnerId").map_err(Refusal::invalid)?;
        if partner_id != state.credentials.payby.partner_id {
            return Err(Refusal::invalid("partnerId in the body is not the header's partner-id"));
        }
    }
    let Value::Object(content) = json::field(&body, "bizContent").map_err(Refusal::invalid)? else {
        return Err(Refusal::invalid("bizContent is not an object"));
    };
    bounded(content, "merchantOrderNo", 64)?;
    bounded(content, "subject", 12)?;
    let token = json::text(content, &state.credentials.payby.refresh_token_field).map_err(Refusal::invalid)?;
    state.exchange(Call::PayBy, mint, token).map_err(|worthless| Refusal::invalid(worthless.to_string()))
}

fn bounded(content: &Map<String, Value>, name: &str, most: usize) -> Result<(), Refusal> {
    let text = json::text(content, name).map_err(Refusal::invalid)?;
    if text.chars().count() > most {
        return Err(Refusal::invalid(format!("{name} is longer than {most} characters")));
    }
    Ok(())
}

fn is_timely(state: &State, body: &Map<String, Value>) -> Result<(), Refusal> {
    let value = json::field(body, "requestTime").map_err(Refusal::invalid)?;
    let Some(then) = value.as_u64() else {
        return Err(Refusal::invalid("requestTime is not a JSON integer of epoch milliseconds"));
    };
    let now = unix_millis(state.clock.now());
    let off = now.abs_diff(then.into());
    if off <= TOLERANCE_MILLIS {
        return Ok(());
    }
    // Seconds in place of milliseconds lie decades back.
    let seconds = unix_seconds(state.clock.now()).abs_diff(then) < 86_400;
    let hint = if seconds { "; it looks like seconds, milliseconds are wanted" } else { "" };
    let (msg, side) = if u128::from(then) < now {
        ("REQUESTTIME_TOO_EARLY", "behind")
    } else {
        ("REQUESTTIME_TOO_LATER", "ahead of")
    };
    let reason = format!("requestTime is {} s {side} the sandbox's clock, 900 s are allowed{hint}", off / 1_000);
    Err(Refusal { msg, ..Refusal::invalid(reason) })
}
