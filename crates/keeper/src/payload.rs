//! Tokens as the text that a store holds: JSON, wiped after use, read by nobody but the keeper.

use std::time::SystemTime;

use jiff::Timestamp;
use rampauth_core::{AccessToken, Expiry, Presents, RefreshPolicy, RefreshToken, SecretString, TokenSet};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::record::{StoredTokens, TokenDigest};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Text {
    access_token: Option<Wiped>,
    refresh_token: Option<Wiped>,
    access_expiry: ExpiryText,
    refresh_expiry: ExpiryText,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
pub(crate) struct Wiped(pub(crate) String);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum ExpiryText {
    At(Timestamp),
    Assumed(Timestamp),
    Unknown,
}

/// The tokens for a store; `None` when they lack what a refresh presents.
pub(crate) fn stored(
    tokens: &TokenSet,
    policy: &RefreshPolicy,
    granted_at: SystemTime,
    next_due: Option<SystemTime>,
) -> Option<StoredTokens> {
    let access = tokens.access_token.as_ref().map(|token| TokenDigest::of(token.expose_secret()));
    let (presents, presented_expiry) = match policy.presents {
        Presents::AccessToken => (access?, tokens.access_expiry),
        _ => (TokenDigest::of(tokens.refresh_token.as_ref()?.expose_secret()), tokens.refresh_expiry),
    };
    let text = Text {
        access_token: tokens.access_token.as_ref().map(|token| Wiped(token.expose_secret().to_owned())),
        refresh_token: tokens.refresh_token.as_ref().map(|token| Wiped(token.expose_secret().to_owned())),
        access_expiry: tokens.access_expiry.into(),
        refresh_expiry: tokens.refresh_expiry.into(),
    };
    let payload = serde_json::to_string(&text).expect("texts and times have a JSON form");
    Some(StoredTokens {
        payload: SecretString::new(payload),
        sealed_with: None,
        presents,
        access,
        access_expiry: tokens.access_expiry,
        presented_expiry,
        granted_at,
        next_due,
    })
}

/// Reads what [`stored`] wrote; `None` when it is damaged.
pub(crate) fn open(stored: &StoredTokens) -> Option<TokenSet> {
    let text: Text = serde_json::from_str(stored.payload.expose_secret()).ok()?;
    let mut set = TokenSet::new();
    if let Some(token) = &text.access_token {
        set = set.with_access_token(AccessToken::from_secret(token.0.as_str().into()).ok()?, text.access_expiry.into());
    }
    if let Some(token) = &text.refresh_token {
        let token = RefreshToken::from_secret(token.0.as_str().into()).ok()?;
        set = set.with_refresh_token(token, text.refresh_expiry.into());
    }
    Some(set)
}

impl From<Expiry> for ExpiryText {
    fn from(expiry: Expiry) -> Self {
        let written = |time| Timestamp::try_from(time).unwrap_or(Timestamp::MAX);
        match expiry {
            Expiry::At(time) => Self::At(written(time)),
            Expiry::Assumed(time) => Self::Assumed(written(time)),
            _ => Self::Unknown,
        }
    }
}

impl From<ExpiryText> for Expiry {
    fn from(text: ExpiryText) -> Self {
        match text {
            ExpiryText::At(time) => Self::At(time.into()),
            ExpiryText::Assumed(time) => Self::Assumed(time.into()),
            ExpiryText::Unknown => Self::Unknown,
        }
    }
}
