//! What the test files of this crate share: a partner with the test keys, and an HTTP client that keeps the request.
#![allow(dead_code, reason = "each test file is a crate of its own and uses a part of this")]

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response};
use rampauth_alix::{
    BaseUrl, CardClient, Config, Email, HttpClient, MAX_BODY_LENGTH, OnOffRampClient, OnOffRampSession, PartnerCode,
    SecretKey, TransportError, TransportFailure,
};
use rampauth_core::RsaSigningKey;
use rampauth_test_kit::keys;

/// The time at which the tests take place: inside the lifetime of the tokens in the vendor's sample.
pub(crate) fn now() -> SystemTime {
    at(1_731_314_000)
}

pub(crate) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

pub(crate) fn config(base_url: &str) -> Config {
    Config::new(
        BaseUrl::parse(base_url).expect("a base URL"),
        PartnerCode::new("zencardtest").expect("a partner code"),
        SecretKey::new("alix-secret-key-for-tests").expect("a secret key"),
        RsaSigningKey::parse(keys::PARTNER_PKCS8.pem).expect("the test key"),
    )
}

pub(crate) fn email() -> Email {
    Email::new("jane@example.com").expect("an e-mail address")
}

pub(crate) fn card(base_url: &str, http: impl HttpClient + 'static) -> CardClient {
    CardClient::with_http_client(config(base_url), http).with_clock(now)
}

pub(crate) fn on_off_ramp(base_url: &str, http: impl HttpClient + 'static) -> OnOffRampSession {
    OnOffRampClient::with_http_client(config(base_url), http).with_clock(now).session(email())
}

/// Answers every request with the same response and keeps what was sent.
#[derive(Clone)]
pub(crate) struct Canned {
    response: Arc<dyn Fn() -> Response<Bytes> + Send + Sync>,
    sent: Arc<Mutex<Vec<Request<Bytes>>>>,
}

impl Canned {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let body = Bytes::from(body.into());
        let response = move || Response::builder().status(status).body(body.clone()).expect("a response");
        Self { response: Arc::new(response), sent: Arc::default() }
    }

    /// The same with this `date` header.
    pub(crate) fn dated(status: u16, date: Option<&str>, body: impl Into<Vec<u8>>) -> Self {
        let (body, date) = (Bytes::from(body.into()), date.map(str::to_owned));
        let response = move || {
            let response = Response::builder().status(status);
            let response = date.iter().fold(response, |response, date| response.header("date", date));
            response.body(body.clone()).expect("a response")
        };
        Self { response: Arc::new(response), sent: Arc::default() }
    }

    /// The one request that was sent, as a reviewer reads it.
    pub(crate) fn request(&self) -> String {
        let sent = self.sent.lock().expect("no panic while sending");
        let [request] = &sent[..] else { panic!("{} requests were sent, not one", sent.len()) };
        let mut text = format!("{} {}\n", request.method(), request.uri());
        for (name, value) in request.headers() {
            writeln!(text, "{name}: {}", value.to_str().expect("a text header")).expect("a string");
        }
        text + "\n" + std::str::from_utf8(request.body()).expect("a text body")
    }
}

#[async_trait::async_trait]
impl HttpClient for Canned {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        self.sent.lock().expect("no panic while sending").push(request);
        Ok((self.response)())
    }
}

/// An application's own client, written with this crate's types: it loses its answer, or cuts off an endless one.
pub(crate) struct Own(pub(crate) Option<TransportFailure>);

#[async_trait::async_trait]
impl HttpClient for Own {
    async fn send(&self, _request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        match self.0 {
            Some(failure) => Err(TransportError::new(failure)),
            None => Ok(Response::new(Bytes::from(vec![b' '; MAX_BODY_LENGTH + 1]))),
        }
    }
}
