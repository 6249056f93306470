//! An access token that the provider rejected: out of readers' hands at once, and in the record as soon as the store takes it.

use std::sync::Arc;

use rampauth_core::Error;
use rampauth_store::{Answer, Operation, Record, TokenDigest};

use crate::session::Inner;
use crate::snapshot::Snapshot;

impl Inner {
    /// Hands this access token out no more, if it is the one that readers see, and makes a refresh due.
    pub(crate) fn refuse(&self, access: TokenDigest) {
        let mut flight = self.flight();
        let shown = self.slot.load().filter(|shown| shown.holds(access) && !shown.is_rejected());
        let Some(shown) = shown else { return };
        flight.set_rejected(Some(access));
        let mut snapshot = Snapshot::clone(&shown);
        snapshot.reject(self.keeper.clock.now());
        self.slot.publish(&Arc::new(snapshot));
    }

    /// Whether readers would see this access token, had the provider not rejected it.
    pub(crate) fn shows_rejected(&self, access: TokenDigest) -> bool {
        self.slot.load().is_some_and(|shown| shown.is_rejected() && shown.holds(access))
    }

    /// Looks whether the record's own access token is this one, and writes the rejection into it if so.
    pub(crate) async fn note_rejection(self: &Arc<Self>, access: TokenDigest) -> Result<(), Error> {
        let Some(record) = self.load().await? else { return Ok(()) };
        self.adopt_newer(&record)?;
        self.reject_in(record, access).await.map(drop)
    }

    /// The record once it knows of a rejection of which only this process knew.
    pub(crate) async fn with_rejection(self: &Arc<Self>, record: Record) -> Result<Record, Error> {
        let rejected = self.flight().rejected();
        match rejected {
            Some(access) => self.reject_in(record, access).await,
            None => Ok(record),
        }
    }

    async fn reject_in(self: &Arc<Self>, record: Record, access: TokenDigest) -> Result<Record, Error> {
        let own = record.tokens.as_ref().is_some_and(|tokens| tokens.access == Some(access));
        if !own || record.rejected == Some(access) {
            return Ok(record);
        }
        let Record { session, generation, .. } = record;
        match self.apply(Operation::Reject { session, generation, access }).await? {
            Answer::Done(record) | Answer::Moved(Some(record)) => {
                self.adopt_newer(&record)?;
                Ok(record)
            }
            _ => Ok(record),
        }
    }
}
