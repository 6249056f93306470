//! What is done when files of the store are removed under a process that has it open: it is noticed, and nothing is lost.
#![cfg(unix)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rampauth_store::{Answer, DueQuery, SessionId, Store as _, StoreError, StoreErrorKind, StoreExt as _, StoreTime};
use rampauth_store_sqlite::SqliteStore;
use support::{begin, commit, due, folder, key, login, payload, put, raw, time};

const LEASE: Duration = Duration::from_secs(35);

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.to_owned().into_os_string();
    path.push(suffix);
    path.into()
}

const OPERATIONS: usize = 7;

/// Each thing that a store does, by number.
async fn operate(store: &SqliteStore, number: usize) -> (&'static str, Result<(), StoreError>) {
    match number {
        0 => ("read", store.load(&key("a")).await.map(drop)),
        1 => ("apply", store.apply(&key("new"), put(1, "new")).await.map(drop)),
        2 => ("due", store.due(&DueQuery::new(time(1000), 10)).await.map(drop)),
        3 => ("keys", store.all_keys().await.map(drop)),
        4 => ("set_aside", store.set_aside(&key("a"), SessionId::from_random(9)).await.map(drop)),
        5 => ("changes", store.changes(None).await.map(drop)),
        _ => ("empty_log", store.empty_log().await.map(drop)),
    }
}

/// Waits until several stores that were dropped have closed their file. Of two that close it at the same time each takes the other
/// for one that stays, and the log is left to the next one that closes it: here a connection made for that.
fn wait_until_all_have_closed(path: &Path) {
    for _ in 0..1000 {
        if !beside(path, "-wal").exists() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
        raw(path).pragma_query_value(None, "schema_version", |row| row.get::<_, i64>(0)).expect("a version");
    }
    panic!("{} is still open", path.display());
}

fn sound(path: &Path) {
    let check: String = raw(path).pragma_query_value(None, "integrity_check", |row| row.get(0)).expect("a check");
    assert_eq!(check, "ok");
}

#[tokio::test]
async fn no_operation_works_on_a_file_that_is_not_at_its_path() {
    let (folder, path) = folder();
    let store = SqliteStore::open(&path).expect("a store");
    login(&store, &key("a"), "first").await;
    let aside = folder.path().join("aside.db");
    let incidents: [(&str, &dyn Fn()); 3] = [
        ("moved", &|| fs::rename(&path, &aside).expect("moved")),
        ("replaced", &|| fs::write(&path, "something else").expect("replaced")),
        ("deleted", &|| fs::remove_file(&path).expect("deleted")),
    ];
    for (incident, happen) in incidents {
        happen();
        for number in 0..OPERATIONS {
            let (operation, result) = operate(&store, number).await;
            let error = result.expect_err(incident);
            assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{incident}, {operation}: {error}");
            let why = "was moved, deleted or replaced while it was open; put it back, or open the store again";
            assert!(
                error.to_string().ends_with(&format!("{} {why}", path.display())),
                "{incident}, {operation}: {error}"
            );
        }
    }
    fs::rename(&aside, &path).expect("put back");
    for number in 0..OPERATIONS {
        let (operation, result) = operate(&store, number).await;
        result.expect(operation);
    }
    assert_eq!(payload(&store, &key("a")).await, "first");
    assert_eq!(store.reopened(), 0);
}

#[tokio::test]
async fn each_operation_finds_out_that_the_log_is_gone_and_the_next_one_has_all_that_it_held() {
    for suffixes in [&["-wal"][..], &["-shm"], &["-wal", "-shm"]] {
        for index in 0..OPERATIONS {
            let (_folder, path) = folder();
            let store = SqliteStore::open(&path).expect("a store");
            let record = login(&store, &key("a"), "first").await;
            store.apply(&key("a"), begin(&record, 1, LEASE, false)).await.expect("a claim");
            for suffix in suffixes {
                fs::remove_file(beside(&path, suffix)).expect("it is there");
            }
            let (operation, result) = operate(&store, index).await;
            let error = result.expect_err(operation);
            assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{operation}: {error}");
            let why = format!("had its `{}` removed or replaced while it was open", suffixes[0]);
            assert!(error.to_string().contains(&why), "{operation}: {error}");

            let (_, again) = operate(&store, index).await;
            again.expect(operation);
            assert_eq!(store.reopened(), 1, "{operation}");
            assert_eq!(payload(&store, &key("a")).await, "first", "{operation}: nothing is lost");
            let saved = store.apply(&key("a"), commit(&record, 1, "second")).await.expect("a commit");
            assert!(matches!(saved, Answer::Saved(_)), "{operation}: the claim is there: {saved:?}");
            // Whoever comes now sees the same.
            let other = SqliteStore::open(&path).expect("a store");
            assert_eq!(payload(&other, &key("a")).await, "second", "{operation}");
            drop((store, other));
            wait_until_all_have_closed(&path);
            sound(&path);
        }
    }
}

#[tokio::test]
async fn two_stores_that_lose_their_log_meet_on_the_new_one() {
    let (_folder, path) = folder();
    let (first, second) = (SqliteStore::open(&path).expect("a store"), SqliteStore::open(&path).expect("a store"));
    let record = login(&first, &key("a"), "first").await;
    assert_eq!(payload(&second, &key("a")).await, "first");
    fs::remove_file(beside(&path, "-wal")).expect("it is there");
    first.load(&key("a")).await.expect_err("the log is gone");
    let begun = first.apply(&key("a"), begin(&record, 1, LEASE, false)).await.expect("a claim");
    assert!(matches!(begun, Answer::Begun(_)), "{begun:?}");
    let version = first.changes(None).await.expect("a store").expect("marks").version;
    assert!(first.changes(Some(version)).await.expect("a store").is_none(), "nobody else has changed it");
    // The second one has the removed log, and must write nothing of it over the claim.
    second.load(&key("a")).await.expect_err("there is another log");
    let busy = second.apply(&key("a"), begin(&record, 2, LEASE, true)).await.expect("an answer");
    assert!(matches!(busy, Answer::Busy { .. }), "{busy:?}");
    assert_eq!((first.reopened(), second.reopened()), (1, 1));
    let saved = second.apply(&key("a"), commit(&record, 1, "second")).await.expect("a commit");
    assert!(matches!(saved, Answer::Saved(_)), "{saved:?}");
    assert_eq!(payload(&first, &key("a")).await, "second");
    drop((first, second));
    wait_until_all_have_closed(&path);
    sound(&path);
}

#[tokio::test]
async fn what_changed_while_a_store_was_opened_anew_is_a_change() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).expect("a store");
    login(&store, &key("a"), "first").await;
    let version = store.changes(None).await.expect("a store").expect("marks").version;
    fs::remove_file(beside(&path, "-wal")).expect("it is there");
    store.load(&key("a")).await.expect_err("the log is gone");
    let changes = store.changes(Some(version)).await.expect("a store").expect("another connection counts anew");
    assert_eq!(changes.marks.len(), 1);
}

#[tokio::test]
async fn a_removed_log_is_kept_open_until_all_of_it_is_in_the_file() {
    let (_folder, path) = folder();
    let store = SqliteStore::builder().busy_timeout(Duration::from_millis(50)).open(&path).expect("a store");
    let record = login(&store, &key("a"), "first").await;
    let reader = raw(&path);
    reader.execute_batch("BEGIN; SELECT count(*) FROM session").expect("an older state");
    store.apply(&key("a"), begin(&record, 1, LEASE, false)).await.expect("a claim");
    fs::remove_file(beside(&path, "-wal")).expect("it is there");
    for why in ["had its `-wal` removed", "was locked by another process", "was locked by another process"] {
        let error = store.load(&key("a")).await.expect_err("somebody reads the removed log");
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        assert!(!beside(&path, "-wal").exists(), "no new log is begun");
    }
    assert_eq!(store.reopened(), 0);
    reader.execute_batch("COMMIT").expect("its end");
    drop(reader);
    let saved = store.apply(&key("a"), commit(&record, 1, "second")).await.expect("the claim was in the removed log");
    assert!(matches!(saved, Answer::Saved(_)), "{saved:?}");
    assert_eq!(store.reopened(), 1);
    assert_eq!(payload(&SqliteStore::open(&path).expect("a store"), &key("a")).await, "second");
}

#[tokio::test]
async fn shared_memory_without_a_log_is_believed_by_nobody_who_comes_new() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).expect("a store");
    login(&store, &key("a"), "first").await;
    fs::remove_file(beside(&path, "-wal")).expect("it is there");
    let hasty = || SqliteStore::builder().busy_timeout(Duration::from_millis(50)).open(&path);
    let error = hasty().expect_err("its log is gone");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("`-shm` is there without `-wal`"), "{error}");
    // Whoever has it open puts it right.
    store.load(&key("a")).await.expect_err("the log is gone");
    assert_eq!(payload(&store, &key("a")).await, "first");
    assert_eq!(payload(&hasty().expect("a store again"), &key("a")).await, "first");
}

#[tokio::test]
async fn who_comes_new_waits_until_the_log_is_there_again() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).expect("a store");
    login(&store, &key("a"), "first").await;
    fs::remove_file(beside(&path, "-wal")).expect("it is there");
    let at = path.clone();
    let opening = thread::spawn(move || SqliteStore::open(at));
    thread::sleep(Duration::from_millis(100));
    assert!(!opening.is_finished(), "its log is gone");
    // Who has it open puts it right.
    store.load(&key("a")).await.expect_err("the log is gone");
    assert_eq!(payload(&store, &key("a")).await, "first");
    let other = opening.join().expect("no panic").expect("a store again");
    assert_eq!(payload(&other, &key("a")).await, "first");
}

/// What happens in the middle of the next step, where the store asks for the time.
type Incident = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

fn with_incidents(path: &Path) -> (SqliteStore, Incident) {
    let incident = Incident::default();
    let next = Arc::clone(&incident);
    let clock = move || {
        if let Some(happen) = next.lock().expect("no panic").take() {
            happen();
        }
        StoreTime { wall: time(0), boot: None }
    };
    (SqliteStore::builder().clock(clock).open(path).expect("a store"), incident)
}

#[tokio::test]
async fn tokens_that_went_into_a_log_that_was_just_removed_are_saved_by_saving_them_again() {
    for suffix in ["-wal", "-shm"] {
        let (_folder, path) = folder();
        let (store, incident) = with_incidents(&path);
        let record = login(&store, &key("a"), "first").await;
        store.apply(&key("a"), begin(&record, 1, LEASE, false)).await.expect("a claim");
        let log = beside(&path, suffix);
        *incident.lock().expect("no panic") = Some(Box::new(move || fs::remove_file(log).expect("it is there")));
        let error = store.apply(&key("a"), commit(&record, 1, "second")).await.expect_err("the log is gone");
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
        let again = store.apply(&key("a"), commit(&record, 1, "second")).await.expect("the same again");
        let Answer::Saved(saved) = again else { panic!("{again:?}") };
        assert_eq!(saved.generation, 2, "once");
        assert_eq!(payload(&SqliteStore::open(&path).expect("a store"), &key("a")).await, "second");
    }
}

#[tokio::test]
async fn tokens_that_went_into_a_file_that_was_just_deleted_are_not_said_to_be_saved() {
    for how in ["deleted", "moved"] {
        let (folder, path) = folder();
        let (store, incident) = with_incidents(&path);
        let record = login(&store, &key("a"), "first").await;
        store.apply(&key("a"), begin(&record, 1, LEASE, false)).await.expect("a claim");
        let (from, to) = (path.clone(), folder.path().join("aside.db"));
        *incident.lock().expect("no panic") = Some(Box::new(move || match how {
            "deleted" => fs::remove_file(from).expect("it is there"),
            _ => fs::rename(from, to).expect("it is there"),
        }));
        let error = store.apply(&key("a"), commit(&record, 1, "second")).await.expect_err(how);
        assert!(error.to_string().contains("was moved, deleted or replaced"), "{how}: {error}");
        assert!(!path.exists(), "{how}: nothing is made in its place");
    }
}

#[tokio::test]
async fn a_list_that_was_read_while_the_log_was_removed_counts_for_nothing() {
    let (_folder, path) = folder();
    let (store, incident) = with_incidents(&path);
    login(&store, &key("a"), "first").await;
    let log = beside(&path, "-wal");
    *incident.lock().expect("no panic") = Some(Box::new(move || fs::remove_file(log).expect("it is there")));
    let error = store.due(&DueQuery::new(time(1000), 10)).await.expect_err("the log is gone");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    assert_eq!(due(&store, time(1000), 10).await, [key("a")]);
}
