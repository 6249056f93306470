//! Tokens as JSON, in and out: what a refresh prints is what it reads.

mod given;
mod times;

use rampauth_core::{AccessToken, Presents, RefreshToken, TokenSet};
use serde::Serialize;

use crate::time::told;
pub(crate) use given::{Given, check_alive, header_before, read, warn_of};

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

    fn set(text: &str, presents: Presents) -> TokenSet {
        read(text.as_bytes(), presents, std::time::UNIX_EPOCH).expect("tokens").set
    }

    #[test]
    fn what_is_printed_can_be_read() {
        let text = r#"{"accessToken":"a","refreshToken":"r","accessTokenExpiresAt":"2026-11-20T09:30:00Z","refreshTokenExpiresAt":null,"rotated":true}"#;
        let tokens = set(text, Presents::RefreshToken);
        assert_eq!(serde_json::to_string(&Tokens::refreshed(&tokens, true)).expect("JSON"), text);
        let tokens = set(text, Presents::AccessToken);
        let alone = r#"{"accessToken":"a","refreshToken":null,"accessTokenExpiresAt":"2026-11-20T09:30:00Z","refreshTokenExpiresAt":null}"#;
        assert_eq!(serde_json::to_string(&Tokens::new(&tokens)).expect("JSON"), alone);
    }

    #[test]
    fn rotation_is_about_the_presented_token() {
        let set = |text: &str| set(text, Presents::RefreshToken);
        let old = set(r#"{"accessToken":"a","refreshToken":"r"}"#);
        let kept = set(r#"{"accessToken":"b","refreshToken":"r"}"#);
        let new = set(r#"{"accessToken":"a","refreshToken":"s"}"#);
        assert!(rotated(Presents::RefreshToken, &old, &new) && !rotated(Presents::RefreshToken, &old, &kept));
        assert!(rotated(Presents::AccessToken, &old, &kept) && !rotated(Presents::AccessToken, &old, &new));
    }
}
