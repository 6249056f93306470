//! When a session is looked at next.

use std::sync::Arc;
use std::time::SystemTime;

use crate::plan::policy;
use crate::state::session::SessionState;

impl SessionState {
    /// Wakes this session when its refresh is due, or when a warning is. If the refresh is due already, an attempt has just run: use
    /// the time it asked for, or else that of [`next_look`](Self::next_look).
    pub(crate) fn plan(self: &Arc<Self>, look_again: Option<SystemTime>) {
        let now = self.context.clock.now();
        if let Some(at) = self.warn_of_expiry(now) {
            self.schedule.wake_at(at, now, self);
        }
        let Some(due) = self.slot.load().and_then(|snapshot| snapshot.due()) else { return };
        let soon = || self.next_look(now).unwrap_or(now);
        let at = if due > now { due } else { look_again.unwrap_or_else(soon) };
        self.schedule.wake_at(at, now, self);
    }

    /// When this session is looked at again that is due all the while.
    pub(crate) fn next_look(&self, now: SystemTime) -> Option<SystemTime> {
        let shown = self.slot.load()?;
        let granted_at = shown.asked_for().unwrap_or(now);
        let lease = self.context.options.lease;
        Some(policy::next_look(granted_at, shown.expiries(), lease, self.context.options.floor.shortest(), now))
    }
}
