//! What Alix says when it refuses, in the two shapes it has for that.
//!
//! `{"error": "…"}` on the on/off-ramp page and `{"success": false, "message": "…", "data": null, "errorCode": 32}` on the
//! card page; either endpoint may use either (Alix docs, read 2026-11). No list of codes is published, and the sample's 32
//! ("The QR code is invalid") stands on several unrelated pages, so no code is ever read as "the token is dead".

use rampauth_core::json::{Json, JsonObject};
use rampauth_core::{Error, ErrorKind};

/// The body's `errorCode`, a number or a text; `None` when it is absent, empty, or 0, which stands for success.
pub(crate) fn error_code(body: &JsonObject<'_>) -> Option<String> {
    body.get("errorCode")
        .ok()
        .flatten()
        .as_ref()
        .and_then(Json::as_code)
        .filter(|code| !matches!(code.trim(), "" | "0"))
}

/// Alix's answer to every mistake is the same, so the advice names all that it can be.
const CAUSES: &str = "nothing was granted, and the answer does not say why; usual causes: the secret key, the signing key, the \
    partner code (each belongs to one environment), for the on/off-ramp the e-mail that is signed, or a refresh token that was used \
    or has ended";

/// Says what a refusal can mean.
pub(crate) fn advise(error: Error) -> Error {
    if error.kind() == ErrorKind::Refused { error.with_help(CAUSES) } else { error }
}

/// Adds the body's code and message to an error about its answer, if they are Alix's. What a keeper concludes of a refusal in doubt
/// hangs on them, and a gateway in front has messages too (`{"message":"Bad Request"}`).
pub(crate) fn with_details(error: Error, body: &JsonObject<'_>) -> Error {
    let mut error = advise(error);
    if !is_documented(body) {
        return error;
    }
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

/// Whether an error's body has one of the two shapes.
fn is_documented(body: &JsonObject<'_>) -> bool {
    let is_enveloped = matches!(body.get("success"), Ok(Some(Json::Bool(_)))) || error_code(body).is_some();
    is_enveloped || matches!(body.text("error"), Ok(Some(_)))
}
