//! How long the pause after a failed refresh is: exponential, with full jitter.

use std::time::Duration;

/// The pauses after failures: the first, and the longest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pauses {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Pauses {
    /// The longest pause after so many failures: exponential.
    pub(crate) fn ceiling(self, failures: u32) -> Duration {
        self.first.saturating_mul(1 << failures.min(20)).min(self.longest)
    }

    /// A pause with full jitter, and never shorter than a quarter of the first one. `random` bits decide.
    pub(crate) fn pause(self, ceiling: Duration, random: Option<u128>) -> Duration {
        let part = random.map_or(1.0, |bits| (bits >> 96) as f64 / f64::from(u32::MAX));
        ceiling.mul_f64(part).max(self.shortest())
    }

    pub(crate) fn shortest(self) -> Duration {
        self.first / 4
    }

    /// A pause that leaves a credential which dies soon half of its time, for one more try at least.
    pub(crate) fn spared(self, wait: Duration, dies_in: Option<Duration>) -> Duration {
        dies_in.map_or(wait, |left| wait.min(self.first.max(left / 2)))
    }
}
