//! The HTTP seam: a request in, a response out, and an error that knows whether the request may have left.

use std::error::Error as StdError;
use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, Uri, header};

use crate::{Error, ErrorKind, Outcome, SecretBytes};

/// The longest response body that is read as an answer: 64 KiB.
pub const MAX_BODY_LENGTH: usize = 64 * 1024;

/// Sends one HTTP request. [`ReqwestClient`](crate::ReqwestClient) is the ready-made one.
///
/// An implementation must not follow redirects or retry: a refresh that is sent twice can spend a token twice. It stops
/// reading a body after [`MAX_BODY_LENGTH`] bytes plus one and returns what it has: the status of an overlong answer still
/// counts. It hands over whatever arrived of an answer that ends badly, with
/// [`TransportError::with_partial_response`]: the only copy of new tokens may be in it.
///
/// It need not decompress. Requests ask for no compression; a body that is compressed all the same is decoded by
/// [`Answer`](crate::Answer), as its `content-encoding` says. An implementation that decodes a body itself removes that header.
#[async_trait]
pub trait HttpClient: Send + Sync {
    /// Sends the request and reads the whole response.
    ///
    /// # Errors
    ///
    /// A [`TransportError`] that is right about whether the request may have left; in doubt it may have.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError>;
}

#[async_trait]
impl<T: HttpClient + ?Sized> HttpClient for std::sync::Arc<T> {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        (**self).send(request).await
    }
}

/// Starts a request the way every call of ours starts: `accept: application/json`, `accept-encoding: identity` and the
/// provider crate's `user-agent`.
///
/// # Panics
///
/// When the user agent is not legal in a header.
pub fn request(method: Method, uri: Uri, user_agent: &'static str, body: Bytes) -> Request<Bytes> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(user_agent));
    request
}

/// The value of a header that a call needs.
///
/// # Errors
///
/// [`ErrorKind::Internal`] when it is not legal in a header: what goes into one was checked when it was read.
pub fn header_value(text: &str) -> Result<HeaderValue, Error> {
    let reason = "it has no valid form";
    HeaderValue::from_str(text)
        .map_err(|_| Error::new(ErrorKind::Internal, Outcome::NotSent, "build the request", reason))
}

/// The same for a value that is a secret: nothing that shows the request shows it.
///
/// # Errors
///
/// As [`header_value`].
pub fn secret_header_value(text: &str) -> Result<HeaderValue, Error> {
    let mut value = header_value(text)?;
    value.set_sensitive(true);
    Ok(value)
}

/// How far a failed request got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportFailure {
    /// No connection was made, so nothing was sent.
    Unreachable,
    /// The server's certificate was not accepted, so no connection was made and nothing was sent.
    Certificate,
    /// What listens at that port does not speak TLS, so no connection was made and nothing was sent.
    NoTls,
    /// It may have been sent, and time ran out before the whole answer was there.
    Timeout,
    /// It may have been sent, and the connection broke before the whole answer was there.
    Interrupted,
    /// The client could not even try, so nothing was sent.
    Unusable,
}

const CERTIFICATE: &str = "check that the base URL names the host that the certificate is for, this machine's clock and its CA \
    certificates; where a proxy of your own network answers, trust its CA; nothing was sent";

const NO_TLS: &str =
    "check the port of the base URL, and whether it is an http address (for this machine alone); nothing was sent";

/// Why no whole answer came. `Debug` shows nothing of a partial response but that there is one.
pub struct TransportError {
    failure: TransportFailure,
    source: Option<Box<dyn StdError + Send + Sync>>,
    partial: Option<Box<Response<Bytes>>>,
}

impl TransportError {
    /// A failure without a cause to show.
    pub fn new(failure: TransportFailure) -> Self {
        Self { failure, source: None, partial: None }
    }

    /// Keeps the cause. It must hold no URL, header or body.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Keeps what arrived before the failure: the head of the answer, and as much of its body as came, even if that is
    /// nothing.
    #[must_use]
    pub fn with_partial_response(mut self, response: Response<Bytes>) -> Self {
        self.partial = Some(Box::new(response));
        self
    }

    /// How far the request got.
    pub fn failure(&self) -> TransportFailure {
        self.failure
    }

    /// What arrived before the failure, from the head of the answer on. It can hold tokens, as any response can.
    pub fn partial_response(&self) -> Option<&Response<Bytes>> {
        self.partial.as_deref()
    }

    pub(crate) fn take_partial_response(&mut self) -> Option<Response<Bytes>> {
        self.partial.take().map(|response| *response)
    }

    /// The same failure as an [`Error`] of the call that `action` names. It has the status and the body of a partial
    /// response.
    pub fn into_error(mut self, action: &'static str) -> Error {
        let (kind, outcome) = match self.failure {
            TransportFailure::Unreachable | TransportFailure::Certificate | TransportFailure::NoTls => {
                (ErrorKind::Unreachable, Outcome::NotSent)
            }
            TransportFailure::Timeout => (ErrorKind::Timeout, Outcome::Unknown),
            TransportFailure::Interrupted => (ErrorKind::Interrupted, Outcome::Unknown),
            TransportFailure::Unusable => (ErrorKind::Internal, Outcome::NotSent),
        };
        let mut error = Error::new(kind, outcome, action, self.failure.as_reason());
        if let Some(partial) = self.take_partial_response() {
            error = error.with_status(partial.status());
            if !partial.body().is_empty() {
                error = error.with_body(SecretBytes::from(&partial.body()[..]));
            }
        }
        match self.failure {
            TransportFailure::Certificate => error.with_help(CERTIFICATE).with_source(self),
            TransportFailure::NoTls => error.with_help(NO_TLS).with_source(self),
            _ => error.with_source(self),
        }
    }
}

impl TransportFailure {
    fn as_reason(self) -> &'static str {
        match self {
            Self::Unreachable => "no connection could be made, nothing was sent",
            Self::Certificate => "the server's certificate was not accepted, nothing was sent",
            Self::NoTls => "the server at that port does not speak TLS, nothing was sent",
            Self::Timeout => "no whole answer came in time",
            Self::Interrupted => "the connection broke before the whole answer was there",
            Self::Unusable => "the HTTP client could not be used, nothing was sent",
        }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.failure.as_reason())
    }
}

impl fmt::Debug for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportError")
            .field("failure", &self.failure)
            .field("source", &self.source)
            .field("partial_response", &self.partial.is_some())
            .finish()
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
