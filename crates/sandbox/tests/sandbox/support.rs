//! A client of the tests' own: plain requests, and signatures by another RSA implementation than the sandbox's.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rampauth_sandbox::{Event, Sandbox, Verdict};
use reqwest::Method;
use reqwest::header::HeaderMap;
use rsa::pkcs1v15::Pkcs1v15Sign;
use rsa::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _};
use rsa::sha2::{Digest as _, Sha256};
use rsa::{PrivateKey, PublicKey};
use serde_json::Value;

pub(crate) struct Client {
    pub(crate) sandbox: Sandbox,
    pub(crate) key: PrivateKey,
    http: reqwest::Client,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) event: Event,
}

impl Client {
    pub(crate) async fn start() -> Self {
        Self::of(Sandbox::start().await.expect("a sandbox"))
    }

    pub(crate) fn of(sandbox: Sandbox) -> Self {
        let key = PrivateKey::from_pkcs8_pem(&sandbox.credentials().alix.signing_key).expect("a PKCS#8 key");
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { sandbox, key, http }
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<String>,
    ) -> Reply {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let body = body.into();
        let before = self.sandbox.events().len();
        let mut request = self.http.request(method, format!("{}{path}", self.sandbox.url()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_empty() {
            request = request.body(body);
        }
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("a body");
        let mut events = self.sandbox.events().split_off(before);
        assert_eq!(events.len(), 1, "one event per request");
        let event = events.remove(0);
        assert_eq!(event.status, status);
        Reply { status, headers, text, event }
    }

    /// Standard base64 of the partner's PKCS#1 v1.5 signature with SHA-256.
    pub(crate) fn sign(&self, text: &str) -> String {
        STANDARD.encode(self.sign_raw(text))
    }

    pub(crate) fn sign_raw(&self, text: &str) -> Vec<u8> {
        self.key.sign(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(text)).expect("a signature")
    }

    /// Milliseconds on the sandbox's clock.
    pub(crate) fn millis(&self) -> i64 {
        millis(self.sandbox.now())
    }
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("JSON")
    }

    #[track_caller]
    pub(crate) fn granted(&self) -> Value {
        assert_eq!((self.event.verdict, self.status), (Verdict::Granted, 200), "{}", self.event);
        self.json()
    }

    /// Refused with this status, for this whole reason.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, reason: &str) -> Value {
        assert_eq!((self.event.verdict, self.status), (Verdict::Refused, status), "{}", self.event);
        assert_eq!(self.event.reason, reason);
        self.json()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("an ASCII header"))
    }
}

/// Sends the bytes as they are and reads the answer to its end.
pub(crate) fn raw(sandbox: &Sandbox, request: &str) -> String {
    let mut stream = TcpStream::connect(sandbox.addr()).expect("a connection");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

pub(crate) fn verifies(public_pem: &str, text: &str, signature: &str) -> bool {
    let key = PublicKey::from_public_key_pem(public_pem).expect("an SPKI key");
    let bytes = STANDARD.decode(signature).expect("standard padded base64");
    key.verify(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(text), &bytes).is_ok()
}

/// A JWT's header and claims.
pub(crate) fn jwt(token: &str) -> (Value, Value) {
    let part = |part: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64url");
        serde_json::from_slice(&bytes).expect("JSON")
    };
    let parts: Vec<_> = token.split('.').collect();
    assert_eq!(parts.len(), 3, "header, claims, signature");
    assert_eq!(URL_SAFE_NO_PAD.decode(parts[2]).expect("base64url").len(), 32, "an HS256 tag");
    (part(parts[0]), part(parts[1]))
}

pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

pub(crate) fn millis(time: SystemTime) -> i64 {
    i64::try_from(time.duration_since(UNIX_EPOCH).expect("after 1970").as_millis()).expect("a near time")
}
