//! An access token that the provider rejected: out of readers' hands at once, and in the record as soon as the store takes it.

use std::sync::Arc;

use rampauth_core::{Error, Outcome};
use rampauth_store::{Answer, Operation, Record, TokenDigest};

use crate::look::Look;
use crate::state::session::SessionState;
use crate::visible::snapshot::Snapshot;

impl SessionState {
    /// Hands this access token out no more, if it is the one that readers see, and makes a refresh due.
    pub(crate) fn refuse(&self, access: TokenDigest) {
        let mut flight = self.flight();
        let shown = self.slot.load().filter(|shown| shown.holds(access) && !shown.is_rejected());
        let Some(shown) = shown else { return };
        flight.set_rejected(Some(access));
        let mut snapshot = Snapshot::clone(&shown);
        snapshot.reject(self.context.clock.now());
        self.slot.publish(&Arc::new(snapshot));
    }

    /// Whether readers would see this access token, had the provider not rejected it.
    pub(crate) fn shows_rejected(&self, access: TokenDigest) -> bool {
        self.slot.load().is_some_and(|shown| shown.is_rejected() && shown.holds(access))
    }

    /// Looks whether the record's own access token is this one, and writes the rejection into it if so.
    pub(crate) async fn note_rejection(self: &Arc<Self>, access: TokenDigest) -> Result<(), Error> {
        let look = self.look_at_record().await?;
        let Some(record) = look.record() else { return Ok(()) };
        self.adopt_newer(record)?;
        self.reject_in(look, access).await.map(drop)
    }

    /// The record once it knows of a rejection of which only this process knew.
    pub(crate) async fn with_rejection(self: &Arc<Self>, look: Look) -> Result<Look, Error> {
        let rejected = self.flight().rejected();
        match rejected {
            Some(access) => self.reject_in(look, access).await,
            None => Ok(look),
        }
    }

    async fn reject_in(self: &Arc<Self>, look: Look, access: TokenDigest) -> Result<Look, Error> {
        let current = |record: &&Record| record.tokens.as_ref().is_some_and(|tokens| tokens.access == Some(access));
        let unknown = look.record().filter(current).filter(|record| record.rejected != Some(access));
        let Some(Record { session, generation, .. }) = unknown else { return Ok(look) };
        let reject = Operation::Reject { session: *session, generation: *generation, access };
        match self.context.apply_on(&self.key, Some(&look), reject, Outcome::NotSent).await? {
            (Answer::Done(record) | Answer::Moved(Some(record)), after) => {
                self.adopt_newer(&record)?;
                Ok(after)
            }
            _ => Ok(look),
        }
    }
}
