//! What PayBy says when it refuses: the `head` of its answers, and what each code means for the presented token.
//!
//! Business errors ride on HTTP 200; `code` is a text that is no HTTP status (PayBy docs, response codes, read
//! 2026-11).

use http::StatusCode;
use rampauth_core::json::{Json, JsonObject, JsonText};
use rampauth_core::{Answer, Error, ErrorKind, Outcome};

use crate::sign::Proof;

/// The `head` of an answer.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    code: String,
    /// `applyStatus` is SUCCESS, in any case of letters.
    applied: bool,
    /// `applyStatus` is ERROR: PayBy could not verify the request's signature.
    signature_refused: bool,
    message: Option<JsonText<'a>>,
}

impl<'a> Head<'a> {
    /// Why it cannot be read is the reason of an error.
    pub(crate) fn read(body: Option<&JsonObject<'a>>) -> Result<Self, String> {
        let body = body.ok_or("the answer is not a JSON object")?;
        let head = body.object("head").map_err(|problem| format!("`head` {problem}"))?;
        let head = head.ok_or("the answer has no `head`")?;
        let code = head.get("code").map_err(|problem| format!("`code` {problem}"))?;
        let code =
            code.as_ref().and_then(Json::as_code).filter(|code| !code.is_empty()).ok_or("`head` has no `code`")?;
        let status = head.text("applyStatus").map_err(|problem| format!("`applyStatus` {problem}"))?;
        let is = |word: &str| status.as_ref().is_some_and(|status| status.expose_secret().eq_ignore_ascii_case(word));
        let message = head.text("msg").ok().flatten();
        Ok(Self { code, applied: is("SUCCESS"), signature_refused: is("ERROR"), message })
    }

    /// Adds code and message to an error about this answer.
    pub(crate) fn describe(&self, error: Error) -> Error {
        let error = error.with_provider_code(&self.code);
        match &self.message {
            Some(message) => error.with_provider_message(message.expose_secret()),
            None => error,
        }
    }

    /// Codes with which PayBy's own SDK accepts an answer without a signature, as an error alone (Java SDK 1.4.3, read
    /// 2026-11).
    fn may_come_unsigned(&self) -> bool {
        matches!(&*self.code, "400" | "402" | "403" | "404" | "500" | "504" | "601") || self.code.starts_with("58")
    }

    /// Whether PayBy turned the call away because of the request's signature or the merchant.
    fn refuses_the_caller(&self) -> bool {
        self.code == "403" || self.signature_refused
    }
}

const WRONG: &str = "the answer's signature is not the provider's, so nothing in it was believed";
const UNSIGNED: &str =
    "the answer is not signed, and is no error that may come unsigned, so nothing in it was believed";

/// Whether tokens may be read from a refresh's answer: its signature is PayBy's, and it says that it grants.
///
/// `brings_tokens` says whether there is anything in the places where tokens belong.
pub(crate) fn judge(
    answer: &Answer,
    proof: Proof,
    head: Result<&Head<'_>, &String>,
    brings_tokens: bool,
) -> Result<(), Error> {
    by_status_alone(answer)?;
    let head = match head {
        _ if proof == Proof::Wrong => return Err(untrusted(answer, WRONG)),
        Ok(head) if proof == Proof::Unsigned && !head.may_come_unsigned() => return Err(untrusted(answer, UNSIGNED)),
        Ok(head) => head,
        Err(reason) => return Err(without_head(answer, proof, reason)),
    };
    Err(match (head.code == "0", head.applied) {
        (true, true) if answer.status().is_success() => return Ok(()),
        // The status is not covered by the signature; what was signed may have happened.
        (true, true) => answer.protocol_error("the status refuses, and yet the signed answer grants"),
        (true, false) => answer.protocol_error("`code` says success, and `applyStatus` does not"),
        // Whatever it says, tokens were granted.
        (false, _) if brings_tokens => answer.protocol_error("the answer says that it refuses, and yet brings tokens"),
        // The code says which refusal it is; `applyStatus` beside it adds nothing.
        (false, _) => refusal(answer, head),
    })
}

/// Whether the key self-test went well; if not, which key the answer points to.
pub(crate) fn judge_key_check(answer: &Answer, proof: Proof, head: Result<&Head<'_>, &String>) -> Result<(), Error> {
    by_status_alone(answer)?;
    if proof == Proof::Wrong {
        let reason = "the answer's signature does not verify: the provider's public key is likely wrong";
        return Err(untrusted(answer, reason).with_help(
            "get the public key for this merchant and this environment from PayBy; the signing key was not judged",
        ));
    }
    let error = match (head, answer.status_error()) {
        (Ok(head), _) if head.code != "0" && (proof == Proof::Verified || head.may_come_unsigned()) => {
            refusal(answer, head)
        }
        (_, Some(error)) => advise(error),
        (_, None) if proof == Proof::Verified => return Ok(()),
        (_, None) => {
            return Err(untrusted(answer, "the answer is not signed, which says nothing of either key")
                .with_help("check the base URL: something other than PayBy may have answered"));
        }
    };
    let about_us = match error.kind() {
        ErrorKind::Refused => head.is_ok_and(Head::refuses_the_caller),
        kind => matches!(kind, ErrorKind::Unauthorized | ErrorKind::Forbidden),
    };
    if !about_us {
        return Err(error);
    }
    let reason = "the provider did not accept the request's signature: the signing key is likely wrong";
    Err(answer.error(error.kind(), error.outcome(), reason).with_help(
        "check the partner id, and that PayBy has this signing key's public half on file for this merchant and this \
         environment",
    ))
}

/// The advice of an error that leaves no token in doubt, because none was presented.
pub(crate) fn without_token(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Timeout | ErrorKind::Interrupted | ErrorKind::Server | ErrorKind::Protocol => {
            error.with_help("neither key was judged and no token was presented: try again, and check the base URL")
        }
        _ => error,
    }
}

/// The statuses that say all there is to say, whoever sent them: every failure but a refusal of the request itself.
fn by_status_alone(answer: &Answer) -> Result<(), Error> {
    let momentary = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&answer.status());
    match answer.status_error() {
        Some(error) if !answer.status().is_client_error() || momentary => Err(error),
        _ => Ok(()),
    }
}

fn untrusted(answer: &Answer, reason: &'static str) -> Error {
    answer.error(ErrorKind::Untrusted, Outcome::Unknown, reason)
}

/// What an answer says whose `head` cannot be read, for the reason given.
fn without_head(answer: &Answer, proof: Proof, reason: &str) -> Error {
    match (answer.status_error(), answer.json()) {
        // The end that is missing could have said that it was granted after all.
        (Some(_), _) if !answer.is_whole() => untrusted(answer, UNSIGNED),
        // A proxy's page, for instance: the status is all there is.
        (Some(error), _) => advise(error),
        (None, Err(error)) => error,
        (None, Ok(_)) if proof == Proof::Verified => answer.protocol_error(reason.to_owned()),
        // An answer without a signature can be nothing but an error, and this one names none.
        (None, Ok(_)) => untrusted(answer, UNSIGNED),
    }
}

/// What a code other than "0" means.
fn refusal(answer: &Answer, head: &Head<'_>) -> Error {
    let (kind, outcome, reason) = match head.code.as_str() {
        "402" => (ErrorKind::RateLimited, Outcome::Refused, "the provider turned the call away as one too many"),
        "404" => (ErrorKind::WrongEndpoint, Outcome::Refused, "the provider has no such call at this address"),
        "500" | "504" => (ErrorKind::Server, Outcome::Unknown, "the provider failed"),
        // EARLY and LATER share their code with every invalid parameter.
        "400" if head.message.as_ref().is_some_and(|text| text.expose_secret().starts_with("REQUESTTIME_TOO_")) => {
            let compared = match answer.clock_difference() {
                Some(difference) => difference.to_string(),
                None => "the answer has no `date` to compare this machine's clock with".to_owned(),
            };
            return answer
                .error(ErrorKind::Refused, Outcome::Refused, "the provider does not accept requestTime")
                .with_about_the_caller()
                .with_help(format!(
                    "set this machine's clock; requestTime may be 15 minutes off at most; nothing was granted; {compared}"
                ));
        }
        _ => (ErrorKind::Refused, Outcome::Refused, "the provider refused"),
    };
    let error = advise(answer.error(kind, outcome, reason));
    match kind {
        ErrorKind::Refused if head.refuses_the_caller() => error.with_about_the_caller().with_help(
            "check partner id, signing key and environment (a check of the keys tells which one is wrong); nothing was granted",
        ),
        ErrorKind::Refused => error.with_help(CAUSES),
        _ => error,
    }
}

/// PayBy has one code for every invalid parameter, and publishes none for a dead token.
const CAUSES: &str = "nothing was granted; the code and the provider's message say most; usual causes: a refresh token that was used \
    or has ended, the name of its field, which PayBy does not publish, or a merchant order number that was used before";

/// The page of the call was online for a month, so the call itself may not be there any more.
fn advise(error: Error) -> Error {
    if error.kind() != ErrorKind::WrongEndpoint {
        return error;
    }
    error.with_help(
        "check the base URL and the environment; the endpoint may be gone, for PayBy withdrew its page in September \
         2022: ask PayBy",
    )
}
