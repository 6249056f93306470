//! The two clients: check, sign once, send once, read.

use std::fmt;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use rampauth_core::{
    Answer, Clock, Error, HttpClient, Presents, Refresh, RefreshPolicy, RefreshTime, SecretString, SystemClock,
    TokenSet, Verifier,
};

use crate::config::{Config, Email, Lang};
use crate::sign::{card_string_to_sign, on_off_ramp_string_to_sign, response_string_to_sign};
use crate::token::{CardCredential, CardTokens, OnOffRampCredential, OnOffRampTokens};
use crate::wire::{self, Frame};

const CARD: &str = "refresh the Alix card tokens";
const ON_OFF_RAMP: &str = "refresh the Alix on/off-ramp tokens";

/// Alix's rules for refreshing, the same for both products: the refresh token is sent, before or after the access token's
/// expiry. Alix publishes neither rotation nor reuse nor how a dead token is refused, so nothing is taken for granted.
pub const POLICY: RefreshPolicy =
    // "When the access token expired, use the refresh token" (Alix docs, "Refresh Token", read 2026-11).
    RefreshPolicy::new(Presents::RefreshToken).with_time(RefreshTime::AnyTime);

/// Refreshes the tokens of the card API. Cheap to clone; clones share the signature, which never changes.
#[derive(Clone)]
pub struct CardClient {
    config: Config,
    user_email: Option<Email>,
    http: Arc<dyn HttpClient>,
    clock: Arc<dyn Clock>,
    frame: Arc<OnceLock<Frame>>,
}

impl CardClient {
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
        Self {
            config,
            user_email: None,
            http: Arc::new(http),
            clock: Arc::new(SystemClock),
            frame: Arc::new(OnceLock::new()),
        }
    }

    /// Sends `userEmail` too. The vendor's table lists it and its sample does not; it is left out by default.
    #[must_use]
    pub fn with_user_email(mut self, email: Email) -> Self {
        self.user_email = Some(email);
        self
    }

    /// Takes the time from `clock`: it decides whether a refresh token is still worth sending.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Exchanges the refresh token for new tokens: one request, never repeated.
    ///
    /// # Errors
    ///
    /// [`LoginNeeded`](rampauth_core::ErrorKind::LoginNeeded) without a request once the refresh token's expiry has
    /// passed; otherwise as the answer says, see [`ErrorKind`](rampauth_core::ErrorKind).
    pub async fn refresh(&self, credential: &CardCredential) -> Result<CardTokens, Error> {
        credential.check_alive(self.clock.now(), CARD)?;
        let Config { partner_code, secret_key, .. } = &self.config;
        let string_to_sign = || card_string_to_sign(partner_code, secret_key);
        let frame = sign_once(&self.config, &self.frame, string_to_sign, CARD).await?;
        let request = wire::card_request(&self.config, frame, credential.token(), self.user_email.as_ref())?;
        let read = |answer: &Answer| wire::read_tokens(answer, credential, None);
        Answer::receive_tokens(&*self.http, &*self.clock, request, CARD, read).await
    }
}

/// Refreshes the tokens of the on/off-ramp API, whose signature covers the end user's e-mail: one
/// [`session`](Self::session) per person.
#[derive(Clone)]
pub struct OnOffRampClient {
    config: Config,
    lang: Option<Lang>,
    provider_key: Option<Arc<dyn Verifier>>,
    http: Arc<dyn HttpClient>,
    clock: Arc<dyn Clock>,
}

impl OnOffRampClient {
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
        Self { config, lang: None, provider_key: None, http: Arc::new(http), clock: Arc::new(SystemClock) }
    }

    /// Asks for messages in this language.
    #[must_use]
    pub fn with_lang(mut self, lang: Lang) -> Self {
        self.lang = Some(lang);
        self
    }

    /// Takes tokens only from answers signed with this key, Alix's public one. Off by default, because the vendor's page
    /// leaves open what exactly it signs; and the signature is constant, so it proves nothing about the tokens.
    #[must_use]
    pub fn with_provider_key(mut self, key: impl Verifier + 'static) -> Self {
        self.provider_key = Some(Arc::new(key));
        self
    }

    /// Takes the time from `clock`: it decides whether a refresh token is still worth sending.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The session of the person with this e-mail address, which is signed as given and never sent. The vendor does not
    /// say whose e-mail it means; it is the end user's on its other pages.
    pub fn session(&self, email: Email) -> OnOffRampSession {
        OnOffRampSession { client: self.clone(), email, frame: Arc::new(OnceLock::new()) }
    }

    /// Whether `signature` (base64) is Alix's over an answer to this partner, by the key of
    /// [`with_provider_key`](Self::with_provider_key); `None` without one.
    pub fn verify_response(&self, signature: &str) -> Option<bool> {
        let string_to_sign = response_string_to_sign(&self.config.secret_key);
        let key = self.provider_key.as_ref()?;
        Some(key.verify_base64(string_to_sign.expose_secret().as_bytes(), signature))
    }
}

/// One person's on/off-ramp session. Cheap to clone; clones share the signature, which never changes.
#[derive(Clone)]
pub struct OnOffRampSession {
    client: OnOffRampClient,
    email: Email,
    frame: Arc<OnceLock<Frame>>,
}

impl OnOffRampSession {
    /// Exchanges the refresh token for new tokens: one request, never repeated.
    ///
    /// # Errors
    ///
    /// [`LoginNeeded`](rampauth_core::ErrorKind::LoginNeeded) without a request once the refresh token's expiry has
    /// passed; [`Untrusted`](rampauth_core::ErrorKind::Untrusted) when Alix's signature was asked for and is missing or
    /// wrong; otherwise as the answer says, see [`ErrorKind`](rampauth_core::ErrorKind).
    pub async fn refresh(&self, credential: &OnOffRampCredential) -> Result<OnOffRampTokens, Error> {
        let OnOffRampClient { config, lang, provider_key, http, clock } = &self.client;
        credential.check_alive(clock.now(), ON_OFF_RAMP)?;
        let string_to_sign = || on_off_ramp_string_to_sign(&config.partner_code, &self.email, &config.secret_key);
        let frame = sign_once(config, &self.frame, string_to_sign, ON_OFF_RAMP).await?;
        let request = wire::on_off_ramp_request(config, frame, credential.token(), *lang)?;
        let signed_by_alix = |signature: &str| self.client.verify_response(signature) == Some(true);
        let read = |answer: &Answer| {
            wire::read_tokens(answer, credential, provider_key.as_ref().map(|_| &signed_by_alix as _))
        };
        Answer::receive_tokens(&**http, &**clock, request, ON_OFF_RAMP, read).await
    }
}

/// Signs at the first call and remembers what a body has of it: the string to sign never changes.
async fn sign_once<'a>(
    config: &Config,
    frame: &'a OnceLock<Frame>,
    string_to_sign: impl Fn() -> SecretString,
    action: &'static str,
) -> Result<&'a Frame, Error> {
    if let Some(frame) = frame.get() {
        return Ok(frame);
    }
    let string_to_sign = string_to_sign();
    let made = config.signer.sign(string_to_sign.expose_secret().as_bytes()).await;
    let made = made.map_err(|error| error.with_action(action))?;
    Ok(frame.get_or_init(|| Frame::new(config, &made.to_base64())))
}

#[async_trait]
impl Refresh for CardClient {
    fn policy(&self) -> &RefreshPolicy {
        &POLICY
    }

    async fn refresh(&self, current: &TokenSet) -> Result<TokenSet, Error> {
        Ok(self.refresh(&current.try_into()?).await?.into())
    }
}

#[async_trait]
impl Refresh for OnOffRampSession {
    fn policy(&self) -> &RefreshPolicy {
        &POLICY
    }

    async fn refresh(&self, current: &TokenSet) -> Result<TokenSet, Error> {
        Ok(self.refresh(&current.try_into()?).await?.into())
    }
}

impl fmt::Debug for CardClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CardClient").field("config", &self.config).finish_non_exhaustive()
    }
}

impl fmt::Debug for OnOffRampClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnOffRampClient")
            .field("config", &self.config)
            .field("lang", &self.lang)
            .field("verifies_answers", &self.provider_key.is_some())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for OnOffRampSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnOffRampSession").field("client", &self.client).finish_non_exhaustive()
    }
}
