//! What an attempt waits for before it sends: a permit of its own, and the claim of another process. For a claim callers wait until it
//! lapses, the keeper itself until it looks again.

use std::time::{Duration, SystemTime};

use rampauth_core::{Error, ErrorKind, Outcome, WhenUnknown};
use rampauth_store::Record;
use tokio::time::{Instant, sleep};

use crate::generic::permits::{Permit, Urgency};
use crate::keeper::random;
use crate::metrics;
use crate::plan::next_step::{self, Need};
use crate::plan::pause::{last_use, left_alone};
use crate::refresh::run::ACTION;
use crate::session::Inner;
use crate::state::refresh::LOOK_PACE;

/// A caller's wait for a claim that is somebody else's.
#[derive(Default)]
pub(crate) struct Wait {
    /// When it began.
    since: Option<Instant>,
    looks: u32,
}

impl Inner {
    /// How urgent an attempt with this record's credential is.
    pub(crate) fn urgency(&self, record: &Record, need: Need) -> Urgency {
        const NEVER: Duration = Duration::from_secs(400 * 365 * 24 * 60 * 60);
        let options = self.keeper.options;
        let last_use = record.tokens.as_ref().and_then(|tokens| last_use(tokens, self.provider.policy()));
        let access = record.tokens.as_ref().and_then(|tokens| tokens.access_expiry.time());
        let now = self.read_now();
        let resolved_until = match (&record.attempt, self.provider.policy().when_unknown) {
            (Some(attempt), WhenUnknown::Promptly { within }) => attempt.first_sent.checked_add(within),
            _ => None,
        };
        let ends = last_use.into_iter().chain(resolved_until).min();
        if ends.is_some_and(|end| end.duration_since(now).unwrap_or_default() <= options.lease) {
            return Urgency::Dying;
        }
        let death = last_use.into_iter().chain(access).min();
        match need {
            Need::Ahead => Urgency::Scheduled(death.unwrap_or(SystemTime::UNIX_EPOCH + NEVER)),
            Need::UsableAt(_) => Urgency::Caller,
            Need::ByHand | Need::Certainty => Urgency::Manual,
        }
    }

    /// Waits for a permit, for as long as the keeper works. While the provider is left alone, no caller waits.
    pub(crate) async fn wait_for_permit(&self, urgency: Urgency) -> Result<Permit, Error> {
        let permits = self.keeper.permits.of(&self.key);
        let place = permits.wait(urgency);
        let number = place.number();
        // Who joined before there was a place to hurry.
        if self.flight().stand_in_line(number) {
            permits.a_caller_waits(number);
        }
        let permit = tokio::select! {
            served = place => served.map_err(|left| self.left_alone(left)),
            () = self.keeper.closing.cancelled() => {
                let reason = "the keeper is shutting down";
                Err(Error::new(ErrorKind::Internal, Outcome::NotSent, ACTION, reason))
            }
        };
        self.flight().leave_the_line();
        permit
    }

    /// A caller is told that the provider is left alone. That is no failure of this session's own: soon it may be tried again.
    fn left_alone(&self, left: Duration) -> Error {
        self.flight().pause_until_at_most(self.keeper.clock.now().checked_add(left.min(LOOK_PACE)));
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
        let options = self.keeper.options;
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
        let left = next_step::leave_alone(until, options.lease, self.keeper.clock.wall());
        let now = self.keeper.clock.now();
        let over = now.checked_add(left).unwrap_or(now);
        // Tokens that do not live that long are looked at again while they do.
        let next = self.next_look(now).map_or(over, |next| next.min(over));
        self.flight().look_again_at(next);
        Some(if ahead { Ok(()) } else { Err(claimed(until, left)) })
    }
}

/// Not processed: it is for the next call, once the claim is over.
fn claimed(until: SystemTime, left: Duration) -> Error {
    let until = jiff::Timestamp::try_from(until).and_then(|until| until.round(jiff::Unit::Second));
    let until = until.map_or_else(|_| "a time far away".to_owned(), |until| until.to_string());
    let reason = format!("another process holds the session's claim until {until}");
    Error::new(ErrorKind::RateLimited, Outcome::NotSent, ACTION, reason)
        .with_retry_after(Some(left))
        .with_help("try again then: the other process has new tokens by then, or its claim has lapsed")
}

/// 25 to 250 ms, longer with each look, and not the same in every process.
fn short_pause(look: u32) -> Duration {
    let ceiling = Duration::from_millis(25 * (1 << look.min(4))).min(Duration::from_millis(250));
    let part = random().map_or(1.0, |bits| (bits >> 96) as f64 / f64::from(u32::MAX));
    ceiling.mul_f64(0.5 + 0.5 * part).max(Duration::from_millis(25))
}
