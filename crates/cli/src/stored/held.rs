//! A store whose steps a signal does not interrupt: a step that is begun is finished, and with a claim that is made the whole command.

use async_trait::async_trait;
use rampauth_keeper::{Due, DueQuery, Replaced, Replacement, SessionKey, Store, StoreError, Stored};
use rampauth_store_sqlite::SqliteStore;

use crate::signals;

pub(super) struct Held(pub(super) SqliteStore);

#[async_trait]
impl Store for Held {
    async fn read(&self, key: &SessionKey) -> Result<Stored, StoreError> {
        self.0.read(key).await
    }

    async fn replace(&self, key: &SessionKey, replacement: Replacement<'_>) -> Result<Replaced, StoreError> {
        signals::hold();
        let answer = self.0.replace(key, replacement).await;
        match &answer {
            // A request follows. Without an answer, or with the future dropped, it is not known whether there is a claim.
            Ok(Replaced::Written { .. }) if replacement.claims => {}
            Err(_) => {}
            Ok(_) => signals::release(),
        }
        answer
    }

    async fn due(&self, query: &DueQuery) -> Result<Vec<Due>, StoreError> {
        self.0.due(query).await
    }

    async fn keys(&self, after: Option<&SessionKey>, limit: usize) -> Result<Vec<SessionKey>, StoreError> {
        self.0.keys(after, limit).await
    }
}
