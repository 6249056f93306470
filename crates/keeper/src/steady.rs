//! The keeper's clock: the wall clock, and by how much that was set back while this process watched.
//!
//! A token does not live longer because the clock was set back. Each heartbeat compares the wall clock with the monotonic one;
//! what the wall clock lost is added from then on, so that a reading goes on as if nobody had touched it. Expiries are kept in
//! readings: what is first seen after a step is read by the clock as it stands then.
//!
//! A wall clock that is ahead of the monotonic one was set forward, or the machine slept, and nothing tells which: the later
//! time counts. Tokens are then refreshed early at the worst, where the other way round they would be handed out dead.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::wall::WallClock;

/// What the clocks may differ by in one heartbeat: a clock that is slewed is being made right.
const SLEWED: Duration = Duration::from_secs(1);

pub(crate) struct Steady {
    wall: WallClock,
    /// What the wall clock lost, in seconds, each step rounded up.
    behind: AtomicU32,
    /// Both clocks at the last heartbeat.
    seen: Mutex<Option<(Instant, SystemTime)>>,
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

    /// The same, as [`nanoseconds`](crate::wall::nanoseconds) counts.
    #[inline]
    pub(crate) fn nanoseconds(&self) -> i64 {
        self.wall.nanoseconds().saturating_add(i64::from(self.behind()) * 1_000_000_000)
    }

    /// How far a reading is ahead of the wall clock, in seconds.
    #[inline]
    pub(crate) fn behind(&self) -> u32 {
        self.behind.load(Ordering::Relaxed)
    }

    /// Compares the clocks.
    pub(crate) fn beat(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (instant, wall) = (Instant::now(), self.wall());
        let Some((last_instant, last_wall)) = seen.replace((instant, wall)) else { return };
        let lost = last_wall.checked_add(instant - last_instant).and_then(|due| due.duration_since(wall).ok());
        if let Some(lost) = lost.filter(|lost| *lost > SLEWED) {
            let lost = u32::try_from(lost.as_secs() + u64::from(lost.subsec_nanos() > 0)).unwrap_or(u32::MAX);
            self.behind.store(self.behind().saturating_add(lost), Ordering::Relaxed);
        }
    }
}
