//! A provider's clock beside this machine's: the `date` headers that a provider may send, and what each makes of an expiry.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A `date` header, and what follows from it for a token that this answer grants.
#[derive(Clone, Debug)]
pub struct DateCase {
    /// The header; `None` where the answer has none.
    pub date: Option<String>,
    /// By how many seconds the expiry that the provider states is later by this machine's clock; below zero: earlier.
    pub later: i64,
    /// By how many seconds this machine's clock is ahead of the provider's, as the answer tells; `None` where it does not.
    pub ahead: Option<i64>,
}

const DAY: i64 = 86_400;

/// Every kind of `date` header, for an answer that arrives at `now` by this machine's clock.
pub fn date_cases(now: SystemTime) -> Vec<DateCase> {
    let mut cases: Vec<_> = [0, 1, 59, 61, 20 * 60, DAY, DAY + 1]
        .into_iter()
        .flat_map(|off| [off, -off])
        .map(|ahead| DateCase {
            date: Some(http_date(moved(now, -ahead))),
            // What is more than a day off is no clock that a life may be counted by.
            later: if ahead.abs() <= DAY { ahead } else { 0 },
            ahead: Some(ahead),
        })
        .collect();
    for date in [None, Some("yesterday"), Some("Fri, 31 Feb 2026 09:30:00 GMT"), Some("")] {
        cases.push(DateCase { date: date.map(str::to_owned), later: 0, ahead: None });
    }
    cases
}

/// A time moved by that many seconds.
pub fn moved(time: SystemTime, seconds: i64) -> SystemTime {
    let by = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { time - by } else { time + by }
}

/// A time as an HTTP header has it (RFC 9110, section 5.6.7), in whole seconds.
pub fn http_date(time: SystemTime) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = time.duration_since(UNIX_EPOCH).expect("a time after 1970").as_secs();
    let (days, seconds) = (seconds / 86_400, seconds % 86_400);
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let (mut year, mut day) = (1970, days);
    while day >= 365 + u64::from(is_leap(year)) {
        day -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while day >= lengths[month] {
        day -= lengths[month];
        month += 1;
    }
    let (name, month) = (DAYS[usize::try_from(days % 7).expect("a small number")], MONTHS[month]);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{name}, {:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT", day + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_as_a_header_has_it() {
        for (seconds, expected) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_795_167_000, "Fri, 20 Nov 2026 09:30:00 GMT"),
        ] {
            assert_eq!(http_date(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }
}
