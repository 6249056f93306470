//! An attempt that brought nothing: what is concluded of it, when it is tried again, and what is told of that.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rampauth_core::{Error, ErrorKind, Outcome};
use rampauth_store::{Answer, AttemptRef, Conclusion, LastError, Operation, Record, State};
use tokio::time::sleep;

use crate::event::EventKind;
use crate::plan::next_step::{self, Need};
use crate::plan::policy;
use crate::refresh::look::Look;
use crate::refresh::run::{ACTION, Claim};
use crate::session::Inner;

impl Inner {
    /// Why nothing is sent for a caller, where the session is failing and its pause is not over.
    pub(crate) fn held_back(&self, record: &Record, need: Need) -> Option<Error> {
        let (policy, after, now) = (self.provider.policy(), self.keeper.options.failing_after, self.read_now());
        let until = next_step::held_back(record, need, policy, after, now)?;
        let refusals = record.refusals;
        let reason = format!(
            "the provider has refused the token {refusals} times in a row, so that it is probably dead, and nothing was sent"
        );
        let error = Error::new(ErrorKind::Refused, Outcome::NotSent, ACTION, reason).with_help(LOG_IN);
        let difference = record.clock_difference().map(|(difference, _)| difference);
        Some(error.with_retry_after(until.duration_since(now).ok()).with_clock_difference(difference))
    }

    /// Concludes an attempt that brought nothing. Its error is what callers are told, unless somebody else did better.
    /// `record` is what the attempt was made with, and `claimed` how the claim left it.
    pub(crate) async fn fail(
        self: &Arc<Self>,
        claim: &Claim,
        record: &Record,
        claimed: &Look,
        error: Error,
    ) -> Result<(), Error> {
        let Claim { attempt, due, .. } = *claim;
        let conclusion = policy::conclusion(&error, self.provider.policy());
        let now = self.keeper.clock.wall();
        let still_doubtful = claim.doubtful || conclusion == Conclusion::Unknown;
        let noted = LastError::of(&error, now, self.heed(&error, &claim.limits, still_doubtful, now));
        let refusals = record.refusals.saturating_add(u32::from(noted.is_refusal()));
        let is_failing = noted.is_refusal()
            && refusals >= self.keeper.options.failing_after
            && policy::waits_for_tokens(record, now);
        // The record's own claim is no doubt.
        let pauses = is_failing && (!claim.doubtful || policy::may_pause(record, self.provider.policy(), now));
        let error = if is_failing { probably_dead(&error, refusals) } else { error };
        if pauses {
            self.flight().pause_for_the_longest();
        }
        let (least, most) = self.keeper.options.floor;
        let soon = noted.paused_until.or_else(|| now.checked_add(least));
        let soon = if pauses { soon.max(now.checked_add(most)) } else { soon };
        let next_due = match due {
            // A doubt is settled soon, if at all; what was due still is.
            _ if conclusion == Conclusion::Unknown || pauses => soon,
            Some(due) if due <= now => soon,
            due => due,
        };
        let conclude = Operation::Conclude { attempt, conclusion, next_due, error: Some(noted) };
        let answer = self.keeper.apply_on(&self.key, Some(claimed), conclude, Outcome::NotSent).await;
        let tell = |generation, kind| self.keeper.tell(&self.key, generation, kind);
        let failed = || match conclusion {
            Conclusion::Unknown if !claim.condemned => EventKind::Doubtful { since: claim.since, error: error.clone() },
            _ => EventKind::RefreshFailed(error.clone()),
        };
        // The provider's word stands, whether or not the record can be read now.
        let shown = match answer {
            Ok((Answer::Done(record), concluded)) => {
                self.remember(concluded);
                // A try in *login needed* is told by its own error, unless the provider said the same again.
                let judged = !claim.condemned || conclusion == Conclusion::Dead;
                let dead = record.state == State::LoginNeeded && judged;
                tell(record.generation, if dead { EventKind::LoginNeeded } else { failed() });
                if is_failing && !dead && self.flight().is_news_that_it_fails() {
                    tell(record.generation, EventKind::Failing { refusals: record.refusals });
                }
                self.adopt(&record)
            }
            Ok((Answer::Adopted(record), _)) => {
                tell(record.generation, EventKind::Adopted);
                match self.adopt(&record) {
                    Ok(()) => return Ok(()),
                    unreadable => unreadable,
                }
            }
            Ok((Answer::Moved(Some(record)), _)) => match self.adopt_newer(&record) {
                Ok(()) if record.generation > attempt.generation => return Ok(()),
                shown => shown,
            },
            Ok(_) => Ok(()),
            // The journal stays as it is: a doubt, once the claim has lapsed.
            Err(_) => {
                tell(attempt.generation, failed());
                Ok(())
            }
        };
        if let Err(unreadable) = shown {
            tell(attempt.generation, EventKind::RefreshFailed(unreadable));
        }
        Err(error)
    }

    /// Tells the store that a presentation was never made, as far as the store can be told; what is left in the journal
    /// otherwise is a doubt.
    pub(crate) async fn take_back(self: &Arc<Self>, attempt: AttemptRef, next_due: Option<SystemTime>) {
        let conclusion = Conclusion::NotSent;
        for wait in [Duration::ZERO, Duration::from_millis(200)] {
            sleep(wait).await;
            let conclude = Operation::Conclude { attempt, conclusion, next_due, error: None };
            if self.apply(conclude).await.is_ok() {
                return;
            }
        }
    }

    pub(crate) fn after_condemning(self: &Arc<Self>, answer: Answer) -> Result<(), Error> {
        match answer {
            Answer::Adopted(record) => {
                self.keeper.tell(&self.key, record.generation, EventKind::Adopted);
                self.adopt(&record)
            }
            Answer::Done(record) => {
                self.keeper.tell(&self.key, record.generation, EventKind::LoginNeeded);
                self.adopt(&record)
            }
            Answer::Moved(Some(record)) => self.adopt_newer(&record),
            _ => Ok(()),
        }
    }
}

const LOG_IN: &str =
    "have the person log in again and store the new tokens; a refresh by hand sends the stored one at once";

/// What to do about one more refusal, where there were many.
fn probably_dead(error: &Error, refusals: u32) -> Error {
    let help =
        format!("refused {refusals} times in a row, so that a login is probably needed: {LOG_IN}; {}", error.help());
    error.clone().with_help(help)
}

/// When a record is due again of which this presentation is taken back: a doubt that is left does not wait for the tokens' own
/// time.
pub(crate) fn due_after(record: &Record, doubtful: bool, now: SystemTime) -> Option<SystemTime> {
    match record.next_due {
        Some(due) if due <= now => Some(due),
        _ if doubtful => Some(now),
        due => due,
    }
}
