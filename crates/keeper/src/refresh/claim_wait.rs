//! What an attempt waits for before it sends: a permit of its own, and the claim of another process. For a claim callers wait until it
//! lapses, the keeper itself until it looks again.

use std::time::{Duration, SystemTime};

use rampauth_core::Error;
use rampauth_store::Record;
use tokio::time::{Instant, sleep};

use crate::context::random;
use crate::generic::permits::{Permit, Urgency};
use crate::metrics;
use crate::plan::next_step::{self, Need};
use crate::refresh::error::{claimed, left_alone, shutting_down};
use crate::state::backoff::LOOK_PACE;
use crate::state::session::SessionState;

/// A caller's wait for a claim that is somebody else's.
#[derive(Default)]
pub(crate) struct Wait {
    /// When it began.
    since: Option<Instant>,
    looks: u32,
}

impl SessionState {
    /// That nothing is to be sent before this time: nothing to tell of, unless a caller needs a token and the provider asked to be
    /// left alone. That one bars callers here as the answer of one's own would have.
    pub(crate) fn wait_until(
        &self,
        record: &Record,
        time: SystemTime,
        need: Need,
        barred: Option<Error>,
    ) -> Result<(), Error> {
        let now = self.context.clock.now();
        let is_paused = record.paused_until(self.read_now()).is_some();
        if is_paused && matches!(need, Need::UsableAt(_)) {
            let left = time.duration_since(now).unwrap_or_default();
            return Err(barred.unwrap_or_else(|| left_alone(left)));
        }
        self.flight().look_again_at(time);
        Ok(())
    }

    /// Waits for a permit, for as long as the keeper works. While the provider is left alone, no caller waits.
    pub(crate) async fn wait_for_permit(&self, urgency: Urgency) -> Result<Permit, Error> {
        let permits = self.context.permits.of(&self.key);
        let place = permits.wait(urgency);
        let number = place.number();
        // Who joined before there was a place to hurry.
        if self.flight().stand_in_line(number) {
            permits.a_caller_waits(number);
        }
        let permit = tokio::select! {
            served = place => served.map_err(|left| self.left_alone(left)),
            () = self.context.closing.cancelled() => Err(shutting_down()),
        };
        self.flight().leave_the_line();
        permit
    }

    /// A caller is told that the provider is left alone. That is no failure of this session's own: soon it may be tried again.
    fn left_alone(&self, left: Duration) -> Error {
        self.flight().pause_until_at_most(self.context.clock.now().checked_add(left.min(LOOK_PACE)));
        left_alone(left)
    }

    /// Somebody is at it: the short pause of a caller until the next look, or the end of the waiting. Whoever died with a claim
    /// is waited for until it lapses.
    pub(crate) async fn wait_for_claim(
        &self,
        wait: &mut Wait,
        until: SystemTime,
        ahead: bool,
    ) -> Option<Result<(), Error>> {
        let options = self.context.options;
        let began = *wait.since.get_or_insert_with(|| {
            metrics::claim_waits(&self.key);
            Instant::now()
        });
        let over = began.elapsed() >= options.lease + options.save;
        if !ahead && !over {
            sleep(short_pause(wait.looks)).await;
            wait.looks += 1;
            return None;
        }
        // What comes of it is seen at the next look.
        let left = next_step::leave_alone(until, options.lease, self.context.clock.wall());
        let now = self.context.clock.now();
        let over = now.checked_add(left).unwrap_or(now);
        // Tokens that do not live that long are looked at again while they do.
        let next = self.next_look(now).map_or(over, |next| next.min(over));
        self.flight().look_again_at(next);
        Some(if ahead { Ok(()) } else { Err(claimed(until, left)) })
    }
}

/// 25 to 250 ms, longer with each look, and not the same in every process.
fn short_pause(look: u32) -> Duration {
    let ceiling = Duration::from_millis(25 * (1 << look.min(4))).min(Duration::from_millis(250));
    let part = random().map_or(1.0, |bits| (bits >> 96) as f64 / f64::from(u32::MAX));
    ceiling.mul_f64(0.5 + 0.5 * part).max(Duration::from_millis(25))
}
