//! The wall clock that the keeper goes by, and the machine's boot-time clock beside it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rampauth_core::Clock;

/// The machine's own, or one that was given.
pub(crate) enum WallClock {
    /// As cheap as the system has it: on Linux the one that goes on with the timer's interrupt, every 1 to 10 ms.
    Machine,
    Given(Arc<dyn Clock>),
}

impl WallClock {
    pub(crate) fn now(&self) -> SystemTime {
        match self {
            Self::Machine => machine::now(),
            Self::Given(clock) => clock.now(),
        }
    }

    /// Now, as [`nanoseconds`] counts.
    #[inline]
    pub(crate) fn nanoseconds(&self) -> i64 {
        match self {
            Self::Machine => machine::nanoseconds(),
            Self::Given(clock) => nanoseconds(clock.now()),
        }
    }
}

/// By the boot-time clock, which nobody sets and which counts time asleep; `None` where there is none.
pub(crate) fn since_boot() -> Option<Duration> {
    machine::since_boot()
}

/// Since 1970; a time before that, or more than 292 years after it, becomes the first, or the last, of these.
pub(crate) fn nanoseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod machine {
    use std::time::{Duration, SystemTime};

    use rustix::time::{ClockId, clock_gettime};

    pub(super) fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_nanos(nanoseconds().unsigned_abs())
    }

    #[inline]
    pub(super) fn nanoseconds() -> i64 {
        let time = clock_gettime(ClockId::RealtimeCoarse);
        time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec).max(0)
    }

    pub(super) fn since_boot() -> Option<Duration> {
        let time = clock_gettime(ClockId::Boottime);
        Some(Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?))
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod machine {
    use std::time::{Duration, SystemTime};

    use rampauth_core::{Clock as _, SystemClock};

    pub(super) fn now() -> SystemTime {
        SystemClock.now()
    }

    pub(super) fn nanoseconds() -> i64 {
        super::nanoseconds(now())
    }

    pub(super) fn since_boot() -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use rampauth_core::SystemClock;

    use super::*;

    #[test]
    fn the_machines_clock_is_the_systems_to_a_tick() {
        let before = SystemClock.now() - Duration::from_millis(20);
        let (now, number) = (WallClock::Machine.now(), WallClock::Machine.nanoseconds());
        let after = SystemClock.now();
        assert!(before < now && now <= after, "{before:?} {now:?} {after:?}");
        assert!(nanoseconds(before) < number && number <= nanoseconds(after));
    }

    #[test]
    fn a_given_clock_is_asked_and_no_time_is_out_of_range() {
        let far = Duration::from_secs(300 * 366 * 86_400);
        for (time, number) in [
            (SystemTime::UNIX_EPOCH + Duration::new(1, 5), 1_000_000_005),
            (SystemTime::UNIX_EPOCH - far, 0),
            (SystemTime::UNIX_EPOCH + far, i64::MAX),
        ] {
            let clock = WallClock::Given(Arc::new(move || time));
            assert_eq!((clock.now(), clock.nanoseconds()), (time, number));
        }
    }
}
