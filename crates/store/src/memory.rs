//! The store of one process: sessions live as long as it does.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use rampauth_core::{Clock, SystemClock};

use crate::key::SessionKey;
use crate::protocol::{self, Answer, Operation};
use crate::record::{Record, StoreTime};
use crate::store::{Store, StoreError};

/// Keeps sessions in memory. Clones share them, as processes share a store.
#[derive(Clone)]
pub struct MemoryStore {
    records: Arc<Mutex<BTreeMap<SessionKey, Record>>>,
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

    fn records(&self) -> MutexGuard<'_, BTreeMap<SessionKey, Record>> {
        // A step that panicked has not returned: what it left is what it was given.
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn load(&self, key: &SessionKey) -> Result<Option<Record>, StoreError> {
        Ok(self.records().get(key).cloned())
    }

    async fn apply(&self, key: &SessionKey, operation: Operation) -> Result<Answer, StoreError> {
        let now = StoreTime::wall(self.clock.now());
        let mut records = self.records();
        let mut slot = records.get(key).cloned();
        let answer = protocol::apply(&mut slot, operation, &now);
        if let Some(record) = slot {
            records.insert(key.clone(), record);
        }
        Ok(answer)
    }

    async fn due(&self, before: SystemTime, limit: usize) -> Result<Vec<SessionKey>, StoreError> {
        let now = StoreTime::wall(self.clock.now());
        let records = self.records();
        let mut due: Vec<_> =
            records.iter().filter_map(|(key, record)| Some((is_due(record, before, &now)?, key))).collect();
        due.sort();
        Ok(due.into_iter().take(limit).map(|(_, key)| key.clone()).collect())
    }

    async fn keys(&self) -> Result<Vec<SessionKey>, StoreError> {
        Ok(self.records().keys().cloned().collect())
    }

    fn outlives_the_process(&self) -> bool {
        false
    }
}

fn is_due(record: &Record, before: SystemTime, now: &StoreTime) -> Option<SystemTime> {
    let claimed = record.attempt.as_ref().and_then(|attempt| attempt.lease).is_some_and(|lease| lease.holds_at(now));
    record.due().filter(|due| !claimed && *due < before)
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("sessions", &self.records().len()).finish_non_exhaustive()
    }
}
