//! An attempt that brought nothing: what is concluded of it, when it is tried again, and what is told of that.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rampauth_core::{Error, Outcome};
use rampauth_store::{Answer, AttemptRef, Conclusion, LastError, Operation, Record, State};
use tokio::time::sleep;

use crate::event::EventKind;
use crate::look::Look;
use crate::plan::backoff::Pauses;
use crate::plan::pause::PauseLimits;
use crate::plan::policy;
use crate::refresh::claim::Claim;
use crate::refresh::decide::LOG_IN;
use crate::state::session::SessionState;

impl SessionState {
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
        let now = self.context.clock.wall();
        let still_doubtful = claim.doubtful || conclusion == Conclusion::Unknown;
        let noted = LastError::of(&error, now, self.heed(&error, &claim.limits, still_doubtful, now));
        let refusals = record.refusals.saturating_add(u32::from(noted.is_refusal()));
        let is_failing = noted.is_refusal()
            && refusals >= self.context.options.failing_after
            && policy::waits_for_tokens(record, now);
        // The record's own claim is no doubt.
        let pauses = is_failing && (!claim.doubtful || policy::may_pause(record, self.provider.policy(), now));
        let error = if is_failing { probably_dead(&error, refusals) } else { error };
        if pauses {
            self.flight().pause_for_the_longest();
        }
        let Pauses { first: least, longest: most } = self.context.options.floor;
        let soon = noted.paused_until.or_else(|| now.checked_add(least));
        let soon = if pauses { soon.max(now.checked_add(most)) } else { soon };
        let next_due = match due {
            // A doubt is settled soon, if at all; what was due still is.
            _ if conclusion == Conclusion::Unknown || pauses => soon,
            Some(due) if due <= now => soon,
            due => due,
        };
        let conclude = Operation::Conclude { attempt, conclusion, next_due, error: Some(noted) };
        let answer = self.context.apply_on(&self.key, Some(claimed), conclude, Outcome::NotSent).await;
        let tell = |generation, kind| self.tell(generation, kind);
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

    /// Until when the provider is left alone after this error, as it asked: bounded, for other processes too. Where a limit ends it
    /// sooner, the pause of this process ends with it.
    pub(crate) fn heed(
        &self,
        error: &Error,
        limits: &PauseLimits,
        doubtful: bool,
        now: SystemTime,
    ) -> Option<SystemTime> {
        let Pauses { first: least, longest: most } = self.context.options.floor;
        let asked = now.checked_add(error.retry_after()?.clamp(least, most.max(least)))?;
        let until = limits.end(asked, doubtful, now);
        if until < asked {
            self.flight().pause_until_at_most(Some(until));
        }
        Some(until)
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
                self.tell(record.generation, EventKind::Adopted);
                self.adopt(&record)
            }
            Answer::Done(record) => {
                self.tell(record.generation, EventKind::LoginNeeded);
                self.adopt(&record)
            }
            Answer::Moved(Some(record)) => self.adopt_newer(&record),
            _ => Ok(()),
        }
    }
}

/// What to do about one more refusal, where there were many.
fn probably_dead(error: &Error, refusals: u32) -> Error {
    let help =
        format!("refused {refusals} times in a row, so that a login is probably needed: {LOG_IN}; {}", error.help());
    error.clone().with_help(help)
}
