//! Alix's requests and answers as bytes. Pure: no clock, no I/O.

use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use rampauth_core::json::{Json, JsonObject, JsonText, MemberProblem};
use rampauth_core::{
    AccessToken, Answer, Error, ErrorKind, Expiry, Granted, Outcome, RefreshCredential, RefreshToken, SecretString,
    SessionKind, TokenSet, request,
};
use serde_json::json;

use crate::config::{Config, Email, Lang};
use crate::error::{advise, error_code, with_details};

const USER_AGENT: &str = concat!("rampauth-alix/", env!("CARGO_PKG_VERSION"));
/// Alix docs, "Refresh Token" of the card API, read 2026-11.
const CARD_PATH: &str = "/api/v2/auth/refresh-token";
/// Alix docs, "Refresh Token" of the on/off-ramp API, read 2026-11.
const ON_OFF_RAMP_PATH: &str = "/api/v2/user-order/refresh-token";

/// A refresh's body but for the token: all else of it stays the same, and most of it is the signature.
pub(crate) struct Frame {
    before: SecretString,
    after: SecretString,
}

impl Frame {
    pub(crate) fn new(config: &Config, signature: &SecretString) -> Self {
        let partner_code = json!(config.partner_code.as_str());
        // Base64 has nothing to escape.
        let after = [r#","signature":""#, signature.expose_secret(), r#"""#].concat();
        Self {
            before: SecretString::new(format!(r#"{{"partnerCode":{partner_code},"refreshToken":"#)),
            after: SecretString::new(after),
        }
    }

    fn around(&self, token: &RefreshToken, user_email: Option<&Email>) -> Result<Bytes, Error> {
        const USER_EMAIL: &str = r#","userEmail":"#;
        let (token, user_email) = (token.expose_secret(), user_email.map(Email::expose_secret));
        let (before, after) = (self.before.expose_secret(), self.after.expose_secret());
        // With room for all of it unless something is escaped: a text that grows leaves copies of the token behind.
        let room = before.len() + after.len() + token.len() + user_email.map_or(0, str::len) + USER_EMAIL.len() + 5;
        let mut text = Vec::with_capacity(room);
        let no_form = |_| Error::input("build the request", "a value has no JSON form");
        text.extend_from_slice(before.as_bytes());
        serde_json::to_writer(&mut text, token).map_err(no_form)?;
        text.extend_from_slice(after.as_bytes());
        if let Some(user_email) = user_email {
            text.extend_from_slice(USER_EMAIL.as_bytes());
            serde_json::to_writer(&mut text, user_email).map_err(no_form)?;
        }
        text.push(b'}');
        Ok(Bytes::from(text))
    }
}

/// A card refresh. The page's sample has `refreshToken`, its table `userEmail` in that place: the sample is sent, and the
/// e-mail beside it only when asked for.
pub(crate) fn card_request(
    config: &Config,
    frame: &Frame,
    token: &RefreshToken,
    user_email: Option<&Email>,
) -> Result<Request<Bytes>, Error> {
    refresh_request(config, CARD_PATH, frame.around(token, user_email)?)
}

/// An on/off-ramp refresh. `lang` is optional and left out by default.
pub(crate) fn on_off_ramp_request(
    config: &Config,
    frame: &Frame,
    token: &RefreshToken,
    lang: Option<Lang>,
) -> Result<Request<Bytes>, Error> {
    let mut request = refresh_request(config, ON_OFF_RAMP_PATH, frame.around(token, None)?)?;
    if let Some(lang) = lang {
        request.headers_mut().insert("lang", HeaderValue::from_static(lang.as_str()));
    }
    Ok(request)
}

fn refresh_request(config: &Config, path: &str, body: Bytes) -> Result<Request<Bytes>, Error> {
    let mut request = request(Method::POST, config.base_url.join(path)?, USER_AGENT, body);
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(request)
}

/// Reads the answer to a refresh: bare or in an envelope, either endpoint.
///
/// `signed_by_alix` checks the answer's own signature where that was asked for; nothing is taken from an answer that fails
/// it.
pub(crate) fn read_tokens<K: SessionKind>(
    answer: &Answer,
    presented: &RefreshCredential<K>,
    signed_by_alix: Option<&dyn Fn(&str) -> bool>,
) -> Result<Granted<K>, Error> {
    if let Some(error) = answer.status_error() {
        let body = answer.error_json();
        return Err(match body.as_ref().and_then(Json::as_object) {
            Some(body) => with_details(error, body),
            None => advise(error),
        });
    }
    answer.read_tokens(|body| read_object(answer, body, presented, signed_by_alix))
}

fn read_object<K: SessionKind>(
    answer: &Answer,
    body: &JsonObject<'_>,
    presented: &RefreshCredential<K>,
    signed_by_alix: Option<&dyn Fn(&str) -> bool>,
) -> Result<Granted<K>, Error> {
    let data = body.object("data");
    let problem = data.as_ref().err().copied();
    let tokens = Tokens { data: data.ok().flatten(), body, answer };

    let refused = matches!(body.get("success"), Ok(Some(Json::Bool(false)))) || error_code(body).is_some();
    if refused && !tokens.any() {
        let error = answer.error(ErrorKind::Refused, Outcome::Refused, "the provider refused");
        return Err(with_details(error, body));
    }
    if let (Some(signed_by_alix), true) = (signed_by_alix, tokens.any())
        && !matches!(tokens.text("signature"), Ok(Some(signature)) if signed_by_alix(signature.expose_secret()))
    {
        let reason = "the answer's signature is missing or not Alix's, so no token was taken";
        let error = answer.error(ErrorKind::Untrusted, Outcome::Unknown, reason);
        return Err(answer.keep_body(error).with_verified(false));
    }
    let broken = |reason: String| {
        with_details(answer.protocol_error(reason), body).with_salvage(tokens.salvage(presented.token()))
    };
    if refused {
        return Err(broken("the answer says that it refuses, and yet brings tokens".to_owned()));
    }
    if !matches!(body.get("success"), Ok(None | Some(Json::Bool(true)))) {
        return Err(broken("`success` is neither true nor false".to_owned()));
    }
    match body.get("errorCode") {
        Ok(None) => {}
        Ok(Some(code)) if code.as_code().is_some() => {}
        _ => return Err(broken("`errorCode` is neither a number nor a text".to_owned())),
    }
    tokens.read(presented).map_err(|reason| match problem {
        Some(problem) if !tokens.any() => broken(format!("`data` {problem}")),
        _ => broken(reason),
    })
}

/// The places where tokens belong. Each member counts where it stands: a `data` that is empty, or no object at all, hides
/// nothing that stands beside it.
struct Tokens<'a> {
    data: Option<JsonObject<'a>>,
    body: &'a JsonObject<'a>,
    answer: &'a Answer,
}

/// The sample's name, then the table's.
const ACCESS_EXPIRY: [&str; 2] = ["accessTokenExpiresAt", "accessTokenExpiredAt"];
const REFRESH_EXPIRY: [&str; 2] = ["refreshTokenExpiresAt", "refreshTokenExpiredAt"];

impl<'a> Tokens<'a> {
    /// The member of this name: in `data`, or else bare.
    fn get(&self, name: &str) -> Result<Option<Json<'a>>, MemberProblem> {
        match self.data.as_ref().map_or(Ok(None), |data| data.get(name)) {
            Ok(None) => self.body.get(name),
            found => found,
        }
    }

    /// As [`get`](Self::get), for a text; `None` when it is empty too.
    fn text(&self, name: &str) -> Result<Option<JsonText<'a>>, MemberProblem> {
        match self.data.as_ref().map_or(Ok(None), |data| data.text(name)) {
            Ok(None) => self.body.text(name),
            found => found,
        }
    }

    /// Whether there is anything in the places where tokens belong.
    fn any(&self) -> bool {
        ["accessToken", "refreshToken"].iter().any(|name| !matches!(self.text(name), Ok(None)))
    }

    fn read<K: SessionKind>(&self, presented: &RefreshCredential<K>) -> Result<Granted<K>, String> {
        let token = |name: &str| self.text(name).map_err(|problem| format!("`{name}` {problem}"));
        let illegal = |name: &str| format!("`{name}` is no token that a header can carry");
        let access = token("accessToken")?.ok_or("the answer has no `accessToken`")?;
        let access = AccessToken::from_secret(access.into()).map_err(|_| illegal("accessToken"))?;
        let access_expiry = self.access_expiry(&access);
        // Absent or empty: the one presented stays. The vendor does not say whether tokens rotate.
        let refresh = match token("refreshToken")? {
            Some(refresh) => Some(RefreshToken::from_secret(refresh.into()).map_err(|_| illegal("refreshToken"))?),
            None => None,
        };
        let current = refresh.as_ref().unwrap_or(presented.token());
        let refresh_expiry = self.refresh_expiry(current);
        Ok(self.answer.grant(presented, (access, access_expiry), refresh, refresh_expiry))
    }

    /// The new refresh token of an answer that cannot be used otherwise, with what else can be read.
    fn salvage(&self, presented: &RefreshToken) -> Option<TokenSet> {
        let refresh = RefreshToken::from_secret(self.text("refreshToken").ok()??.into()).ok()?;
        if refresh.expose_secret() == presented.expose_secret() {
            return None;
        }
        let expiry = self.refresh_expiry(&refresh);
        let mut set = TokenSet::new().with_refresh_token(refresh, expiry);
        if let Some(access) = self.text("accessToken").ok().flatten()
            && let Ok(access) = AccessToken::from_secret(access.into())
        {
            let expiry = self.access_expiry(&access);
            set = set.with_access_token(access, expiry);
        }
        Some(set)
    }

    /// What the answer tells, else what the token, if it is a JWT, says of itself (in the sample the two agree).
    fn access_expiry(&self, token: &AccessToken) -> Expiry {
        let expiry = self.told(ACCESS_EXPIRY).map_or_else(|| Expiry::of_jwt(token.expose_secret()), Expiry::At);
        self.answer.local_expiry(expiry)
    }

    /// The same; but what a refresh token says of itself is unverified, and no ground for giving the session up.
    fn refresh_expiry(&self, token: &RefreshToken) -> Expiry {
        let of_itself = || Expiry::of_jwt(token.expose_secret()).as_assumed();
        self.answer.local_expiry(self.told(REFRESH_EXPIRY).map_or_else(of_itself, Expiry::At))
    }

    /// The first readable time under one of these names, by the provider's clock. An odd value is no reason to lose a token;
    /// and what had passed when the provider answered is odd, for nobody grants a dead token: it may be a lifetime, which reads
    /// as a day in 1970.
    fn told(&self, names: [&str; 2]) -> Option<SystemTime> {
        let mut times = names.iter().filter_map(|name| self.get(name).ok().flatten()?.as_time());
        times.find(|time| !self.answer.had_passed(*time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_never_grows_while_it_is_written() {
        let text = |length: usize| SecretString::new("x".repeat(length));
        let token = RefreshToken::new("t".repeat(700)).expect("a token");
        let email = Email::new("somebody@example.com").expect("an address");
        for (before, after) in [(0, 0), (40, 400), (3_000, 2)] {
            let frame = Frame { before: text(before), after: text(after) };
            let with_email = frame.around(&token, Some(&email)).expect("a body");
            let expected = before + after + r#""","userEmail":""}"#.len() + 700 + 20;
            assert_eq!(with_email.len(), expected);
            assert_eq!(with_email.try_into_mut().expect("its only owner").capacity(), expected);
            // The room for the name of a member that is left out is all that is to spare.
            let without = frame.around(&token, None).expect("a body");
            let (length, room) = (without.len(), without.try_into_mut().expect("its only owner").capacity());
            assert_eq!((length, room), (before + after + 703, before + after + 703 + r#","userEmail":"""#.len()));
        }
    }
}
