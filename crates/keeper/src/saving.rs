//! Granted tokens on their way into the store: held until they are there, and given back to a store that forgot them.

use std::sync::Arc;
use std::time::SystemTime;

use rampauth_core::{Error, TokenSet};

use crate::event::{EventKind, UnclaimedTokens};
use crate::flight::Unsaved;
use crate::keeper::random;
use crate::payload;
use crate::process::Shown;
use crate::protocol::{Answer, AttemptRef, Operation};
use crate::record::{AttemptId, Record};
use crate::session::{Inner, out_of_protocol};
use crate::snapshot::Snapshot;

impl Inner {
    /// Granted tokens, held until the store has them.
    pub(crate) fn held(&self, attempt: AttemptRef, granted: &TokenSet, sent_at: SystemTime) -> Option<Unsaved> {
        let tokens = self.stored(granted, attempt.generation + 1, sent_at)?;
        let unsaved = Unsaved { attempt, tokens };
        *self.flight().unsaved() = Some(unsaved.clone());
        Some(unsaved)
    }

    pub(crate) async fn save_what_is_held(self: &Arc<Self>) -> Result<(), Error> {
        let unsaved = self.flight().unsaved().clone();
        match unsaved {
            Some(unsaved) => self.save(unsaved, false).await,
            None => Ok(()),
        }
    }

    /// Save first, publish second. Where the store does not take them they are shown all the same, and held.
    pub(crate) async fn save(self: &Arc<Self>, unsaved: Unsaved, doubtful: bool) -> Result<(), Error> {
        let Unsaved { attempt, tokens } = unsaved;
        let answer = self.apply(Operation::Commit { attempt, tokens: tokens.clone() }).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                self.keeper.tell(&self.key, attempt.generation + 1, EventKind::SaveFailed(error.clone()));
                if let Ok(snapshot) = Snapshot::held(attempt, &tokens, self.seal()) {
                    self.show(snapshot);
                }
                return Err(error);
            }
        };
        *self.flight().unsaved() = None;
        let tell = |generation, kind| self.keeper.tell(&self.key, generation, kind);
        match answer {
            Answer::Saved(record) => {
                tell(record.generation, if doubtful { EventKind::Settled } else { EventKind::Refreshed });
                self.adopt(&record)
            }
            Answer::Superseded(record) => {
                tell(record.generation, EventKind::Orphaned);
                self.adopt_newer(&record)
            }
            Answer::Stale | Answer::Gone => {
                if let Ok(tokens) = payload::open(&tokens, self.seal()) {
                    tell(attempt.generation, EventKind::Unclaimed(UnclaimedTokens(tokens)));
                }
                match self.load().await? {
                    Some(record) => self.adopt_newer(&record),
                    None => Ok(()),
                }
            }
            _ => Err(out_of_protocol("save the tokens")),
        }
    }

    /// Gives a store that came back from an older copy of itself what memory has: what it holds was presented already.
    pub(crate) async fn restore(self: &Arc<Self>, record: &Record) -> Result<bool, Error> {
        let Some(shown) = self.slot.load() else { return Ok(false) };
        let Shown { session, generation, .. } = shown.shown();
        let older = session == record.session && record.generation < generation;
        let (true, Some(granted_at)) = (older, shown.granted_at.time()) else { return Ok(false) };
        let Some(tokens) = self.stored(&shown.tokens(), generation, granted_at) else { return Ok(false) };
        let id = AttemptId::from_random(random()?);
        let attempt = AttemptRef { id, session, generation: generation - 1 };
        self.apply(Operation::Commit { attempt, tokens }).await?;
        Ok(true)
    }
}
