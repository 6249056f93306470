//! What Transak says when it refuses.
//!
//! `{"error": {"statusCode", "message", "errorCode"[, "additionalMessage"]}}`; older answers have `name` in the place of
//! `errorCode`, or neither, and a gateway may answer HTML (docs.transak.com, the error answers of its user and partner
//! API, read 2026-11). So every member is optional, and a code may be a number or a text.

use rampauth_core::json::{Json, JsonObject, JsonText};
use rampauth_core::{Answer, Error, ErrorKind, Outcome};

/// "Missing, invalid or expired" token (docs.transak.com, read 2026-11): the one code that says that a token is dead. The
/// table it belongs to is not published.
const DEAD_TOKEN: &str = "1002";

/// An answer that is no success: `error` is what its status says, and the body's code refines a 400 or a 401, nothing else.
pub(crate) fn refusal(answer: &Answer, error: Error) -> Error {
    let json = answer.error_json();
    let body = json.as_ref().and_then(Json::as_object);
    let dead = body.and_then(error_object).and_then(|error| code(&error, "errorCode")).as_deref() == Some(DEAD_TOKEN);
    let error = match answer.status().as_u16() {
        // 400 too: docs.transak.com "Get User Details" has it for "Session Expired", read 2026-11.
        400 | 401 if dead => {
            let reason = "the provider says that the user token is missing, invalid or expired";
            answer.error(ErrorKind::LoginNeeded, Outcome::Refused, reason).with_help(
                "have the person log in again (e-mail and one-time code) and store the new token; if it is new, check that \
                 the environment is the one that gave it",
            )
        }
        401 => error.with_help(
            "check the environment, the API key, and whether this machine's address is on Transak's allow-list; the user \
             token may still be good",
        ),
        _ => error,
    };
    match body {
        Some(body) => with_details(error, body),
        None => error,
    }
}

/// Adds the body's code and message to an error about its answer.
pub(crate) fn with_details(mut error: Error, body: &JsonObject<'_>) -> Error {
    let Some(told) = error_object(body) else { return error };
    if let Some(code) = code(&told, "errorCode").or_else(|| code(&told, "name")) {
        error = error.with_provider_code(&code);
    }
    let texts = ["message", "additionalMessage"].into_iter().filter_map(|name| told.text(name).ok().flatten());
    let texts: Vec<_> = texts.collect();
    let texts: Vec<_> = texts.iter().map(JsonText::expose_secret).collect();
    if texts.is_empty() { error } else { error.with_provider_message(&texts.join(": ")) }
}

fn error_object<'a>(body: &JsonObject<'a>) -> Option<JsonObject<'a>> {
    body.object("error").ok().flatten()
}

fn code(error: &JsonObject<'_>, name: &str) -> Option<String> {
    error.get(name).ok().flatten().as_ref().and_then(Json::as_code)
}
