//! What is told ahead of time: a credential that dies soon, and a clock that disagrees with the provider's.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};

use rampauth_core::ClockDifference;
use rampauth_store::Record;

use crate::event::EventKind;
use crate::state::session::SessionState;

/// A credential that lives for less than this is no news to anybody when it is about to die.
const SHORTEST: Duration = Duration::from_secs(60);

impl SessionState {
    /// Tells once that what a refresh presents dies soon. When it is to be told, where that time is still to come.
    pub(crate) fn warn_of_expiry(&self, now: SystemTime) -> Option<SystemTime> {
        let shown = self.slot.load().filter(|_| !self.options.warning().is_zero())?;
        // A policy that panics is told of where a refresh needs it.
        let presents = catch_unwind(AssertUnwindSafe(|| self.provider.policy().presents)).ok()?;
        let (expiry, life) = shown.credential_life(presents).filter(|(_, life)| *life >= SHORTEST)?;
        let at = expiry.checked_sub(self.options.warning().min(life / 5))?;
        if now < at {
            return Some(at);
        }
        // The same end may come back with the next tokens, read a little earlier or later.
        let minute = expiry.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs() / 60;
        let minute = u32::try_from(minute).unwrap_or(u32::MAX);
        let told = now < expiry && self.warned.swap(minute, Relaxed).abs_diff(minute) > 1;
        if told {
            let expiry = expiry.checked_sub(shown.ahead()).unwrap_or(expiry);
            self.tell(shown.generation, EventKind::CredentialExpiresSoon { expiry });
        }
        None
    }

    /// Tells that this machine's clock is more than a minute off the provider's, unless the record knew as much. `record` is that
    /// of before the attempt.
    pub(crate) fn note_clocks(&self, record: &Record, seen: Option<ClockDifference>) {
        let Some(difference) = seen.filter(|seen| seen.is_notable()) else { return };
        let known = record.clock_difference().map(|(known, _)| known).filter(|known| known.is_notable());
        let apart = |known: ClockDifference| {
            Duration::from_millis(known.milliseconds().abs_diff(difference.milliseconds())) > ClockDifference::NOTABLE
        };
        if known.is_none_or(apart) {
            self.tell(record.generation, EventKind::ClocksDiffer(difference));
        }
    }
}
