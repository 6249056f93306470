//! A record as this process has seen it, for the steps that go on from there without reading it again.

use std::sync::Arc;

use rampauth_core::{Error, ErrorKind, Outcome};
use rampauth_store::{Answer, MAX_AGE, Operation, Record, Seen, SessionKey, Stored, apply};

use crate::clock::steady::Mark;
use crate::event::EventKind;
use crate::keeper::Shared;
use crate::plan::next_step::{Need, Plan, Shown};
use crate::refresh::run::ACTION;
use crate::session::Inner;

/// What the store held, and when it was asked.
#[derive(Clone)]
pub(crate) struct Look {
    stored: Stored,
    /// From before the question.
    asked: Mark,
    /// Counts those that are remembered, by the handles on it.
    remembered: Option<Arc<()>>,
}

/// How many records a keeper remembers at a time, for the next refreshes of their sessions. The others are read again.
const REMEMBERED: usize = 1_024;

impl Look {
    pub(crate) fn new(stored: Stored, asked: Mark) -> Self {
        Self { stored, asked, remembered: None }
    }

    pub(crate) fn record(&self) -> Option<&Record> {
        self.stored.record.as_ref()
    }
}

impl Shared {
    pub(crate) async fn look(&self, key: &SessionKey) -> Result<Look, Error> {
        let asked = self.clock.mark();
        let stored = self.in_time(Outcome::NotSent, key, self.store.read(key)).await?;
        Ok(Look::new(stored, asked))
    }

    pub(crate) async fn load(&self, key: &SessionKey) -> Result<Option<Record>, Error> {
        Ok(self.look(key).await?.stored.record)
    }

    pub(crate) async fn apply(&self, key: &SessionKey, operation: Operation) -> Result<Answer, Error> {
        Ok(self.apply_on(key, None, operation, Outcome::NotSent).await?.0)
    }

    /// A step on the record as it was seen, and what is stored after it; `outcome` says how far the provider's call has got when it
    /// fails. A claim's age counts from before this call.
    pub(crate) async fn apply_on(
        &self,
        key: &SessionKey,
        seen: Option<&Look>,
        operation: Operation,
        outcome: Outcome,
    ) -> Result<(Answer, Look), Error> {
        let asked = self.clock.mark();
        let seen = seen.map(|look| Seen { stored: look.stored.clone(), age: asked.since(&look.asked) });
        // On the heap: a step holds several records, and each refresh would hold them all along.
        let step = Box::pin(apply(&*self.store, key, seen, operation));
        let applied = self.in_time(outcome, key, step).await?;
        Ok((applied.answer, Look::new(applied.stored, asked)))
    }
}

impl Inner {
    pub(crate) async fn look_at_record(&self) -> Result<Look, Error> {
        self.keeper.look(&self.key).await
    }

    pub(crate) async fn load(&self) -> Result<Option<Record>, Error> {
        self.keeper.load(&self.key).await
    }

    pub(crate) async fn apply(&self, operation: Operation) -> Result<Answer, Error> {
        self.keeper.apply(&self.key, operation).await
    }

    /// The record as it is now, or as it was just `found`, once what others did to it is seen to. `None` where it was changed on the
    /// way, and is to be looked at again.
    pub(crate) async fn look_and_adopt(
        self: &Arc<Self>,
        found: Option<Look>,
        tells: bool,
    ) -> Result<Option<Look>, Error> {
        let look = match found {
            Some(look) => look,
            None => self.look_at_record().await?,
        };
        let Some(record) = look.record() else {
            let reason = "there is no session under this key yet";
            return Err(Error::new(ErrorKind::LoginNeeded, Outcome::NotSent, ACTION, reason));
        };
        if self.restore(record).await? {
            return Ok(None);
        }
        if let Err(error) = self.adopt_newer(record) {
            // Where nobody waits for this refresh, nobody else would tell.
            if tells {
                self.keeper.tell(&self.key, record.generation, EventKind::RefreshFailed(error.clone()));
            }
            return Err(error);
        }
        self.with_rejection(look).await.map(Some)
    }

    /// Whether a record that was seen before is this session's as readers see it, and would be claimed.
    pub(crate) fn may_claim_upon(&self, look: &Look, need: Need) -> bool {
        let Some(record) = look.record() else { return false };
        let shown = self.slot.load().map(|shown| shown.shown());
        let rejected = self.flight().rejected();
        let record = self.by_options(record.clone());
        shown == Some(Shown::of(&record))
            && rejected.is_none_or(|rejected| record.rejected == Some(rejected))
            && self.held_back(&record, need).is_none()
            && matches!(self.next_step(&record, need), Plan::Present { .. } | Plan::SendManually)
    }

    /// A step before anything is sent, on the record as it was seen.
    pub(crate) async fn apply_on(&self, seen: &Look, operation: Operation) -> Result<(Answer, Look), Error> {
        self.keeper.apply_on(&self.key, Some(seen), operation, Outcome::NotSent).await
    }

    /// Keeps what was seen for the next refresh, if that comes while it may still be acted on.
    pub(crate) fn remember(&self, mut look: Look) {
        let now = self.keeper.clock.wall();
        let due = look.record().and_then(Record::due);
        let is_soon = due.is_some_and(|due| due.duration_since(now).unwrap_or_default() < MAX_AGE);
        if is_soon && Arc::strong_count(&self.keeper.remembered) <= REMEMBERED {
            look.remembered = Some(Arc::clone(&self.keeper.remembered));
            self.flight().remember(Some(Box::new(look)));
        }
    }
}
