//! Tokens as the text that a store holds: JSON, sealed where there is a key, wiped after use, read by nobody but the keeper.

use std::time::SystemTime;

use jiff::Timestamp;
use rampauth_core::{AccessToken, Expiry, Presents, RefreshPolicy, RefreshToken, SecretString, TokenSet};
use rampauth_store::{StoredTokens, TokenDigest};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::tokens::sealing::{Seal, Unreadable};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Text {
    access_token: Option<Zeroizing<String>>,
    refresh_token: Option<Zeroizing<String>>,
    access_expiry: ExpiryText,
    refresh_expiry: ExpiryText,
}

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
    seal: Seal<'_>,
) -> Option<StoredTokens> {
    let access = tokens.access_token.as_ref().map(|token| TokenDigest::of(token.expose_secret()));
    let (presents, presented_expiry) = match policy.presents {
        Presents::AccessToken => (access?, tokens.access_expiry),
        _ => (TokenDigest::of(tokens.refresh_token.as_ref()?.expose_secret()), tokens.refresh_expiry),
    };
    let text = Text {
        access_token: tokens.access_token.as_ref().map(|token| Zeroizing::new(token.expose_secret().to_owned())),
        refresh_token: tokens.refresh_token.as_ref().map(|token| Zeroizing::new(token.expose_secret().to_owned())),
        access_expiry: tokens.access_expiry.into(),
        refresh_expiry: tokens.refresh_expiry.into(),
    };
    let mut stored = StoredTokens::new(SecretString::from(""), presents, granted_at);
    stored.access = access;
    stored.access_expiry = tokens.access_expiry;
    stored.presented_expiry = presented_expiry;
    stored.next_due = next_due;
    stored.clock_difference = tokens.clock_difference;
    seal.put(text.written(), &mut stored);
    Some(stored)
}

/// Reads what [`stored`] wrote.
pub(crate) fn open(stored: &StoredTokens, seal: Seal<'_>) -> Result<TokenSet, Unreadable> {
    let tokens = read(&seal.text(stored)?).ok_or(Unreadable::Damaged)?;
    Ok(tokens.with_clock_difference(stored.clock_difference))
}

/// Seals the tokens anew; `None` when they are sealed with the present key already.
pub(crate) fn reseal(stored: &StoredTokens, seal: Seal<'_>) -> Result<Option<StoredTokens>, Unreadable> {
    let text = seal.text(stored)?;
    read(&text).ok_or(Unreadable::Damaged)?;
    if stored.sealed_with.as_deref() == seal.keys.map(|keys| keys.sealing().id()) {
        return Ok(None);
    }
    let mut resealed = stored.clone();
    seal.put(text, &mut resealed);
    Ok(Some(resealed))
}

impl Text {
    fn written(&self) -> SecretString {
        let tokens = self.access_token.iter().chain(&self.refresh_token);
        // Room enough from the start: growing would leave copies of the tokens behind that nobody wipes.
        let room = tokens.map(|token| 2 * token.len()).sum::<usize>() + 512;
        let mut written = Zeroizing::new(Vec::with_capacity(room));
        serde_json::to_writer(&mut *written, self).expect("texts and times have a JSON form");
        SecretString::from(std::str::from_utf8(&written).expect("JSON is UTF-8"))
    }
}

fn read(text: &SecretString) -> Option<TokenSet> {
    let text: Text = serde_json::from_str(text.expose_secret()).ok()?;
    let mut set = TokenSet::new();
    if let Some(token) = &text.access_token {
        set = set.with_access_token(AccessToken::from_secret(token.as_str().into()).ok()?, text.access_expiry.into());
    }
    if let Some(token) = &text.refresh_token {
        let token = RefreshToken::from_secret(token.as_str().into()).ok()?;
        set = set.with_refresh_token(token, text.refresh_expiry.into());
    }
    Some(set)
}

impl From<Expiry> for ExpiryText {
    fn from(expiry: Expiry) -> Self {
        match expiry {
            Expiry::At(time) => Self::At(to_text(time)),
            Expiry::Assumed(time) => Self::Assumed(to_text(time)),
            _ => Self::Unknown,
        }
    }
}

impl From<ExpiryText> for Expiry {
    fn from(text: ExpiryText) -> Self {
        match text {
            ExpiryText::At(time) => Self::At(from_text(time)),
            ExpiryText::Assumed(time) => Self::Assumed(from_text(time)),
            ExpiryText::Unknown => Self::Unknown,
        }
    }
}

/// An expiry after the end of the calendar becomes that end.
fn to_text(time: SystemTime) -> Timestamp {
    Timestamp::try_from(time).unwrap_or(Timestamp::MAX)
}

/// The time as this platform has it. Windows has none before 1601: such a time has long passed, and 1970 says so too.
fn from_text(time: Timestamp) -> SystemTime {
    SystemTime::try_from(time).unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rampauth_store::SessionKey;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn each_kind_of_expiry_of_each_token_comes_back() {
        let session = SessionKey::parse("onboard/staging/acme").expect("a key");
        let seal = Seal { session: &session, keys: None };
        let policy = RefreshPolicy::new(Presents::RefreshToken);
        let at = |seconds: u64| UNIX_EPOCH + Duration::new(1_795_000_000 + seconds, 123_456_789);
        let expiries = |seconds| [Expiry::At(at(seconds)), Expiry::Assumed(at(seconds)), Expiry::Unknown];
        for access in expiries(1) {
            for refresh in expiries(2) {
                let tokens = TokenSet::new()
                    .with_access_token(AccessToken::new("access").expect("a token"), access)
                    .with_refresh_token(RefreshToken::new("refresh").expect("a token"), refresh);
                let stored = stored(&tokens, &policy, UNIX_EPOCH, None, seal).expect("there is a refresh token");
                let Ok(opened) = open(&stored, seal) else { panic!("{access:?} and {refresh:?} cannot be read") };
                assert_eq!((opened.access_expiry, opened.refresh_expiry), (access, refresh));
            }
        }
    }
}
