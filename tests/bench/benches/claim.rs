//! A claim with its journal and the commit that ends it, in SQLite, beside two bare durable transactions on the same disk.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use rampauth_bench::figures::{Figures, compare, is_wanted, report};
use rampauth_bench::keeping::{Provider, key, tokens};
use rampauth_core::{Clock as _, SystemClock};
use rampauth_keeper::{
    Answer, AttemptId, AttemptRef, Keeper, Operation, OwnerId, SessionKey, StoreExt as _, StoredTokens,
};
use rampauth_store_sqlite::SqliteStore;
use rusqlite::{Connection, Statement, Transaction, TransactionBehavior, params};

const CYCLES: u32 = 20;
const FSYNC: &str = "claim/fsync";
const CLAIM: [&str; 2] = ["claim/ours", "claim/bare"];

#[expect(clippy::disallowed_methods, reason = "a benchmark measures")]
fn now() -> Instant {
    Instant::now()
}

/// Microseconds of one of so many.
fn time(mut cycle: impl FnMut()) -> f64 {
    let start = now();
    for _ in 0..CYCLES {
        cycle();
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(CYCLES)
}

/// What the disk takes to say that a page is on it.
fn fsync(folder: &Path) -> f64 {
    let mut file = File::create(folder.join("page")).expect("a file");
    let rounds = (0..200).map(|_| {
        file.rewind().and_then(|()| file.write_all(&[7; 4096])).expect("written");
        let start = now();
        file.sync_data().expect("synced");
        start.elapsed().as_secs_f64() * 1e6
    });
    Figures::new(rounds.collect()).median()
}

struct Ours {
    store: SqliteStore,
    key: SessionKey,
    tokens: StoredTokens,
    drawn: u128,
}

impl Ours {
    async fn new(folder: &Path) -> Self {
        let store = SqliteStore::open(folder.join("ours")).expect("a store");
        let keeper = Keeper::builder(store.clone()).on_demand().spawn().expect("a keeper");
        let session = keeper.session(key(0), Provider::new(None)).await.expect("a session");
        session.put(tokens(SystemClock.now() + Duration::from_secs(86_400))).await.expect("saved");
        let record = store.load(&key(0)).await.expect("a store in order").expect("a record");
        let mut tokens = record.tokens.expect("tokens");
        // A refresh begins when it is due; one that begins earlier, by hand, moves the index of what is due twice.
        tokens.next_due = Some(SystemClock.now() - Duration::from_secs(86_400));
        Self { store, key: key(0), tokens, drawn: 0 }
    }

    async fn cycle(&mut self) {
        let record = self.store.load(&self.key).await.expect("a store in order").expect("a record");
        self.drawn += 1;
        let id = AttemptId::from_random(self.drawn);
        let begin = Operation::Begin {
            generation: record.generation,
            presents: self.tokens.presents,
            attempt: id,
            owner: OwnerId::from_random(1),
            lease: Duration::from_secs(45),
            settle: false,
        };
        let begun = self.store.apply(&self.key, begin).await.expect("a store in order");
        assert!(matches!(begun, Answer::Begun(_)), "nobody else is there");
        let attempt = AttemptRef { id, session: record.session, generation: record.generation };
        // What comes next is due at another time, as it always is.
        let mut tokens = self.tokens.clone();
        tokens.next_due = tokens.next_due.map(|due| due + Duration::from_secs(record.generation));
        let saved = self.store.apply(&self.key, Operation::Commit { attempt, tokens }).await.expect("a store in order");
        assert!(matches!(saved, Answer::Saved(_)), "nobody else is there");
    }
}

/// One row, updated in a durable transaction.
fn bare(connection: &Connection, update: &mut Statement<'_>, record: &str) {
    let change = Transaction::new_unchecked(connection, TransactionBehavior::Immediate).expect("a transaction");
    update.execute(params![key(0).as_str(), record]).expect("updated");
    change.commit().expect("committed");
}

fn main() {
    if !is_wanted(&[FSYNC, CLAIM[0], CLAIM[1]]) {
        return;
    }
    // Under `target`, which is on a disk; a folder for temporary files may be in memory, where nothing is durable.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    if is_wanted(&[FSYNC]) {
        report(FSYNC, fsync(folder.path()), "µs");
    }

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut ours = runtime.block_on(Ours::new(folder.path()));
    let connection = Connection::open(folder.path().join("bare")).expect("a database");
    connection.pragma_update(None, "journal_mode", "wal").expect("a log");
    connection.pragma_update(None, "synchronous", "full").expect("durable");
    connection
        .execute_batch("CREATE TABLE session (key TEXT NOT NULL PRIMARY KEY, record TEXT NOT NULL) STRICT")
        .expect("a table");
    let stored = runtime.block_on(ours.store.load(&ours.key)).expect("a store in order").expect("a record");
    let record = stored.to_json();
    connection
        .execute("INSERT INTO session VALUES (?1, ?2)", params![key(0).as_str(), record.expose_secret()])
        .expect("a row");

    let mut update = connection.prepare("UPDATE session SET record = ?2 WHERE key = ?1").expect("a statement");
    // Another text each time: SQLite writes nothing where nothing changes.
    let mut texts =
        [record.expose_secret().replace('a', "b"), record.expose_secret().replace('a', "c")].into_iter().cycle();
    compare(
        CLAIM,
        "µs",
        51,
        Figures::median,
        || time(|| runtime.block_on(ours.cycle())),
        || time(|| (0..2).for_each(|_| bare(&connection, &mut update, &texts.next().expect("it goes round")))),
    );
}
