//! The client: check, send once, read.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use rampauth_core::{
    Answer, Clock, Error, HttpClient, Presents, Refresh, RefreshPolicy, RefreshTime, SystemClock, TokenSet,
};

use crate::config::Config;
use crate::token::{OnboardCredential, OnboardTokens};
use crate::wire;

const ACTION: &str = "refresh the Onboard tokens";

/// Onboard's rules for refreshing: the refresh token is sent, before or after the access token's expiry. Onboard publishes
/// neither rotation nor reuse, so nothing else is taken for granted.
pub const POLICY: RefreshPolicy = RefreshPolicy::new(Presents::RefreshToken)
    // "Expired or soon-to-expire" access tokens can be refreshed (docs.onboard.xyz, "Refresh token", read 2026-11).
    .with_time(RefreshTime::AnyTime)
    // 401 in the documented form is about the refresh token (docs.onboard.xyz, "Refresh token", read 2026-11).
    .with_named_dead_tokens();

/// Refreshes the tokens of Onboard users. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    config: Config,
    http: Arc<dyn HttpClient>,
    clock: Arc<dyn Clock>,
}

impl Client {
    /// A client with the ready-made HTTP client.
    ///
    /// # Errors
    ///
    /// As [`ReqwestClient::new`](rampauth_core::ReqwestClient::new).
    #[cfg(feature = "reqwest")]
    pub fn new(config: Config) -> Result<Self, Error> {
        Ok(Self::with_http_client(config, rampauth_core::ReqwestClient::new()?))
    }

    /// A client that sends through `http`.
    pub fn with_http_client(config: Config, http: impl HttpClient + 'static) -> Self {
        Self { config, http: Arc::new(http), clock: Arc::new(SystemClock) }
    }

    /// Takes the time from `clock`: it decides whether a refresh token is still worth sending, and whether this machine's
    /// clock agrees with Onboard's.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Exchanges the refresh token for new tokens: one request, never repeated. Always present the most recent one.
    ///
    /// # Errors
    ///
    /// [`LoginNeeded`](rampauth_core::ErrorKind::LoginNeeded) without a request once the refresh token's expiry has
    /// passed, and when Onboard answers with 401 in the form that it documents; otherwise as the answer says, see
    /// [`ErrorKind`](rampauth_core::ErrorKind).
    pub async fn refresh(&self, credential: &OnboardCredential) -> Result<OnboardTokens, Error> {
        credential.check_alive(self.clock.now(), ACTION)?;
        let request = wire::refresh_request(&self.config, credential.token())?;
        let read = |answer: &Answer| wire::read_tokens(answer, credential, self.config.user_id.as_ref());
        Answer::receive_tokens(&*self.http, &*self.clock, request, ACTION, read).await
    }
}

/// A [`TokenSet`] does not say whose it is, so only [`Config::with_user_id`] keeps another user's tokens out of a kept
/// session: give each one a client of its own with it. Without it whatever user's tokens come are handed out to be stored.
#[async_trait]
impl Refresh for Client {
    fn policy(&self) -> &RefreshPolicy {
        &POLICY
    }

    async fn refresh(&self, current: &TokenSet) -> Result<TokenSet, Error> {
        Ok(self.refresh(&current.try_into()?).await?.into())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("config", &self.config).finish_non_exhaustive()
    }
}
