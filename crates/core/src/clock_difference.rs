//! How far this machine's clock is from a provider's.

use std::fmt;
use std::time::{Duration, SystemTime};

/// How far this machine's clock is from a provider's, as the `date` header of an answer shows it.
///
/// It explains expiries that look odd and times that a provider refuses. `Display` says it in a sentence: `this machine's
/// clock is 20 min ahead of the provider's`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockDifference {
    /// In milliseconds; above zero where this machine's clock is ahead.
    ahead: i64,
}

impl ClockDifference {
    /// The largest difference that nobody needs to know: one minute. Clocks that are kept in time differ by less than a
    /// second, and a `date` header counts whole seconds.
    pub const NOTABLE: Duration = Duration::from_secs(60);

    /// The difference between this machine's clock and the provider's, read at the same time.
    pub fn between(local: SystemTime, provider: SystemTime) -> Self {
        let milliseconds = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let ahead = match local.duration_since(provider) {
            Ok(ahead) => milliseconds(ahead),
            Err(behind) => -milliseconds(behind.duration()),
        };
        Self { ahead }
    }

    /// A difference that was stored: the milliseconds by which this machine's clock is ahead, below zero where it is behind.
    pub const fn from_milliseconds(ahead: i64) -> Self {
        Self { ahead }
    }

    /// The milliseconds by which this machine's clock is ahead, below zero where it is behind.
    pub const fn milliseconds(self) -> i64 {
        self.ahead
    }

    /// By how much the two clocks differ.
    pub const fn by(self) -> Duration {
        Duration::from_millis(self.ahead.unsigned_abs())
    }

    /// Whether this machine's clock is ahead of the provider's.
    pub const fn is_ahead(self) -> bool {
        self.ahead > 0
    }

    /// Whether the clocks differ by more than [`NOTABLE`](Self::NOTABLE).
    pub fn is_notable(self) -> bool {
        self.by() > Self::NOTABLE
    }
}

impl fmt::Display for ClockDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 3] = [(86_400_000, "days"), (3_600_000, "h"), (60_000, "min")];
        let by = self.ahead.unsigned_abs();
        // A unit is used from two of it on, so that rounding to a whole number says enough.
        let unit = UNITS.into_iter().find(|(unit, _)| by >= 2 * unit);
        let (unit, name) = unit.unwrap_or((1_000, "s"));
        let count = by.saturating_add(unit / 2) / unit;
        if count == 0 {
            return f.write_str("this machine's clock agrees with the provider's");
        }
        let direction = if self.is_ahead() { "ahead of" } else { "behind" };
        write!(f, "this machine's clock is {count} {name} {direction} the provider's")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    #[test]
    fn a_difference_has_a_direction() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let ahead = ClockDifference::between(at(100), at(39));
        assert_eq!((ahead.by(), ahead.is_ahead(), ahead.is_notable()), (Duration::from_secs(61), true, true));
        let behind = ClockDifference::between(at(39), at(100));
        assert_eq!((behind.by(), behind.is_ahead(), behind.is_notable()), (Duration::from_secs(61), false, true));
        assert!(!ClockDifference::between(at(100), at(40)).is_notable());
        for difference in [ahead, behind] {
            assert_eq!(ClockDifference::from_milliseconds(difference.milliseconds()), difference);
        }
    }

    #[test]
    fn a_difference_is_said_in_the_unit_that_fits() {
        let said = |milliseconds| ClockDifference::from_milliseconds(milliseconds).to_string();
        assert_eq!(said(499), "this machine's clock agrees with the provider's");
        assert_eq!(said(-500), "this machine's clock is 1 s behind the provider's");
        assert_eq!(said(61_000), "this machine's clock is 61 s ahead of the provider's");
        assert_eq!(said(-119_400), "this machine's clock is 119 s behind the provider's");
        assert_eq!(said(1_200_000), "this machine's clock is 20 min ahead of the provider's");
        assert_eq!(said(-7_200_000), "this machine's clock is 2 h behind the provider's");
        assert_eq!(said(172_800_000), "this machine's clock is 2 days ahead of the provider's");
        assert!(said(i64::MIN).ends_with(" days behind the provider's"));
    }
}
