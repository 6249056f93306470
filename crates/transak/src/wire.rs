//! Transak's request and answer as bytes. Pure: no clock, no I/O.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CACHE_CONTROL};
use http::{HeaderName, HeaderValue, Method, Request};
use rampauth_core::json::JsonObject;
use rampauth_core::{AccessToken, Answer, Error, Expiry, request, secret_header_value};

use crate::config::Config;
use crate::error::{refusal, with_details};
use crate::token::UserToken;

const USER_AGENT: &str = concat!("rampauth-transak/", env!("CARGO_PKG_VERSION"));
/// docs.transak.com "Refresh User Access Token", read 2026-11.
const PATH: &str = "/api/v2/auth/refresh";
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const X_USER_IP: HeaderName = HeaderName::from_static("x-user-ip");
/// 30 days: `ttl` of docs.transak.com "Verify User Email OTP", and `exp` less `iat` in the sample of "Refresh User Access
/// Token", read 2026-11.
const LIFETIME: Duration = Duration::from_secs(2_592_000);

/// A refresh: a GET without a body.
pub(crate) fn refresh_request(
    config: &Config,
    token: &UserToken,
    user_ip: Option<IpAddr>,
) -> Result<Request<Bytes>, Error> {
    let mut request = request(Method::GET, config.base_url.join(PATH)?, USER_AGENT, Bytes::new());
    let headers = request.headers_mut();
    headers.insert(AUTHORIZATION, secret_header_value(token.access_token().expose_secret())?);
    // A GET that mints a credential: no cache may keep its answer.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(key) = &config.api_key {
        headers.insert(X_API_KEY, secret_header_value(key.expose_secret())?);
    }
    if let Some(ip) = user_ip {
        // A listener for both IP versions reports an IPv4 peer as `::ffff:…`; its address is the IPv4 one.
        headers.insert(X_USER_IP, secret_header_value(&ip.to_canonical().to_string())?);
    }
    Ok(request)
}

/// Reads the answer to a refresh.
pub(crate) fn read_token(answer: &Answer, presented: &UserToken) -> Result<UserToken, Error> {
    if let Some(error) = answer.status_error() {
        return Err(refusal(answer, error));
    }
    answer.read_tokens(|body| read_object(answer, body, presented))
}

fn read_object(answer: &Answer, body: &JsonObject<'_>, presented: &UserToken) -> Result<UserToken, Error> {
    let broken = |reason: String| with_details(answer.protocol_error(reason), body);

    let token = new_token(body).map_err(broken)?;
    // By the provider's clock.
    let stated = token.expiry();
    let expiry = match stated {
        Expiry::Unknown => answer.sent_at().checked_add(LIFETIME).map_or(Expiry::Unknown, Expiry::Assumed),
        _ => answer.local_expiry(stated),
    };
    let token = token.with_expiry(expiry).with_clock_difference(answer.clock_difference());
    if token.access_token().expose_secret() == presented.access_token().expose_secret() {
        return Err(broken("the answer brings the token that was presented".to_owned()));
    }
    if matches!(stated, Expiry::At(time) if answer.had_passed(time)) {
        return Err(broken("the new token has expired already".to_owned()));
    }
    // It is another token, and alive. Whether the one presented lives on is not published, so this one is kept beside it
    // even where the answer cannot pass for a refresh.
    let salvaged = |reason: &str| Err(broken(reason.to_owned()).with_salvage(Some(token.clone().into())));
    if expires_no_later(&token, presented) {
        return salvaged("the new token expires no later than the one presented");
    }
    if !matches!(body.get("error"), Ok(None)) {
        return salvaged("the answer tells an error, and yet brings a token");
    }
    Ok(token)
}

/// Whether the new token dies with the one presented or before it. What two tokens say of themselves is by one clock, the
/// provider's; what is known of them otherwise is compared by this machine's. Nothing is known of what was only assumed.
fn expires_no_later(token: &UserToken, presented: &UserToken) -> bool {
    let of_itself = |token: &UserToken| Expiry::of_jwt(token.access_token().expose_secret());
    match (of_itself(token), of_itself(presented), token.expiry(), presented.expiry()) {
        (Expiry::At(new), Expiry::At(old), _, Expiry::At(_)) => new <= old,
        (_, _, Expiry::At(new), Expiry::At(old)) => new <= old,
        _ => false,
    }
}

/// `data.accessToken`.
fn new_token(body: &JsonObject<'_>) -> Result<UserToken, String> {
    let data = body.object("data").map_err(|problem| format!("`data` {problem}"))?;
    let token = data.ok_or("the answer has no `data`")?.text("accessToken");
    let token = token.map_err(|problem| format!("`accessToken` {problem}"))?;
    let token = token.ok_or("the answer has no `accessToken`")?;
    let token = AccessToken::from_secret(token.into()).and_then(UserToken::try_from);
    token.map_err(|_| "`accessToken` is no bare token that a header can carry".to_owned())
}
