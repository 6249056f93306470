//! What the end-to-end tests share: an HTTP client that tampers with a request on its way, and the sandbox's last word.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use rampauth_core::{HttpClient, ReqwestClient, TransportError};
use rampauth_sandbox::{Event, Sandbox, Verdict};

/// Sends over real HTTP what is left of a request after `change` had it in hand.
#[derive(Debug)]
pub struct Tampering<F> {
    client: ReqwestClient,
    change: F,
}

impl<F: Fn(&mut Request<Bytes>) + Send + Sync> Tampering<F> {
    /// An HTTP client with `change` in its way.
    pub fn new(change: F) -> Self {
        Self { client: ReqwestClient::new().expect("an HTTP client"), change }
    }
}

#[async_trait]
impl<F: Fn(&mut Request<Bytes>) + Send + Sync> HttpClient for Tampering<F> {
    async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        (self.change)(&mut request);
        self.client.send(request).await
    }
}

/// Replaces a text in the body; the text must be there.
pub fn replace_in_body(request: &mut Request<Bytes>, from: &str, to: &str) {
    let body = std::str::from_utf8(request.body()).expect("a text body");
    assert!(body.contains(from), "the body does not hold {from:?}");
    *request.body_mut() = body.replacen(from, to, 1).into();
}

/// Why the sandbox refused last.
///
/// # Panics
///
/// When its last event is no refusal.
pub fn last_refusal(sandbox: &Sandbox) -> String {
    let Event { verdict, reason, .. } = sandbox.events().pop().expect("an event");
    assert_eq!(verdict, Verdict::Refused, "{reason}");
    reason
}

/// Flips one letter of a base64 or base64url text to another that is legal in its place.
pub fn flip(text: &str) -> String {
    let place = text.len() / 2;
    let other = if &text[place..=place] == "A" { "B" } else { "A" };
    format!("{}{other}{}", &text[..place], &text[place + 1..])
}

/// The examples of the repository's front page, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
