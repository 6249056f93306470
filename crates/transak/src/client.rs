//! The client: check, send once, read.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use rampauth_core::{
    Answer, Clock, Error, HttpClient, Presents, Refresh, RefreshPolicy, RefreshTime, SystemClock, TokenSet,
};

use crate::config::Config;
use crate::token::UserToken;
use crate::wire;

const ACTION: &str = "refresh the Transak user token";

/// Transak's rules for refreshing a user token: the access token itself is sent, while it lives. Transak does not publish what
/// becomes of it, so nothing else is taken for granted.
pub const POLICY: RefreshPolicy = RefreshPolicy::new(Presents::AccessToken)
    // "Should be used when access token is about to expire (not expired)" (docs.transak.com, "Refresh User Access Token",
    // read 2026-11).
    .with_time(RefreshTime::BeforeExpiry)
    // Error code 1002: "missing, invalid or expired" token (docs.transak.com, read 2026-11).
    .with_named_dead_tokens();

/// Refreshes user access tokens. Cheap to clone.
#[derive(Clone)]
pub struct UserClient {
    config: Config,
    http: Arc<dyn HttpClient>,
    clock: Arc<dyn Clock>,
}

impl UserClient {
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

    /// Takes the time from `clock`: it decides whether a token, old or new, has expired.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Exchanges the token for a new one: one request, never repeated.
    ///
    /// The new token expires when it says so itself, by Transak's clock, from which this machine's may differ; if that cannot
    /// be read, 30 days after the request, *assumed*.
    ///
    /// # Errors
    ///
    /// [`LoginNeeded`](rampauth_core::ErrorKind::LoginNeeded) without a request once the token's expiry has passed;
    /// [`Protocol`](rampauth_core::ErrorKind::Protocol) when the new token is no better than the one presented: the same,
    /// dead, or not longer alive; go on with the one you hold, and keep what [`salvage`](Error::salvage) may bring in case
    /// that one is refused. Otherwise as the answer says, see [`ErrorKind`](rampauth_core::ErrorKind).
    pub async fn refresh(&self, token: &UserToken) -> Result<UserToken, Error> {
        self.send(token, None).await
    }

    /// The same in the name of a user who is at `user_ip`, sent as `x-user-ip`. Transak's guides ask for it on every
    /// request of its user API, the page of this call does not list it (docs.transak.com, read 2026-11).
    ///
    /// # Errors
    ///
    /// As [`refresh`](Self::refresh).
    pub async fn refresh_for(&self, token: &UserToken, user_ip: IpAddr) -> Result<UserToken, Error> {
        self.send(token, Some(user_ip)).await
    }

    async fn send(&self, token: &UserToken, user_ip: Option<IpAddr>) -> Result<UserToken, Error> {
        token.check_alive(self.clock.now(), ACTION)?;
        let request = wire::refresh_request(&self.config, token, user_ip)?;
        let read = |answer: &Answer| wire::read_token(answer, token);
        Answer::receive_tokens(&*self.http, &*self.clock, request, ACTION, read).await
    }
}

#[async_trait]
impl Refresh for UserClient {
    fn policy(&self) -> &RefreshPolicy {
        &POLICY
    }

    async fn refresh(&self, current: &TokenSet) -> Result<TokenSet, Error> {
        Ok(self.refresh(&current.try_into()?).await?.into())
    }
}

impl fmt::Debug for UserClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserClient").field("config", &self.config).finish_non_exhaustive()
    }
}
