//! Why a store did not do what it was asked.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

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
