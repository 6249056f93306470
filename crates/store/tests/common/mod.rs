//! A store with a flaw of choice, and which scenarios of the suite it fails.
#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::SystemTime;

use async_trait::async_trait;
use rampauth_core::{Clock as _, SystemClock};
use rampauth_store::{Answer, Operation, Record, SessionKey, Store, StoreError, StoreTime, conformance, protocol};

/// One step on one record, flawed or not.
pub(crate) type Step = fn(&mut Option<Record>, Operation, &StoreTime) -> Answer;

/// Does everything right but what is replaced.
pub(crate) struct Mutant {
    pub(crate) records: Mutex<BTreeMap<SessionKey, Record>>,
    pub(crate) step: Step,
    pub(crate) is_due: fn(&Record, SystemTime, &StoreTime) -> Option<SystemTime>,
    pub(crate) listed: fn(&mut Vec<(SystemTime, SessionKey)>, usize),
    pub(crate) keys: fn(&BTreeMap<SessionKey, Record>) -> Vec<SessionKey>,
    pub(crate) stored_under: fn(&SessionKey) -> SessionKey,
    pub(crate) clock: fn() -> SystemTime,
    /// Reads and writes in two steps, with others in between.
    pub(crate) torn: bool,
}

impl Mutant {
    /// Without a flaw.
    pub(crate) fn sound() -> Self {
        Self {
            records: Mutex::default(),
            step: protocol::apply,
            is_due,
            listed: |due, limit| {
                due.sort();
                due.truncate(limit);
            },
            keys: |records| records.keys().cloned().collect(),
            stored_under: SessionKey::clone,
            clock: || SystemClock.now(),
            torn: false,
        }
    }

    /// With a flaw in the steps.
    pub(crate) fn stepping(step: Step) -> Self {
        Self { step, ..Self::sound() }
    }

    fn records(&self) -> std::sync::MutexGuard<'_, BTreeMap<SessionKey, Record>> {
        self.records.lock().expect("no step panics")
    }
}

pub(crate) fn is_due(record: &Record, before: SystemTime, now: &StoreTime) -> Option<SystemTime> {
    let claimed = record.attempt.as_ref().and_then(|attempt| attempt.lease).is_some_and(|lease| lease.holds_at(now));
    record.due().filter(|due| *due < before && !claimed)
}

#[async_trait]
impl Store for Mutant {
    async fn load(&self, key: &SessionKey) -> Result<Option<Record>, StoreError> {
        Ok(self.records().get(&(self.stored_under)(key)).cloned())
    }

    async fn apply(&self, key: &SessionKey, operation: Operation) -> Result<Answer, StoreError> {
        let (key, now) = ((self.stored_under)(key), StoreTime::wall((self.clock)()));
        if !self.torn {
            let mut records = self.records();
            let mut slot = records.remove(&key);
            let answer = (self.step)(&mut slot, operation, &now);
            records.extend(slot.map(|record| (key, record)));
            return Ok(answer);
        }
        let mut slot = self.records().get(&key).cloned();
        tokio::task::yield_now().await;
        let answer = (self.step)(&mut slot, operation, &now);
        tokio::task::yield_now().await;
        self.records().extend(slot.map(|record| (key, record)));
        Ok(answer)
    }

    async fn due(&self, before: SystemTime, limit: usize) -> Result<Vec<SessionKey>, StoreError> {
        let now = StoreTime::wall((self.clock)());
        let mut due: Vec<_> = (self.records().iter())
            .filter_map(|(key, record)| Some(((self.is_due)(record, before, &now)?, key.clone())))
            .collect();
        (self.listed)(&mut due, limit);
        Ok(due.into_iter().map(|(_, key)| key).collect())
    }

    async fn keys(&self) -> Result<Vec<SessionKey>, StoreError> {
        Ok((self.keys)(&self.records()))
    }
}

/// The scenarios that this store fails.
pub(crate) async fn failed(store: impl Store + 'static) -> BTreeSet<&'static str> {
    let report = conformance::run(store).await;
    assert_eq!(report.passed().len() + report.failures().len(), conformance::scenarios().len());
    report.failures().iter().map(conformance::Failure::scenario).collect()
}

/// Fails unless the suite finds this flaw in the scenario that is meant for it.
pub(crate) async fn is_caught(flaw: &str, store: impl Store + 'static, by: &str) {
    assert!(conformance::scenarios().contains(&by), "no scenario is called {by:?}");
    let failed = failed(store).await;
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
