//! Reading tokens in the forms that people have them in: the plain one, a provider's own answer, and as OAuth spells them.

mod members;

use std::time::SystemTime;

use rampauth_core::json::{Json, JsonObject};
use rampauth_core::{AccessToken, Error, ErrorKind, Expiry, Outcome, Presents, RefreshToken, SecretString, TokenSet};

use crate::input;
use members::{Members, Names};

const ACTION: &str = "read the tokens";
const ALONE: &str = "give the token alone, as the provider issued it";

const ACCESS: Names = Names {
    token: &["accessToken", "access_token"],
    instant: &["accessTokenExpiresAt", "accessTokenExpiredAt", "access_token_expires_at", "expiresAt", "expires_at"],
    lifetime: &["expiresIn", "expires_in"],
};
const REFRESH: Names = Names {
    token: &["refreshToken", "refresh_token"],
    instant: &["refreshTokenExpiresAt", "refreshTokenExpiredAt", "refresh_token_expires_at"],
    lifetime: &["refreshTokenExpiresIn", "refresh_token_expires_in", "refresh_expires_in"],
};
/// Members of answers that bring tokens, which take no part in that. A misspelling of one loses nothing.
const IGNORED: [&str; 16] = [
    "rotated",
    "success",
    "message",
    "data",
    "errorCode",
    "error",
    "signature",
    "head",
    "body",
    "userId",
    "ttl",
    "created",
    "token_type",
    "tokenType",
    "scope",
    "id_token",
];

/// Tokens that were given, and what else was found beside them.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) set: TokenSet,
    /// Whose they are, where the answer says so.
    user_id: Option<SecretString>,
    /// What may not have been meant, a sentence each.
    pub(crate) doubts: Vec<String>,
}

/// Reads the plain form, `{"accessToken","refreshToken","accessTokenExpiresAt","refreshTokenExpiresAt"}`; a provider's answer: in
/// `data` (Alix card, Transak), in `body` beside `head` (PayBy), as objects with `token` and `expiry` (Onboard); and OAuth's
/// names, whose lifetimes count from `now`.
///
/// Without a time an access token that is a JWT is believed what it says of itself, which decides when to refresh it. A refresh
/// token is not: that would call it dead on nobody's word.
///
/// # Errors
///
/// When the text is none of these, is a provider's refusal, has a member twice or of another type, or lacks the token that the
/// provider is presented.
pub(crate) fn read(text: &[u8], presents: Presents, now: SystemTime) -> Result<Given, Error> {
    let text = input::text(text).map_err(|it| refuse(format!("they are {it}")))?;
    let json = Json::parse(text.as_bytes())
        .map_err(|(line, column)| refuse(format!("they are not JSON (line {line}, column {column})")))?;
    let root = json.as_object().ok_or_else(|| refuse("they are not a JSON object".to_owned()))?;
    check_success(root)?;
    let members = Members::of(root);
    let access_token = token(&members, &ACCESS, AccessToken::from_secret, "read `accessToken`")?;
    let access_expiry = members.access_expiry(&ACCESS, now).map_err(refuse)?;
    let refresh_token = token(&members, &REFRESH, RefreshToken::from_secret, "read `refreshToken`")?;
    let refresh_expiry = members.expiry(&REFRESH, now).map_err(refuse)?.map_or(Expiry::Unknown, Expiry::At);

    let mut set = TokenSet::new();
    if let Some(token) = access_token {
        let expiry = access_expiry.map_or_else(|| Expiry::of_jwt(token.expose_secret()), Expiry::At);
        set = set.with_access_token(token, expiry);
    }
    // A session that has no refresh token keeps none, whatever stands there.
    if let (Some(token), true) = (refresh_token, presents != Presents::AccessToken) {
        set = set.with_refresh_token(token, refresh_expiry);
    }
    let needed = match presents {
        Presents::AccessToken => set.access_token.is_none().then_some(&ACCESS),
        _ => set.refresh_token.is_none().then_some(&REFRESH),
    };
    if let Some(names) = needed {
        return Err(missing(root, &members, names));
    }
    let user_id = root.text("userId").ok().flatten().map(SecretString::from);
    let doubts =
        misspelt(&members).map(|(name, known)| format!("`{name}` is no known member; perhaps `{known}`")).collect();
    Ok(Given { set, user_id, doubts })
}

impl Given {
    /// Makes sure that the tokens are not another person's than the one that the profile names.
    ///
    /// # Errors
    ///
    /// When they say that they are.
    pub(crate) fn check_user(&self, expected: Option<&str>) -> Result<(), Error> {
        match (&self.user_id, expected) {
            (Some(user_id), Some(expected)) if user_id.expose_secret() != expected => {
                let reason = "`userId` is not the `user_id` of the profile: they are another person's";
                Err(Error::input(ACTION, reason)
                    .with_help("give the tokens of this profile's person, or name another profile"))
            }
            _ => Ok(()),
        }
    }
}

/// Says on standard error what may not have been meant.
pub(crate) fn warn_of(doubts: &[String]) {
    for doubt in doubts {
        tracing::warn!("{doubt}");
    }
}

/// What of a header stands before a token, so that it is none, to stand after the action of an error.
pub(crate) fn header_before(token: &str) -> Option<&'static str> {
    const HEADERS: [&str; 3] = ["authorization", "access-token", "x-auth-token"];
    let begins = |word: &str| token.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    if begins("bearer") && token["bearer".len()..].starts_with(char::is_whitespace) {
        return Some("it starts with `Bearer `, which is no part of the token; leave it off");
    }
    let is_header = |name: &str| begins(name) && token[name.len()..].trim_start().starts_with(':');
    HEADERS.into_iter().any(is_header).then_some("it starts with the name of a header; leave that off")
}

fn refuse(reason: String) -> Error {
    Error::input(ACTION, reason)
        .with_help(r#"give {"accessToken": "…", "refreshToken": "…"} on standard input, each a text or null"#)
}

/// Refuses what a provider answers when it refuses, whether or not tokens stand beside it.
fn check_success(root: &JsonObject<'_>) -> Result<(), Error> {
    let code = |members: &JsonObject<'_>, name| members.get(name).ok().flatten().and_then(|value| value.as_code());
    let head = root.object("head").ok().flatten();
    let status = head.as_ref().and_then(|head| head.text("applyStatus").ok().flatten());
    let is_no_success = |text: &str| !text.eq_ignore_ascii_case("success");
    let codes = [code(root, "errorCode"), head.as_ref().and_then(|head| code(head, "code"))];
    let refused = matches!(root.get("success"), Ok(Some(Json::Bool(false))))
        || !matches!(root.get("error"), Ok(None | Some(Json::Bool(false))))
        || codes.iter().flatten().any(|code| code != "0")
        || status.is_some_and(|status| is_no_success(status.expose_secret()));
    if refused { Err(refusal(codes.into_iter().flatten().next().as_deref())) } else { Ok(()) }
}

fn refusal(code: Option<&str>) -> Error {
    let error = Error::input(ACTION, "they are a provider's answer that refuses, not tokens")
        .with_help("look at its code and message; have the person log in, and give the answer that brings tokens");
    code.map_or_else(|| error.clone(), |code| error.clone().with_provider_code(code))
}

fn token<T>(
    members: &Members<'_>,
    names: &Names,
    take: fn(SecretString) -> Result<T, Error>,
    action: &'static str,
) -> Result<Option<T>, Error> {
    let Some(text) = members.token(names).map_err(refuse)? else { return Ok(None) };
    if let Some(reason) = header_before(text.expose_secret()) {
        return Err(Error::input(action, reason).with_help(ALONE));
    }
    take(SecretString::from(text)).map(Some).map_err(|error| error.with_action(action).with_help(ALONE))
}

/// That a token is missing, and under which name it may be there.
fn missing(root: &JsonObject<'_>, members: &Members<'_>, names: &Names) -> Error {
    let name = names.token[0];
    let is_of = |known: &str| names.token.contains(&known);
    if let Some((there, known)) = misspelt(members).find(|(_, known)| is_of(known)) {
        return refuse(format!("`{name}` is missing; `{there}` is there, and its name is `{known}`"));
    }
    // Onboard refuses with a code and a message alone.
    let has = |name| !matches!(root.get(name), Ok(None));
    if has("message") && (has("code") || has("statusCode")) {
        return refusal(root.get("code").ok().flatten().and_then(|code| code.as_code()).as_deref());
    }
    refuse(format!("`{name}` is missing"))
}

/// Members whose names nobody knows and that are like a known one, which is what makes them fit to be shown.
fn misspelt<'a>(members: &'a Members<'_>) -> impl Iterator<Item = (String, &'static str)> + 'a {
    let known = || ACCESS.all().chain(REFRESH.all());
    let is_known = move |name: &str| IGNORED.contains(&name) || known().any(|known| known == name);
    members.names().filter(move |name| !is_known(name)).filter_map(move |name| {
        // Of two spellings of one name the one to advise.
        let advised = known().filter(|known| !known.ends_with("ExpiredAt"));
        let known = crate::nearest::nearest(&name, advised)?;
        Some((crate::config::printable(&name), known))
    })
}

/// That nothing can be done with the tokens: the credential has expired, by the provider's own word, and the access token too.
///
/// # Errors
///
/// When that is so.
pub(crate) fn check_alive(set: &TokenSet, presents: Presents, now: SystemTime) -> Result<(), Error> {
    let expiry = match presents {
        Presents::AccessToken => {
            let own = set.access_token.as_ref().map_or(Expiry::Unknown, |token| Expiry::of_jwt(token.expose_secret()));
            [own, set.access_expiry].into_iter().find(|expiry| expiry.is_known_past(now))
        }
        _ => Some(set.refresh_expiry),
    };
    let usable = presents != Presents::AccessToken && set.is_usable_at(now);
    if !usable && expiry.is_some_and(|expiry| expiry.is_known_past(now)) {
        let which = if presents == Presents::AccessToken { "access token" } else { "refresh token" };
        let reason = format!("the {which} has expired already, so they are of no use");
        return Err(Error::new(ErrorKind::LoginNeeded, Outcome::NotSent, ACTION, reason)
            .with_help("have the person log in again, and give the tokens of that login; if they are new, look at this machine's clock"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
