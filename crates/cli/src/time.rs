//! Times as they are printed: RFC 3339 for programs, words for people.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use rampauth_core::Expiry;

/// `2026-11-20T09:30:00Z`, with the fraction cut; `None` for a time outside the calendar.
pub(crate) fn rfc3339(time: SystemTime) -> Option<String> {
    let time = Timestamp::try_from(time).ok()?;
    Some(Timestamp::from_second(time.as_second()).ok()?.to_string())
}

/// The provider's own word on when a token expires; a time that was only assumed is none, or reading it back would make
/// it one that was told.
pub(crate) fn told(expiry: Expiry) -> Option<String> {
    match expiry {
        Expiry::At(time) => rfc3339(time),
        _ => None,
    }
}

/// `in 14 min 59 s`, `12 s ago`, `unknown`.
pub(crate) fn in_words(expiry: Expiry, now: SystemTime) -> String {
    let Some(time) = expiry.time() else { return "unknown".to_owned() };
    let words = match time.duration_since(now) {
        Ok(left) => format!("in {}", duration(left)),
        Err(past) => format!("{} ago", duration(past.duration())),
    };
    if matches!(expiry, Expiry::Assumed(_)) { format!("{words} (assumed)") } else { words }
}

/// The two largest units, rounded down.
fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes, seconds % 60) {
        (0, 0, 0, seconds) => format!("{seconds} s"),
        (0, 0, minutes, 0) => format!("{minutes} min"),
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (0, hours, 0, _) => format!("{hours} h"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, 0, _, _) => format!("{days} d"),
        (days, hours, _, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn fractions_are_cut() {
        let time = at(1_795_167_000) + Duration::from_millis(999);
        assert_eq!(rfc3339(time).as_deref(), Some("2026-11-20T09:30:00Z"));
        assert_eq!(told(Expiry::At(time)).as_deref(), Some("2026-11-20T09:30:00Z"));
        assert_eq!([told(Expiry::Assumed(time)), told(Expiry::Unknown)], [None, None]);
    }

    #[test]
    fn two_units_of_words() {
        for (seconds, words) in [
            (0, "in 0 s"),
            (59, "in 59 s"),
            (60, "in 1 min"),
            (899, "in 14 min 59 s"),
            (3_600, "in 1 h"),
            (3_599 + 3_600, "in 1 h 59 min"),
            (86_400, "in 1 d"),
            (30 * 86_400 - 1, "in 29 d 23 h"),
        ] {
            assert_eq!(in_words(Expiry::At(at(1_000 + seconds)), at(1_000)), words);
        }
        assert_eq!(in_words(Expiry::At(at(988)), at(1_000)), "12 s ago");
        assert_eq!(in_words(Expiry::Assumed(at(1_060)), at(1_000)), "in 1 min (assumed)");
        assert_eq!(in_words(Expiry::Unknown, at(0)), "unknown");
    }
}
