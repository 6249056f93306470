//! What the test files of this crate share: tokens that expire when a test wants, and an HTTP client that keeps the
//! request.
#![allow(dead_code, reason = "each test file is a crate of its own and uses a part of this")]

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Request, Response};
use rampauth_transak::{
    BaseUrl, Config, HttpClient, MAX_BODY_LENGTH, TransportError, TransportFailure, UserClient, UserToken,
};

/// The time at which the tests take place: inside the lifetime of the token in the vendor's sample.
pub(crate) const NOW: u64 = 1_750_400_000;
pub(crate) const DAY: u64 = 86_400;

pub(crate) fn now() -> SystemTime {
    at(NOW)
}

pub(crate) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A JWT of that id which expires at that Unix time.
pub(crate) fn jwt(id: &str, expires_at: u64) -> String {
    let claims = format!(r#"{{"token_type":"Bearer","jti":"{id}","exp":{expires_at}}}"#);
    let [header, claims, signature] =
        [r#"{"alg":"HS256","typ":"JWT"}"#, &claims, "a signature"].map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("{header}.{claims}.{signature}")
}

/// The token that the tests present: five days are left of it.
pub(crate) fn presented() -> String {
    jwt("presented", NOW + 5 * DAY)
}

pub(crate) fn user_token(token: &str) -> UserToken {
    UserToken::new(token).expect("a token")
}

pub(crate) fn config(base_url: &str) -> Config {
    Config::new(BaseUrl::parse(base_url).expect("a base URL"))
}

pub(crate) fn client(base_url: &str, http: impl HttpClient + 'static) -> UserClient {
    UserClient::with_http_client(config(base_url), http).with_clock(now)
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

    /// All requests that were sent.
    pub(crate) fn sent(&self) -> Vec<Request<Bytes>> {
        self.sent.lock().expect("no panic while sending").clone()
    }

    /// The one request that was sent, as a reviewer reads it.
    pub(crate) fn request(&self) -> String {
        let sent = self.sent();
        let [request] = &sent[..] else { panic!("{} requests were sent, not one", sent.len()) };
        let mut text = format!("{} {}\n", request.method(), request.uri());
        for (name, value) in request.headers() {
            let mark = if value.is_sensitive() { " (sensitive)" } else { "" };
            writeln!(text, "{name}: {}{mark}", value.to_str().expect("a text header")).expect("a string");
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
