//! A million sessions: what each holds in memory, and what their deadlines cost when they come.

#[cfg(target_os = "linux")]
fn main() {
    if rampauth_bench::figures::is_wanted(&linux::FIGURES) {
        linux::main();
    }
}

/// Resident memory is read the Linux way.
#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::sync::Arc;
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use async_trait::async_trait;
    use rampauth_bench::figures::report;
    use rampauth_bench::keeping::{Provider, key, tokens};
    use rampauth_bench::measure::of_this_thread;
    use rampauth_core::Refresh;
    use rampauth_keeper::{
        Due, DueQuery, Keeper, MemoryStore, Record, Replaced, Replacement, Revision, SessionKey, Store, StoreError,
        StoreExt as _, StoreTime, Stored,
    };
    use tokio::time::Instant;

    /// Of one run, each on what the one before left.
    pub(super) const FIGURES: [&str; 3] = ["sessions/memory", "sessions/memory-after-login", "sessions/deadlines"];
    const SESSIONS: usize = 1_000_000;
    const DAY: Duration = Duration::from_secs(86_400);

    /// Some time in 2027.
    fn start() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    /// Holds one record and shows it under every key, due at a time that follows from the key: nothing in memory per session.
    struct OneForAll(Record);

    #[async_trait]
    impl Store for OneForAll {
        async fn read(&self, key: &SessionKey) -> Result<Stored, StoreError> {
            let mut record = self.0.clone();
            // Within a minute, a day ahead.
            let number: u64 = key.as_str().rsplit('-').next().and_then(|number| number.parse().ok()).expect("a number");
            record.next_due = Some(start() + DAY + Duration::from_millis(number * 60_000 / SESSIONS as u64));
            let (revision, time) = (Revision::from_parts(1, 1), StoreTime::wall(start()));
            Ok(Stored { record: Some(record), revision, time })
        }

        async fn replace(&self, _: &SessionKey, _: Replacement<'_>) -> Result<Replaced, StoreError> {
            Ok(Replaced::Written { time: StoreTime::wall(start()) })
        }

        async fn due(&self, _: &DueQuery) -> Result<Vec<Due>, StoreError> {
            Ok(Vec::new())
        }

        async fn keys(&self, _: Option<&SessionKey>, _: usize) -> Result<Vec<SessionKey>, StoreError> {
            Ok(Vec::new())
        }
    }

    /// The memory of this process that is really there, in bytes.
    fn resident() -> f64 {
        let pages = fs::read_to_string("/proc/self/statm").expect("a /proc");
        let pages: f64 = pages.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number of pages");
        pages * rustix::param::page_size() as f64
    }

    /// A record as the keeper writes it.
    async fn record() -> Record {
        let store = Arc::new(MemoryStore::new());
        let keeper = Keeper::builder(Arc::clone(&store)).clock(start).spawn().expect("a keeper");
        let session = keeper.session(key(0), Provider::new(None)).await.expect("a session");
        session.put(tokens(start() + 30 * DAY)).await.expect("saved");
        store.load(&key(0)).await.expect("a store in order").expect("a record")
    }

    async fn run() {
        let began = Instant::now();
        let keeper = Keeper::builder(OneForAll(record().await)).clock(move || start() + began.elapsed());
        let keeper = keeper.spawn().expect("a keeper");
        let provider: Arc<dyn Refresh> = Arc::new(Provider::new(None));
        // What the first one needs besides its own is not counted.
        let first = keeper.session(key(0), Arc::clone(&provider)).await.expect("a session");
        let before = resident();
        let mut sessions = Vec::with_capacity(SESSIONS);
        for number in 0..SESSIONS {
            sessions.push(keeper.session(key(number), Arc::clone(&provider)).await.expect("a session"));
        }
        report(FIGURES[0], (resident() - before) / SESSIONS as f64, "bytes");

        // After a login each nothing is due for weeks: the deadlines come all the same, and each is a look at its session.
        for session in &sessions {
            session.put(tokens(start() + 60 * DAY)).await.expect("saved");
        }
        report(FIGURES[1], (resident() - before) / SESSIONS as f64, "bytes");
        tokio::time::sleep(DAY - Duration::from_secs(60)).await;
        let cpu = of_this_thread();
        tokio::time::sleep(Duration::from_secs(180)).await;
        report(FIGURES[2], (of_this_thread() - cpu) as f64 / 1e6, "ms");
        drop(first);
    }

    pub(super) fn main() {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime")
            .block_on(run());
    }
}
