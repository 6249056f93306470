//! Tokens as JSON, in and out: what a refresh prints is what it reads.

use rampauth_core::json::{Json, JsonObject, MemberProblem};
use rampauth_core::time::parse_rfc3339;
use rampauth_core::{AccessToken, Error, Expiry, Presents, RefreshToken, SecretString, TokenSet};
use serde::Serialize;

use crate::time::told;

const ACTION: &str = "read the tokens";

/// Reads `{"accessToken","refreshToken","accessTokenExpiresAt","refreshTokenExpiresAt"}`; other members are ignored.
///
/// Without a time an access token that is a JWT is believed what it says of itself, which decides when to refresh it. A refresh
/// token is not: that would call it dead on nobody's word.
///
/// # Errors
///
/// When the text is no such object, a member stands there twice or is of another type, or the token that the provider is
/// presented is missing.
pub(crate) fn read(text: &[u8], presents: Presents) -> Result<TokenSet, Error> {
    let json = Json::parse(text)
        .map_err(|(line, column)| refuse(format!("they are not JSON (line {line}, column {column})")))?;
    let members = json.as_object().ok_or_else(|| refuse("they are not a JSON object".to_owned()))?;
    let access_token = token(members, "accessToken", AccessToken::from_secret)?;
    let access_expiry = expiry(members, "accessTokenExpiresAt")?;
    let refresh_token = token(members, "refreshToken", RefreshToken::from_secret)?;
    let refresh_expiry = expiry(members, "refreshTokenExpiresAt")?.unwrap_or_default();
    let mut set = TokenSet::new();
    if let Some(token) = access_token {
        let expiry = access_expiry.unwrap_or_else(|| Expiry::of_jwt(token.expose_secret()));
        set = set.with_access_token(token, expiry);
    }
    // A session that has no refresh token keeps none, whatever stands there.
    if let (Some(token), true) = (refresh_token, presents != Presents::AccessToken) {
        set = set.with_refresh_token(token, refresh_expiry);
    }
    match presents {
        Presents::AccessToken if set.access_token.is_none() => Err(missing("accessToken")),
        Presents::RefreshToken if set.refresh_token.is_none() => Err(missing("refreshToken")),
        _ => Ok(set),
    }
}

fn refuse(reason: String) -> Error {
    Error::input(ACTION, reason)
        .with_help(r#"give {"accessToken": "…", "refreshToken": "…"} on standard input, each a text or null"#)
}

fn missing(name: &str) -> Error {
    refuse(format!("`{name}` is missing"))
}

fn token<T>(
    members: &JsonObject<'_>,
    name: &str,
    take: fn(SecretString) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    match members.get(name) {
        Ok(None) => Ok(None),
        Ok(Some(Json::Text(text))) => take(text.into()).map(Some).map_err(|error| error.with_action(reading(name))),
        Ok(Some(_)) => Err(refuse(format!("`{name}` is not a text"))),
        Err(problem) => Err(refuse(wrong(name, problem))),
    }
}

fn reading(name: &str) -> &'static str {
    if name == "accessToken" { "read `accessToken`" } else { "read `refreshToken`" }
}

fn expiry(members: &JsonObject<'_>, name: &str) -> Result<Option<Expiry>, Error> {
    let time = match members.get(name) {
        Ok(None) => return Ok(None),
        Ok(Some(Json::Text(text))) => parse_rfc3339(text.expose_secret()),
        Ok(Some(_)) => None,
        Err(problem) => return Err(refuse(wrong(name, problem))),
    };
    time.map(|time| Some(Expiry::At(time)))
        .ok_or_else(|| refuse(format!("`{name}` is not a time such as 2026-11-20T09:30:00Z")))
}

fn wrong(name: &str, problem: MemberProblem) -> String {
    format!("`{name}` {problem}")
}

/// Tokens as they are printed. Times are UTC without a fraction; one that the provider did not tell is null.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tokens<'a> {
    access_token: Option<&'a str>,
    refresh_token: Option<&'a str>,
    access_token_expires_at: Option<String>,
    refresh_token_expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotated: Option<bool>,
}

impl<'a> Tokens<'a> {
    /// A set that was given out, not refreshed.
    pub(crate) fn new(set: &'a TokenSet) -> Self {
        Self {
            access_token: set.access_token.as_ref().map(AccessToken::expose_secret),
            refresh_token: set.refresh_token.as_ref().map(RefreshToken::expose_secret),
            access_token_expires_at: told(set.access_expiry),
            refresh_token_expires_at: told(set.refresh_expiry),
            rotated: None,
        }
    }

    /// What came of a refresh.
    pub(crate) fn refreshed(set: &'a TokenSet, rotated: bool) -> Self {
        Self { rotated: Some(rotated), ..Self::new(set) }
    }
}

/// Whether the credential that was presented was replaced by a different one.
pub(crate) fn rotated(presents: Presents, before: &TokenSet, after: &TokenSet) -> bool {
    let credential = |set| match presents {
        Presents::AccessToken => Tokens::new(set).access_token,
        _ => Tokens::new(set).refresh_token,
    };
    credential(before) != credential(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str, presents: Presents) -> String {
        read(text.as_bytes(), presents).expect_err(text).to_string()
    }

    #[test]
    fn what_is_printed_can_be_read() {
        let text = r#"{"accessToken":"a","refreshToken":"r","accessTokenExpiresAt":"2026-11-20T09:30:00Z","refreshTokenExpiresAt":null,"rotated":true}"#;
        let set = read(text.as_bytes(), Presents::RefreshToken).expect("tokens");
        assert_eq!(serde_json::to_string(&Tokens::refreshed(&set, true)).expect("JSON"), text);
        let set = read(text.as_bytes(), Presents::AccessToken).expect("tokens");
        let alone = r#"{"accessToken":"a","refreshToken":null,"accessTokenExpiresAt":"2026-11-20T09:30:00Z","refreshTokenExpiresAt":null}"#;
        assert_eq!(serde_json::to_string(&Tokens::new(&set)).expect("JSON"), alone);
    }

    #[test]
    fn the_presented_token_is_needed_and_the_other_may_be_null_or_absent() {
        for text in [r#"{"refreshToken":"r"}"#, r#"{"refreshToken":"r","accessToken":null,"x":[1],"x":2}"#] {
            let set = read(text.as_bytes(), Presents::RefreshToken).expect("tokens");
            assert!(set.access_token.is_none() && set.refresh_token.is_some());
            assert_eq!(refusal(text, Presents::AccessToken), "failed to read the tokens: `accessToken` is missing");
        }
        let missing = "failed to read the tokens: `refreshToken` is missing";
        for text in ["{}", r#"{"refreshToken":null}"#, r#"{"accessToken":"a"}"#] {
            assert_eq!(refusal(text, Presents::RefreshToken), missing);
        }
    }

    /// `{"exp":1795167000}`, 2026-11-20T09:30:00Z.
    const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3OTUxNjcwMDB9.c2ln";

    #[test]
    fn an_access_token_without_a_time_is_believed_its_own_and_a_refresh_token_is_not() {
        let own = Expiry::At(parse_rfc3339("2026-11-20T09:30:00Z").expect("a time"));
        let told = Expiry::At(parse_rfc3339("2026-11-20T11:00:00Z").expect("a time"));
        for (time, expected) in [
            ("", own),
            (r#","accessTokenExpiresAt":null"#, own),
            (r#","accessTokenExpiresAt":"2026-11-20T11:00:00Z""#, told),
        ] {
            let text = format!(r#"{{"accessToken":"{JWT}","refreshToken":"{JWT}"{time}}}"#);
            for presents in [Presents::RefreshToken, Presents::AccessToken] {
                let set = read(text.as_bytes(), presents).expect("tokens");
                assert_eq!((set.access_expiry, set.refresh_expiry), (expected, Expiry::Unknown), "{text}");
            }
        }
        let opaque = read(br#"{"accessToken":"a","refreshToken":"r"}"#, Presents::RefreshToken).expect("tokens");
        assert_eq!(opaque.access_expiry, Expiry::Unknown);
    }

    #[test]
    fn everything_else_is_refused_by_name_and_not_repeated() {
        let long = format!(r#"{{"refreshToken":"{}"}}"#, "x".repeat(65_537));
        let charset = "it holds a character other than printable ASCII (a line break, perhaps)";
        for (text, message) in [
            ("", "read the tokens: they are not JSON (line 1, column 0)"),
            ("secret", "read the tokens: they are not JSON (line 1, column 1)"),
            ("[]", "read the tokens: they are not a JSON object"),
            (r#"{"refreshToken":7}"#, "read the tokens: `refreshToken` is not a text"),
            (r#"{"refreshToken":{"secret":"secret"}}"#, "read the tokens: `refreshToken` is not a text"),
            (r#"{"refreshToken":""}"#, "read `refreshToken`: it is empty"),
            (&long, "read `refreshToken`: it is longer than 65,536 bytes"),
            (r#"{"refreshToken":"secret\n"}"#, &format!("read `refreshToken`: {charset}")),
            (r#"{"refreshToken":"secret\u00e9"}"#, &format!("read `refreshToken`: {charset}")),
            (r#"{"refreshToken":"secret","accessToken":""}"#, "read `accessToken`: it is empty"),
            (
                r#"{"refreshToken":"secret","refreshToken":"secret"}"#,
                "read the tokens: `refreshToken` stands there more than once",
            ),
            (
                r#"{"refreshToken":"r","refreshTokenExpiresAt":1795167000}"#,
                "read the tokens: `refreshTokenExpiresAt` is not a time such as 2026-11-20T09:30:00Z",
            ),
            (
                r#"{"refreshToken":"r","accessToken":null,"accessTokenExpiresAt":"secret"}"#,
                "read the tokens: `accessTokenExpiresAt` is not a time such as 2026-11-20T09:30:00Z",
            ),
        ] {
            assert_eq!(refusal(text, Presents::RefreshToken), format!("failed to {message}"));
        }
    }

    #[test]
    fn rotation_is_about_the_presented_token() {
        let set = |text: &str| read(text.as_bytes(), Presents::RefreshToken).expect("tokens");
        let old = set(r#"{"accessToken":"a","refreshToken":"r"}"#);
        let kept = set(r#"{"accessToken":"b","refreshToken":"r"}"#);
        let new = set(r#"{"accessToken":"a","refreshToken":"s"}"#);
        assert!(rotated(Presents::RefreshToken, &old, &new) && !rotated(Presents::RefreshToken, &old, &kept));
        assert!(rotated(Presents::AccessToken, &old, &kept) && !rotated(Presents::AccessToken, &old, &new));
    }
}
