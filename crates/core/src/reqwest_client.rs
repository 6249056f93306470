//! The ready-made [`HttpClient`], on reqwest, set up so that one call is one request.

use std::error::Error as StdError;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, Response, Uri, header};
use reqwest::{Certificate, NoProxy, Proxy, Url, redirect, retry};

use crate::Error;
use crate::base_url::is_loopback;
use crate::transport::{HttpClient, MAX_BODY_LENGTH, TransportError, TransportFailure};

const ACTION: &str = "build the HTTP client";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";

/// An [`HttpClient`] over reqwest.
///
/// No redirects, no retries, no decompression, HTTP/1.1, https only (plain http for this machine), 30 s for a whole call,
/// bodies read up to 64 KiB, idle connections kept for 5 s, no proxy unless one is asked for. Cheap to clone; clones
/// share their connections.
///
/// Sending needs a tokio runtime with I/O and time enabled: where none runs it fails with a clear error, in one that has
/// them disabled tokio itself panics.
#[derive(Clone)]
pub struct ReqwestClient {
    client: reqwest::Client,
    timeout: Duration,
    user_agent: Option<HeaderValue>,
    /// The URL called last and what reqwest makes of it. A client calls one or two, and parsing one costs more than all
    /// else that is done here.
    last_url: Arc<Mutex<Option<(Uri, Url)>>>,
}

/// Sets up a [`ReqwestClient`].
#[must_use]
pub struct ReqwestClientBuilder {
    base: reqwest::ClientBuilder,
    timeout: Duration,
    connect_timeout: Option<Duration>,
    proxy: Option<String>,
    no_proxy: String,
    root_certificates: Vec<Vec<u8>>,
    user_agent: Option<String>,
}

impl ReqwestClient {
    /// A client with the defaults.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) when TLS cannot be set up, which on Linux means that no CA
    /// certificates are installed.
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// Starts from the defaults.
    pub fn builder() -> ReqwestClientBuilder {
        Self::from_builder(reqwest::Client::builder())
    }

    /// Starts from a reqwest builder, for what this one does not offer (name resolution, a client certificate). The
    /// rules of this type are laid over it: redirects, retries, decompression, proxies, HTTP version, idle time and
    /// timeouts are set here whatever it says.
    pub fn from_builder(base: reqwest::ClientBuilder) -> ReqwestClientBuilder {
        ReqwestClientBuilder {
            base,
            timeout: DEFAULT_TIMEOUT,
            connect_timeout: None,
            proxy: None,
            no_proxy: LOOPBACK.to_owned(),
            root_certificates: Vec::new(),
            user_agent: None,
        }
    }
}

impl ReqwestClientBuilder {
    /// How long a whole call may take, from connecting to the last byte of the answer. Default 30 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long connecting may take, name resolution and TLS included. Default 10 s or half of
    /// [`timeout`](Self::timeout), whichever is less; it must be under `timeout`, or a slow connect could not be told
    /// from a lost answer.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// Sends everything through this proxy, except what goes to this machine.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy = Some(url.into());
        self
    }

    /// Takes the proxy from `HTTPS_PROXY` or `ALL_PROXY` (or their lower-case names) and the exceptions from
    /// `NO_PROXY`; what goes to this machine never passes through it.
    #[expect(clippy::disallowed_methods, reason = "the caller asks for the environment by name")]
    pub fn proxy_from_environment(mut self) -> Self {
        let read = |names: [&str; 4]| {
            names.into_iter().filter_map(|name| std::env::var(name).ok()).find(|value| !value.is_empty())
        };
        self.proxy = read(["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]);
        if let Some(exceptions) = read(["NO_PROXY", "no_proxy", "NO_PROXY", "no_proxy"]) {
            self.no_proxy = format!("{exceptions},{LOOPBACK}");
        }
        self
    }

    /// Trusts this CA certificate (PEM) beside those of the system.
    pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificates.push(pem.into());
        self
    }

    /// Sends this `user-agent` in place of the provider crate's.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = Some(user_agent.into());
        self
    }

    /// Builds the client.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) when a setting is unusable or TLS cannot be set up.
    pub fn build(self) -> Result<ReqwestClient, Error> {
        let connect_timeout = self.connect_timeout.unwrap_or(MAX_CONNECT_TIMEOUT.min(self.timeout / 2));
        if connect_timeout >= self.timeout {
            return Err(Error::config(ACTION, "the connect timeout must be shorter than the timeout"));
        }
        let user_agent = match self.user_agent.map(HeaderValue::try_from) {
            Some(Err(_)) => return Err(Error::config(ACTION, "the user agent is not legal in a header")),
            user_agent => user_agent.and_then(Result::ok),
        };
        let mut builder = self
            .base
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .http1_only()
            .no_proxy()
            .pool_idle_timeout(Duration::from_secs(5))
            .connect_timeout(connect_timeout)
            .timeout(self.timeout);
        if let Some(url) = &self.proxy {
            // The URL may hold a password, so reqwest's error, which quotes it, is left out.
            let proxy =
                Proxy::all(url).map_err(|_| Error::config(ACTION, "the proxy is not a URL that can be used"))?;
            builder = builder.proxy(proxy.no_proxy(NoProxy::from_string(&self.no_proxy)));
        }
        for pem in &self.root_certificates {
            let certificates =
                Certificate::from_pem_bundle(pem)
                    .ok()
                    .filter(|certificates| !certificates.is_empty())
                    .ok_or_else(|| Error::config(ACTION, "the root certificate is not PEM of a certificate"))?;
            builder = builder.tls_certs_merge(certificates);
        }
        match builder.build() {
            Ok(client) => Ok(ReqwestClient { client, timeout: self.timeout, user_agent, last_url: Arc::default() }),
            Err(error) => Err(Error::config(ACTION, "TLS could not be set up")
                .with_help("install the system's CA certificates (`ca-certificates`), or give a root certificate")
                .with_source(error.without_url())),
        }
    }
}

impl ReqwestClient {
    /// The URL, checked and in reqwest's form.
    fn url(&self, uri: &Uri) -> Result<Url, TransportError> {
        let mut last = self.last_url.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((called, url)) = &*last
            && called == uri
        {
            return Ok(url.clone());
        }
        if uri.scheme_str() != Some("https") && !uri.host().is_some_and(is_loopback) {
            return Err(unusable("plain http is only for this machine"));
        }
        let url = Url::parse(&uri.to_string()).map_err(|_| unusable("the URL has no valid form"))?;
        *last = Some((uri.clone(), url.clone()));
        Ok(url)
    }
}

#[async_trait]
impl HttpClient for ReqwestClient {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(unusable("it needs a tokio runtime with I/O and time enabled, and none is running"));
        }
        let (head, body) = request.into_parts();
        let mut request = reqwest::Request::new(head.method, self.url(&head.uri)?);
        *request.headers_mut() = head.headers;
        *request.body_mut() = Some(body.into());
        if let Some(user_agent) = &self.user_agent {
            request.headers_mut().insert(header::USER_AGENT, user_agent.clone());
        }
        let mut response = self.client.execute(request).await.map_err(failure)?;
        let body = read_body(&mut response).await.map_err(failure)?;
        let mut answer = Response::new(body);
        *answer.status_mut() = response.status();
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        Ok(answer)
    }
}

/// Stops past the longest body that is read. One that comes in a single piece, as nearly all do, is not copied.
async fn read_body(response: &mut reqwest::Response) -> reqwest::Result<Bytes> {
    let (mut earlier, mut last) = (BytesMut::new(), Bytes::new());
    while let Some(chunk) = response.chunk().await? {
        earlier.extend_from_slice(&last);
        last = chunk;
        last.truncate(MAX_BODY_LENGTH + 1 - earlier.len());
        if earlier.len() + last.len() > MAX_BODY_LENGTH {
            break;
        }
    }
    if earlier.is_empty() {
        return Ok(last);
    }
    earlier.extend_from_slice(&last);
    Ok(earlier.freeze())
}

fn unusable(why: &'static str) -> TransportError {
    TransportError::new(TransportFailure::Unusable).with_source(why)
}

fn failure(error: reqwest::Error) -> TransportError {
    // A connect that timed out is both; nothing was sent then.
    let failure = if error.is_connect() && is_about_a_certificate(&error) {
        TransportFailure::Certificate
    } else if error.is_connect() {
        TransportFailure::Unreachable
    } else if error.is_timeout() {
        TransportFailure::Timeout
    } else if error.is_builder() {
        TransportFailure::Unusable
    } else {
        TransportFailure::Interrupted
    };
    TransportError::new(failure).with_source(error.without_url())
}

fn is_about_a_certificate(error: &reqwest::Error) -> bool {
    let mut causes =
        std::iter::successors(Some(error as &(dyn StdError + 'static)), |cause| <dyn StdError>::source(*cause));
    causes.any(|cause| {
        let mut cause = cause;
        // An I/O error leaves what it stands for out of its sources, and may stand for another one.
        while let Some(inner) = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            cause = inner;
        }
        matches!(cause.downcast_ref(), Some(rustls::Error::InvalidCertificate(_)))
    })
}

impl fmt::Debug for ReqwestClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestClient").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl fmt::Debug for ReqwestClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The proxy's URL may hold a password.
        f.debug_struct("ReqwestClientBuilder").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
