//! What can only be seen or caused from inside: the connection's settings, a full disk, a step that panics, callers that leave.

use std::future::Future as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::task::{Context, Waker};
use std::time::Duration;

use rampauth_core::SecretString;
use rampauth_store::{
    Answer, Operation, Record, Replaced, Replacement, Revision, SessionId, SessionKey, Store as _, StoreError,
    StoreErrorKind, StoreExt as _, StoredTokens, TokenDigest,
};
use rusqlite::Connection;
use tempfile::TempDir;

use super::SqliteStore;
use crate::row::Replace;
use crate::steps::Steps;

fn store() -> (TempDir, SqliteStore) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = SqliteStore::open(folder.path().join("rampauth.db")).expect("a store");
    (folder, store)
}

fn key(subject: &str) -> SessionKey {
    SessionKey::parse(format!("onboard/staging/acme/{subject}")).expect("a key")
}

fn put(session: u128, tokens: &str) -> Operation {
    let granted_at = std::time::SystemTime::UNIX_EPOCH;
    let tokens = StoredTokens::new(SecretString::from(tokens), TokenDigest::of(tokens), granted_at);
    Operation::Put { session: SessionId::from_random(session), expect: None, tokens }
}

/// Does something with the store's own connection.
async fn inside<T: Send + 'static>(
    store: &SqliteStore,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    store.run("work inside", None, move |steps| Ok(work(steps.connection())?)).await
}

#[tokio::test]
async fn commits_are_flushed_and_what_is_overwritten_is_wiped() {
    let (_folder, store) = store();
    for (pragma, expected) in
        [("synchronous", 2), ("fullfsync", 1), ("secure_delete", 1), ("cell_size_check", 1), ("trusted_schema", 0)]
    {
        let value =
            inside(&store, move |connection| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)));
        assert_eq!(value.await.expect(pragma), expected, "{pragma}");
    }
    let mode =
        inside(&store, |connection| connection.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0)));
    assert_eq!(mode.await.expect("a mode"), "wal");
}

#[tokio::test]
async fn the_longest_wait_for_a_lock_is_a_day() {
    let day = Duration::from_secs(86_400);
    for (asked, expected) in
        [(Duration::MAX, day), (day, day), (day / 2, day / 2), (Duration::from_millis(30), Duration::from_millis(30))]
    {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = SqliteStore::builder().busy_timeout(asked).open(folder.path().join("a.db")).expect("a store");
        let wait = inside(&store, |connection| {
            connection.pragma_query_value(None, "busy_timeout", |row| row.get::<_, u32>(0))
        });
        assert_eq!(Duration::from_millis(wait.await.expect("a wait").into()), expected);
    }
}

#[tokio::test]
async fn the_bundled_sqlite_has_the_fix_for_logs_that_are_reset() {
    // sqlite.org/wal.html, "The WAL-Reset Bug", read 2026-11: two writers could damage the file; fixed in 3.51.3.
    assert!(rusqlite::version_number() >= 3_051_003, "{}", rusqlite::version());
}

#[tokio::test]
async fn lists_are_answered_from_an_index_alone() {
    let (_folder, store) = store();
    for query in [
        "SELECT key, due FROM session WHERE due < 9 AND (due, key) > (1, 'a') ORDER BY due, key",
        "SELECT key FROM session WHERE key > 'a' ORDER BY key LIMIT 9",
    ] {
        let plan = inside(&store, move |connection| {
            let mut explained = connection.prepare(&format!("EXPLAIN QUERY PLAN {query}"))?;
            explained.query_map([], |row| row.get::<_, String>(3))?.collect::<Result<Vec<_>, _>>()
        });
        let plan = plan.await.expect("a plan");
        assert!(plan.len() == 1 && plan[0].contains("USING COVERING INDEX"), "{query}: {plan:?}");
    }
}

#[tokio::test]
async fn a_full_disk_takes_nothing_and_breaks_nothing() {
    const NEEDLE: &str = "needle-93ca";
    let (_folder, store) = store();
    let first = store.apply(&key("a"), put(1, "first")).await.expect("room");
    assert!(matches!(first, Answer::Saved(_)), "{first:?}");
    let fill = |connection: &Connection| {
        let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
        connection.pragma_update_and_check(None, "max_page_count", pages, |row| row.get::<_, i64>(0))
    };
    inside(&store, fill).await.expect("a limit");

    let large = format!("{NEEDLE}{}", "x".repeat(100_000));
    let error = store.apply(&key("b"), put(1, &large)).await.expect_err("no room");
    let path = store.place.path.display();
    assert_eq!(
        error.to_string(),
        format!("failed to save {}: {path} cannot be written: the disk is full; make room on it", key("b"))
    );
    assert_eq!(error.kind(), StoreErrorKind::NotWritable);
    let source = std::error::Error::source(&error).expect("SQLite's code").to_string();
    assert!(!format!("{error:?} {error:#?} {source}").contains(NEEDLE));

    assert!(store.load(&key("b")).await.expect("a store that can be read").is_none(), "all or nothing");
    let record = store.load(&key("a")).await.expect("a store that can be read").expect("a record");
    let removed = Operation::Remove { session: SessionId::from_random(2), expect: record.session };
    let done = store.apply(&key("a"), removed).await.expect("what fits is written");
    assert!(matches!(done, Answer::Done(_)), "{done:?}");

    let free = |connection: &Connection| {
        connection.pragma_update_and_check(None, "max_page_count", 1_000_000, |row| row.get::<_, i64>(0))
    };
    inside(&store, free).await.expect("a limit");
    let saved = store.apply(&key("b"), put(1, &large)).await.expect("room again");
    assert!(matches!(saved, Answer::Saved(_)));
}

#[tokio::test]
async fn a_step_that_panics_is_rolled_back_and_the_next_ones_are_served() {
    let (_folder, store) = store();
    let step = |steps: &mut Steps<'_>| {
        let change =
            rusqlite::Transaction::new_unchecked(steps.connection(), rusqlite::TransactionBehavior::Immediate)?;
        change.execute_batch("DROP TABLE session")?;
        panic!("a step that panics");
    };
    let error = store.run::<()>("panic over", Some(&key("a")), step).await.expect_err("a panic");
    let path = store.place.path.display();
    let why = "is there, but the thread that reads and writes it failed";
    assert_eq!(error.to_string(), format!("failed to panic over {}: {path} {why}", key("a")));
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    store.apply(&key("a"), put(1, "first")).await.expect("the table is there, and its lock is free");
}

/// Keeps the thread busy until the sender is dropped.
fn busy(store: &SqliteStore) -> (mpsc::Sender<()>, mpsc::Receiver<()>) {
    let ((release, released), (began, has_begun)) = (mpsc::channel::<()>(), mpsc::channel());
    let work = inside(store, move |_| {
        began.send(()).expect("a test that waits");
        released.recv().expect_err("released by being dropped");
        Ok(())
    });
    poll_once_and_keep(work);
    (release, has_begun)
}

/// Starts a call and leaves nobody behind who would drop it.
fn poll_once_and_keep<T: Send + 'static>(call: impl Future<Output = T>) {
    let mut call = Box::pin(call);
    assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    // Dropping it before its turn would take it out of the queue.
    std::mem::forget(call);
}

#[tokio::test]
async fn a_caller_that_leaves_before_its_turn_takes_its_step_along() {
    let (_folder, store) = store();
    let (release, _has_begun) = busy(&store);
    let (a, b) = (key("a"), key("b"));
    let mut left = store.apply(&a, put(1, "never"));
    assert!(left.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending(), "it waits for its turn");
    drop(left);
    let unpolled = store.apply(&b, put(1, "never"));
    drop(unpolled);
    drop(release);
    assert_eq!(store.all_keys().await.expect("a list"), []);
}

#[tokio::test]
async fn a_caller_that_leaves_after_its_step_began_leaves_it_to_its_end() {
    let (_folder, store) = store();
    let done = Arc::new(AtomicBool::new(false));
    let ((release, released), (began, has_begun)) = (mpsc::channel::<()>(), mpsc::channel());
    let (a, noted) = (key("a"), Arc::clone(&done));
    let mut call = Box::pin(store.run::<Record>("work inside", None, move |steps| {
        began.send(()).expect("a test that waits");
        released.recv().expect_err("released by being dropped");
        let record = Record::tombstone(SessionId::from_random(1), 1, std::time::SystemTime::UNIX_EPOCH);
        let revision = Revision::from_parts(1, 1);
        let replacement = Replacement { expected: Revision::ABSENT, revision, record: &record, claims: false };
        let answer = steps.replace(&Replace::new(&a, replacement))?;
        noted.store(matches!(answer, Replaced::Written { .. }), Ordering::SeqCst);
        Ok(record)
    }));
    assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    has_begun.recv().expect("it has begun");
    drop(call);
    drop(release);
    let record = store.load(&key("a")).await.expect("a store").expect("the step was carried out");
    assert_eq!(record.generation, 1);
    assert!(done.load(Ordering::SeqCst));
}

#[tokio::test]
async fn what_callers_leave_behind_is_done_after_the_store_is_dropped() {
    let (folder, store) = store();
    let (release, _has_begun) = busy(&store);
    let waiting = store.clone();
    let call = tokio::spawn(async move { waiting.apply(&key("a"), put(1, "first")).await });
    tokio::task::yield_now().await;
    drop(store);
    drop(release);
    assert!(matches!(call.await.expect("no panic").expect("carried out"), Answer::Saved(_)));
    let again = SqliteStore::open(folder.path().join("rampauth.db")).expect("a store");
    assert_eq!(again.all_keys().await.expect("a list"), [key("a")]);
}

#[test]
fn a_file_outlives_its_process() {
    assert!(store().1.outlives_the_process());
}

#[test]
fn stores_and_their_futures_go_wherever_tasks_go() {
    fn everywhere<T: Clone + Send + Sync + 'static>() {}
    fn sent<T: Send>(_: &T) {}
    everywhere::<SqliteStore>();
    everywhere::<super::SqliteStoreBuilder>();
    let (_folder, store) = store();
    sent(&store.run("work inside", None, |_| Ok(())));
}

#[tokio::test]
async fn changes_of_others_are_seen_by_their_marks_and_a_store_s_own_are_not_news() {
    let (folder, store) = store();
    let other = SqliteStore::open(folder.path().join("rampauth.db")).expect("the same store");
    for (number, subject) in [(1, "a"), (2, "b")] {
        other.apply(&key(subject), put(number, "tokens")).await.expect("a login");
    }
    let first = store.changes(None).await.expect("readable").expect("marks");
    assert_eq!(first.marks.len(), 2);
    assert!(store.changes(Some(first.version)).await.expect("readable").is_none());
    // Its own.
    store.apply(&key("c"), put(3, "tokens")).await.expect("a login");
    assert!(store.changes(Some(first.version)).await.expect("readable").is_none());
    // Another's.
    let remove = Operation::Remove { session: SessionId::from_random(4), expect: SessionId::from_random(1) };
    other.apply(&key("a"), remove).await.expect("removed");
    let second = store.changes(Some(first.version)).await.expect("readable").expect("marks");
    let mark = |changes: &crate::Changes, subject: &str| {
        changes.marks.iter().find(|(it, _)| *it == key(subject)).map(|(_, mark)| *mark)
    };
    assert_eq!(second.marks.len(), 3);
    assert_ne!(mark(&first, "a"), mark(&second, "a"));
    assert_eq!(mark(&first, "b"), mark(&second, "b"));
    assert!(mark(&second, "c").is_some());
}

#[test]
fn a_claim_and_what_is_saved_have_their_names_in_an_error() {
    let record = Record::tombstone(SessionId::from_random(1), 1, std::time::SystemTime::UNIX_EPOCH);
    for (claims, expected) in [(true, "claim"), (false, "save")] {
        let revision = Revision::from_parts(1, 1);
        let replacement = Replacement { expected: Revision::ABSENT, revision, record: &record, claims };
        assert_eq!(Replace::new(&key("a"), replacement).action(), expected);
    }
}
