//! The tokens of an Onboard session, and whose they are.

use std::fmt;

use rampauth_core::{AccessToken, ClockDifference, Expiry, Granted, RefreshCredential, SessionKind, TokenSet};

use crate::config::UserId;

/// A session of an Onboard user. Lifetimes are not published; each answer tells both tokens' expiry.
#[derive(Debug)]
pub enum Onboard {}

impl SessionKind for Onboard {
    const NAME: &'static str = "Onboard";
}

/// What a refresh presents.
pub type OnboardCredential = RefreshCredential<Onboard>;

/// What a refresh gives: the new tokens and the user that they belong to.
#[derive(Clone)]
pub struct OnboardTokens {
    user_id: UserId,
    granted: Granted<Onboard>,
}

impl OnboardTokens {
    pub(crate) fn new(user_id: UserId, granted: Granted<Onboard>) -> Self {
        Self { user_id, granted }
    }

    /// The user whose tokens these are, by Onboard's word. Where the client expects nobody in particular, compare it
    /// with the user whose refresh token was presented before storing anything.
    pub fn user_id(&self) -> &UserId {
        &self.user_id
    }

    /// The new access token: what other calls send as `x-auth-token`.
    pub fn access_token(&self) -> &AccessToken {
        self.granted.access_token()
    }

    /// When the access token expires.
    pub fn access_expiry(&self) -> Expiry {
        self.granted.access_expiry()
    }

    /// What to present next time. Store it before the access token is used.
    pub fn refresh_credential(&self) -> &OnboardCredential {
        self.granted.refresh_credential()
    }

    /// Whether the refresh token is another one than was presented.
    pub fn rotated(&self) -> bool {
        self.granted.rotated()
    }

    /// How far this machine's clock was from Onboard's; `None` where the answer did not tell. The expiries are right by this
    /// machine's clock all the same.
    pub fn clock_difference(&self) -> Option<ClockDifference> {
        self.granted.clock_difference()
    }
}

impl From<OnboardTokens> for TokenSet {
    fn from(tokens: OnboardTokens) -> Self {
        tokens.granted.into()
    }
}

impl fmt::Debug for OnboardTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The user id is text out of an answer, and what stands there is not in our hands.
        f.debug_struct("OnboardTokens").field("granted", &self.granted).finish_non_exhaustive()
    }
}
