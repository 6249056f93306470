//! Times as stored text has them.

use std::time::SystemTime;

use jiff::Timestamp;

/// A time outside the calendar, which no clock shows, becomes its nearer end.
pub(crate) fn to_text(time: SystemTime) -> Timestamp {
    let end = if time < SystemTime::UNIX_EPOCH { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::try_from(time).unwrap_or(end)
}

/// The time as this platform has it. Windows has none before 1601: such a time has long passed, and 1970 says so too.
pub(crate) fn from_text(time: Timestamp) -> SystemTime {
    SystemTime::try_from(time).unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::time::Duration;

    #[test]
    fn a_time_comes_back_as_it_was_and_one_outside_the_calendar_as_its_end() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_nanos(1_796_000_000_123_456_789);
        let early = SystemTime::UNIX_EPOCH - Duration::from_nanos(1);
        for time in [now, early, SystemTime::UNIX_EPOCH] {
            assert_eq!(from_text(to_text(time)), time);
        }
        let beyond = Duration::from_secs(400_000_000_000);
        assert_eq!(to_text(SystemTime::UNIX_EPOCH + beyond), Timestamp::MAX);
        #[cfg(unix)]
        assert_eq!(to_text(SystemTime::UNIX_EPOCH - beyond), Timestamp::MIN);
    }
}
