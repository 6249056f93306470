//! What all providers' answers share: the meaning of an HTTP status, `retry-after`, and a bounded JSON body.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Response, StatusCode, header};

use crate::json::Json;
use crate::time::parse_http_date;
use crate::transport::MAX_BODY_LENGTH;
use crate::{Clock, Error, ErrorKind, HttpClient, Outcome, SecretBytes};

/// A provider's answer, read once and asked by the provider's own rules. `content-type` is not consulted: an error page
/// is told by not being the JSON that is documented, and a right answer is not lost for a wrong label.
///
/// `Debug` shows the status alone: headers and body can hold tokens.
pub struct Answer {
    response: Response<Bytes>,
    received_at: SystemTime,
    action: &'static str,
}

impl Answer {
    /// Sends the request of the call that `action` names (`refresh the … tokens`) and receives the answer.
    ///
    /// # Errors
    ///
    /// No answer came; see [`TransportError::into_error`](crate::TransportError::into_error).
    pub async fn receive(
        http: &dyn HttpClient,
        clock: &dyn Clock,
        request: Request<Bytes>,
        action: &'static str,
    ) -> Result<Self, Error> {
        let response = http.send(request).await.map_err(|error| error.into_error(action))?;
        Ok(Self::new(response, clock.now(), action))
    }

    /// Takes a response that arrived at `received_at` to the call that `action` names (`refresh the … tokens`).
    pub fn new(response: Response<Bytes>, received_at: SystemTime, action: &'static str) -> Self {
        Self { response, received_at, action }
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// All headers.
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// A header's value, when it is there exactly once and is text.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        let mut values = self.response.headers().get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        }
    }

    /// The body as it came; a body over [`MAX_BODY_LENGTH`] is cut somewhere after that.
    pub fn body(&self) -> &Bytes {
        self.response.body()
    }

    /// The provider's clock, from the `date` header.
    pub fn date(&self) -> Option<SystemTime> {
        parse_http_date(self.header(&header::DATE)?)
    }

    /// This machine's clock when the answer was there.
    pub fn received_at(&self) -> SystemTime {
        self.received_at
    }

    /// `retry-after`, in seconds or as a date.
    pub fn retry_after(&self) -> Option<Duration> {
        let value = self.header(&header::RETRY_AFTER)?.trim();
        if let Ok(seconds) = value.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let now = self.date().unwrap_or(self.received_at);
        Some(parse_http_date(value)?.duration_since(now).unwrap_or(Duration::ZERO))
    }

    /// An error about this answer: its status and `retry-after` are kept.
    pub fn error(&self, kind: ErrorKind, outcome: Outcome, reason: impl Into<Cow<'static, str>>) -> Error {
        Error::new(kind, outcome, self.action, reason).with_status(self.status()).with_retry_after(self.retry_after())
    }

    /// The contract was broken on a success status: whatever the call did, it may have been done. The error keeps the
    /// body.
    pub fn protocol_error(&self, reason: impl Into<Cow<'static, str>>) -> Error {
        self.keep_body(self.error(ErrorKind::Protocol, Outcome::Unknown, reason))
    }

    /// Keeps this answer's body in an error, for a person to look at; nothing of an empty one.
    #[must_use]
    pub fn keep_body(&self, error: Error) -> Error {
        if self.body().is_empty() { error } else { error.with_body(SecretBytes::from(&self.body()[..])) }
    }

    /// What the status alone says; `None` for 2xx. The provider's own code may refine a 4xx, never another class.
    pub fn status_error(&self) -> Option<Error> {
        let (kind, outcome, reason) = match self.status().as_u16() {
            200..=299 => return None,
            // The server gave up waiting for the request: how much of it arrived is not known.
            408 => (ErrorKind::Timeout, Outcome::Unknown, "the provider stopped waiting for the request"),
            300..=399 => (ErrorKind::Protocol, Outcome::Unknown, "the provider redirected, which is never followed"),
            500..=599 => (ErrorKind::Server, Outcome::Unknown, "the provider failed"),
            429 => (ErrorKind::RateLimited, Outcome::Refused, "the provider turned the call away as one too many"),
            401 => (ErrorKind::Unauthorized, Outcome::Refused, "the provider does not accept the caller"),
            403 => (ErrorKind::Forbidden, Outcome::Refused, "the provider forbids the call"),
            404 | 405 => (ErrorKind::WrongEndpoint, Outcome::Refused, "the provider has no such call at this address"),
            400..=499 => (ErrorKind::Refused, Outcome::Refused, "the provider refused"),
            _ => (ErrorKind::Protocol, Outcome::Unknown, "the provider answered with an unknown status"),
        };
        Some(self.error(kind, outcome, reason))
    }

    /// The body of a success.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] when it is empty, over 64 KiB or no JSON.
    pub fn json(&self) -> Result<Json<'_>, Error> {
        if self.body().is_empty() {
            return Err(self.protocol_error("the answer is empty"));
        }
        if self.body().len() > MAX_BODY_LENGTH {
            return Err(self.protocol_error("the answer is longer than 64 KiB"));
        }
        Json::parse(self.body()).map_err(|(line, column)| {
            self.protocol_error(format!("the answer is not JSON (line {line}, column {column})"))
        })
    }

    /// The body of an error, if it happens to be JSON of a sane length.
    pub fn error_json(&self) -> Option<Json<'_>> {
        self.json().ok()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("action", &self.action)
            .field("status", &self.status().as_u16())
            .field("received_at", &self.received_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    fn answer(status: u16, headers: &[(&str, &str)], body: &'static [u8]) -> Answer {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let response = response.body(Bytes::from_static(body)).expect("a response");
        Answer::new(response, UNIX_EPOCH + Duration::from_secs(1_000), "test")
    }

    #[test]
    fn each_status_has_its_kind_and_outcome() {
        use ErrorKind::{Forbidden, Protocol, RateLimited, Refused, Server, Timeout, Unauthorized, WrongEndpoint};
        for (status, expected) in [
            (200, None),
            (204, None),
            (302, Some((Protocol, Outcome::Unknown))),
            (304, Some((Protocol, Outcome::Unknown))),
            (400, Some((Refused, Outcome::Refused))),
            (401, Some((Unauthorized, Outcome::Refused))),
            (403, Some((Forbidden, Outcome::Refused))),
            (404, Some((WrongEndpoint, Outcome::Refused))),
            (405, Some((WrongEndpoint, Outcome::Refused))),
            (408, Some((Timeout, Outcome::Unknown))),
            (422, Some((Refused, Outcome::Refused))),
            (429, Some((RateLimited, Outcome::Refused))),
            (500, Some((Server, Outcome::Unknown))),
            (503, Some((Server, Outcome::Unknown))),
            (599, Some((Server, Outcome::Unknown))),
            (101, Some((Protocol, Outcome::Unknown))),
            (799, Some((Protocol, Outcome::Unknown))),
        ] {
            let error = answer(status, &[], b"").status_error();
            assert_eq!(error.as_ref().map(|error| (error.kind(), error.outcome())), expected, "{status}");
            assert!(error.is_none_or(|error| error.status() == Some(status)));
        }
    }

    #[test]
    fn retry_after_in_seconds_as_a_date_or_not_at_all() {
        let wait = |headers: &[(&str, &str)]| answer(429, headers, b"").retry_after();
        assert_eq!(wait(&[("retry-after", "17")]), Some(Duration::from_secs(17)));
        assert_eq!(wait(&[("retry-after", "Thu, 01 Jan 1970 00:17:00 GMT")]), Some(Duration::from_secs(20)));
        let dated = [("retry-after", "Thu, 01 Jan 1970 00:17:00 GMT"), ("date", "Thu, 01 Jan 1970 00:16:00 GMT")];
        assert_eq!(wait(&dated), Some(Duration::from_secs(60)));
        assert_eq!(wait(&[("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT")]), Some(Duration::ZERO));
        for odd in ["", "soon", "-1", "99999999999999999999999"] {
            assert_eq!(wait(&[("retry-after", odd)]), None, "{odd}");
        }
        assert_eq!(wait(&[("retry-after", "1"), ("retry-after", "2")]), None);
    }

    #[test]
    fn a_body_is_bounded_json() {
        let message = |body| answer(200, &[], body).json().expect_err("refused").to_string();
        assert_eq!(message(b""), "failed to test: the answer is empty (status 200)");
        assert_eq!(message(b"<html>"), "failed to test: the answer is not JSON (line 1, column 1) (status 200)");
        let long: &'static [u8] = Box::leak(vec![b' '; MAX_BODY_LENGTH + 1].into_boxed_slice());
        assert_eq!(message(long), "failed to test: the answer is longer than 64 KiB (status 200)");
        let kept =
            |body| answer(200, &[], body).json().expect_err("refused").body().map(|body| body.expose_secret().len());
        assert_eq!([kept(b""), kept(b"\xff\xfe"), kept(long)], [None, Some(2), Some(MAX_BODY_LENGTH + 1)]);
        assert!(answer(400, &[], b"{}").error_json().is_some() && answer(400, &[], b"<").error_json().is_none());
    }
}
