//! Twenty thousand sessions that are due together, in one SQLite file: until all are fresh, beside a bare loop that makes as many
//! requests and writes; what a caller waits meanwhile; and what is lost when the process is killed in the middle.

use std::collections::HashMap;
use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rampauth_bench::figures::{Figures, is_wanted, report};
use rampauth_bench::keeping::key;
use rampauth_core::{
    AccessToken, Clock as _, Error, Expiry, Presents, Refresh, RefreshPolicy, RefreshToken, SystemClock, TokenSet,
};
use rampauth_keeper::{Keeper, Session, StoreExt as _};
use rampauth_store_sqlite::SqliteStore;
use rusqlite::{Connection, TransactionBehavior, params};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio::time::sleep;

const FIGURES: [&str; 6] = [
    "together/all-fresh",
    "together/bare-loop",
    "together/requests-per-100",
    "together/caller",
    "together/caller-idle",
    "together/lost",
];
const SESSIONS: usize = 20_000;
/// What a keeper has under way at a time for what is scheduled.
const UNDER_WAY: usize = 48;
const ANSWER: Duration = Duration::from_millis(20);
/// All are due in the last quarter of it, within half a second.
const LIFE: Duration = Duration::from_secs(10);
const KILLS: u32 = 10;
/// Set for the process that is killed: the folder.
const KILLED: &str = "RAMPAUTH_BENCH_TOGETHER";

#[expect(clippy::disallowed_methods, reason = "a benchmark measures")]
fn now() -> Instant {
    Instant::now()
}

/// A provider whose refresh tokens work once. What it grants is in a file before it answers.
struct SingleUse {
    policy: RefreshPolicy,
    number: usize,
    ledger: Arc<Mutex<fs::File>>,
    calls: Arc<AtomicUsize>,
}

fn tokens(generation: u64, life: Duration) -> TokenSet {
    let access = AccessToken::new("a".repeat(400)).expect("a token");
    let refresh = RefreshToken::new(format!("{}-{generation}", "r".repeat(440))).expect("a token");
    let expiry = Expiry::At(SystemClock.now() + life);
    TokenSet::new().with_access_token(access, expiry).with_refresh_token(refresh, Expiry::Unknown)
}

#[async_trait]
impl Refresh for SingleUse {
    fn policy(&self) -> &RefreshPolicy {
        &self.policy
    }

    async fn refresh(&self, current: &TokenSet) -> Result<TokenSet, Error> {
        let presented = current.refresh_token.as_ref().expect("a token").expose_secret();
        let generation: u64 = presented.rsplit('-').next().and_then(|end| end.parse().ok()).expect("a number");
        self.calls.fetch_add(1, Ordering::Relaxed);
        sleep(ANSWER / 2).await;
        let line = format!("{} {}\n", self.number, generation + 1);
        self.ledger.lock().expect("no panic").write_all(line.as_bytes()).expect("noted");
        sleep(ANSWER / 2).await;
        Ok(tokens(generation + 1, Duration::from_secs(86_400)))
    }
}

/// A keeper with all sessions of the folder open, and how often their provider was called.
async fn open(folder: &Path) -> (Keeper, Vec<Session>, Arc<AtomicUsize>) {
    let store = SqliteStore::open(folder.join("rampauth.db")).expect("a store");
    let keeper = Keeper::builder(store).accept_unsealed().spawn().expect("a keeper");
    let ledger = OpenOptions::new().append(true).create(true).open(folder.join("ledger")).expect("a ledger");
    let (ledger, calls) = (Arc::new(Mutex::new(ledger)), Arc::new(AtomicUsize::new(0)));
    let mut sessions = Vec::with_capacity(SESSIONS);
    for number in 0..SESSIONS {
        let policy = RefreshPolicy::new(Presents::RefreshToken);
        let provider = SingleUse { policy, number, ledger: Arc::clone(&ledger), calls: Arc::clone(&calls) };
        sessions.push(keeper.session(key(number), provider).await.expect("a session"));
    }
    (keeper, sessions, calls)
}

/// Logs all of them in, side by side.
async fn log_in(sessions: &[Session]) {
    let (side_by_side, mut all) = (Arc::new(Semaphore::new(256)), JoinSet::new());
    for session in sessions {
        let session = session.clone();
        let turn = Arc::clone(&side_by_side).acquire_owned().await.expect("it is never closed");
        all.spawn(async move {
            session.put(tokens(0, LIFE)).await.expect("saved");
            drop(turn);
        });
    }
    all.join_all().await;
}

/// From the first request to the last token, with a caller's own refresh now and then.
async fn all_fresh(folder: &Path) {
    let (keeper, sessions, calls) = open(folder).await;
    log_in(&sessions).await;
    let timed = async |session: &Session| {
        let started = now();
        session.refresh().await.expect("refreshed");
        started.elapsed().as_secs_f64() * 1e3
    };
    let mut idle = Vec::new();
    for session in sessions.iter().take(20) {
        idle.push(timed(session).await);
    }
    let before = calls.load(Ordering::Relaxed);
    while calls.load(Ordering::Relaxed) == before {
        sleep(Duration::from_millis(1)).await;
    }
    let (started, mut crowded, mut asked) = (now(), Vec::new(), 0);
    while sessions.iter().any(|session| session.tokens().is_none_or(|tokens| !is_renewed(&tokens))) {
        if crowded.len() < 20 {
            crowded.push(timed(&sessions[SESSIONS - 1 - crowded.len()]).await);
            asked += 1;
        }
        sleep(Duration::from_millis(50)).await;
    }
    report(FIGURES[0], started.elapsed().as_secs_f64(), "s");
    let requests = calls.load(Ordering::Relaxed) - before - asked;
    report(FIGURES[2], 100.0 * requests as f64 / (SESSIONS - 20 - asked) as f64, "");
    report(FIGURES[3], Figures::new(crowded).median(), "ms");
    report(FIGURES[4], Figures::new(idle).median(), "ms");
    keeper.shutdown().await;
}

fn is_renewed(tokens: &TokenSet) -> bool {
    tokens.access_expiry.time().is_some_and(|expiry| expiry > SystemClock.now() + 2 * LIFE)
}

/// As many requests with as many under way, each between two durable writes that are grouped by a thread.
async fn bare_loop(folder: &Path) {
    type Write = (usize, oneshot::Sender<()>);
    let mut connection = Connection::open(folder.join("bare.db")).expect("a database");
    connection
        .execute_batch(
            "PRAGMA journal_mode = wal; PRAGMA synchronous = full; CREATE TABLE t (k INTEGER PRIMARY KEY, v)",
        )
        .expect("a table");
    let (writes, queue) = mpsc::channel::<Write>();
    let writer = std::thread::spawn(move || {
        while let Ok(first) = queue.recv() {
            let group: Vec<_> = std::iter::once(first).chain(queue.try_iter().take(255)).collect();
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate).expect("a transaction");
            for (number, _) in &group {
                let row = params![*number as i64, "x".repeat(1_900)];
                transaction.execute("INSERT OR REPLACE INTO t VALUES (?1, ?2)", row).expect("written");
            }
            transaction.commit().expect("durable");
            group.into_iter().for_each(|(_, done)| done.send(()).expect("somebody waits"));
        }
    });
    let (side_by_side, mut all) = (Arc::new(Semaphore::new(UNDER_WAY)), JoinSet::new());
    let started = now();
    for number in 0..SESSIONS {
        let turn = Arc::clone(&side_by_side).acquire_owned().await.expect("it is never closed");
        let writes = writes.clone();
        all.spawn(async move {
            let write = async || {
                let (done, is_done) = oneshot::channel();
                writes.send((number, done)).expect("a writer");
                is_done.await.expect("durable");
            };
            write().await;
            sleep(ANSWER).await;
            write().await;
            drop(turn);
        });
    }
    all.join_all().await;
    report(FIGURES[1], started.elapsed().as_secs_f64(), "s");
    drop(writes);
    writer.join().expect("no panic");
}

/// The most that one of several kills cost: tokens that were granted and are not in the store.
async fn lost_when_killed() {
    let mut most = 0;
    for kill in 0..KILLS {
        let folder = tempfile::tempdir().expect("a folder");
        let program = env::current_exe().expect("a program");
        let mut child = Command::new(program).env(KILLED, folder.path()).spawn().expect("a process");
        let ledger = folder.path().join("ledger");
        while fs::metadata(&ledger).map_or(0, |ledger| ledger.len()) == 0 {
            sleep(Duration::from_millis(5)).await;
        }
        sleep(Duration::from_millis(500) * kill).await;
        child.kill().and_then(|()| child.wait()).expect("killed");
        let mut granted = HashMap::new();
        for line in fs::read_to_string(&ledger).expect("a ledger").lines() {
            let (number, generation) = line.split_once(' ').expect("two numbers");
            granted.insert(number.parse::<usize>().expect("a number"), generation.parse::<u64>().expect("a number"));
        }
        let store = SqliteStore::open(folder.path().join("rampauth.db")).expect("a store");
        let mut lost = 0;
        for (number, generation) in granted {
            let record = store.load(&key(number)).await.expect("a store in order").expect("a record");
            // A login is generation 1.
            lost += usize::from(record.generation < generation + 1);
        }
        most = most.max(lost);
    }
    report(FIGURES[5], most as f64, "tokens");
}

#[expect(clippy::disallowed_methods, reason = "how the process that is killed learns what it is")]
fn folder_of_the_killed() -> Option<PathBuf> {
    env::var_os(KILLED).map(PathBuf::from)
}

#[tokio::main]
async fn main() {
    if let Some(folder) = folder_of_the_killed() {
        let (_keeper, sessions, _) = open(&folder).await;
        log_in(&sessions).await;
        // Until it is killed, or its parent is gone.
        sleep(Duration::from_secs(120)).await;
    } else if is_wanted(&FIGURES) {
        let folder = tempfile::tempdir().expect("a folder");
        bare_loop(folder.path()).await;
        all_fresh(folder.path()).await;
        lost_when_killed().await;
    }
}
