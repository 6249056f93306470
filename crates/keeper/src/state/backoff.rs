//! The failure that stands after a refresh: until when, and what callers are told meanwhile.

use std::time::Duration;

use rampauth_core::Error;
use tokio::time::Instant;

/// Callers who find no usable token while a failure stands have the record looked at, no more often than this.
pub(crate) const LOOK_PACE: Duration = Duration::from_secs(1);

/// A failure that stands for a while: nothing is presented meanwhile. The record may be looked at, for what others brought.
pub(crate) struct Floor {
    pub(crate) until: Instant,
    pub(crate) error: Error,
    /// When the record was looked at last.
    looked: Instant,
}

impl Floor {
    /// That this failure stands from now on, for so long.
    pub(crate) fn new(error: Error, wait: Duration) -> Self {
        let looked = Instant::now();
        Self { until: looked + wait, error, looked }
    }

    /// Whether a caller may have the record looked at, which is noted.
    pub(crate) fn may_look(&mut self, now: Instant) -> bool {
        let may = now >= self.looked + LOOK_PACE;
        if may {
            self.looked = now;
        }
        may
    }
}
