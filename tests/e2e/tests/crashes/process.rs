//! Processes one after the other on one store, each with a runtime of its own and tokio's paused time: one that dies takes
//! everything that it had in memory along.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use rampauth_keeper::{
    Due, DueQuery, Keeper, MemoryStore, Record, Replaced, Replacement, Session, SessionKey, State, Store, StoreError,
    StoreExt as _, StoreTime, Stored,
};
use rampauth_store_sqlite::SqliteStore;
use tokio::time::Instant;

use crate::death::{Death, Side, Step, start};
use crate::provider::Provider;

/// Where a world keeps its session.
pub(crate) enum Disk {
    Memory,
    /// A file with a session for each world.
    Sqlite(PathBuf),
}

/// One session and its provider, with all the processes that come and go.
pub(crate) struct World {
    time: Arc<Mutex<SystemTime>>,
    memory: Option<MemoryStore>,
    file: PathBuf,
    key: SessionKey,
    provider: Provider,
}

impl World {
    pub(crate) fn new(disk: &Disk, provider: Provider) -> Self {
        static WORLDS: AtomicUsize = AtomicUsize::new(0);
        let time = Arc::new(Mutex::new(start()));
        let (memory, file) = match disk {
            Disk::Memory => {
                let time = Arc::clone(&time);
                (Some(MemoryStore::new().with_clock(move || *time.lock().expect("no panic"))), PathBuf::new())
            }
            Disk::Sqlite(file) => (None, file.clone()),
        };
        let number = WORLDS.fetch_add(1, Ordering::SeqCst);
        let key = SessionKey::parse(format!("fake/test/{number}")).expect("a key");
        Self { time, memory, file, key, provider }
    }

    /// The store as a process opens it.
    fn store(&self) -> Arc<dyn Store> {
        match &self.memory {
            Some(memory) => Arc::new(memory.clone()),
            None => {
                let time = Arc::clone(&self.time);
                let clock = move || StoreTime::wall(*time.lock().expect("no panic"));
                Arc::new(SqliteStore::builder().clock(clock).open(&self.file).expect("a store"))
            }
        }
    }

    /// Time in which no process is there.
    pub(crate) fn pass(&self, time: Duration) {
        *self.time.lock().expect("no panic") += time;
    }

    pub(crate) fn record(&self) -> Record {
        at_once(self.store().load(&self.key)).expect("a store in order").expect("a record")
    }

    /// A process that comes to its end; its refreshes are not waited for.
    pub(crate) fn live<F: Future<Output = ()>>(&self, work: impl FnOnce(Session) -> F) {
        assert!(!self.die(&Death::never(), work));
    }

    /// A process that keeps the session for this long.
    pub(crate) fn stay(&self, time: Duration) {
        self.live(|session| async move {
            tokio::time::sleep(time).await;
            drop(session);
        });
    }

    /// A process that dies on its way; `false` when it came to its end all the same.
    pub(crate) fn die<F: Future<Output = ()>>(&self, death: &Death, work: impl FnOnce(Session) -> F) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime");
        let (died, now) = runtime.block_on(async {
            let (began, base) = (Instant::now(), *self.time.lock().expect("no panic"));
            let clock = move || base + began.elapsed();
            let store = Dying { inner: self.store(), time: Arc::clone(&self.time), clock, death: death.clone() };
            let life = async {
                let keeper = Keeper::builder(store).clock(clock).spawn().expect("a keeper");
                let session =
                    keeper.session(self.key.clone(), self.provider.called_by(death)).await.expect("a session");
                work(session).await;
            };
            tokio::select! {
                biased;
                () = death.comes() => (true, clock()),
                () = life => (false, clock()),
            }
        });
        drop(runtime);
        *self.time.lock().expect("no panic") = now;
        died
    }
}

/// Without the paused clock going on meanwhile.
fn at_once<T: Send>(call: impl Future<Output = T> + Send) -> T {
    let wait = || tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(call);
    thread::scope(|scope| scope.spawn(wait).join().expect("no panic"))
}

/// The store as a process sees it that may die.
struct Dying<C> {
    inner: Arc<dyn Store>,
    time: Arc<Mutex<SystemTime>>,
    clock: C,
    death: Death,
}

impl<C: Fn() -> SystemTime + Send + Sync> Dying<C> {
    async fn step<T: Send>(&self, step: Step, call: impl Future<Output = T> + Send) -> T {
        self.death.meet(step, Side::Before).await;
        *self.time.lock().expect("no panic") = (self.clock)();
        let answer = at_once(call);
        self.death.meet(step, Side::After).await;
        answer
    }
}

#[async_trait]
impl<C: Fn() -> SystemTime + Send + Sync> Store for Dying<C> {
    async fn read(&self, key: &SessionKey) -> Result<Stored, StoreError> {
        self.step(Step::Load, self.inner.read(key)).await
    }

    async fn replace(&self, key: &SessionKey, replacement: Replacement<'_>) -> Result<Replaced, StoreError> {
        let before = at_once(self.inner.load(key))?;
        let step = Step::of(before.as_ref(), replacement);
        self.step(step, self.inner.replace(key, replacement)).await
    }

    async fn due(&self, query: &DueQuery) -> Result<Vec<Due>, StoreError> {
        at_once(self.inner.due(query))
    }

    async fn keys(&self, after: Option<&SessionKey>, limit: usize) -> Result<Vec<SessionKey>, StoreError> {
        self.inner.keys(after, limit).await
    }
}

impl Step {
    /// What a replace does, by the record that it takes the place of.
    fn of(before: Option<&Record>, replacement: Replacement<'_>) -> Self {
        let record = replacement.record;
        let Some(before) = before.filter(|before| before.session == record.session) else {
            return if record.state == State::Tombstone { Self::Remove } else { Self::Put };
        };
        let condemned = before.state != State::LoginNeeded && record.state == State::LoginNeeded;
        if replacement.claims {
            Self::Begin
        } else if before.last_commit != record.last_commit || before.orphans.len() < record.orphans.len() {
            Self::Commit
        } else if before.rejected != record.rejected {
            Self::Reject
        } else if condemned && record.attempt.is_some() && before.last_error == record.last_error {
            Self::GiveUp
        } else {
            Self::Conclude
        }
    }
}
