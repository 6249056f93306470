//! `rampauth decode`: what a JWT says of itself, unverified.

use rampauth_core::{Error, MAX_TOKEN_LENGTH, Outcome, UnverifiedJwt};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::time::rfc3339;
use crate::{input, output, tokens};

const ACTION: &str = "read the JWT";
const HELP: &str = "give one JWT on standard input";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Decoded<'a> {
    algorithm: Option<&'a str>,
    issued_at: Option<String>,
    not_before: Option<String>,
    expires_at: Option<String>,
    verified: bool,
    /// As they stand in the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<&'a RawValue>,
}

pub(crate) fn run(reveal: bool) -> Result<(), Error> {
    let refuse = |reason: &'static str| Error::input(ACTION, reason).with_help(HELP);
    let given = input::offered()?.ok_or_else(|| refuse("there is none on standard input"))?;
    let token = input::text(&given).map_err(|it| Error::input(ACTION, format!("it is {it}")).with_help(HELP))?.trim();
    if let Some(reason) = tokens::header_before(token) {
        return Err(refuse(reason));
    }
    if token.starts_with('{') {
        return Err(refuse("it is JSON, where a token alone belongs"));
    }
    if token.len() > MAX_TOKEN_LENGTH {
        return Err(refuse("it is longer than 65,536 bytes"));
    }
    let jwt = UnverifiedJwt::read(token)
        .ok_or_else(|| refuse("it is not three parts of base64url between dots, the first two JSON objects"))?;
    let claims = match reveal {
        true => Some(serde_json::from_str(jwt.claims.expose_secret()).map_err(|_| refuse("its claims are not JSON"))?),
        false => None,
    };
    let decoded = Decoded {
        algorithm: jwt.algorithm.as_deref(),
        issued_at: jwt.issued_at.and_then(rfc3339),
        not_before: jwt.not_before.and_then(rfc3339),
        expires_at: jwt.expires_at.and_then(rfc3339),
        verified: false,
        claims,
    };
    output::json(&decoded, Outcome::NotSent)
}
