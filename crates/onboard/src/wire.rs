//! Onboard's refresh request and its answer as bytes. No clock, no I/O; what is odd and yet harmless is said in an event.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, header};
use rampauth_core::json::{Json, JsonObject};
use rampauth_core::time::parse_rfc3339;
use rampauth_core::{
    AccessToken, Answer, Error, Expiry, RefreshToken, SecretString, TokenSet, request, secret_header_value,
};

use crate::config::{Config, UserId};
use crate::error::{status_error, with_details};
use crate::token::{OnboardCredential, OnboardTokens};

const USER_AGENT: &str = concat!("rampauth-onboard/", env!("CARGO_PKG_VERSION"));
/// docs.onboard.xyz, "Refresh token", read 2026-11; as are the header and the answer's form.
const PATH: &str = "/auth/oauth/refresh-token";
/// Carries the refresh token in this call and the access token in all others.
const AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

/// A refresh: the token in a header, and no body.
pub(crate) fn refresh_request(config: &Config, token: &RefreshToken) -> Result<Request<Bytes>, Error> {
    let mut request = request(Method::POST, config.base_url.join(PATH)?, USER_AGENT, Bytes::new());
    let headers = request.headers_mut();
    headers.insert(AUTH_TOKEN, secret_header_value(token.expose_secret())?);
    // HTTP clients leave it out of a POST without a body, and some servers answer that with 411.
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    Ok(request)
}

/// Reads the answer to a refresh. Everything in it but the two `expiry` is needed.
pub(crate) fn read_tokens(
    answer: &Answer,
    presented: &OnboardCredential,
    expected: Option<&UserId>,
) -> Result<OnboardTokens, Error> {
    if let Some(error) = status_error(answer) {
        return Err(error);
    }
    answer.read_tokens(|body| read_object(answer, body, presented, expected))
}

fn read_object(
    answer: &Answer,
    body: &JsonObject<'_>,
    presented: &OnboardCredential,
    expected: Option<&UserId>,
) -> Result<OnboardTokens, Error> {
    let broken = |reason: String| with_details(answer.protocol_error(reason), body);
    if expected.is_some_and(|expected| names_another(body, expected)) {
        return Err(broken("`userId` is not the expected user, so nothing of the answer was taken".to_owned())
            .with_help("check that the refresh token is this user's; if it is, treat it as in doubt"));
    }
    let user_id = read_user_id(body);
    let access = read_token(answer, body, "accessToken", AccessToken::from_secret);
    let refresh = read_token(answer, body, "refreshToken", RefreshToken::from_secret);
    let reason = match (&user_id, &access, &refresh) {
        (Ok(user_id), Ok(access), Ok((token, expiry))) => {
            let granted = answer.grant(presented, access.clone(), Some(token.clone()), *expiry);
            return Ok(OnboardTokens::new(user_id.clone(), granted));
        }
        (Err(reason), ..) | (_, Err(reason), _) | (.., Err(reason)) => reason.clone(),
    };
    Err(broken(reason).with_salvage(salvage(presented, access.ok(), refresh.ok())))
}

/// Whether the answer names anybody but `expected`, or somebody who cannot be told. Naming nobody is neither.
fn names_another(body: &JsonObject<'_>, expected: &UserId) -> bool {
    match body.text("userId") {
        Ok(named) => named.is_some_and(|named| named.expose_secret() != expected.as_str()),
        Err(_) => true,
    }
}

fn read_user_id(body: &JsonObject<'_>) -> Result<UserId, String> {
    let named = body.text("userId").map_err(|problem| format!("`userId` {problem}"))?;
    named
        .and_then(|named| UserId::new(named.expose_secret()).ok())
        .ok_or_else(|| "the answer has no `userId`".to_owned())
}

/// Reads the `{"token": …, "expiry": …}` of this name.
fn read_token<T>(
    answer: &Answer,
    body: &JsonObject<'_>,
    name: &'static str,
    check: fn(SecretString) -> Result<T, Error>,
) -> Result<(T, Expiry), String> {
    let object = body.object(name).map_err(|problem| format!("`{name}` {problem}"))?;
    let object = object.ok_or_else(|| format!("the answer has no `{name}`"))?;
    let token = object.text("token").map_err(|problem| format!("`{name}.token` {problem}"))?;
    let token = token.ok_or_else(|| format!("the answer has no `{name}.token`"))?;
    let token = check(token.into()).map_err(|_| format!("`{name}.token` is no token that a header can carry"))?;
    Ok((token, answer.local_expiry(read_expiry(&object, name))))
}

/// The expiry by the provider's clock. One that cannot be read is unknown, never guessed, and no reason to lose the token beside it.
fn read_expiry(object: &JsonObject<'_>, name: &'static str) -> Expiry {
    let why = match object.get("expiry") {
        Ok(Some(Json::Text(text))) => match parse_rfc3339(text.expose_secret()) {
            Some(time) => return Expiry::At(time),
            None => "it is no RFC 3339 date-time with an offset, or not between 1970 and 9999",
        },
        Ok(Some(Json::Integer(_) | Json::Float(_))) => "it is a number, and no unit is documented",
        Ok(Some(_)) => "it is of another type than is documented",
        Ok(None) => "it is absent",
        Err(_) => "it stands there more than once",
    };
    tracing::warn!(
        target: "rampauth_onboard",
        field = format_args!("{name}.expiry"),
        why,
        "the answer does not tell when a token expires; the token is kept"
    );
    Expiry::Unknown
}

/// The new refresh token of an answer that cannot be used otherwise, with the access token if that can be read.
fn salvage(
    presented: &OnboardCredential,
    access: Option<(AccessToken, Expiry)>,
    refresh: Option<(RefreshToken, Expiry)>,
) -> Option<TokenSet> {
    let (token, expiry) = refresh.filter(|(new, _)| new.expose_secret() != presented.token().expose_secret())?;
    let set = TokenSet::new().with_refresh_token(token, expiry);
    Some(match access {
        Some((token, expiry)) => set.with_access_token(token, expiry),
        None => set,
    })
}
