//! A request of ours, as somebody sends it who needs nothing else: with bare reqwest, under the same limits.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use rampauth_core::{HttpClient, TransportError, TransportFailure};

/// Keeps the last request it was given and sends nothing.
#[derive(Clone, Debug, Default)]
pub struct Recorder(Arc<Mutex<Option<Request<Bytes>>>>);

#[async_trait]
impl HttpClient for Recorder {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(request);
        Err(TransportError::new(TransportFailure::Unusable))
    }
}

/// A request that was recorded, ready to be sent any number of times.
#[derive(Debug)]
pub struct Bare {
    client: reqwest::Client,
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Bare {
    /// The request that was recorded: its method, URL, headers and body, byte for byte.
    ///
    /// # Panics
    ///
    /// When there was none, or reqwest cannot be set up.
    pub fn of(recorder: &Recorder) -> Self {
        let request = recorder.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (head, body) = request.expect("a recorded request").into_parts();
        // With the same limits as ours: a call without any is not the same call.
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        // A connection for each call, as ours has it: between two refreshes lie minutes, in which servers and gateways close idle ones.
        let client =
            client.timeout(Duration::from_secs(30)).connect_timeout(Duration::from_secs(10)).pool_max_idle_per_host(0);
        Self {
            client: client.build().expect("a client"),
            method: head.method,
            url: head.uri.to_string(),
            headers: head.headers,
            body,
        }
    }

    /// Sends it with everything ready beforehand, headers and body, and reads the answer's bytes.
    ///
    /// # Panics
    ///
    /// When no answer comes.
    pub async fn send(&self) -> Bytes {
        self.send_body(self.body.clone()).await
    }

    /// Sends it with this body.
    ///
    /// # Panics
    ///
    /// When no answer comes.
    pub async fn send_body(&self, body: Bytes) -> Bytes {
        let request = self.client.request(self.method.clone(), &self.url).headers(self.headers.clone());
        request.body(body).send().await.expect("an answer").bytes().await.expect("a body")
    }

    /// The body that was recorded.
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}
