//! What a step does to the file: nothing, one transaction, or an error that names the file and the key.

mod support;

use std::error::Error as _;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use rampauth_core::{Error, Expiry, Presents, Refresh, RefreshPolicy, RefreshToken, TokenSet};
use rampauth_keeper::Keeper;
use rampauth_store::{
    Answer, BootTime, Operation, SessionId, State, Store as _, StoreErrorKind, StoreExt as _, StoreTime,
};
use rampauth_store_sqlite::SqliteStore;
use rusqlite::{Connection, TransactionBehavior};
use support::{Write, begin, commit, contents, due, folder, key, login, payload, put, raw, time};

const LEASE: Duration = Duration::from_secs(35);

#[tokio::test]
async fn a_step_that_changes_nothing_writes_nothing() {
    let (folder, path) = folder();
    let store = SqliteStore::open(&path).expect("a store");
    let record = login(&store, &key("a"), "first").await;
    let begun = store.apply(&key("a"), begin(&record, 1, LEASE, false)).await.expect("a claim");
    assert!(matches!(begun, Answer::Begun(_)), "{begun:?}");
    let before = contents(folder.path());
    assert!(before.iter().any(|(name, log)| name.ends_with("-wal") && !log.is_empty()), "there is a log to look at");

    let busy = store.apply(&key("a"), begin(&record, 2, LEASE, true)).await.expect("an answer");
    assert!(matches!(busy, Answer::Busy { .. }), "{busy:?}");
    let moved = store.apply(&key("a"), put(9, "another login")).await.expect("an answer");
    assert!(matches!(moved, Answer::Moved(Some(_))), "{moved:?}");
    let none = store.apply(&key("nobody"), begin(&record, 3, LEASE, false)).await.expect("an answer");
    assert!(matches!(none, Answer::Moved(None)), "{none:?}");
    let gone = store.apply(&key("nobody"), commit(&record, 3, "late")).await.expect("an answer");
    assert!(matches!(gone, Answer::Gone), "{gone:?}");
    assert!(contents(folder.path()) == before, "not a byte was written");

    let saved = store.apply(&key("a"), commit(&record, 1, "second")).await.expect("an answer");
    assert!(matches!(saved, Answer::Saved(_)), "{saved:?}");
    assert!(contents(folder.path()) != before, "and what changes something is on the disk before it is answered");
}

/// A clock that a test sets: wall clock and time since boot, in seconds.
type Dial = Arc<Mutex<(u64, Option<(u128, u64)>)>>;

fn on_dial(path: &Path, dial: &Dial) -> SqliteStore {
    let dial = Arc::clone(dial);
    let clock = move || {
        let (wall, boot) = *dial.lock().expect("a dial");
        let boot = boot.map(|(boot, since)| BootTime { boot, since: Duration::from_secs(since) });
        StoreTime { wall: time(wall), boot }
    };
    SqliteStore::builder().clock(clock).open(path).expect("a store")
}

#[tokio::test]
async fn a_claim_is_counted_on_the_boot_time_clock_and_after_a_reboot_on_the_wall_clock() {
    let (_folder, path) = folder();
    let dial: Dial = Arc::new(Mutex::new((1000, Some((7, 500)))));
    let (store, other) = (on_dial(&path, &dial), on_dial(&path, &dial));
    let record = login(&store, &key("a"), "first").await;
    store.apply(&key("a"), begin(&record, 1, LEASE, false)).await.expect("a claim");
    for (now, held, why) in [
        ((1000, Some((7, 534))), true, "a second before its end"),
        ((9000, Some((7, 534))), true, "the wall clock was set forward"),
        ((0, Some((7, 535))), false, "at its end, the wall clock set back"),
        ((1034, Some((8, 1))), true, "after a reboot, a second before its end on the wall clock"),
        ((1035, Some((8, 1))), false, "after a reboot, at its end"),
        ((1034, None), true, "no boot-time clock"),
        ((1035, None), false, "no boot-time clock, at its end"),
    ] {
        *dial.lock().expect("a dial") = now;
        let answer = other.apply(&key("a"), begin(&record, 2, LEASE, false)).await.expect("an answer");
        match answer {
            Answer::Busy { until } => assert!(held && until == time(1035), "{why}: {until:?}"),
            Answer::Doubtful(_) => assert!(!held, "{why}"),
            other => panic!("{why}: {other:?}"),
        }
        let due = due(&other, time(2000), 10).await;
        assert_eq!(due.is_empty(), held, "{why}: {due:?}");
    }
}

#[tokio::test]
async fn due_lists_open_sessions_that_nobody_claims_the_earliest_first() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).expect("a store");
    let mut expected = Vec::new();
    for (name, due) in
        [("c", Some(30)), ("a", Some(10)), ("d", None), ("b", Some(20)), ("b2", Some(20)), ("e", Some(40))]
    {
        let Operation::Put { session, expect, mut tokens } = put(1, name) else { unreachable!("a put") };
        tokens.next_due = due.map(time);
        store.apply(&key(name), Operation::Put { session, expect, tokens }).await.expect("saved");
        expected.extend(due.filter(|due| *due < 40).map(|due| (due, key(name))));
    }
    expected.sort();
    let expected: Vec<_> = expected.into_iter().map(|(_, key)| key).collect();
    assert_eq!(due(&store, time(40), 10).await, expected);
    assert_eq!(due(&store, time(40), 2).await, expected[..2]);
    assert_eq!(due(&store, time(40), 0).await, []);

    let record = store.load(&key("a")).await.expect("a store").expect("a record");
    store.apply(&key("a"), begin(&record, 1, LEASE, false)).await.expect("a claim");
    assert_eq!(due(&store, time(40), 2).await, expected[1..3], "claimed");
    let session = SessionId::from_random(99);
    store.apply(&key("b"), Operation::Remove { session, expect: record.session }).await.expect("a logout");
    assert_eq!(due(&store, time(40), 2).await, expected[2..], "logged out");
    let keys = ["a", "b", "b2", "c", "d", "e"].map(key);
    assert_eq!(store.all_keys().await.expect("a list"), keys);
    let tombstone = store.load(&key("b")).await.expect("a store").expect("a record");
    assert_eq!(tombstone.state, State::Tombstone);
}

#[tokio::test]
async fn a_claim_moves_the_index_of_what_is_due_only_where_it_is_made_ahead_of_time() {
    let (_folder, path) = folder();
    let now = time(100);
    let clock = move || StoreTime::wall(now);
    let store = SqliteStore::builder().clock(clock).open(&path).expect("a store");
    let indexed = |name: &str| -> Option<i64> {
        let sql = "SELECT due FROM session WHERE key = ?1";
        raw(&path).query_row(sql, [key(name).as_str()], |row| row.get(0)).expect("a session")
    };
    let nanoseconds = |time: SystemTime| {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
        i64::try_from(since.as_nanos()).expect("a number")
    };
    let lapses = now + LEASE;
    for (name, due, expected) in
        [("a", Some(time(99)), time(99)), ("b", Some(lapses + LEASE), lapses), ("c", None, lapses)]
    {
        let Operation::Put { session, expect, mut tokens } = put(1, name) else { unreachable!("a put") };
        tokens.next_due = due;
        store.apply(&key(name), Operation::Put { session, expect, tokens }).await.expect("saved");
        assert_eq!(indexed(name), due.map(nanoseconds), "{name}");
        let record = store.load(&key(name)).await.expect("a store").expect("a record");
        store.apply(&key(name), begin(&record, 1, LEASE, false)).await.expect("a claim");
        assert_eq!(indexed(name), Some(nanoseconds(expected)), "{name}");
    }
}

fn locked(path: &Path) -> Connection {
    let other = raw(path);
    let lock = rusqlite::Transaction::new_unchecked(&other, TransactionBehavior::Immediate).expect("the lock");
    std::mem::forget(lock);
    other
}

#[tokio::test]
async fn a_file_that_stays_locked_is_unavailable_for_writing_and_can_be_read() {
    let (_folder, path) = folder();
    let store = SqliteStore::builder().busy_timeout(Duration::from_millis(30)).open(&path).expect("a store");
    let record = login(&store, &key("a"), "first").await;
    let lock = locked(&path);
    let error = store.apply(&key("a"), commit(&record, 1, "second")).await.expect_err("a locked file");
    let why = "was locked by another process for 30ms; find out which one keeps a transaction open, such as a `sqlite3` shell";
    assert_eq!(error.to_string(), format!("failed to save {}: {} {why}", key("a"), path.display()));
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert_eq!(payload(&store, &key("a")).await, "first");
    SqliteStore::open(&path).expect("a store can be opened meanwhile");
    drop(lock);
    store.apply(&key("a"), commit(&record, 1, "second")).await.expect("the lock is free");
    assert_eq!(payload(&store, &key("a")).await, "second");
}

/// A provider that nobody is to ask.
struct Unasked(RefreshPolicy);

#[async_trait]
impl Refresh for Unasked {
    fn policy(&self) -> &RefreshPolicy {
        &self.0
    }

    async fn refresh(&self, _: &TokenSet) -> Result<TokenSet, Error> {
        panic!("nothing is presented that could not be journalled");
    }
}

#[tokio::test]
async fn through_a_keeper_the_error_of_a_locked_file_names_the_file_and_the_session() {
    let (_folder, path) = folder();
    let store = SqliteStore::builder().busy_timeout(Duration::from_millis(30)).open(&path).expect("a store");
    let keeper = Keeper::builder(store).accept_unsealed().on_demand().spawn().expect("a keeper");
    let provider = Unasked(RefreshPolicy::new(Presents::RefreshToken));
    let session = keeper.session(key("a"), provider).await.expect("a session");
    let token = RefreshToken::new("refresh-0").expect("a token");
    session.put(TokenSet::new().with_refresh_token(token, Expiry::Unknown)).await.expect("saved");
    let lock = locked(&path);
    let error = session.refresh().await.expect_err("a locked file");
    let cause = error.source().expect("the store's own words").to_string();
    let why = "was locked by another process for 30ms; find out which one keeps a transaction open, such as a `sqlite3` shell";
    assert_eq!(cause, format!("failed to claim {}: {} {why}", key("a"), path.display()));
    drop(lock);
}

#[tokio::test]
async fn a_step_waits_for_a_lock_that_is_let_go_in_time() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).expect("a store");
    let lock = locked(&path);
    let release = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        drop(lock);
    });
    login(&store, &key("a"), "first").await;
    release.join().expect("no panic");
}

#[test]
fn a_fresh_file_that_another_process_has_to_itself_is_unavailable() {
    let (_folder, path) = folder();
    let lock = locked(&path);
    let builder = SqliteStore::builder().busy_timeout(Duration::from_millis(30));
    let error = builder.open(&path).expect_err("a locked file");
    let why = "was locked by another process for 30ms; find out which one keeps a transaction open, such as a `sqlite3` shell";
    assert_eq!(error.to_string(), format!("failed to open the store: {} {why}", path.display()));
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    drop(lock);
    SqliteStore::open(&path).expect("the lock is free");
}

#[test]
fn a_fresh_file_is_opened_when_another_process_lets_go_of_it() {
    let (_folder, path) = folder();
    let lock = locked(&path);
    let release = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        drop(lock);
    });
    SqliteStore::open(&path).expect("the lock is free in time");
    release.join().expect("no panic");
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_was_moved_deleted_or_replaced_is_written_no_more() {
    let (folder, path) = folder();
    let store = SqliteStore::open(&path).expect("a store");
    let record = login(&store, &key("a"), "first").await;
    let stored = store.read(&key("a")).await.expect("a store");
    let granted = || Write::of(key("a"), &stored, commit(&record, 1, "second")).carry_out(store.clone());
    let aside = folder.path().join("aside.db");
    fs::rename(&path, &aside).expect("a file");
    let why = "was moved, deleted or replaced while it was open; put it back, or open the store again";
    let expected = |action: &str| format!("failed to {action} {}: {} {why}", key("a"), path.display());

    let error = granted().await.expect_err("it is gone");
    assert_eq!(error.to_string(), expected("save"));
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    let error = store.load(&key("a")).await.expect_err("it is gone");
    assert_eq!(error.to_string(), expected("read"));

    fs::write(&path, "").expect("another file");
    let error = granted().await.expect_err("it is another");
    assert_eq!(error.to_string(), expected("save"));
    assert_eq!(fs::read(&path).expect("the other file"), b"");

    fs::rename(&aside, &path).expect("a file");
    assert_eq!(payload(&store, &key("a")).await, "first");
    store.apply(&key("a"), commit(&record, 1, "second")).await.expect("it is back");
}

#[test]
fn no_runtime_is_needed() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).expect("a store");
    block_on(login(&store, &key("a"), "first"));
    assert_eq!(block_on(payload(&store, &key("a"))), "first");
}

/// The smallest executor there is: the thread sleeps until it is woken.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let (mut future, mut context) = (std::pin::pin!(future), std::task::Context::from_waker(&waker));
    loop {
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(result) => return result,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}
