//! The end of a refresh: its result is noted, and when the session is looked at again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use rampauth_core::ErrorKind;
use rampauth_store::{State, StoreError};

use crate::context::random;
use crate::metrics;
use crate::state::backoff::Floor;
use crate::state::refresh::Landing;
use crate::state::session::SessionState;

/// The longest pause where it is the store that failed, or the saving: of that the provider sees nothing.
const STORE_PAUSE: Duration = Duration::from_secs(5);

impl SessionState {
    /// Notes the result, and when to look again: a failure stands for a while, longer with each one after it.
    pub(crate) fn land(self: &Arc<Self>, landed: &Landing, moved: bool) {
        let now = self.context.clock.now();
        let mut guard = self.flight();
        let flight = guard.get();
        let (look_again, pause_ends) = (flight.look_again.take(), flight.pause_ends.take());
        let pause_is_longest = std::mem::take(&mut flight.pause_is_longest);
        let shown = self.slot.load();
        if std::mem::take(&mut flight.only_looks) {
            // What others brought, or the end of it all, is newer than the failure.
            if moved || landed.as_ref().is_err_and(|error| error.kind() == ErrorKind::LoginNeeded) {
                flight.forget_failures();
                self.plan(look_again);
            }
            return;
        }
        // Nothing may keep a flight from landing.
        let presents = catch_unwind(AssertUnwindSafe(|| self.provider.policy().presents));
        let death = shown.as_ref().zip(presents.ok()).and_then(|(it, presents)| it.presented_expiry(presents));
        let left = death.map(|time| time.duration_since(now).unwrap_or_default());
        metrics::landed(&self.key, flight.callers, left);
        let dies_in = left.filter(|left| !left.is_zero());
        match landed {
            Ok(()) => {
                flight.forget_failures();
                self.plan(look_again);
            }
            // The claim was somebody else's all the while: nothing was tried.
            Err(_) if look_again.is_some() => self.plan(look_again),
            Err(error) => {
                let pauses = self.context.options.floor;
                let longest = pauses.longest;
                let of_the_store = StoreError::is_the_cause_of(error) || flight.unsaved.is_some();
                let most = if of_the_store { longest.min(STORE_PAUSE) } else { longest };
                let ceiling = pauses.ceiling(flight.failures).min(most);
                if ceiling < most {
                    flight.failures = flight.failures.saturating_add(1);
                }
                let wait =
                    pauses.pause(ceiling, random().ok()).max(error.retry_after().unwrap_or_default()).min(longest);
                let left = pause_ends.map(|end| end.duration_since(now).unwrap_or_default());
                let wait = left.map_or(wait, |left| wait.min(left));
                let may_wait = error.retry_after().is_some();
                let wait = if may_wait { wait } else { pauses.spared(wait, dies_in) };
                let wait = if pause_is_longest { longest } else { wait };
                // Another process may log in at any time, and looking costs nothing but a look. What a person tries in *login
                // needed* is never repeated by itself.
                let condemned = shown.as_ref().is_some_and(|it| it.state == State::LoginNeeded);
                let hopeless = condemned || error.kind() == ErrorKind::LoginNeeded;
                flight.floor = (!hopeless).then(|| Floor::new(error.clone(), wait));
                if !hopeless || flight.unsaved.is_some() {
                    // What is held is saved as soon as may be, whenever its own refresh is due.
                    let due = shown.and_then(|snapshot| snapshot.due()).filter(|_| flight.unsaved.is_none());
                    let at = now.checked_add(wait).unwrap_or(now);
                    self.schedule.wake_at(due.map_or(at, |due| due.max(at)), now, self);
                }
            }
        }
    }
}
