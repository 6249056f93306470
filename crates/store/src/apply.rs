//! Steps of the protocol on a store: run on the record as it was seen, and written if it has not changed since.

use std::time::Duration;

use async_trait::async_trait;

use crate::error::{StoreError, StoreErrorKind};
use crate::key::SessionKey;
use crate::protocol::{self, Answer, Operation, Step};
use crate::record::Record;
use crate::store::{Replaced, Replacement, Store, Stored};

/// How long a record that was read may be acted on. An older one is read again: it has probably changed, and two clocks that run
/// at slightly different speeds have not drifted apart until then.
pub const MAX_AGE: Duration = Duration::from_secs(60);
/// How often a step runs anew because other processes changed the record. One of them gets on each time.
const CONFLICTS: usize = 1_000;
/// How many keys [`StoreExt::all_keys`] asks for at a time.
const PAGE: usize = 10_000;

/// A record that was read before.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What was read.
    pub stored: Stored,
    /// How long ago it was asked for, counted on the boot-time clock from before the question.
    pub age: Duration,
}

/// What came of a step.
#[derive(Clone, Debug)]
pub struct Applied {
    /// Its answer.
    pub answer: Answer,
    /// What is stored now, as far as this process knows: another step can go on from it.
    pub stored: Stored,
}

/// Carries out one step of the protocol, durably before it answers.
///
/// It runs on the record that was `seen`, or else on one that is read first, at the time that the store's clock showed there plus
/// what has passed since. The outcome is written if the record has not changed meanwhile. If it has, the step runs anew on what is
/// there now; a claim, and the end of a doubt, are answered [`Answer::Moved`] instead, because what was planned on the old record
/// may be wrong by the new one: a pause that the provider asked for, for instance.
///
/// An answer that writes nothing always comes from a record that was read after the call: otherwise a wait or a *moved* would be
/// answered that was over by then. So does a claim on a record in which somebody else's held: what has passed since it was asked
/// for may be more than what has passed since the store read its clock, and a claim would seem to be over that is not.
///
/// # Errors
///
/// When the store cannot be read or written. The step may have been carried out, or may still be, and can be repeated. To be
/// certain that it has no effect later, take it back ([`Conclusion::NotSent`](crate::Conclusion::NotSent)): that writes a new
/// revision in any case.
pub async fn apply(
    store: &(impl Store + ?Sized),
    key: &SessionKey,
    seen: Option<Seen>,
    operation: Operation,
) -> Result<Applied, StoreError> {
    apply_with(protocol::apply, store, key, seen, operation).await
}

/// [`apply`] with other steps.
pub(crate) async fn apply_with(
    step: Step,
    store: &(impl Store + ?Sized),
    key: &SessionKey,
    seen: Option<Seen>,
    operation: Operation,
) -> Result<Applied, StoreError> {
    // What the step was planned on. On anything else it is to be planned anew.
    let planned_on = seen.as_ref().filter(|_| operation.is_planned()).map(|seen| seen.stored.revision);
    let may_be_used = |seen: &Seen| seen.age <= MAX_AGE && !(planned_on.is_some() && is_claimed(&seen.stored));
    let (mut stored, mut age, mut is_fresh) = match seen.filter(may_be_used) {
        Some(Seen { stored, age }) => (stored, age, false),
        None => (store.read(key).await?, Duration::ZERO, true),
    };
    for _ in 0..CONFLICTS {
        if planned_on.is_some_and(|revision| revision != stored.revision) {
            return Ok(Applied { answer: Answer::Moved(stored.record.clone()), stored });
        }
        let now = stored.time.after(age);
        let mut slot = stored.record.clone();
        let mut answer = step(&mut slot, operation.clone(), &now);
        let written = answer.written().is_some();
        match slot.filter(|_| written) {
            Some(record) => {
                let (expected, revision) = (stored.revision, stored.revision.next()?);
                let claims = matches!(answer, Answer::Begun(_));
                let replacement = Replacement { expected, revision, record: &record, claims };
                match store.replace(key, replacement).await? {
                    Replaced::Written { time } => {
                        return Ok(Applied { answer, stored: Stored { record: Some(record), revision, time } });
                    }
                    Replaced::Conflict(current) if operation.is_planned() => {
                        return Ok(Applied { answer: Answer::Moved(current.record.clone()), stored: current });
                    }
                    Replaced::Conflict(current) => stored = current,
                }
            }
            None if is_fresh => return Ok(Applied { answer, stored }),
            None => stored = store.read(key).await?,
        }
        (age, is_fresh) = (Duration::ZERO, true);
    }
    let why = format!("failed to change {key}: its record has changed each time that it was looked at");
    Err(StoreError::new(StoreErrorKind::Unavailable, why))
}

/// Whether somebody's claim held when this was read.
fn is_claimed(stored: &Stored) -> bool {
    stored.record.as_ref().and_then(Record::lease).is_some_and(|lease| lease.holds_at(&stored.time))
}

/// What every store can do besides, for callers that hold no record.
#[async_trait]
pub trait StoreExt: Store {
    /// The record of this key.
    ///
    /// # Errors
    ///
    /// As [`Store::read`].
    async fn load(&self, key: &SessionKey) -> Result<Option<Record>, StoreError> {
        Ok(self.read(key).await?.record)
    }

    /// Carries out one step, as [`apply`] does on a record that it reads first.
    ///
    /// # Errors
    ///
    /// As [`apply`].
    async fn apply(&self, key: &SessionKey, operation: Operation) -> Result<Answer, StoreError> {
        Ok(Box::pin(apply(self, key, None, operation)).await?.answer)
    }

    /// Every key that has a record, tombstones included, in order; read in several parts where there are many.
    ///
    /// # Errors
    ///
    /// As [`Store::keys`].
    async fn all_keys(&self) -> Result<Vec<SessionKey>, StoreError> {
        let mut all = self.keys(None, PAGE).await?;
        let mut last = all.len();
        while last == PAGE {
            let more = self.keys(all.last(), PAGE).await?;
            last = more.len();
            all.extend(more);
        }
        Ok(all)
    }
}

impl<T: Store + ?Sized> StoreExt for T {}
