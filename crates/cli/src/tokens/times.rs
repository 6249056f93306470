//! When given tokens expire: an instant, or a lifetime that counts from now.

use std::time::{Duration, SystemTime};

use rampauth_core::json::Json;
use rampauth_core::time::{from_unix_milliseconds, from_unix_seconds, parse_rfc3339};

/// Smaller numbers are no instants but lifetimes, of up to 31 years.
const FIRST_INSTANT: i64 = 1_000_000_000;
/// Larger ones are milliseconds.
const FIRST_IN_MILLISECONDS: i64 = 1_000_000_000_000;

/// RFC 3339, or Unix seconds as a number or a text (Alix writes a text), milliseconds from 1e12 on.
pub(super) fn instant(value: &Json<'_>) -> Option<SystemTime> {
    if let Some(time) = value.as_text().and_then(|text| parse_rfc3339(text.expose_secret().trim())) {
        return Some(time);
    }
    match number(value)? {
        milliseconds @ FIRST_IN_MILLISECONDS.. => from_unix_milliseconds(milliseconds),
        seconds @ FIRST_INSTANT.. => from_unix_seconds(seconds),
        _ => None,
    }
}

/// A number of seconds above zero.
pub(super) fn lifetime(value: &Json<'_>) -> Option<Duration> {
    let seconds = number(value).filter(|seconds| (1..FIRST_INSTANT).contains(seconds))?;
    u64::try_from(seconds).ok().map(Duration::from_secs)
}

fn number(value: &Json<'_>) -> Option<i64> {
    match value {
        Json::Integer(number) => Some(*number),
        Json::Float(number) => Some(*number as i64),
        Json::Text(text) => text.expose_secret().trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    #[test]
    fn instants_and_lifetimes_are_not_mistaken_for_each_other() {
        let read = |text: &str| {
            let json = Json::parse(text.as_bytes()).expect("JSON");
            let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).expect("after 1970");
            (instant(&json).map(since).map(|it| it.as_millis()), lifetime(&json).map(|it| it.as_secs()))
        };
        for (text, expected) in [
            (r#""2026-11-20T09:30:00Z""#, (Some(1_795_167_000_000), None)),
            ("1795167000", (Some(1_795_167_000_000), None)),
            (r#""1795167000""#, (Some(1_795_167_000_000), None)),
            ("1795167000123", (Some(1_795_167_000_123), None)),
            ("1795167000.5", (Some(1_795_167_000_000), None)),
            ("900", (None, Some(900))),
            (r#""900""#, (None, Some(900))),
            ("0", (None, None)),
            ("-1", (None, None)),
            ("true", (None, None)),
            (r#""2026-11-20T09:30:00""#, (None, None)),
            (r#""soon""#, (None, None)),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
