//! PayBy's requests and answers as bytes. Pure: no clock, no I/O.

use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use rampauth_core::json::{Json, JsonObject};
use rampauth_core::time::{from_unix_milliseconds, to_unix_milliseconds};
use rampauth_core::{
    AccessToken, Answer, Error, ErrorKind, Expiry, Granted, RefreshToken, SecretBytes, SecretString, TokenSet,
    Verifier, header_value, request, secret_header_value,
};

use crate::config::Config;
use crate::error::{self, Head};
use crate::sign::{KEY_CHECK_STRING_TO_SIGN, Proof, SIGN};
use crate::token::{PayByCredential, PayByTokens};

const USER_AGENT: &str = concat!("rampauth-payby/", env!("CARGO_PKG_VERSION"));
/// PayBy docs, "Refresh Tokens", read 2026-11. The method is not stated; every call of the gateway is a POST of JSON.
const REFRESH_PATH: &str = "/sgs/api/oauth2/authz/refresh-token";
/// PayBy's Java SDK, read 2026-11: beside `/sgs/api`, not below it.
const KEY_CHECK_PATH: &str = "/sgs/verifySign";

/// A refresh with the body that was signed.
pub(crate) fn refresh_request(
    config: &Config,
    body: &SecretString,
    sign: &SecretString,
) -> Result<Request<Bytes>, Error> {
    signed_request(config, REFRESH_PATH, body.expose_secret(), sign)
}

/// The key self-test. Its body is no JSON; it is labelled as JSON all the same, because the gateway's documents ask
/// for that label on every request with a body and its SDKs send no other.
pub(crate) fn key_check_request(config: &Config, sign: &SecretString) -> Result<Request<Bytes>, Error> {
    signed_request(config, KEY_CHECK_PATH, KEY_CHECK_STRING_TO_SIGN, sign)
}

fn signed_request(config: &Config, path: &str, body: &str, sign: &SecretString) -> Result<Request<Bytes>, Error> {
    let url = config.environment.base_url().join(path)?;
    let mut request = request(Method::POST, url, USER_AGENT, Bytes::copy_from_slice(body.as_bytes()));
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("partner-id", header_value(config.partner_id.as_str())?);
    headers.insert(SIGN, secret_header_value(sign.expose_secret())?);
    if let Some(language) = &config.content_language {
        headers.insert(header::CONTENT_LANGUAGE, header_value(language.as_str())?);
    }
    if let Some(version) = &config.api_version {
        headers.insert("api-version", header_value(version.as_str())?);
    }
    Ok(request)
}

/// Reads the answer to a refresh that was sent at `sent_at`. No token is taken from a body whose signature is not
/// `key`'s.
pub(crate) fn read_tokens(
    answer: &Answer,
    key: &dyn Verifier,
    presented: &PayByCredential,
    sent_at: SystemTime,
) -> Result<PayByTokens, Error> {
    // Over the bytes as they came, whatever is skipped when they are read.
    let proof = Proof::of(answer, key);
    let read = |body: Option<&JsonObject<'_>>| read_body(answer, proof, body, presented, sent_at);
    let result = match proof {
        Proof::Verified if answer.status().is_success() => answer.read_tokens(|body| read(Some(body))),
        // A body under a wrong signature is not even parsed.
        Proof::Wrong => read(None),
        Proof::Verified | Proof::Unsigned => read(answer.error_json().as_ref().and_then(Json::as_object)),
    };
    result.map_err(|error| {
        let error = error.with_verified(proof == Proof::Verified);
        match error.kind() {
            // What may hold tokens under names that were never published, or under a key that is not the one configured.
            ErrorKind::Protocol | ErrorKind::Untrusted => answer.keep_body(error),
            _ => error,
        }
    })
}

fn read_body(
    answer: &Answer,
    proof: Proof,
    body: Option<&JsonObject<'_>>,
    presented: &PayByCredential,
    sent_at: SystemTime,
) -> Result<PayByTokens, Error> {
    let head = Head::read(body);
    let members = match body {
        Some(body) if proof == Proof::Verified => body.object("body"),
        _ => Ok(None),
    };
    let problem = members.as_ref().err().copied();
    let tokens = Tokens { of: members.ok().flatten().unwrap_or_default(), answer, sent_at };

    let granted = error::judge(answer, proof, head.as_ref(), tokens.any()).and_then(|()| match problem {
        Some(problem) => Err(answer.protocol_error(format!("`body` {problem}"))),
        None => tokens.read(presented).map_err(|reason| answer.protocol_error(reason)),
    });
    granted
        .map(|granted| PayByTokens::new(granted, SecretBytes::from(&answer.body()[..])))
        .map_err(|error| described(error, &head).with_salvage(tokens.salvage(presented.token())))
}

/// Reads the answer to the key self-test: good when it is a success that PayBy signed.
pub(crate) fn read_key_check(answer: &Answer, key: &dyn Verifier) -> Result<(), Error> {
    let proof = Proof::of(answer, key);
    let json = if proof == Proof::Wrong { None } else { answer.error_json() };
    let head = Head::read(json.as_ref().and_then(Json::as_object));
    let judged = error::judge_key_check(answer, proof, head.as_ref());
    judged.map_err(|error| described(error, &head).with_verified(proof == Proof::Verified))
}

fn described(error: Error, head: &Result<Head<'_>, String>) -> Error {
    match head {
        Ok(head) => head.describe(error),
        Err(_) => error,
    }
}

/// The object that holds the tokens. Its members are unpublished: camel and snake case will do.
struct Tokens<'a> {
    of: JsonObject<'a>,
    answer: &'a Answer,
    sent_at: SystemTime,
}

const ACCESS_TOKEN: [&str; 2] = ["accessToken", "access_token"];
const REFRESH_TOKEN: [&str; 2] = ["refreshToken", "refresh_token"];
const EXPIRES_IN: [&str; 2] = ["expiresIn", "expires_in"];
const EXPIRES_AT: [&str; 2] = ["expiresAt", "expires_at"];

impl Tokens<'_> {
    /// Whether there is anything in the places where tokens belong.
    fn any(&self) -> bool {
        [ACCESS_TOKEN, REFRESH_TOKEN].as_flattened().iter().any(|name| !matches!(self.of.text(name), Ok(None)))
    }

    fn read(&self, presented: &PayByCredential) -> Result<Granted<crate::PayBy>, String> {
        let illegal = |[name, _]: [&str; 2]| format!("`{name}` is no token that a header can carry");
        let access = self.token(ACCESS_TOKEN)?.ok_or("the answer has no `accessToken`")?;
        let access = AccessToken::from_secret(access).map_err(|_| illegal(ACCESS_TOKEN))?;
        let access_expiry = self.access_expiry(access.expose_secret());
        // Absent or empty: the one presented stays. Whether tokens rotate is not published.
        let refresh = match self.token(REFRESH_TOKEN)? {
            Some(refresh) => Some(RefreshToken::from_secret(refresh).map_err(|_| illegal(REFRESH_TOKEN))?),
            None => None,
        };
        let current = refresh.as_ref().unwrap_or(presented.token());
        let refresh_expiry = self.refresh_expiry(current);
        Ok(self.answer.grant(presented, (access, access_expiry), refresh, refresh_expiry))
    }

    /// The new refresh token of an answer that cannot be used otherwise, with what else can be read.
    fn salvage(&self, presented: &RefreshToken) -> Option<TokenSet> {
        let refresh = RefreshToken::from_secret(self.only_text(REFRESH_TOKEN, presented.expose_secret())?).ok()?;
        let expiry = self.refresh_expiry(&refresh);
        let mut set = TokenSet::new().with_refresh_token(refresh, expiry);
        if let Some(Ok(access)) = self.only_text(ACCESS_TOKEN, "").map(AccessToken::from_secret) {
            let expiry = self.access_expiry(access.expose_secret());
            set = set.with_access_token(access, expiry);
        }
        Some(set)
    }

    /// Under whichever name it stands, if nothing is wrong with either.
    fn token(&self, names: [&str; 2]) -> Result<Option<SecretString>, String> {
        let text = |name| self.of.text(name).map_err(|problem| format!("`{name}` {problem}"));
        let [camel, snake] = names;
        match [text(camel)?, text(snake)?] {
            [Some(one), Some(other)] if one.expose_secret() != other.expose_secret() => {
                Err(format!("`{camel}` and `{snake}` contradict each other"))
            }
            [one, other] => Ok(one.or(other).map(SecretString::from)),
        }
    }

    /// The one readable text under these names other than `but`, whatever else is wrong.
    fn only_text(&self, names: [&str; 2], but: &str) -> Option<SecretString> {
        let texts = names.map(|name| self.of.text(name).ok().flatten());
        match texts.map(|text| text.filter(|text| text.expose_secret() != but)) {
            [Some(one), Some(other)] if one.expose_secret() != other.expose_secret() => None,
            [one, other] => one.or(other).map(SecretString::from),
        }
    }

    /// The earliest of what `expiresIn` and `expiresAt` say under either spelling; else what the token, if it is a JWT, says of itself.
    /// Never an invented lifetime, and what is odd here, or stands there twice, is no reason to lose a token. A lifetime counts from
    /// the sending; an instant is by PayBy's clock.
    fn access_expiry(&self, token: &str) -> Expiry {
        let values = |names: [&'static str; 2]| names.into_iter().filter_map(|name| self.of.get(name).ok().flatten());
        let lives = values(EXPIRES_IN).filter_map(|value| seconds_after(self.sent_at, value.as_positive()?));
        let ends = values(EXPIRES_AT).filter_map(|value| self.answer.local_expiry(Expiry::At(value.as_time()?)).time());
        match lives.chain(ends).min() {
            Some(time) => Expiry::At(time),
            None => self.answer.local_expiry(Expiry::of_jwt(token)),
        }
    }

    /// No member for it is known. What the token, if it is a JWT, says of itself is unverified, and no ground for giving the
    /// session up.
    fn refresh_expiry(&self, token: &RefreshToken) -> Expiry {
        self.answer.local_expiry(Expiry::of_jwt(token.expose_secret()).as_assumed())
    }
}

/// `None` past the year 9999, which no lifetime means.
fn seconds_after(start: SystemTime, seconds: i64) -> Option<SystemTime> {
    let start = i64::try_from(to_unix_milliseconds(start)).ok()?;
    from_unix_milliseconds(seconds.checked_mul(1_000)?.checked_add(start)?)
}
