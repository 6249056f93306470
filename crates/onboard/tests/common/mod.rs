//! What the test files of this crate share: an HTTP client that keeps the request, and results as a reviewer reads them.
#![allow(dead_code, reason = "each test file is a crate of its own and uses a part of this")]

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response};
use rampauth_onboard::{
    BaseUrl, Client, Config, Error, Expiry, HttpClient, MAX_BODY_LENGTH, OnboardCredential, OnboardTokens,
    TransportError, TransportFailure, UserId,
};

/// The time at which the tests take place: 2026-11-20T09:30:00Z.
pub(crate) const NOW: u64 = 1_795_167_000;

pub(crate) fn now() -> SystemTime {
    at(NOW)
}

pub(crate) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

pub(crate) fn config(base_url: &str) -> Config {
    Config::new(BaseUrl::parse(base_url).expect("a base URL"))
}

pub(crate) fn user(id: &str) -> UserId {
    UserId::new(id).expect("a user id")
}

pub(crate) fn client(base_url: &str, http: impl HttpClient + 'static) -> Client {
    Client::with_http_client(config(base_url), http).with_clock(now)
}

pub(crate) fn credential() -> OnboardCredential {
    OnboardCredential::new("the-refresh-token").expect("a token")
}

/// A success as documented, with these two expiry values (JSON).
pub(crate) fn granted(access_expiry: &str, refresh_expiry: &str) -> String {
    format!(
        r#"{{"userId":"u-1","accessToken":{{"token":"a","expiry":{access_expiry}}},"refreshToken":{{"token":"r","expiry":{refresh_expiry}}}}}"#
    )
}

/// Answers every request with the same response and keeps what was sent.
#[derive(Clone)]
pub(crate) struct Canned {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
    sent: Arc<Mutex<Vec<Request<Bytes>>>>,
}

impl Canned {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::from(body.into()), sent: Arc::default() }
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The one request that was sent.
    pub(crate) fn request(&self) -> Request<Bytes> {
        let sent = self.sent.lock().expect("no panic while sending");
        let [request] = &sent[..] else { panic!("{} requests were sent, not one", sent.len()) };
        request.clone()
    }

    /// The same as a reviewer reads it.
    pub(crate) fn request_text(&self) -> String {
        let request = self.request();
        let mut text = format!("{} {}\n", request.method(), request.uri());
        for (name, value) in request.headers() {
            let mark = if value.is_sensitive() { " (sensitive)" } else { "" };
            writeln!(text, "{name}{mark}: {}", value.to_str().expect("a text header")).expect("a string");
        }
        text + "\n" + std::str::from_utf8(request.body()).expect("a text body")
    }
}

#[async_trait::async_trait]
impl HttpClient for Canned {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        self.sent.lock().expect("no panic while sending").push(request);
        let mut response = Response::builder().status(self.status);
        for (name, value) in &self.headers {
            response = response.header(*name, value);
        }
        Ok(response.body(self.body.clone()).expect("a response"))
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

/// `granted <user> <access token> <refresh token>` or
/// `<kind> <outcome> [wait <seconds>] [says <provider's message>] [salvage <access token> <refresh token>]: <message>`.
pub(crate) fn describe(result: Result<OnboardTokens, Error>) -> String {
    let error = match result {
        Ok(tokens) => {
            let (access, refresh) = (tokens.access_token(), tokens.refresh_credential().token());
            return format!(
                "granted {} {} {}",
                tokens.user_id().as_str(),
                access.expose_secret(),
                refresh.expose_secret()
            );
        }
        Err(error) => error,
    };
    // The advice that is Onboard's own; that of a 403 depends on the clocks.
    let own =
        matches!(error.status(), Some(400 | 401)) || error.to_string().contains("`userId` is not the expected user");
    let usual = Error::new(error.kind(), error.outcome(), "", "").with_clock_difference(error.clock_difference());
    assert!(error.status() == Some(403) || own == (error.help() != usual.help()), "{error}: {}", error.help());
    let mut text = format!("{} {}", error.kind().as_str(), error.outcome().as_str());
    if let Some(wait) = error.retry_after() {
        write!(text, " wait {}", wait.as_secs()).expect("a string");
    }
    if let Some(message) = error.provider_message() {
        write!(text, " says {message:?}").expect("a string");
    }
    if let Some(set) = error.salvage() {
        let access = set.access_token.as_ref().map_or("-", |token| token.expose_secret());
        let refresh = set.refresh_token.as_ref().map_or("-", |token| token.expose_secret());
        write!(text, " salvage {access} {refresh}").expect("a string");
    }
    let message = error.to_string();
    let reason = message.strip_prefix("failed to refresh the Onboard tokens: ").expect("the call is named");
    format!("{text}: {reason}")
}

/// Seconds after [`NOW`], or that nobody knows.
pub(crate) fn lifetime(expiry: Expiry) -> String {
    match expiry {
        Expiry::At(time) => match time.duration_since(now()) {
            Ok(left) => format!("{} s", left.as_secs_f64()),
            Err(past) => format!("-{} s", past.duration().as_secs_f64()),
        },
        Expiry::Unknown => "unknown".to_owned(),
        other => panic!("Onboard's expiry is told or unknown, not {other:?}"),
    }
}
