//! What all providers' answers share: the meaning of an HTTP status, `retry-after`, and a bounded JSON body.

mod receive;
mod recovery;

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Response, StatusCode, header};

use crate::content_coding::{Decoded, decode};
use crate::json::Json;
use crate::time::parse_http_date;
use crate::transport::MAX_BODY_LENGTH;
use crate::{
    AccessToken, ClockDifference, Error, ErrorKind, Expiry, Granted, Outcome, RefreshCredential, RefreshToken,
    SecretBytes, SessionKind,
};

/// The largest difference between a `date` header and this machine's clock at which the header is taken for the provider's
/// time: one day. What is farther off is a header that nobody keeps right.
const FARTHEST_DATE: Duration = Duration::from_secs(86_400);

/// A provider's answer, read once and asked by the provider's own rules. `content-type` is not consulted: an error page
/// is told by not being the JSON that is documented, and a right answer is not lost for a wrong label. Nor is it for a
/// `content-encoding` that was not asked for: gzip and deflate are decoded, within [`MAX_BODY_LENGTH`].
///
/// `Debug` shows the status alone: headers and body can hold tokens.
pub struct Answer {
    response: Response<Bytes>,
    sent_at: SystemTime,
    received_at: SystemTime,
    action: &'static str,
    /// Why the end of the body is missing, where it is.
    cut: Option<Error>,
    /// Whether the body is said to be compressed, and could not be decoded.
    unreadable: bool,
    /// The body as this answer's errors keep it. There can be thousands of them, one for each object among other text.
    kept: OnceLock<SecretBytes>,
}

impl Answer {
    /// Takes a response that arrived at `received_at` to the call that `action` names (`refresh the … tokens`). It counts as
    /// sent at the same time; see [`with_sent_at`](Self::with_sent_at).
    pub fn new(mut response: Response<Bytes>, received_at: SystemTime, action: &'static str) -> Self {
        let (mut cut, mut unreadable) = (None, false);
        match decode(response.headers(), response.body()) {
            Decoded::Plain => {}
            Decoded::Unreadable => unreadable = true,
            Decoded::Whole(body) => *response.body_mut() = body,
            Decoded::Cut(body) => {
                *response.body_mut() = body;
                let reason = "the answer is compressed, and its end is missing or damaged";
                cut = Some(Error::new(ErrorKind::Interrupted, Outcome::Unknown, action, reason));
            }
        }
        Self { response, sent_at: received_at, received_at, action, cut, unreadable, kept: OnceLock::new() }
    }

    /// Sets when the request was sent, by this machine's clock.
    #[must_use]
    pub fn with_sent_at(mut self, sent_at: SystemTime) -> Self {
        self.sent_at = sent_at;
        self
    }

    /// Whether the body is there to its end.
    pub fn is_whole(&self) -> bool {
        self.cut.is_none()
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

    /// The body, decoded if it was compressed; a body over [`MAX_BODY_LENGTH`] is cut somewhere after that.
    pub fn body(&self) -> &Bytes {
        self.response.body()
    }

    /// The provider's clock, from the `date` header.
    pub fn date(&self) -> Option<SystemTime> {
        parse_http_date(self.header(&header::DATE)?)
    }

    /// This machine's clock before the request was sent.
    pub fn sent_at(&self) -> SystemTime {
        self.sent_at
    }

    /// This machine's clock when the answer was there.
    pub fn received_at(&self) -> SystemTime {
        self.received_at
    }

    /// How far this machine's clock is from the provider's; `None` without a readable `date`.
    ///
    /// The provider wrote its `date` between the sending and the arrival: a `date` in that time is no difference.
    pub fn clock_difference(&self) -> Option<ClockDifference> {
        let date = self.date()?;
        Some(ClockDifference::between(date.clamp(self.sent_at, self.sent_at.max(self.received_at)), date))
    }

    /// An expiry that the provider wrote, by this machine's clock: the token's life, which is the expiry less `date`, counted
    /// from the sending. A token is then never used past its end, whatever this machine's clock shows.
    ///
    /// Without a `date`, with one that is more than a day off, and with one that is less than a second off (it counts whole
    /// seconds) the provider's instant stands. A lifetime in seconds needs no correction: count it from
    /// [`sent_at`](Self::sent_at).
    pub fn local_expiry(&self, expiry: Expiry) -> Expiry {
        let Some(date) = self.usable_date() else { return expiry };
        let moved = |time: SystemTime| match self.sent_at.duration_since(date) {
            Ok(ahead) if ahead >= Duration::from_secs(1) => time.checked_add(ahead).unwrap_or(time),
            Err(behind) if behind.duration() >= Duration::from_secs(1) => {
                time.checked_sub(behind.duration()).unwrap_or(time)
            }
            _ => time,
        };
        match expiry {
            Expiry::At(time) => Expiry::At(moved(time)),
            Expiry::Assumed(time) => Expiry::Assumed(moved(time)),
            Expiry::Unknown => Expiry::Unknown,
        }
    }

    /// Whether a time that the provider wrote had passed when it answered, by its own clock; by this machine's at the arrival
    /// where the answer has no usable `date`.
    pub fn had_passed(&self, time: SystemTime) -> bool {
        time <= self.usable_date().unwrap_or(self.received_at)
    }

    fn usable_date(&self) -> Option<SystemTime> {
        let date = self.date()?;
        (ClockDifference::between(self.sent_at, date).by() <= FARTHEST_DATE).then_some(date)
    }

    /// The tokens of this answer, see [`Granted::new`]. The expiries are by this machine's clock, see
    /// [`local_expiry`](Self::local_expiry).
    pub fn grant<K: SessionKind>(
        &self,
        presented: &RefreshCredential<K>,
        access: (AccessToken, Expiry),
        refresh_token: Option<RefreshToken>,
        refresh_expiry: Expiry,
    ) -> Granted<K> {
        Granted::new(presented, access, refresh_token, refresh_expiry).with_clock_difference(self.clock_difference())
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

    /// An error about this answer: its status, `retry-after` and the clocks' difference are kept.
    pub fn error(&self, kind: ErrorKind, outcome: Outcome, reason: impl Into<Cow<'static, str>>) -> Error {
        Error::new(kind, outcome, self.action, reason)
            .with_status(self.status())
            .with_retry_after(self.retry_after())
            .with_clock_difference(self.clock_difference())
    }

    /// The contract was broken on a success status: whatever the call did, it may have been done. The error keeps the
    /// body.
    pub fn protocol_error(&self, reason: impl Into<Cow<'static, str>>) -> Error {
        self.keep_body(self.error(ErrorKind::Protocol, Outcome::Unknown, reason))
    }

    /// Keeps this answer's body in an error, for a person to look at; nothing of an empty one.
    #[must_use]
    pub fn keep_body(&self, error: Error) -> Error {
        if self.body().is_empty() {
            return error;
        }
        error.with_body(self.kept.get_or_init(|| SecretBytes::from(&self.body()[..])).clone())
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
    /// [`ErrorKind::Protocol`] when it is empty, over 64 KiB or no JSON. The error keeps the body.
    pub fn json(&self) -> Result<Json<'_>, Error> {
        self.parse().map_err(|reason| self.protocol_error(reason))
    }

    /// The body of an error, if it happens to be JSON of a sane length.
    pub fn error_json(&self) -> Option<Json<'_>> {
        self.parse().ok()
    }

    fn parse(&self) -> Result<Json<'_>, Cow<'static, str>> {
        if self.body().is_empty() {
            return Err("the answer is empty".into());
        }
        if self.body().len() > MAX_BODY_LENGTH {
            return Err("the answer is longer than 64 KiB".into());
        }
        Json::parse(self.body()).map_err(|(line, column)| {
            if self.unreadable {
                return "the answer is compressed in a way that was not asked for and cannot be read".into();
            }
            format!("the answer is not JSON (line {line}, column {column})").into()
        })
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
        assert_eq!(wait(&[("retry-after", " 0 ")]), Some(Duration::ZERO));
        assert_eq!(wait(&[("retry-after", "18446744073709551615")]), Some(Duration::from_secs(u64::MAX)));
        // The moment of the answer is no time to wait, and a second after it is one.
        assert_eq!(wait(&[("retry-after", "Thu, 01 Jan 1970 00:16:40 GMT")]), Some(Duration::ZERO));
        assert_eq!(wait(&[("retry-after", "Thu, 01 Jan 1970 00:16:41 GMT")]), Some(Duration::from_secs(1)));
        for odd in ["", "soon", "-1", "1.5", "18446744073709551616", "99999999999999999999999"] {
            assert_eq!(wait(&[("retry-after", odd)]), None, "{odd}");
        }
        assert_eq!(wait(&[("retry-after", "1"), ("retry-after", "2")]), None);
    }

    /// An answer that was sent at 2,000,000 s and arrived two seconds later, with a `date` that far from the sending.
    fn dated(seconds_ahead: i64) -> Answer {
        let date = Duration::from_secs(2_000_000_u64.checked_add_signed(-seconds_ahead).expect("a time"));
        let date = jiff::Timestamp::try_from(UNIX_EPOCH + date).expect("a timestamp");
        let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&date).expect("a date");
        let response = Response::builder().header("date", date).body(Bytes::new()).expect("a response");
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        Answer::new(response, at(2_000_002), "test").with_sent_at(at(2_000_000))
    }

    #[test]
    fn a_life_is_counted_by_the_providers_clock_from_the_sending() {
        let time = UNIX_EPOCH + Duration::from_secs(2_009_000);
        for (seconds_ahead, moved_by) in [
            (0, 0),
            (1, 1),
            (59, 59),
            (61, 61),
            (1_200, 1_200),
            (86_400, 86_400),
            (86_401, 0),
            (-1, -1),
            (-59, -59),
            (-61, -61),
            (-1_200, -1_200),
            (-86_400, -86_400),
            (-86_401, 0),
        ] {
            let moved = UNIX_EPOCH + Duration::from_secs(2_009_000_u64.checked_add_signed(moved_by).expect("a time"));
            let answer = dated(seconds_ahead);
            assert_eq!(answer.local_expiry(Expiry::At(time)), Expiry::At(moved), "{seconds_ahead}");
            assert_eq!(answer.local_expiry(Expiry::Assumed(time)), Expiry::Assumed(moved), "{seconds_ahead}");
            assert_eq!(answer.local_expiry(Expiry::Unknown), Expiry::Unknown);
        }
        for odd in [&[][..], &[("date", "yesterday")], &[("date", "Sat, 24 Jan 1970 03:33:20 GMT"); 2]] {
            assert_eq!(answer(200, odd, b"").local_expiry(Expiry::At(time)), Expiry::At(time), "{odd:?}");
            assert_eq!(answer(200, odd, b"").clock_difference(), None, "{odd:?}");
        }
        // A difference of less than a second is none that the header can show.
        let moved = |at| dated(0).with_sent_at(UNIX_EPOCH + Duration::from_millis(at)).local_expiry(Expiry::At(time));
        assert_eq!([2_000_000_999, 1_999_999_001].map(moved), [Expiry::At(time); 2]);
    }

    #[test]
    fn the_clocks_difference_is_what_the_way_of_the_call_does_not_explain() {
        for (seconds_ahead, difference) in [(0, 0), (1, 1_000), (61, 61_000), (-2, 0), (-3, -1_000), (-63, -61_000)] {
            let seen = dated(seconds_ahead).clock_difference();
            assert_eq!(seen, Some(ClockDifference::from_milliseconds(difference)), "{seconds_ahead}");
            let error = dated(seconds_ahead).protocol_error("odd");
            assert_eq!(error.clock_difference(), seen);
        }
        // Too far for a correction, and all the more worth saying.
        let difference = dated(100_000).clock_difference().expect("a difference");
        assert_eq!(difference.to_string(), "this machine's clock is 28 h ahead of the provider's");
    }

    #[test]
    fn what_has_passed_is_judged_by_the_providers_clock() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        // The provider's clock shows 1,998,800 s, this machine's 2,000,000 s.
        let answer = dated(1_200);
        assert!(answer.had_passed(at(1_998_800)) && !answer.had_passed(at(1_998_801)));
        // Without a usable date this machine's own clock at the arrival.
        let answer = dated(86_401);
        assert!(answer.had_passed(at(2_000_002)) && !answer.had_passed(at(2_000_003)));
    }

    #[test]
    fn a_body_is_bounded_json() {
        let message = |body| answer(200, &[], body).json().expect_err("refused").to_string();
        assert_eq!(message(b""), "failed to test: the answer is empty (status 200)");
        assert_eq!(message(b"<html>"), "failed to test: the answer is not JSON (line 1, column 1) (status 200)");
        let long: &'static [u8] = Box::leak(vec![b' '; MAX_BODY_LENGTH + 1].into_boxed_slice());
        assert_eq!(message(long), "failed to test: the answer is longer than 64 KiB (status 200)");
        let whole = Box::leak(("{}".to_owned() + &" ".repeat(MAX_BODY_LENGTH - 2)).into_boxed_str());
        assert!(answer(200, &[], whole.as_bytes()).json().is_ok());
        let kept =
            |body| answer(200, &[], body).json().expect_err("refused").body().map(|body| body.expose_secret().len());
        assert_eq!([kept(b""), kept(b"\xff\xfe"), kept(long)], [None, Some(2), Some(MAX_BODY_LENGTH + 1)]);
        assert!(answer(400, &[], b"{}").error_json().is_some() && answer(400, &[], b"<").error_json().is_none());
    }
}
