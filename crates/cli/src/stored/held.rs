//! A store whose steps a signal does not interrupt: a step that is begun is finished, and with a claim that is made the whole command.

use std::time::SystemTime;

use async_trait::async_trait;
use rampauth_keeper::{Answer, Operation, Record, SessionKey, Store, StoreError};
use rampauth_store_sqlite::SqliteStore;

use crate::signals;

pub(super) struct Held(pub(super) SqliteStore);

#[async_trait]
impl Store for Held {
    async fn load(&self, key: &SessionKey) -> Result<Option<Record>, StoreError> {
        self.0.load(key).await
    }

    async fn apply(&self, key: &SessionKey, operation: Operation) -> Result<Answer, StoreError> {
        signals::hold();
        let answer = self.0.apply(key, operation).await;
        match &answer {
            // A request follows. Without an answer, or with the future dropped, it is not known whether there is a claim.
            Ok(Answer::Begun(_)) | Err(_) => {}
            Ok(_) => signals::release(),
        }
        answer
    }

    async fn due(&self, before: SystemTime, limit: usize) -> Result<Vec<SessionKey>, StoreError> {
        self.0.due(before, limit).await
    }

    async fn keys(&self) -> Result<Vec<SessionKey>, StoreError> {
        self.0.keys().await
    }
}
