//! What a store has to do: keep records, and carry out each step of the protocol as one.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;

use crate::key::SessionKey;
use crate::protocol::{Answer, Operation};
use crate::record::Record;

/// Keeps sessions for every process that uses it.
///
/// [`apply`](Self::apply) is [`protocol::apply`](crate::protocol::apply) on the stored record, at the store's own time, as one
/// atomic and durable step: a step that was answered is never undone by a crash, and two steps on one key never mix. A store
/// that does no more than that passes the conformance suite.
#[async_trait]
pub trait Store: Send + Sync {
    /// The record of this key.
    ///
    /// # Errors
    ///
    /// When the store cannot be read, or what it holds under this key is damaged.
    async fn load(&self, key: &SessionKey) -> Result<Option<Record>, StoreError>;

    /// Carries out one step, durably before it answers.
    ///
    /// # Errors
    ///
    /// When the store cannot be read or written; the step may have been carried out, and can be repeated.
    async fn apply(&self, key: &SessionKey, operation: Operation) -> Result<Answer, StoreError>;

    /// The keys, at most `limit`, whose records are due ([`Record::due`]) before `before`, the earliest first; claimed ones are
    /// left out.
    ///
    /// A keeper asks for them every few seconds, to find what other processes left.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    async fn due(&self, before: SystemTime, limit: usize) -> Result<Vec<SessionKey>, StoreError>;

    /// Every key that has a record, tombstones included, in order.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    async fn keys(&self) -> Result<Vec<SessionKey>, StoreError>;

    /// Whether what it holds is still there when the process has ended, for others to read: a keeper without a sealing key
    /// warns of that.
    fn outlives_the_process(&self) -> bool {
        true
    }
}

#[async_trait]
impl<T: Store + ?Sized> Store for Arc<T> {
    async fn load(&self, key: &SessionKey) -> Result<Option<Record>, StoreError> {
        (**self).load(key).await
    }

    async fn apply(&self, key: &SessionKey, operation: Operation) -> Result<Answer, StoreError> {
        (**self).apply(key, operation).await
    }

    async fn due(&self, before: SystemTime, limit: usize) -> Result<Vec<SessionKey>, StoreError> {
        (**self).due(before, limit).await
    }

    async fn keys(&self) -> Result<Vec<SessionKey>, StoreError> {
        (**self).keys().await
    }

    fn outlives_the_process(&self) -> bool {
        (**self).outlives_the_process()
    }
}

/// Why a store did not do what it was asked. Cheap to clone; never holds a token.
#[derive(Clone, Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    message: Arc<str>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// What is wrong with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// It cannot be reached or is overloaded just now: try again.
    Unavailable,
    /// It cannot be written: read-only, full, or not permitted.
    NotWritable,
    /// It is not ours, or from a newer version.
    Incompatible,
    /// This one record is damaged; the others are not.
    Damaged,
}

impl StoreError {
    /// An error whose text is `message`: `failed to <do>: <why>`, naming the store and the key, never a token.
    pub fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: Arc::from(message.into()), source: None }
    }

    /// Keeps the cause. It must hold no token.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// Whether it was a store that failed, when a keeper gives this error.
    pub fn is_the_cause_of(error: &(dyn StdError + 'static)) -> bool {
        error.source().is_some_and(<dyn StdError>::is::<Self>)
    }

    /// What is wrong.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for StoreError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Holds nothing, and says nothing of how long it lasts.
    struct Empty;

    #[async_trait]
    impl Store for Empty {
        async fn load(&self, _: &SessionKey) -> Result<Option<Record>, StoreError> {
            Ok(None)
        }

        async fn apply(&self, _: &SessionKey, _: Operation) -> Result<Answer, StoreError> {
            Ok(Answer::Gone)
        }

        async fn due(&self, _: SystemTime, _: usize) -> Result<Vec<SessionKey>, StoreError> {
            Ok(Vec::new())
        }

        async fn keys(&self) -> Result<Vec<SessionKey>, StoreError> {
            Ok(Vec::new())
        }
    }

    #[test]
    fn a_store_outlives_its_process_unless_it_says_otherwise() {
        assert!(Empty.outlives_the_process());
        assert!(Arc::new(Empty).outlives_the_process());
    }

    #[test]
    fn an_error_says_what_it_is_and_whether_a_store_caused_it() {
        let error = StoreError::new(StoreErrorKind::Unavailable, "failed to save it: nobody is there");
        assert_eq!(error.to_string(), "failed to save it: nobody is there");
        assert!(!StoreError::is_the_cause_of(&error));
        let outer = StoreError::new(StoreErrorKind::Unavailable, "failed to refresh").with_source(error);
        assert!(StoreError::is_the_cause_of(&outer));
        let other = StoreError::new(StoreErrorKind::Unavailable, "failed").with_source(fmt::Error);
        assert!(!StoreError::is_the_cause_of(&other));
    }
}
