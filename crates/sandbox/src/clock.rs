//! The sandbox's clock: the machine's, moved forward on request.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The furthest that a clock or a lifetime reaches, so that every time stays one that a calendar can print.
pub(crate) const FURTHEST: Duration = Duration::from_secs(100 * 365 * 86_400);

#[derive(Default)]
pub(crate) struct Clock {
    ahead: Mutex<Duration>,
}

impl Clock {
    pub(crate) fn now(&self) -> SystemTime {
        #[expect(clippy::disallowed_methods, reason = "a server's tokens end by its own clock; this is that clock")]
        let machine = SystemTime::now();
        machine + *self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the clock forward; what would pass 100 years in all stops there.
    pub(crate) fn advance(&self, by: Duration) {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        *ahead = ahead.saturating_add(by).min(FURTHEST);
    }
}

/// Whole seconds since the Unix epoch; 0 for a machine whose clock stands before it.
pub(crate) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Whole milliseconds since the Unix epoch.
pub(crate) fn unix_millis(time: SystemTime) -> u128 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}

/// The time as a calendar's, in whole seconds, for people and HTTP: RFC 3339 and RFC 9110 are printed from it.
pub(crate) fn timestamp(time: SystemTime) -> jiff::Timestamp {
    i64::try_from(unix_seconds(time))
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .unwrap_or(jiff::Timestamp::MAX)
}

/// The same to the millisecond.
pub(crate) fn precise_timestamp(time: SystemTime) -> jiff::Timestamp {
    i64::try_from(unix_millis(time))
        .ok()
        .and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok())
        .unwrap_or(jiff::Timestamp::MAX)
}
