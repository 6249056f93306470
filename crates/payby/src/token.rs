//! The tokens of a PayBy session, with the signed bytes that they were read from.

use std::fmt;

use rampauth_core::{
    AccessToken, ClockDifference, Expiry, Granted, RefreshCredential, SecretBytes, SessionKind, TokenSet,
};

/// A session that a person granted to the merchant. Neither lifetimes nor rotation are published.
#[derive(Debug)]
pub enum PayBy {}

impl SessionKind for PayBy {
    const NAME: &'static str = "PayBy";
}

/// What a refresh presents.
pub type PayByCredential = RefreshCredential<PayBy>;

/// What a refresh gives: tokens out of an answer whose signature was verified.
#[derive(Clone)]
pub struct PayByTokens {
    granted: Granted<PayBy>,
    raw_body: SecretBytes,
}

impl PayByTokens {
    pub(crate) fn new(granted: Granted<PayBy>, raw_body: SecretBytes) -> Self {
        Self { granted, raw_body }
    }

    /// The new access token.
    pub fn access_token(&self) -> &AccessToken {
        self.granted.access_token()
    }

    /// When the access token expires; unknown where the answer does not tell.
    pub fn access_expiry(&self) -> Expiry {
        self.granted.access_expiry()
    }

    /// What to present next time. Store it before the access token is used.
    pub fn refresh_credential(&self) -> &PayByCredential {
        self.granted.refresh_credential()
    }

    /// Whether the refresh token is another one than was presented.
    pub fn rotated(&self) -> bool {
        self.granted.rotated()
    }

    /// How far this machine's clock was from PayBy's; `None` where the answer did not tell. The expiries are right by this
    /// machine's clock all the same.
    pub fn clock_difference(&self) -> Option<ClockDifference> {
        self.granted.clock_difference()
    }

    /// The whole answer, byte for byte as PayBy signed it: JSON, `head` and `body`. The answer's members were never published, so
    /// this is where to look for those that this crate does not know.
    pub fn raw_body(&self) -> &SecretBytes {
        &self.raw_body
    }
}

impl From<PayByTokens> for TokenSet {
    fn from(tokens: PayByTokens) -> Self {
        tokens.granted.into()
    }
}

impl fmt::Debug for PayByTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PayByTokens").field("granted", &self.granted).finish_non_exhaustive()
    }
}
