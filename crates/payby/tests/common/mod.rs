//! What the test files of this crate share: a merchant with the test keys, answers under PayBy's signature, and an HTTP
//! client that keeps the request.
#![allow(dead_code, reason = "each test file is a crate of its own and uses a part of this")]

use std::fmt::Write as _;
use std::pin::pin;
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response};
use rampauth_core::{AwsLcSigningKey, RsaSigningKey, RsaVerifyingKey};
use rampauth_payby::{
    BaseUrl, Client, Config, Environment, HttpClient, MAX_BODY_LENGTH, MerchantOrderNo, PartnerId, PayByCredential,
    Signer, Subject, TransportError, TransportFailure,
};
use rampauth_test_kit::keys;

pub(crate) const BASE: &str = "https://uat.test2pay.com";

/// The time at which the tests take place: the sample value of `requestTime` on the vendor's page.
pub(crate) fn now() -> SystemTime {
    at(1_581_493_898)
}

pub(crate) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

pub(crate) fn provider_key() -> RsaVerifyingKey {
    RsaVerifyingKey::parse(keys::PROVIDER_SPKI.pem).expect("the provider's public key")
}

pub(crate) fn environment(base_url: &str) -> Environment {
    Environment::at(BaseUrl::parse(base_url).expect("a base URL"), provider_key())
}

pub(crate) fn partner_id() -> PartnerId {
    PartnerId::new("200001200101").expect("a partner id")
}

/// The merchant of the vendor's page, with its sample order number and subject.
pub(crate) fn config(base_url: &str) -> Config {
    let signing_key = RsaSigningKey::parse(keys::PARTNER_PKCS8.pem).expect("the partner's key");
    Config::new(environment(base_url), partner_id(), signing_key)
        .with_order_numbers(MerchantOrderNo::new("M965739182419").expect("an order number"))
        .with_subject(Subject::new("iPhone").expect("a subject"))
}

pub(crate) fn client(base_url: &str, http: impl HttpClient + 'static) -> Client {
    Client::with_http_client(config(base_url), http).with_clock(now)
}

pub(crate) fn credential() -> PayByCredential {
    PayByCredential::new("the-refresh-token").expect("a token")
}

/// The `sign` of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// PayBy's, over the body.
    Good,
    /// PayBy's, over another body.
    Stale,
    /// Of another key.
    Foreign,
    /// No base64.
    Garbage,
    /// There, and empty.
    Blank,
    Absent,
}

impl Sign {
    pub(crate) const WRONG: [Self; 3] = [Self::Stale, Self::Foreign, Self::Garbage];

    pub(crate) fn over(self, body: &[u8]) -> Option<String> {
        let signed = |key: &AwsLcSigningKey, message: &[u8]| {
            let signature = ready(key.sign(message)).expect("a signature");
            Some(signature.to_base64().expose_secret().to_owned())
        };
        match self {
            Self::Good => signed(&PROVIDER, body),
            Self::Stale => signed(&PROVIDER, &[body, b" "].concat()),
            Self::Foreign => signed(&PARTNER, body),
            Self::Garbage => Some("no base64!".to_owned()),
            Self::Blank => Some(String::new()),
            Self::Absent => None,
        }
    }
}

static PROVIDER: LazyLock<AwsLcSigningKey> =
    LazyLock::new(|| AwsLcSigningKey::parse(keys::PROVIDER_PKCS8.pem).expect("the provider's key"));
static PARTNER: LazyLock<AwsLcSigningKey> =
    LazyLock::new(|| AwsLcSigningKey::parse(keys::PARTNER_PKCS8.pem).expect("the partner's key"));

/// The result of a future that waits for nothing, such as a signature by a local key.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("a local key does not wait"),
    }
}

/// `#0` in an answer stands for the head of a success, `#` and another code for that of a failure.
pub(crate) fn expand(answer: &str) -> String {
    let Some((before, rest)) = answer.split_once('#') else { return answer.to_owned() };
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (code, after) = rest.split_at(digits);
    let (status, message) = if code == "0" { ("SUCCESS", "SUCCESS") } else { ("FAIL", "the message") };
    format!(
        r#"{before}"head":{{"applyStatus":"{status}","code":"{code}","msg":"{message}","traceCode":"1127"}}{after}"#
    )
}

/// Answers every request with the same response and keeps what was sent.
#[derive(Clone)]
pub(crate) struct Canned {
    response: Arc<dyn Fn() -> Response<Bytes> + Send + Sync>,
    sent: Arc<Mutex<Vec<Request<Bytes>>>>,
}

impl Canned {
    pub(crate) fn new(status: u16, sign: Sign, body: impl Into<Vec<u8>>) -> Self {
        let body = Bytes::from(body.into());
        Self::with_headers(status, &sign.over(&body).map(|sign| ("sign", sign)).into_iter().collect::<Vec<_>>(), body)
    }

    pub(crate) fn with_headers(status: u16, headers: &[(&'static str, String)], body: impl Into<Bytes>) -> Self {
        let (headers, body) = (headers.to_vec(), body.into());
        let response = move || {
            let mut response = Response::builder().status(status);
            for (name, value) in &headers {
                response = response.header(*name, value);
            }
            response.body(body.clone()).expect("a response")
        };
        Self { response: Arc::new(response), sent: Arc::default() }
    }

    /// A success with these members in its `body`.
    pub(crate) fn granting(members: &str) -> Self {
        Self::new(200, Sign::Good, expand(&format!("{{#0,\"body\":{{{members}}}}}")))
    }

    pub(crate) fn sent(&self) -> Vec<Request<Bytes>> {
        self.sent.lock().expect("no panic while sending").clone()
    }

    /// The one request that was sent, as a reviewer reads it.
    pub(crate) fn request(&self) -> String {
        let sent = self.sent();
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
