#![doc = include_str!("../README.md")]

mod changes;
mod clock;
mod error;
mod file;
mod location;
mod memory;
mod presence;
mod queue;
mod room;
mod row;
mod schema;
mod sharing;
mod steps;
mod worker;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rampauth_store::{
    Due, DueQuery, Record, Replaced, Replacement, SessionId, SessionKey, Store, StoreError, StoreTime, Stored,
};

pub use changes::{Changes, Mark};

use crate::clock::StoreClock;
use crate::location::Location;
use crate::row::Replace;
use crate::steps::Steps;
use crate::worker::Worker;

/// A second less than the keeper allows a step by default: the store's error names the file and says what is wrong with it, where
/// the keeper's own could only say that nothing came.
const BUSY_TIMEOUT: Duration = Duration::from_secs(4);

/// Keeps sessions in one SQLite file. Clones share its connection; other processes of the machine open the same file.
///
/// One thread of its own does the work, so that no runtime is blocked and none is needed. A step whose caller is dropped has
/// either not begun, and then never does, or is carried out to its end.
///
#[doc = include_str!("operation.md")]
#[derive(Clone)]
pub struct SqliteStore {
    place: Arc<Location>,
    worker: Worker,
}

impl SqliteStore {
    /// Opens the file, or creates it for its owner alone; its folder must exist. An empty file is a fresh store.
    ///
    /// Blocks for as long as the disk takes, and up to four seconds while another process has the file locked.
    ///
    /// # Errors
    ///
    /// - [`Incompatible`](rampauth_store::StoreErrorKind::Incompatible): the file is not a store, or one of a newer version.
    ///   It is left as it is.
    /// - [`NotWritable`](rampauth_store::StoreErrorKind::NotWritable): the file is read-only, or cannot be created.
    /// - [`Damaged`](rampauth_store::StoreErrorKind::Damaged): SQLite cannot make sense of the file.
    /// - [`Unavailable`](rampauth_store::StoreErrorKind::Unavailable): the file stayed locked, or the disk failed.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::builder().open(path)
    }

    /// Changes how a store is opened.
    pub fn builder() -> SqliteStoreBuilder {
        SqliteStoreBuilder { busy_timeout: BUSY_TIMEOUT, clock: clock::machine() }
    }

    /// Sets a damaged record aside, so that its session can begin anew: its bytes go, as they are, into the table `damaged` of
    /// the same file, and a tombstone of `session` at its generation takes their place. Nothing is deleted.
    ///
    /// `None` when the record is not damaged, or there is none: then nothing is done. The tombstone otherwise; a login takes its
    /// place as that of any other, and generations go on.
    ///
    /// # Errors
    ///
    /// As [`Store::replace`]; [`Damaged`](rampauth_store::StoreErrorKind::Damaged) when the file itself is damaged where the record
    /// is kept, and [`Incompatible`](rampauth_store::StoreErrorKind::Incompatible) for a record of a newer version.
    pub async fn set_aside(&self, key: &SessionKey, session: SessionId) -> Result<Option<Record>, StoreError> {
        let wanted = key.clone();
        self.run("set aside", Some(key), move |steps| steps.set_aside(&wanted, session)).await
    }

    /// A mark of every record, to find which of them others have changed: a record whose mark is the same as before was not
    /// changed. `None` where no other process or connection has changed the file since `since`, the version of an earlier answer;
    /// what this store changed itself does not count.
    ///
    /// One look at the whole file, much cheaper than loading each record.
    ///
    /// # Errors
    ///
    /// As [`Store::read`].
    pub async fn changes(&self, since: Option<u64>) -> Result<Option<Changes>, StoreError> {
        self.run("look for changes", None, move |steps| steps.changes(since)).await
    }

    /// Empties the file's log, in which what records held before stays until it comes round: after sealing tokens that were stored
    /// unsealed, for instance. `false` when another process is reading an older state all the while: then the log stays as it is.
    ///
    /// # Errors
    ///
    /// As [`Store::read`].
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method is for one lifetime, the closure for all"
    )]
    pub async fn empty_log(&self) -> Result<bool, StoreError> {
        self.run("empty the log", None, |steps| steps.empty_log()).await
    }

    /// How often the file was opened anew because its log (`-wal`) or its shared memory (`-shm`) was removed under this store.
    ///
    /// The step that finds out is answered with [`Unavailable`](rampauth_store::StoreErrorKind::Unavailable) and can be repeated.
    /// What the removed log held is in the file by then, unless another program had made a new log. Somebody removes files that
    /// are in use: a program should say so, even if all went well afterwards.
    pub fn reopened(&self) -> u64 {
        self.worker.reopened()
    }

    async fn run<T: Send + 'static>(
        &self,
        action: &'static str,
        key: Option<&SessionKey>,
        step: impl FnOnce(&mut Steps<'_>) -> Result<T, error::Trouble> + Send + 'static,
    ) -> Result<T, StoreError> {
        let result = self.worker.run(step).await;
        result.map_err(|trouble| match key {
            Some(key) => trouble.into_error(format_args!("{action} {key}"), &self.place),
            None => trouble.into_error(format_args!("{action}"), &self.place),
        })
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn read(&self, key: &SessionKey) -> Result<Stored, StoreError> {
        let wanted = key.clone();
        self.run("read", Some(key), move |steps| steps.read(&wanted)).await
    }

    async fn replace(&self, key: &SessionKey, replacement: Replacement<'_>) -> Result<Replaced, StoreError> {
        let replace = Replace::new(key, replacement);
        let action = replace.action();
        let answer = self.worker.replace(replace).await;
        answer.map_err(|trouble| trouble.into_error(format_args!("{action} {key}"), &self.place))
    }

    async fn due(&self, query: &DueQuery) -> Result<Vec<Due>, StoreError> {
        let (query, place) = (query.clone(), Arc::clone(&self.place));
        self.run("list the sessions that are due", None, move |steps| steps.due(&query, &place)).await
    }

    async fn keys(&self, after: Option<&SessionKey>, limit: usize) -> Result<Vec<SessionKey>, StoreError> {
        let after = after.cloned();
        self.run("list the sessions", None, move |steps| steps.keys(after.as_ref(), limit)).await
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.place.path).finish_non_exhaustive()
    }
}

/// How a [`SqliteStore`] is opened.
#[derive(Clone)]
#[must_use]
pub struct SqliteStoreBuilder {
    busy_timeout: Duration,
    clock: StoreClock,
}

impl SqliteStoreBuilder {
    /// How long a step waits while another process writes, before it fails as
    /// [`Unavailable`](rampauth_store::StoreErrorKind::Unavailable). Four seconds unless set here: a second less
    /// than a keeper's own limit for a step, `KeeperBuilder::save_deadline` of `rampauth-keeper`. Keep it below that,
    /// whichever of them is changed: this error names the file and says why, where the keeper can only say that nothing came.
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// Takes the store's time from `clock`, which is asked once per step; for tests. All processes that share the file have to
    /// agree about the time.
    pub fn clock(mut self, clock: impl Fn() -> StoreTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Opens or creates the file.
    ///
    /// # Errors
    ///
    /// As [`SqliteStore::open`].
    pub fn open(self, path: impl AsRef<Path>) -> Result<SqliteStore, StoreError> {
        // Absolute, so that a change of the working directory changes nothing, and that SQLite takes no name for a URI, for
        // memory or for a temporary file: the SQLite that is compiled in reads URIs whether it is asked to or not.
        let path = path.as_ref();
        let absolute = std::path::absolute(path);
        let place = Location { path: absolute.as_deref().unwrap_or(path).to_owned(), busy_timeout: self.busy_timeout };
        let started = match absolute {
            Ok(_) => Worker::start(place.clone(), self.clock),
            Err(_) => Err(error::Trouble::NoPath),
        };
        match started {
            Ok(worker) => Ok(SqliteStore { place: place.into(), worker }),
            Err(trouble) => Err(trouble.into_error(format_args!("open the store"), &place)),
        }
    }
}

impl fmt::Debug for SqliteStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStoreBuilder").field("busy_timeout", &self.busy_timeout).finish_non_exhaustive()
    }
}
