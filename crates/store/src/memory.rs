//! The store of one process: sessions live as long as it does.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use rampauth_core::{Clock, SystemClock};

use crate::error::StoreError;
use crate::key::SessionKey;
use crate::record::{Record, StoreTime};
use crate::revision::Revision;
use crate::store::{Due, DueQuery, Replaced, Replacement, Store, Stored};

/// Keeps sessions in memory. Clones share them, as processes share a store.
#[derive(Clone)]
pub struct MemoryStore {
    records: Arc<Mutex<BTreeMap<SessionKey, (Revision, Record)>>>,
    clock: Arc<dyn Clock>,
}

impl MemoryStore {
    /// An empty store on the machine's clock.
    pub fn new() -> Self {
        Self { records: Arc::default(), clock: Arc::new(SystemClock) }
    }

    /// Takes the store's time from `clock`.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    fn records(&self) -> MutexGuard<'_, BTreeMap<SessionKey, (Revision, Record)>> {
        // Nothing in here panics between two changes that belong together.
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> StoreTime {
        StoreTime::wall(self.clock.now())
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn read(&self, key: &SessionKey) -> Result<Stored, StoreError> {
        Ok(stored(self.records().get(key), self.now()))
    }

    async fn replace(&self, key: &SessionKey, replacement: Replacement<'_>) -> Result<Replaced, StoreError> {
        let mut records = self.records();
        let current = stored(records.get(key), self.now());
        if current.revision != replacement.expected {
            return Ok(Replaced::Conflict(current));
        }
        records.insert(key.clone(), (replacement.revision, replacement.record.clone()));
        Ok(Replaced::Written { time: current.time })
    }

    async fn due(&self, query: &DueQuery) -> Result<Vec<Due>, StoreError> {
        let now = self.now();
        let records = self.records();
        let after = query.after.as_ref().map(|(at, key)| (*at, key));
        let mut due: Vec<_> = records
            .iter()
            .filter_map(|(key, (_, record))| Some((record.due_unclaimed(&now)?, key)))
            .filter(|it| it.0 < query.before && after.is_none_or(|after| after < *it) && !query.leaves_out(it.1))
            .collect();
        due.sort();
        due.truncate(query.limit);
        let found =
            |(at, key): (_, &SessionKey)| Due { key: key.clone(), at, stored: Ok(stored(records.get(key), now)) };
        Ok(due.into_iter().map(found).collect())
    }

    async fn keys(&self, after: Option<&SessionKey>, limit: usize) -> Result<Vec<SessionKey>, StoreError> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let records = self.records();
        Ok(records.range((after, Bound::Unbounded)).take(limit).map(|(key, _)| key.clone()).collect())
    }

    fn outlives_the_process(&self) -> bool {
        false
    }
}

fn stored(record: Option<&(Revision, Record)>, time: StoreTime) -> Stored {
    let (revision, record) =
        record.map_or((Revision::ABSENT, None), |(revision, record)| (*revision, Some(record.clone())));
    Stored { record, revision, time }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("sessions", &self.records().len()).finish_non_exhaustive()
    }
}
