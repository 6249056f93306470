//! A provider and tokens for the keeper under measurement.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use async_trait::async_trait;
use rampauth_core::{
    AccessToken, Error, ErrorKind, Expiry, Outcome, Presents, Refresh, RefreshPolicy, RefreshToken, TokenSet,
};
use rampauth_keeper::SessionKey;
use tokio::sync::Semaphore;

/// An access token of 400 bytes until then, and a refresh token of 450.
///
/// # Panics
///
/// Never.
pub fn tokens(expiry: SystemTime) -> TokenSet {
    TokenSet::new()
        .with_access_token(AccessToken::new("a".repeat(400)).expect("a token"), Expiry::At(expiry))
        .with_refresh_token(RefreshToken::new("r".repeat(450)).expect("a token"), Expiry::Unknown)
}

/// A key of 36 bytes.
///
/// # Panics
///
/// Never.
pub fn key(number: usize) -> SessionKey {
    SessionKey::parse(format!("bench/sandbox/account-{number:014}")).expect("a key")
}

/// Answers once it is let to, and counts.
#[derive(Debug)]
pub struct Provider {
    policy: RefreshPolicy,
    /// What it grants; `None`: it fails.
    grants: Option<TokenSet>,
    /// One permit for each answer.
    pub may_answer: Semaphore,
    calls: AtomicUsize,
}

impl Provider {
    /// Grants these tokens each time, or fails.
    pub fn new(grants: Option<TokenSet>) -> Self {
        let policy = RefreshPolicy::new(Presents::RefreshToken);
        Self { policy, grants, may_answer: Semaphore::new(0), calls: AtomicUsize::new(0) }
    }

    /// How often it was asked.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Refresh for Provider {
    fn policy(&self) -> &RefreshPolicy {
        &self.policy
    }

    async fn refresh(&self, _: &TokenSet) -> Result<TokenSet, Error> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.may_answer.acquire().await.expect("it is never closed").forget();
        let down = || Error::new(ErrorKind::Unreachable, Outcome::NotSent, "refresh", "the provider is down");
        self.grants.clone().ok_or_else(down)
    }
}
