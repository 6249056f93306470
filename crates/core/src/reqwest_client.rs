//! The ready-made [`HttpClient`], on reqwest, set up so that one call is one request.

mod bounded;
mod connector;
mod deadline;
mod exchange;
mod heard;

use std::error::Error as StdError;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, Uri, header};
use http_body_util::Full;
use reqwest::{Certificate, NoProxy, Proxy, Url, redirect, retry};
use rustls::InvalidMessage;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::Error;
use crate::base_url::is_loopback;
use crate::transport::{HttpClient, TransportError, TransportFailure};
use connector::HandOver;
use deadline::in_time;
use exchange::{Arrived, exchange};
use heard::is_malformed;

const ACTION: &str = "build the HTTP client";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Ten years: reqwest adds it to the time of day.
const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";

/// An [`HttpClient`] over reqwest.
///
/// No redirects, no retries, no decompression (that is [`Answer`](crate::Answer)'s), HTTP/1.1, https only (plain http for
/// this machine), 30 s for a whole call, bodies read up to 64 KiB, no proxy unless one is asked for. Each call has a
/// connection of its own: one kept from an earlier call may have gone stale, which shows only once a token was sent on it.
/// TLS sessions are resumed. Cheap to clone.
///
/// An answer that has arrived when the time is up is read: the client looks for it for a moment (100 ms) after the timeout,
/// and once more if the process stood still meanwhile. Of an answer that ends badly or is not in the form of HTTP, what arrived
/// is handed over ([`TransportError::partial_response`]).
///
/// A server that sends without end holds nobody: reading a body ends at the limit, and 256 KiB of interim answers (1xx) end
/// the call.
///
/// Sending needs a tokio runtime with I/O and time enabled: where none runs it fails with a clear error, in one that has
/// them disabled tokio itself panics. Nothing runs in the background: a call that is dropped closes its connection.
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

    /// Starts from a reqwest builder, for what this one does not offer (name resolution, a client certificate). What it
    /// says of connections counts, proxies and timeouts apart, which are set here; what it says of requests and answers
    /// (headers, redirects, retries, decompression) does not.
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
    /// How long a whole call may take, from connecting to the last byte of the answer. Default 30 s. What has arrived by
    /// then is still read, so a call that fails takes up to 100 ms more.
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
            .pool_max_idle_per_host(0)
            .connector_layer(HandOver)
            .connect_timeout(connect_timeout)
            // Its own timeouts would throw away what has arrived, and cannot be taken out of a builder.
            .timeout(NEVER)
            .read_timeout(NEVER);
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
            Ok(client) => {
                let (timeout, last_url) = (self.timeout, Arc::default());
                Ok(ReqwestClient { client, timeout, user_agent, last_url })
            }
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
        // The two parsers may see another host in it.
        if url.scheme() == "http" && !url.host_str().is_some_and(is_loopback) {
            return Err(unusable("plain http is only for this machine"));
        }
        *last = Some((uri.clone(), url.clone()));
        Ok(url)
    }
}

#[async_trait]
impl HttpClient for ReqwestClient {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        if Handle::try_current().is_err() {
            return Err(unusable("it needs a tokio runtime with I/O and time enabled, and none is running"));
        }
        let url = self.url(request.uri())?;
        let (mut sent, mut arrived) = (false, Arrived::default());
        let call = self.call(url, request, &mut sent, &mut arrived);
        let ended = in_time(self.timeout, pin!(call)).await;
        let response = arrived.into_response();
        let error = match ended {
            Some(Ok(())) => {
                return Ok(response.expect("an exchange that ends well begins with a head"));
            }
            Some(Err(error)) => error,
            None if sent => TransportError::new(TransportFailure::Timeout),
            None => too_late(),
        };
        Err(match response {
            Some(response) => error.with_partial_response(response),
            None => error,
        })
    }
}

impl ReqwestClient {
    /// Connects, and says in `sent` that what follows may have happened: the request is sent and its answer read.
    async fn call(
        &self,
        url: Url,
        request: Request<Bytes>,
        sent: &mut bool,
        arrived: &mut Arrived,
    ) -> Result<(), TransportError> {
        let started = Instant::now();
        let request = self.as_it_travels(&url, request)?;
        // Never sent itself: it makes the connection.
        let connecting = self.client.execute(reqwest::Request::new(Method::GET, url)).await;
        let stream = match connecting {
            Err(error) => connector::connection(&error).ok_or_else(|| failure(error))?,
            Ok(_) => return Err(unusable("reqwest did not hand over its connection")),
        };
        // A process that stood still while it connected would give an answer no time.
        if started.elapsed() >= self.timeout {
            return Err(too_late());
        }
        *sent = true;
        exchange(stream, request, arrived).await.map_err(|error| {
            let interrupted = TransportError::new(TransportFailure::Interrupted);
            match is_malformed(&error) {
                // What hyper says of it may quote it.
                true => interrupted.with_source("what came is not in the form of HTTP"),
                false => interrupted.with_source(error),
            }
        })
    }

    /// The request in the form that HTTP/1.1 gives it on a connection to its server.
    fn as_it_travels(&self, url: &Url, request: Request<Bytes>) -> Result<Request<Full<Bytes>>, TransportError> {
        let no_form = |_| unusable("the request has no valid form");
        let mut request = request.map(Full::new);
        let path = [url.path(), url.query().map_or("", |_| "?"), url.query().unwrap_or_default()].concat();
        let host =
            [url.host_str().unwrap_or_default(), &url.port().map_or_else(String::new, |port| format!(":{port}"))];
        let host = HeaderValue::try_from(host.concat()).map_err(|_| unusable("the request has no valid form"))?;
        *request.uri_mut() = path.parse().map_err(no_form)?;
        let headers = request.headers_mut();
        if let Some(user_agent) = &self.user_agent {
            headers.insert(header::USER_AGENT, user_agent.clone());
        }
        headers.entry(header::HOST).or_insert(host);
        Ok(request)
    }
}

fn too_late() -> TransportError {
    TransportError::new(TransportFailure::Unreachable).with_source("connecting took too long")
}

fn unusable(why: &'static str) -> TransportError {
    TransportError::new(TransportFailure::Unusable).with_source(why)
}

/// Why no connection was made, so that nothing was sent.
fn failure(error: reqwest::Error) -> TransportError {
    let failure = match tls_error(&error) {
        _ if error.is_builder() => TransportFailure::Unusable,
        Some(rustls::Error::InvalidCertificate(_)) => TransportFailure::Certificate,
        // The first bytes are those of no TLS record. What rustls says of it reads like a defect of ours, so it is left out.
        Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
            return TransportError::new(TransportFailure::NoTls);
        }
        _ => TransportFailure::Unreachable,
    };
    TransportError::new(failure).with_source(error.without_url())
}

/// What TLS says of it, if it is TLS that failed.
fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut causes =
        std::iter::successors(Some(error as &(dyn StdError + 'static)), |cause| <dyn StdError>::source(*cause));
    causes.find_map(|cause| {
        let mut cause = cause;
        // An I/O error leaves what it stands for out of its sources, and may stand for another one.
        while let Some(inner) = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            cause = inner;
        }
        cause.downcast_ref()
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
