//! An attempt that brought nothing: what is concluded of it, when it is tried again, and what is told of that.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rampauth_core::Error;
use tokio::time::sleep;

use crate::decision;
use crate::event::EventKind;
use crate::protocol::{Answer, AttemptRef, Conclusion, Operation};
use crate::record::{LastError, Record, State};
use crate::refresher::Claim;
use crate::session::Inner;

impl Inner {
    /// Concludes an attempt that brought nothing. Its error is what callers are told, unless somebody else did better.
    pub(crate) async fn fail(self: &Arc<Self>, claim: &Claim, error: Error) -> Result<(), Error> {
        let Claim { attempt, due, .. } = *claim;
        let conclusion = decision::conclusion(&error, self.provider.policy());
        let now = self.keeper.clock.wall();
        let noted = LastError {
            kind: error.kind().as_str().to_owned(),
            outcome: error.outcome().as_str().to_owned(),
            status: error.status(),
            code: error.provider_code().map(str::to_owned),
            at: now,
        };
        // For other processes too: no sooner than the provider asked for.
        let (least, most) = self.keeper.options.floor;
        let soon = now.checked_add(error.retry_after().map_or(least, |wait| wait.clamp(least, most.max(least))));
        let next_due = match due {
            // A doubt is settled soon, if at all; what was due still is.
            _ if conclusion == Conclusion::Unknown => soon,
            Some(due) if due <= now => soon,
            due => due,
        };
        let conclude = Operation::Conclude { attempt, conclusion, next_due, error: Some(noted) };
        let answer = self.apply(conclude).await;
        let tell = |generation, kind| self.keeper.tell(&self.key, generation, kind);
        let failed = || match conclusion {
            Conclusion::Unknown if !claim.condemned => EventKind::Doubtful { since: claim.since, error: error.clone() },
            _ => EventKind::RefreshFailed(error.clone()),
        };
        // The provider's word stands, whether or not the record can be read now.
        let shown = match answer {
            Ok(Answer::Done(record)) => {
                // A try in *login needed* is told by its own error, unless the provider said the same again.
                let judged = !claim.condemned || conclusion == Conclusion::Dead;
                let dead = record.state == State::LoginNeeded && judged;
                tell(record.generation, if dead { EventKind::LoginNeeded } else { failed() });
                self.adopt(&record)
            }
            Ok(Answer::Adopted(record)) => {
                tell(record.generation, EventKind::Adopted);
                match self.adopt(&record) {
                    Ok(()) => return Ok(()),
                    unreadable => unreadable,
                }
            }
            Ok(Answer::Moved(Some(record))) => match self.adopt_newer(&record) {
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

/// When a record is due again of which this presentation is taken back: a doubt that is left does not wait for the tokens' own
/// time.
pub(crate) fn due_after(record: &Record, doubtful: bool, now: SystemTime) -> Option<SystemTime> {
    match record.next_due {
        Some(due) if due <= now => Some(due),
        _ if doubtful => Some(now),
        due => due,
    }
}
