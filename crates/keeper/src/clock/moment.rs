//! Times as a session holds them: a number of eight bytes.

use std::num::NonZeroU32;
use std::time::{Duration, SystemTime};

use rampauth_core::Expiry;

/// A time in microseconds since 1970, or none: a hundred thousand years each way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(i64);

/// A time in whole seconds since 1970, or none: until 2106, and four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Second(Option<NonZeroU32>);

/// How an expiry is known, without when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    At,
    Assumed,
    Unknown,
}

impl Moment {
    const NONE: Self = Self(i64::MIN);

    /// The last moment that is not after this time.
    pub(crate) fn not_after(time: Option<SystemTime>) -> Self {
        time.map_or(Self::NONE, |time| Self(bounded(nanoseconds(time).div_euclid(1_000))))
    }

    /// The first moment that is not before this time.
    pub(crate) fn not_before(time: Option<SystemTime>) -> Self {
        time.map_or(Self::NONE, |time| Self(bounded(-(-nanoseconds(time)).div_euclid(1_000))))
    }

    /// The time, if there is one.
    pub(crate) fn time(self) -> Option<SystemTime> {
        let distance = Duration::from_micros(self.0.unsigned_abs());
        match self {
            Self::NONE => None,
            Self(0..) => SystemTime::UNIX_EPOCH.checked_add(distance),
            Self(_) => SystemTime::UNIX_EPOCH.checked_sub(distance),
        }
    }

    /// This many seconds later; none stays none.
    pub(crate) fn later(self, seconds: u32) -> Self {
        match self {
            Self::NONE => Self::NONE,
            Self(microseconds) => Self(microseconds.saturating_add(i64::from(seconds) * 1_000_000)),
        }
    }

    /// An expiry in two parts. A token is never taken to live longer than it does.
    pub(crate) fn of(expiry: Expiry) -> (Self, Known) {
        let known = match expiry {
            Expiry::At(_) => Known::At,
            Expiry::Assumed(_) => Known::Assumed,
            _ => Known::Unknown,
        };
        (Self::not_after(expiry.time()), known)
    }

    /// The expiry of these parts.
    pub(crate) fn expiry(self, known: Known) -> Expiry {
        match (self.time(), known) {
            (Some(time), Known::At) => Expiry::At(time),
            (Some(time), Known::Assumed) => Expiry::Assumed(time),
            _ => Expiry::Unknown,
        }
    }
}

impl Second {
    /// The last second that is not after this time; the first of 1970 for one before it.
    pub(crate) fn not_after(time: Option<SystemTime>) -> Self {
        let since = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        Self(time.and_then(|time| NonZeroU32::new(u32::try_from(since(time)).unwrap_or(u32::MAX).max(1))))
    }

    /// The time, if there is one.
    pub(crate) fn time(self) -> Option<SystemTime> {
        self.0.map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.get().into()))
    }
}

fn bounded(microseconds: i128) -> i64 {
    i64::try_from(microseconds).unwrap_or(if microseconds < 0 { -i64::MAX } else { i64::MAX })
}

/// Since 1970.
fn nanoseconds(time: SystemTime) -> i128 {
    let whole = |distance: Duration| i128::try_from(distance.as_nanos()).unwrap_or(i128::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => whole(after),
        Err(before) => -whole(before.duration()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: SystemTime = SystemTime::UNIX_EPOCH;

    #[test]
    fn times_are_kept_to_the_microsecond_on_the_side_that_was_asked_for() {
        let nanosecond = Duration::from_nanos(1);
        let second = Duration::from_secs(1);
        for (time, before, after) in [
            (EPOCH, EPOCH, EPOCH),
            (EPOCH + second, EPOCH + second, EPOCH + second),
            (EPOCH + nanosecond, EPOCH, EPOCH + 1_000 * nanosecond),
            (EPOCH - nanosecond, EPOCH - 1_000 * nanosecond, EPOCH),
            (EPOCH - second, EPOCH - second, EPOCH - second),
        ] {
            assert_eq!(Moment::not_after(Some(time)).time(), Some(before), "{time:?}");
            assert_eq!(Moment::not_before(Some(time)).time(), Some(after), "{time:?}");
        }
        assert_eq!((Moment::not_after(None).time(), Moment::not_before(None).time()), (None, None));
    }

    #[test]
    fn the_end_of_the_calendar_stays_far_away() {
        let ten_thousand_years = Duration::from_secs(10_000 * 366 * 86_400);
        assert_eq!(Moment::not_after(Some(EPOCH + ten_thousand_years)).time(), Some(EPOCH + ten_thousand_years));
        if let Some(last) = EPOCH.checked_add(Duration::from_secs(i64::MAX.unsigned_abs())) {
            let kept = Moment::not_before(Some(last)).time().expect("a time");
            assert!(kept > EPOCH + ten_thousand_years && kept < last);
        }
    }

    #[test]
    fn a_second_is_the_last_one_begun_and_later_is_later() {
        let time = EPOCH + Duration::from_millis(7_999);
        assert_eq!(Second::not_after(Some(time)).time(), Some(EPOCH + Duration::from_secs(7)));
        assert_eq!(
            Second::not_after(Some(EPOCH - Duration::from_secs(9))).time(),
            Some(EPOCH + Duration::from_secs(1))
        );
        assert_eq!(Second::not_after(None).time(), None);
        let past_the_last = EPOCH + Duration::from_secs(u64::from(u32::MAX) + 7);
        assert_eq!(Second::not_after(Some(past_the_last)).time(), Some(EPOCH + Duration::from_secs(u32::MAX.into())));
        let later = |time| Moment::not_after(time).later(5).time();
        assert_eq!((later(Some(time)), later(None)), (Some(time + Duration::from_secs(5)), None));
    }

    #[test]
    fn an_expiry_comes_back_as_it_was() {
        for expiry in [Expiry::At(EPOCH), Expiry::Assumed(EPOCH + Duration::from_millis(5)), Expiry::Unknown] {
            let (moment, known) = Moment::of(expiry);
            assert_eq!(moment.expiry(known), expiry);
        }
        let (moment, known) = Moment::of(Expiry::At(EPOCH + Duration::from_nanos(1_999)));
        assert_eq!(moment.expiry(known), Expiry::At(EPOCH + Duration::from_micros(1)), "no longer than it lives");
    }
}
