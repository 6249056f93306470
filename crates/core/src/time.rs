//! Reading the times that providers write. What cannot be read is `None`, never a guess.
//!
//! Times before 1970 and after 9999-12-30T22:00:00.999999999Z (the last with a date of four digits in every time zone) are
//! none that a token means: they are `None` too.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// Reads an RFC 3339 date-time: `Z` or an offset up to 23:59, any case, fractions of a second of any length (what is finer
/// than a nanosecond is cut), a leap second as the second before it.
///
/// A date-time without an offset is not a point in time, and gives `None`.
pub fn parse_rfc3339(text: &str) -> Option<SystemTime> {
    // The parser takes more of ISO 8601 than RFC 3339 allows: a time without separators, minutes or seconds, years of more
    // digits, a decimal comma, offsets of days, a time zone in brackets. Whoever writes those may mean something else by
    // them. And it takes no more than nine digits of a fraction.
    let (date_time, rest) = text.split_at_checked(19)?;
    let digits = rest.strip_prefix('.').map_or("", |rest| &rest[..rest.bytes().take_while(u8::is_ascii_digit).count()]);
    let offset = if digits.is_empty() { rest } else { &rest[1 + digits.len()..] };
    if !(has_shape(date_time, b"0000-00-00T00:00:00") && is_offset(offset)) {
        return None;
    }
    let fraction = &digits[..digits.len().min(9)];
    let point = if fraction.is_empty() { "" } else { "." };
    from_timestamp([date_time, point, fraction, offset].concat().parse::<Timestamp>().ok()?)
}

fn is_offset(text: &str) -> bool {
    let number = |range| text.get(range).and_then(|digits: &str| digits.parse::<u8>().ok());
    let has_sign = has_shape(text, b"+00:00") || has_shape(text, b"-00:00");
    matches!(text, "Z" | "z")
        || has_sign && number(1..3).is_some_and(|hours| hours < 24) && number(4..6).is_some_and(|minutes| minutes < 60)
}

/// Whether the text is the pattern, in which `0` stands for any digit and `T` for what may stand between date and time.
fn has_shape(text: &str, pattern: &[u8]) -> bool {
    text.len() == pattern.len()
        && text.bytes().zip(pattern).all(|(byte, wanted)| match wanted {
            b'0' => byte.is_ascii_digit(),
            b'T' => matches!(byte, b'T' | b't' | b' '),
            wanted => byte == *wanted,
        })
}

/// Reads an HTTP date such as `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7).
pub fn parse_http_date(text: &str) -> Option<SystemTime> {
    from_timestamp(DateTimeParser::new().parse_timestamp(text).ok()?)
}

/// Reads a Unix time in seconds; `None` outside the [calendar](self).
pub fn from_unix_seconds(seconds: i64) -> Option<SystemTime> {
    from_timestamp(Timestamp::from_second(seconds).ok()?)
}

/// Reads a Unix time in milliseconds; `None` outside the [calendar](self).
pub fn from_unix_milliseconds(milliseconds: i64) -> Option<SystemTime> {
    from_timestamp(Timestamp::from_millisecond(milliseconds).ok()?)
}

/// The whole milliseconds since 1970 of a time; 0 for a time before it, `u64::MAX` for one they cannot count.
pub fn to_unix_milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn from_timestamp(timestamp: Timestamp) -> Option<SystemTime> {
    let since = Duration::try_from(timestamp.duration_since(Timestamp::UNIX_EPOCH)).ok()?;
    UNIX_EPOCH.checked_add(since)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64, millis: u64) -> Option<SystemTime> {
        Some(UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_millis(millis))
    }

    #[test]
    fn rfc3339_in_all_its_spellings() {
        for (text, expected) in [
            ("2026-11-20T09:30:00Z", at(1_795_167_000, 0)),
            ("2026-11-20t09:30:00z", at(1_795_167_000, 0)),
            ("2026-11-20T10:30:00.250+01:00", at(1_795_167_000, 250)),
            ("2016-12-31T23:59:60Z", at(1_483_228_799, 0)),
            ("2026-11-20T09:30:00", None),
            ("2026-11-20", None),
            ("1795167000", None),
            ("2026-11-20T09:30:00+01:00[Europe/Paris]", None),
            ("20261120T093000Z", None),
            ("2026-11-20T09:30Z", None),
            ("2026-11-20T09:30:00+01", None),
            ("2026-11-20T09:30:00,5Z", None),
            ("+002026-11-20T09:30:00Z", None),
            ("1969-12-31T23:59:59Z", None),
            ("", None),
            // A fraction of any length, but not of none.
            ("2026-11-20T09:30:00.5Z", at(1_795_167_000, 500)),
            ("2026-11-20T09:30:00.250000000Z", at(1_795_167_000, 250)),
            ("2026-11-20T09:30:00.2500000009Z", at(1_795_167_000, 250)),
            ("2026-11-20T10:30:00.250000000000000000000000000000+01:00", at(1_795_167_000, 250)),
            ("2026-11-20T09:30:00.Z", None),
            ("2026-11-20T09:30:00.+01:00", None),
            ("2026-11-20T09:30:00.25", None),
            ("2026-11-20T09:30:00.2500000009", None),
            ("2026-11-20T09:30:00.25.5Z", None),
            // Offsets: hours to 23, minutes to 59.
            ("2026-11-21T09:29:00+23:59", at(1_795_167_000, 0)),
            ("2026-11-19T09:31:00-23:59", at(1_795_167_000, 0)),
            ("2026-11-20T09:30:00-00:00", at(1_795_167_000, 0)),
            ("2026-11-21T09:30:00+24:00", None),
            ("2026-11-19T09:30:00-24:00", None),
            ("2026-11-20T09:30:00+00:60", None),
            ("2026-11-20T09:30:00+25:59", None),
            ("2026-11-20T09:30:00+99:99", None),
            ("2026-11-20T09:30:00+1:00", None),
            ("2026-11-20T09:30:00+01:00:00", None),
            ("2026-11-20T09:30:00+0100", None),
            ("2026-11-20T09:30:00 Z", None),
            ("2026-11-20T09:30:00ZZ", None),
            ("2026-11-20T09:30:00\u{661}", None),
            // Each field at its end.
            ("2026-12-31T23:59:59Z", at(1_798_761_599, 0)),
            ("2024-02-29T00:00:00Z", at(1_709_164_800, 0)),
            ("2026-02-29T00:00:00Z", None),
            ("2026-00-20T09:30:00Z", None),
            ("2026-13-20T09:30:00Z", None),
            ("2026-11-00T09:30:00Z", None),
            ("2026-11-31T09:30:00Z", None),
            ("2026-11-20T24:00:00Z", None),
            ("2026-11-20T09:60:00Z", None),
            ("2026-11-20T09:30:61Z", None),
            ("1970-01-01T00:00:00Z", at(0, 0)),
            ("1969-12-31T23:59:59.999999999Z", None),
            (
                "9999-12-30T22:00:00.999999999Z",
                from_unix_seconds(253_402_207_200).and_then(|time| time.checked_add(Duration::from_nanos(999_999_999))),
            ),
            ("9999-12-30T22:00:01Z", None),
        ] {
            assert_eq!(parse_rfc3339(text), expected, "{text}");
        }
    }

    #[test]
    fn http_dates() {
        assert_eq!(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), at(784_111_777, 0));
        assert_eq!(parse_http_date("06 November"), None);
    }

    #[test]
    fn unix_times_outside_the_calendar_are_none() {
        assert_eq!(from_unix_seconds(1_731_314_878), at(1_731_314_878, 0));
        assert_eq!(from_unix_milliseconds(1_731_314_878_500), at(1_731_314_878, 500));
        assert_eq!(from_unix_seconds(-1), None);
        assert_eq!(from_unix_seconds(i64::MAX), None);
        assert_eq!(from_unix_milliseconds(i64::MIN), None);
        assert_eq!(to_unix_milliseconds(UNIX_EPOCH - Duration::from_secs(1)), 0);
    }
}
