//! What Alix says when it refuses, in the two shapes it has for that.
//!
//! `{"error": "…"}` on the on/off-ramp page and `{"success": false, "message": "…", "data": null, "errorCode": 32}` on the
//! card page; either endpoint may use either (Alix docs, read 2026-11). No list of codes is published, and the sample's 32
//! ("The QR code is invalid") stands on several unrelated pages, so no code is ever read as "the token is dead".

use rampauth_core::Error;
use rampauth_core::json::{Json, JsonObject};

/// The body's `errorCode`, a number or a text; `None` when it is absent or is 0, which stands for success.
pub(crate) fn error_code(body: &JsonObject<'_>) -> Option<String> {
    body.get("errorCode").ok().flatten().as_ref().and_then(Json::as_code).filter(|code| code != "0")
}

/// Adds the body's code and message to an error about its answer.
pub(crate) fn with_details(mut error: Error, body: &JsonObject<'_>) -> Error {
    if let Some(code) = error_code(body) {
        error = error.with_provider_code(&code);
    }
    for name in ["message", "error"] {
        if let Ok(Some(message)) = body.text(name) {
            return error.with_provider_message(message.expose_secret());
        }
    }
    error
}
