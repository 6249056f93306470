//! A store with a flaw of choice, and which scenarios of the suite it fails.
#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Mutex;
use std::time::SystemTime;

use async_trait::async_trait;
use rampauth_core::{Clock as _, SystemClock};
use rampauth_store::protocol::{self, Step};
use rampauth_store::{
    Answer, Due, DueQuery, Record, Replaced, Replacement, Revision, SessionKey, Store, StoreError, StoreTime, Stored,
    conformance,
};

/// A record with its revision.
pub(crate) type Version = (Revision, Record);
pub(crate) type Records = BTreeMap<SessionKey, Version>;
/// What a write leaves in the place of what was stored.
pub(crate) type Kept = fn(Option<&Version>, Version) -> Option<Version>;

/// Does everything right but what is replaced.
pub(crate) struct Mutant {
    pub(crate) records: Mutex<Records>,
    /// The steps that the suite carries out on it.
    pub(crate) step: Step,
    /// Whether the record of this key may be replaced by who expects this revision.
    pub(crate) accepts: fn(&Records, &SessionKey, Revision) -> bool,
    /// What a write leaves in the place of what was stored.
    pub(crate) kept: Kept,
    /// What a conflict answers, and leaves.
    pub(crate) refused: fn(&mut Records, &SessionKey, Replacement<'_>, Stored) -> Stored,
    pub(crate) is_due: fn(&Record, SystemTime, &StoreTime) -> Option<SystemTime>,
    pub(crate) listed: fn(&mut Vec<(SystemTime, SessionKey)>, &DueQuery),
    pub(crate) due_record: fn(Stored) -> Stored,
    pub(crate) keys: fn(&Records, Option<&SessionKey>, usize) -> Vec<SessionKey>,
    pub(crate) stored_under: fn(&SessionKey) -> SessionKey,
    pub(crate) clock: fn() -> SystemTime,
    /// Compares and writes in two steps, with others in between.
    pub(crate) torn: bool,
}

impl Mutant {
    /// Without a flaw.
    pub(crate) fn sound() -> Self {
        Self {
            records: Mutex::default(),
            step: protocol::apply,
            accepts: |records, key, expected| revision(records.get(key)) == expected,
            kept: |_, new| Some(new),
            refused: |_, _, _, current| current,
            is_due,
            listed: |due, query| {
                let after = query.after.clone();
                due.retain(|it| !query.leaves_out(&it.1) && after.as_ref().is_none_or(|after| after < it));
                due.sort();
                due.truncate(query.limit);
            },
            due_record: |stored| stored,
            keys: |records, after, limit| {
                let after = after.map_or(Bound::Unbounded, Bound::Excluded);
                records.range((after, Bound::Unbounded)).take(limit).map(|(key, _)| key.clone()).collect()
            },
            stored_under: SessionKey::clone,
            clock: || SystemClock.now(),
            torn: false,
        }
    }

    /// With a flaw in the steps.
    pub(crate) fn stepping(step: Step) -> Self {
        Self { step, ..Self::sound() }
    }

    /// With a flaw in what it keeps of a record.
    pub(crate) fn keeping(kept: Kept) -> Self {
        Self { kept, ..Self::sound() }
    }

    fn records(&self) -> std::sync::MutexGuard<'_, Records> {
        self.records.lock().expect("no step panics")
    }

    fn now(&self) -> StoreTime {
        StoreTime::wall((self.clock)())
    }
}

pub(crate) fn revision(stored: Option<&Version>) -> Revision {
    stored.map_or(Revision::ABSENT, |(revision, _)| *revision)
}

fn stored(stored: Option<&Version>, time: StoreTime) -> Stored {
    Stored { record: stored.map(|(_, record)| record.clone()), revision: revision(stored), time }
}

pub(crate) fn is_due(record: &Record, before: SystemTime, now: &StoreTime) -> Option<SystemTime> {
    record.due_unclaimed(now).filter(|due| *due < before)
}

#[async_trait]
impl Store for Mutant {
    async fn read(&self, key: &SessionKey) -> Result<Stored, StoreError> {
        Ok(stored(self.records().get(&(self.stored_under)(key)), self.now()))
    }

    async fn replace(&self, key: &SessionKey, replacement: Replacement<'_>) -> Result<Replaced, StoreError> {
        let key = (self.stored_under)(key);
        let Replacement { expected, revision, record, .. } = replacement;
        if self.torn {
            let before = stored(self.records().get(&key), self.now());
            tokio::task::yield_now().await;
            if before.revision != expected {
                return Ok(Replaced::Conflict(before));
            }
            self.records().insert(key, (revision, record.clone()));
            return Ok(Replaced::Written { time: self.now() });
        }
        let mut records = self.records();
        if !(self.accepts)(&records, &key, expected) {
            let current = stored(records.get(&key), self.now());
            return Ok(Replaced::Conflict((self.refused)(&mut records, &key, replacement, current)));
        }
        if let Some(kept) = (self.kept)(records.get(&key), (revision, record.clone())) {
            records.insert(key, kept);
        }
        Ok(Replaced::Written { time: self.now() })
    }

    async fn due(&self, query: &DueQuery) -> Result<Vec<Due>, StoreError> {
        let now = self.now();
        let records = self.records();
        let mut due: Vec<_> = (records.iter())
            .filter_map(|(key, (_, record))| Some(((self.is_due)(record, query.before, &now)?, key.clone())))
            .collect();
        (self.listed)(&mut due, query);
        let found = |(at, key): (_, SessionKey)| {
            let stored = (self.due_record)(stored(records.get(&key), now));
            Due { key, at, stored: Ok(stored) }
        };
        Ok(due.into_iter().map(found).collect())
    }

    async fn keys(&self, after: Option<&SessionKey>, limit: usize) -> Result<Vec<SessionKey>, StoreError> {
        Ok((self.keys)(&self.records(), after, limit))
    }
}

/// The scenarios that this store fails.
pub(crate) async fn failed(mutant: Mutant) -> BTreeSet<&'static str> {
    let steps = mutant.step;
    failed_by(mutant, steps).await
}

/// The scenarios that this store fails, with these steps.
pub(crate) async fn failed_by(store: impl Store + 'static, steps: Step) -> BTreeSet<&'static str> {
    let report = conformance::run_with(store, steps).await;
    assert_eq!(report.passed().len() + report.failures().len(), conformance::scenarios().len());
    report.failures().iter().map(conformance::Failure::scenario).collect()
}

/// Fails unless the suite finds this flaw in the scenario that is meant for it.
pub(crate) async fn is_caught(flaw: &str, mutant: Mutant, by: &str) {
    assert!(conformance::scenarios().contains(&by), "no scenario is called {by:?}");
    let failed = failed(mutant).await;
    assert!(failed.contains(by), "{flaw}: {by:?} did not find it; failed were {failed:#?}");
}

/// The answer with the record as it is now.
pub(crate) fn with_record(answer: Answer, now: &Option<Record>) -> Answer {
    let Some(record) = now.clone() else { return answer };
    match answer {
        Answer::Saved(_) => Answer::Saved(record),
        Answer::Begun(_) => Answer::Begun(record),
        Answer::Doubtful(_) => Answer::Doubtful(record),
        Answer::Moved(_) => Answer::Moved(Some(record)),
        Answer::Superseded(_) => Answer::Superseded(record),
        Answer::Adopted(_) => Answer::Adopted(record),
        Answer::Done(_) => Answer::Done(record),
        other => other,
    }
}
