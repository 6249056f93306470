//! What a store has to do: keep one record per session, and replace it if it has not changed.

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;

use crate::error::StoreError;
use crate::key::SessionKey;
use crate::record::{Record, StoreTime};
use crate::revision::Revision;

/// Keeps sessions for every process that uses it.
///
/// A store knows nothing of what a refresh is: it gives out records, and puts a new one in the place of the one that a process
/// has seen. Everything else is [`apply`](crate::apply), which is the same for all stores.
#[async_trait]
pub trait Store: Send + Sync {
    /// What is stored under this key, and the store's time. Everything that was answered as written before the call is seen.
    ///
    /// # Errors
    ///
    /// When the store cannot be read, or what it holds under this key is damaged.
    async fn read(&self, key: &SessionKey) -> Result<Stored, StoreError>;

    /// Puts a record in the place of the one of the expected revision, as one atomic step, and is durable before it answers
    /// [`Replaced::Written`]. Where another revision is stored by now, nothing is written.
    ///
    /// # Errors
    ///
    /// When the store cannot be read or written; the record may have been written, or may still be.
    async fn replace(&self, key: &SessionKey, replacement: Replacement<'_>) -> Result<Replaced, StoreError>;

    /// The records that are due ([`Record::due`]), the earliest first and keys in order where times are the same; claimed ones
    /// are left out. They come with everything that a refresh needs, so that it need not read them again.
    ///
    /// A keeper asks for them every few seconds, to find what other processes left.
    ///
    /// # Errors
    ///
    /// When the store cannot be read. A single record that cannot be read is no reason: it stands in the list with its error.
    async fn due(&self, query: &DueQuery) -> Result<Vec<Due>, StoreError>;

    /// The keys that have a record, tombstones included, in order: at most `limit` of those that come after `after`.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn keys(&self, after: Option<&SessionKey>, limit: usize) -> Result<Vec<SessionKey>, StoreError>;

    /// Whether what it holds is still there when the process has ended, for others to read: a keeper without a sealing key
    /// warns of that.
    fn outlives_the_process(&self) -> bool {
        true
    }
}

#[async_trait]
impl<T: Store + ?Sized> Store for Arc<T> {
    async fn read(&self, key: &SessionKey) -> Result<Stored, StoreError> {
        (**self).read(key).await
    }

    async fn replace(&self, key: &SessionKey, replacement: Replacement<'_>) -> Result<Replaced, StoreError> {
        (**self).replace(key, replacement).await
    }

    async fn due(&self, query: &DueQuery) -> Result<Vec<Due>, StoreError> {
        (**self).due(query).await
    }

    async fn keys(&self, after: Option<&SessionKey>, limit: usize) -> Result<Vec<SessionKey>, StoreError> {
        (**self).keys(after, limit).await
    }

    fn outlives_the_process(&self) -> bool {
        (**self).outlives_the_process()
    }
}

/// What a store holds under a key.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The record; `None` where nothing was ever stored.
    pub record: Option<Record>,
    /// Its revision; [`Revision::ABSENT`] where there is no record.
    pub revision: Revision,
    /// The store's time, read when the record was.
    pub time: StoreTime,
}

/// A record that is to take another's place.
#[derive(Clone, Copy, Debug)]
pub struct Replacement<'r> {
    /// The revision of the record that was seen; [`Revision::ABSENT`] where there was none.
    pub expected: Revision,
    /// The new record's, drawn by the caller ([`Revision::next`]).
    pub revision: Revision,
    /// The new record.
    pub record: &'r Record,
    /// Whether it begins an attempt, so that tokens may have to be stored soon. A store lets those wait behind all others, and
    /// may refuse them where it has no room for the tokens.
    pub claims: bool,
}

/// What came of a [`Replacement`].
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "one at a time, and a conflict is moved on at once")]
pub enum Replaced {
    /// The new record is stored, durably.
    Written {
        /// The store's time.
        time: StoreTime,
    },
    /// Another revision is stored. Nothing was written.
    Conflict(Stored),
}

/// Which records are asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DueQuery {
    /// Only those that are due before this time.
    pub before: SystemTime,
    /// At most as many.
    pub limit: usize,
    /// Only those that come after this one in the order of the answer: its time, and its key.
    pub after: Option<(SystemTime, SessionKey)>,
    /// No keys that begin with one of these texts.
    pub except: Vec<String>,
}

impl DueQuery {
    /// The first `limit` records that are due before this time.
    pub const fn new(before: SystemTime, limit: usize) -> Self {
        Self { before, limit, after: None, except: Vec::new() }
    }

    /// Only those that come after this one in the order of the answer.
    #[must_use]
    pub fn after(self, due: &Due) -> Self {
        Self { after: Some((due.at, due.key.clone())), ..self }
    }

    /// No keys that begin with this text either: those of a provider that is left alone for a while, for instance.
    #[must_use]
    pub fn except(mut self, beginning: impl Into<String>) -> Self {
        self.except.push(beginning.into());
        self
    }

    /// Whether a key is not to be in the answer.
    pub fn leaves_out(&self, key: &SessionKey) -> bool {
        self.except.iter().any(|beginning| key.as_str().starts_with(beginning))
    }
}

/// A record that is due.
#[derive(Clone, Debug)]
pub struct Due {
    /// Its key.
    pub key: SessionKey,
    /// Since when it is due.
    pub at: SystemTime,
    /// The record, or why it cannot be read.
    pub stored: Result<Stored, StoreError>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Holds nothing, and says nothing of how long it lasts.
    struct Empty;

    #[async_trait]
    impl Store for Empty {
        async fn read(&self, _: &SessionKey) -> Result<Stored, StoreError> {
            let time = StoreTime::wall(SystemTime::UNIX_EPOCH);
            Ok(Stored { record: None, revision: Revision::ABSENT, time })
        }

        async fn replace(&self, key: &SessionKey, _: Replacement<'_>) -> Result<Replaced, StoreError> {
            Ok(Replaced::Conflict(self.read(key).await?))
        }

        async fn due(&self, _: &DueQuery) -> Result<Vec<Due>, StoreError> {
            Ok(Vec::new())
        }

        async fn keys(&self, _: Option<&SessionKey>, _: usize) -> Result<Vec<SessionKey>, StoreError> {
            Ok(Vec::new())
        }
    }

    #[test]
    fn a_store_outlives_its_process_unless_it_says_otherwise() {
        assert!(Empty.outlives_the_process());
        assert!(Arc::new(Empty).outlives_the_process());
    }

    #[test]
    fn keys_are_left_out_by_how_they_begin() {
        let query = DueQuery::new(SystemTime::UNIX_EPOCH, 9).except("payby/").except("onboard/staging/a");
        let left_out = |key: &str| query.leaves_out(&SessionKey::parse(key).expect("a key"));
        assert!(left_out("payby/sim/acme") && left_out("onboard/staging/acme"));
        assert!(!left_out("payby-2/sim/acme") && !left_out("onboard/staging/other"));
    }
}
