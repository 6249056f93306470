//! The clients under measurement, with the test keys, over any HTTP client.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use rampauth_core::{BaseUrl, HttpClient, Signer, TransportError, TransportFailure, Verifier};
use rampauth_test_kit::keys;
use {rampauth_alix as alix, rampauth_onboard as onboard, rampauth_payby as payby, rampauth_transak as transak};

/// The secret key of the Alix clients here.
pub const SECRET_KEY: &str = "alix-secret-key-for-tests";
/// A refresh token of an ordinary length.
pub const REFRESH_TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzaWduIjoicmpnUURlOFFWbG5QOUFKTCIsInBhcnRuZXJDb2RlIjoiemVuY2FyZHRlc3QifQ.c2lnbmF0dXJl";
/// The answer to an Alix card refresh: the sample of the vendor's page (Alix docs, "Refresh Token", read 2026-11).
pub const CARD_ANSWER: &str = include_str!("../../../crates/alix/tests/samples/card-200.json");
/// The answer to an Alix on/off-ramp refresh, less the signature.
pub const ON_OFF_RAMP_TOKENS: &str = r#""accessToken":"eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3MzEzMTQ4Nzh9.c2ln","refreshToken":"eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3NDY4NjU5Nzh9.c2ln""#;
/// The answer to an Onboard refresh.
pub const ONBOARD_ANSWER: &str = r#"{"userId":"u-1","accessToken":{"token":"opaque-access-token","expiry":"2026-11-20T10:30:00Z"},"refreshToken":{"token":"opaque-refresh-token","expiry":"2026-12-20T10:30:00Z"}}"#;
/// A Transak user token that expires at 1752921735.
pub const USER_TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3NTI5MjE3MzV9.c2ln";
/// The answer to a Transak refresh: a token that expires at 1755513735.
pub const TRANSAK_ANSWER: &str = r#"{"data":{"accessToken":"eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3NTU1MTM3MzV9.c2ln"}}"#;
/// The answer to a PayBy refresh, to be signed.
pub const PAYBY_ANSWER: &str = r#"{"head":{"applyStatus":"SUCCESS","code":"0","msg":"SUCCESS","traceCode":"1127"},"body":{"accessToken":"opaque-access-token","refreshToken":"opaque-refresh-token","expiresIn":3600}}"#;

/// Takes the request and sends nothing: what is left is the cost of building it.
#[derive(Clone, Copy, Debug)]
pub struct Nowhere;

#[async_trait]
impl HttpClient for Nowhere {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        std::hint::black_box(request);
        Err(TransportError::new(TransportFailure::Unusable))
    }
}

fn base(url: &str) -> BaseUrl {
    BaseUrl::parse(url).expect("a base URL")
}

/// A clock that stands still inside the tokens' lifetimes.
fn clock() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_731_314_000)
}

fn alix_config(url: &str, signer: impl Signer + 'static) -> alix::Config {
    let partner_code = alix::PartnerCode::new("zencardtest").expect("a partner code");
    let secret_key = alix::SecretKey::new(SECRET_KEY).expect("a secret key");
    alix::Config::new(base(url), partner_code, secret_key, signer)
}

/// An Alix card client and what it presents.
pub fn card(
    url: &str,
    http: impl HttpClient + 'static,
    signer: impl Signer + 'static,
) -> (alix::CardClient, alix::CardCredential) {
    let client = alix::CardClient::with_http_client(alix_config(url, signer), http).with_clock(clock);
    (client, alix::CardCredential::new(REFRESH_TOKEN).expect("a token"))
}

/// An Alix on/off-ramp session that verifies answers, and what it presents.
pub fn on_off_ramp(
    url: &str,
    http: impl HttpClient + 'static,
    signer: impl Signer + 'static,
    provider_key: impl Verifier + 'static,
) -> (alix::OnOffRampSession, alix::OnOffRampCredential) {
    let client = alix::OnOffRampClient::with_http_client(alix_config(url, signer), http).with_clock(clock);
    let session = client.with_provider_key(provider_key);
    let session = session.session(alix::Email::new("jane@example.com").expect("an e-mail address"));
    (session, alix::OnOffRampCredential::new(REFRESH_TOKEN).expect("a token"))
}

/// A Transak user client and what it presents.
pub fn user(url: &str, http: impl HttpClient + 'static) -> (transak::UserClient, transak::UserToken) {
    let client = transak::UserClient::with_http_client(transak::Config::new(base(url)), http).with_clock(clock);
    (client, transak::UserToken::new(USER_TOKEN).expect("a token"))
}

/// An Onboard client and what it presents.
pub fn onboard(url: &str, http: impl HttpClient + 'static) -> (onboard::Client, onboard::OnboardCredential) {
    let client = onboard::Client::with_http_client(onboard::Config::new(base(url)), http).with_clock(clock);
    (client, onboard::OnboardCredential::new(REFRESH_TOKEN).expect("a token"))
}

/// A PayBy client and what it presents.
pub fn payby(
    url: &str,
    http: impl HttpClient + 'static,
    signer: impl Signer + 'static,
    provider_key: impl Verifier + 'static,
) -> (payby::Client, payby::PayByCredential) {
    let environment = payby::Environment::at(base(url), provider_key);
    let partner_id = payby::PartnerId::new("200001200101").expect("a partner id");
    let client = payby::Client::with_http_client(payby::Config::new(environment, partner_id, signer), http);
    (client.with_clock(clock), payby::PayByCredential::new(REFRESH_TOKEN).expect("a token"))
}

/// The partner's key, in both backends.
pub fn signers() -> (rampauth_core::RsaSigningKey, rampauth_core::AwsLcSigningKey) {
    let pem = keys::PARTNER_PKCS8.pem;
    let rsa = rampauth_core::RsaSigningKey::parse(pem).expect("the test key");
    (rsa, rampauth_core::AwsLcSigningKey::parse(pem).expect("the test key"))
}

/// The provider's public key, in both backends.
pub fn verifiers() -> (rampauth_core::RsaVerifyingKey, rampauth_core::AwsLcVerifyingKey) {
    let pem = keys::PROVIDER_SPKI.pem;
    let rsa = rampauth_core::RsaVerifyingKey::parse(pem).expect("the test key");
    (rsa, rampauth_core::AwsLcVerifyingKey::parse(pem).expect("the test key"))
}

/// The provider's signature over this text, in base64.
pub fn signed_by_provider(text: &str) -> String {
    let key = rampauth_core::AwsLcSigningKey::parse(keys::PROVIDER_PKCS8.pem).expect("the test key");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let signature = runtime.block_on(key.sign(text.as_bytes())).expect("a signature");
    signature.to_base64().expose_secret().to_owned()
}
