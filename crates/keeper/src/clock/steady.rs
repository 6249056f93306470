//! The keeper's clock: the wall clock, and by how much that was set back while this process watched.
//!
//! A token does not live longer because the clock was set back. Each heartbeat compares the wall clock with those that nobody
//! sets: the monotonic one and, where there is one, the boot-time clock, which goes on while the machine sleeps. What the wall
//! clock lost is added from then on, so that a reading goes on as if nobody had touched it. Expiries are kept in readings: what is
//! first seen after a step is read by the clock as it stands then.
//!
//! A wall clock that is ahead was set forward, or the machine slept where no clock tells: the later time counts. Tokens are then
//! refreshed early at the worst, where the other way round they would be handed out dead.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::clock::wall::{WallClock, since_boot};

/// What the clocks may differ by in one heartbeat: a clock that is slewed is being made right.
const SLEWED: Duration = Duration::from_secs(1);

pub(crate) struct Steady {
    wall: WallClock,
    /// What the wall clock lost, in seconds, each step rounded up.
    behind: AtomicU32,
    /// The clocks at the last heartbeat.
    seen: Mutex<Option<Mark>>,
}

/// A moment, by every clock that the machine has.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    monotonic: Instant,
    wall: SystemTime,
    since_boot: Option<Duration>,
}

impl Mark {
    /// How long ago `earlier` was, by the clock that says the longest. The monotonic one may stand still while the machine sleeps,
    /// and the wall clock may be set back; the boot-time clock knows better, where there is one.
    pub(crate) fn since(&self, earlier: &Self) -> Duration {
        let wall = self.wall.duration_since(earlier.wall).unwrap_or_default();
        self.passed(earlier).max(wall)
    }

    /// The same by the clocks that nobody sets.
    fn passed(&self, earlier: &Self) -> Duration {
        let monotonic = self.monotonic.saturating_duration_since(earlier.monotonic);
        let boot = self.since_boot.zip(earlier.since_boot).map(|(now, then)| now.saturating_sub(then));
        monotonic.max(boot.unwrap_or_default())
    }
}

impl Steady {
    pub(crate) fn new(wall: WallClock) -> Self {
        Self { wall, behind: AtomicU32::new(0), seen: Mutex::default() }
    }

    /// The time as everybody else reads it: for what is written down.
    pub(crate) fn wall(&self) -> SystemTime {
        self.wall.now()
    }

    /// The reading that tokens in this process are compared with.
    pub(crate) fn now(&self) -> SystemTime {
        self.wall() + Duration::from_secs(self.behind().into())
    }

    /// The same, as [`nanoseconds`](crate::clock::wall::nanoseconds) counts.
    #[inline]
    pub(crate) fn nanoseconds(&self) -> i64 {
        self.wall.nanoseconds().saturating_add(i64::from(self.behind()) * 1_000_000_000)
    }

    /// How far a reading is ahead of the wall clock, in seconds.
    #[inline]
    pub(crate) fn behind(&self) -> u32 {
        self.behind.load(Ordering::Relaxed)
    }

    /// This moment, for an age that nothing makes smaller.
    pub(crate) fn mark(&self) -> Mark {
        // Beside a clock that was given, the machine's own would tell of another time.
        let since_boot = if let WallClock::Machine = self.wall { since_boot() } else { None };
        Mark { monotonic: Instant::now(), wall: self.wall(), since_boot }
    }

    /// Whether it is not the machine's.
    pub(crate) fn is_given(&self) -> bool {
        matches!(self.wall, WallClock::Given(_))
    }

    /// Compares the clocks.
    pub(crate) fn beat(&self) {
        self.beat_at(self.mark());
    }

    fn beat_at(&self, now: Mark) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(last) = seen.replace(now) else { return };
        let lost = last.wall.checked_add(now.passed(&last)).and_then(|due| due.duration_since(now.wall).ok());
        if let Some(lost) = lost.filter(|lost| *lost > SLEWED) {
            let lost = u32::try_from(lost.as_secs() + u64::from(lost.subsec_nanos() > 0)).unwrap_or(u32::MAX);
            self.behind.store(self.behind().saturating_add(lost), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A moment this many seconds after another, by the three clocks.
    fn later(mark: &Mark, monotonic: u64, wall: i64, boot: Option<u64>) -> Mark {
        let by = Duration::from_secs(wall.unsigned_abs());
        let since_boot = boot.map(|seconds| mark.since_boot.unwrap_or_default() + Duration::from_secs(seconds));
        Mark {
            monotonic: mark.monotonic + Duration::from_secs(monotonic),
            wall: if wall < 0 { mark.wall - by } else { mark.wall + by },
            since_boot,
        }
    }

    #[test]
    fn no_clock_that_stands_still_or_is_set_back_makes_an_age_smaller() {
        let steady = Steady::new(WallClock::Machine);
        let mark = Mark { since_boot: Some(Duration::from_secs(1_000)), ..steady.mark() };
        for (case, monotonic, wall, boot, age) in [
            ("awake", 7, 7, Some(7), 7),
            ("asleep", 1, 60, Some(60), 60),
            ("set back", 7, -3_600, Some(7), 7),
            ("asleep, and set back", 1, -3_600, Some(60), 60),
            ("set forward: nothing tells that from sleep elsewhere", 1, 60, Some(1), 60),
            ("no boot-time clock", 1, 60, None, 60),
        ] {
            let age_then = later(&mark, monotonic, wall, boot).since(&mark);
            assert_eq!(age_then, Duration::from_secs(age), "{case}");
        }
        assert_eq!(mark.since(&later(&mark, 7, 7, Some(7))), Duration::ZERO);
    }

    #[test]
    fn what_the_wall_clock_lost_is_noticed_asleep_and_awake() {
        for (case, monotonic, wall, boot, behind) in [
            ("awake", 30, 30, Some(30), 0),
            ("slewed", 30, 29, Some(30), 0),
            ("asleep", 1, 3_600, Some(3_600), 0),
            ("set forward", 30, 3_600, Some(30), 0),
            ("set back", 30, -3_570, Some(30), 3_600),
            ("asleep, and set back by as long", 1, 1, Some(3_600), 3_599),
            ("no boot-time clock", 30, -3_570, None, 3_600),
        ] {
            let steady = Steady::new(WallClock::Machine);
            let mark = Mark { since_boot: Some(Duration::from_secs(1_000)), ..steady.mark() };
            steady.beat_at(mark);
            steady.beat_at(later(&mark, monotonic, wall, boot));
            assert_eq!(steady.behind(), behind, "{case}");
        }
    }

    #[test]
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn where_there_is_a_boot_time_clock_it_is_asked() {
        let steady = Steady::new(WallClock::Machine);
        let (first, second) = (steady.mark().since_boot, steady.mark().since_boot);
        assert!(first.is_some_and(|first| first > Duration::ZERO) && first <= second);
        let given = Steady::new(WallClock::Given(std::sync::Arc::new(|| SystemTime::UNIX_EPOCH)));
        assert_eq!(given.mark().since_boot, None);
    }
}
