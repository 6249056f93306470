//! Processes one after the other on one store, each with a runtime of its own and tokio's paused time: one that dies takes
//! everything that it had in memory along.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use rampauth_keeper::{
    Answer, Keeper, MemoryStore, Operation, Record, Session, SessionKey, Store, StoreError, StoreTime,
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
    async fn load(&self, key: &SessionKey) -> Result<Option<Record>, StoreError> {
        self.step(Step::Load, self.inner.load(key)).await
    }

    async fn apply(&self, key: &SessionKey, operation: Operation) -> Result<Answer, StoreError> {
        let step = match &operation {
            Operation::Put { .. } => Step::Put,
            Operation::Begin { .. } => Step::Begin,
            Operation::Commit { .. } => Step::Commit,
            Operation::Conclude { .. } => Step::Conclude,
            Operation::GiveUp { .. } => Step::GiveUp,
            Operation::Reject { .. } => Step::Reject,
            Operation::Remove { .. } => Step::Remove,
            other => panic!("a step that the table does not know: {other:?}"),
        };
        self.step(step, self.inner.apply(key, operation)).await
    }

    async fn due(&self, before: SystemTime, limit: usize) -> Result<Vec<SessionKey>, StoreError> {
        at_once(self.inner.due(before, limit))
    }

    async fn keys(&self) -> Result<Vec<SessionKey>, StoreError> {
        self.inner.keys().await
    }
}
