//! The client: sign the bytes, send them once, verify, read.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use rampauth_core::{
    Answer, Clock, Error, HttpClient, Presents, Refresh, RefreshPolicy, RefreshTime, SecretString, SystemClock,
    TokenSet, WhenUnknown,
};

use crate::config::Config;
use crate::error::without_token;
use crate::sign::{KEY_CHECK_STRING_TO_SIGN, refresh_string_to_sign};
use crate::token::{PayByCredential, PayByTokens};
use crate::wire;

const REFRESH: &str = "refresh the PayBy tokens";
const CHECK_KEYS: &str = "check the PayBy keys";

/// PayBy's rules for refreshing: the refresh token is sent before the access token's expiry, and never twice. PayBy publishes
/// nothing else, so nothing is sent on the keeper's own initiative while the expiry is unknown.
pub const POLICY: RefreshPolicy = RefreshPolicy::new(Presents::RefreshToken)
    // "Can use it to refresh the token before the Access Tokens expires" (PayBy docs, "Refresh Tokens", read 2026-11).
    .with_time(RefreshTime::BeforeExpiry)
    // Whether an expiry has passed cannot be known without it (our choice: the page, read 2026-11, states no lifetime).
    .with_unknown_expiry(false)
    // Nothing is published on a token that is sent once more (our choice: the page, read 2026-11, states no rule of reuse).
    .with_when_unknown(WhenUnknown::Stop);

/// Refreshes the tokens of a merchant's sessions. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    config: Arc<Config>,
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
        Self { config: Arc::new(config), http: Arc::new(http), clock: Arc::new(SystemClock) }
    }

    /// Takes the time from `clock`: `requestTime`, from which lifetimes count too, and whether a refresh token is
    /// still worth sending.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Exchanges the refresh token for new tokens: one request, signed anew at each call and never repeated. Sends
    /// whatever the access token's expiry is.
    ///
    /// # Errors
    ///
    /// [`LoginNeeded`](rampauth_core::ErrorKind::LoginNeeded) without a request once the refresh token's expiry has
    /// passed; [`Untrusted`](rampauth_core::ErrorKind::Untrusted) when PayBy's signature over the answer is wrong, or
    /// missing where it must not be; otherwise as the answer says, see [`ErrorKind`](rampauth_core::ErrorKind).
    /// [`verified`](Error::verified) tells whether PayBy signed what the error is about. An answer that could not be read
    /// as tokens is kept in [`body`](Error::body): PayBy never published its members, so tokens may be in it under names
    /// that this crate does not know. Believe nothing in one that is not verified.
    pub async fn refresh(&self, credential: &PayByCredential) -> Result<PayByTokens, Error> {
        // Lifetimes count from before the request left.
        let sent_at = self.clock.now();
        credential.check_alive(sent_at, REFRESH)?;
        let order_no = self.config.order_numbers.next(sent_at)?;
        let body = refresh_string_to_sign(&self.config, credential.token(), &order_no, sent_at)?;
        let sign = self.sign(body.expose_secret(), REFRESH).await?;
        let request = wire::refresh_request(&self.config, &body, &sign)?;
        let key = self.config.environment.provider_key();
        let read = |answer: &Answer| wire::read_tokens(answer, key, credential, sent_at);
        let tokens = Answer::receive_tokens(&*self.http, &*self.clock, request, REFRESH, read).await;
        // No tokens are ever read from what PayBy did not sign.
        tokens.map_err(|error| if error.salvage().is_some() { error.with_verified(true) } else { error })
    }

    /// Tries both keys without a token: sends PayBy a signed text and verifies what comes back. Good when PayBy
    /// accepted the signature and its own verifies. The call is not documented; PayBy's Java SDK makes it (read
    /// 2026-11).
    ///
    /// # Errors
    ///
    /// The text says which key is likely wrong: [`Untrusted`](rampauth_core::ErrorKind::Untrusted) about PayBy's
    /// public key; [`Refused`](rampauth_core::ErrorKind::Refused),
    /// [`Unauthorized`](rampauth_core::ErrorKind::Unauthorized) or [`Forbidden`](rampauth_core::ErrorKind::Forbidden)
    /// about the signing key. Any other error is about neither.
    pub async fn check_keys(&self) -> Result<(), Error> {
        let sign = self.sign(KEY_CHECK_STRING_TO_SIGN, CHECK_KEYS).await?;
        let request = wire::key_check_request(&self.config, &sign)?;
        let answer = Answer::receive(&*self.http, &*self.clock, request, CHECK_KEYS).await;
        let key = self.config.environment.provider_key();
        answer.and_then(|answer| wire::read_key_check(&answer, key)).map_err(without_token)
    }

    /// Whether `signature` (base64, the header `sign`) is PayBy's over exactly these bytes of a body.
    pub fn verify_response(&self, body: &[u8], signature: &str) -> bool {
        self.config.environment.provider_key().verify_base64(body, signature)
    }

    async fn sign(&self, text: &str, action: &'static str) -> Result<SecretString, Error> {
        let signature = self.config.signer.sign(text.as_bytes()).await;
        Ok(signature.map_err(|error| error.with_action(action))?.to_base64())
    }
}

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
