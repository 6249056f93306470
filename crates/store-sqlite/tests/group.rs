//! Replaces that wait at the same time share a flush.

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use rampauth_store::{
    Replaced, Revision, SessionKey, Store as _, StoreError, StoreErrorKind, StoreExt as _, StoreTime, Stored,
};
use rampauth_store_sqlite::SqliteStore;
use rusqlite::Connection;
use support::{Write, begin, commit, folder, key, login, payload, put, raw, time};
use tokio::task::JoinHandle;

const LEASE: Duration = Duration::from_secs(35);

/// How many transactions the log has, which begins with this page size. A frame that ends one states the size of the database
/// (sqlite.org/fileformat2.html, section 4.1, read 2026-11).
fn transactions(database: &Path) -> usize {
    const HEADER: usize = 32;
    const FRAME: usize = 24 + 4096;
    let log = fs::read(database.with_extension("db-wal")).expect("the log");
    let salt = &log[16..24];
    let frames = log[HEADER..].chunks_exact(FRAME).take_while(|frame| &frame[8..16] == salt);
    frames.filter(|frame| frame[4..8] != [0; 4]).count()
}

/// A first login under this number's name.
fn first_login(number: u32) -> Write {
    let stored = Stored { record: None, revision: Revision::ABSENT, time: StoreTime::wall(time(0)) };
    Write::of(name(number), &stored, put(u128::from(number) + 1, &format!("tokens {number}")))
}

/// Has replaces wait for a lock that another connection holds, the first of them alone, and gives the lock up after `held`.
async fn wait_together(
    store: &SqliteStore,
    other: &Connection,
    held: Duration,
    writes: Vec<Write>,
) -> Vec<Result<Replaced, StoreError>> {
    other.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let start = |write: Write| tokio::spawn(write.carry_out(store.clone()));
    let mut writes = writes.into_iter();
    let first = writes.next().map(start);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let waiting: Vec<JoinHandle<_>> = first.into_iter().chain(writes.map(start)).collect();
    tokio::time::sleep(held).await;
    other.execute_batch("ROLLBACK").expect("its end");
    let mut answers = Vec::new();
    for write in waiting {
        answers.push(write.await.expect("an answer"));
    }
    answers
}

fn name(number: u32) -> SessionKey {
    key(&format!("s{number}"))
}

#[tokio::test]
async fn a_hundred_replaces_that_wait_are_flushed_together_and_each_is_done() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).expect("a store");
    let before = transactions(&path);
    let writes = (0..100).map(first_login).collect();
    for answer in wait_together(&store, &raw(&path), Duration::from_millis(100), writes).await {
        assert!(matches!(answer, Ok(Replaced::Written { .. })), "{answer:?}");
    }
    assert_eq!(transactions(&path) - before, 2, "the one that waited first, and all others");
    let other = SqliteStore::open(&path).expect("a store");
    for number in 0..100 {
        assert_eq!(payload(&other, &name(number)).await, format!("tokens {number}"));
    }
}

#[tokio::test]
async fn of_two_upon_one_record_one_is_written_and_what_is_to_be_saved_comes_before_claims() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).expect("a store");
    let record = login(&store, &name(1), "first").await;
    store.apply(&name(1), begin(&record, 1, Duration::ZERO, false)).await.expect("a claim");
    let stored = store.read(&name(1)).await.expect("a store");
    let writes = vec![
        first_login(0),
        Write::of(name(1), &stored, begin(&record, 2, LEASE, true)),
        first_login(2),
        Write::of(name(1), &stored, commit(&record, 1, "second")),
        Write::of(name(1), &stored, commit(&record, 1, "third")),
    ];
    let answers = wait_together(&store, &raw(&path), Duration::from_millis(100), writes).await;
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.expect("a store")).collect();
    for conflicting in [&answers[1], &answers[4]] {
        let Replaced::Conflict(stored) = conflicting else { panic!("{conflicting:?}") };
        assert_eq!(stored.record.as_ref().map(|record| record.generation), Some(2), "in the very transaction");
    }
    for written in [&answers[0], &answers[2], &answers[3]] {
        assert!(matches!(written, Replaced::Written { .. }), "{written:?}");
    }
    assert_eq!(payload(&store, &name(1)).await, "second");
}

#[tokio::test]
async fn a_damaged_record_is_in_the_way_of_its_own_session_alone() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).expect("a store");
    for number in 1..4 {
        login(&store, &name(number), "tokens").await;
    }
    let other = raw(&path);
    let damaged = other.execute("UPDATE session SET record = '{}' WHERE key = ?1", [name(2).as_str()]);
    assert_eq!(damaged.expect("damaged"), 1);
    // Each but the first conflicts with what is there.
    let writes = (0..4).map(first_login).collect();
    let answers = wait_together(&store, &other, Duration::from_millis(100), writes).await;
    for (number, answer) in answers.into_iter().enumerate() {
        match (number, answer) {
            (0, Ok(Replaced::Written { .. })) | (1 | 3, Ok(Replaced::Conflict(_))) => {}
            (2, Err(error)) => assert_eq!(error.kind(), StoreErrorKind::Damaged, "{error}"),
            (number, answer) => panic!("{number}: {answer:?}"),
        }
    }
}

#[tokio::test]
async fn a_damaged_record_gives_way_to_what_was_made_of_it_before() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).expect("a store");
    let record = login(&store, &name(1), "first").await;
    store.apply(&name(1), begin(&record, 1, LEASE, false)).await.expect("a claim");
    let granted = Write::of(name(1), &store.read(&name(1)).await.expect("a store"), commit(&record, 1, "second"));
    let damaged = raw(&path).execute("UPDATE session SET record = '{}' WHERE key = ?1", [name(1).as_str()]);
    assert_eq!(damaged.expect("damaged"), 1);
    let answer = granted.carry_out(store.clone()).await.expect("it is known what was there");
    assert!(matches!(answer, Replaced::Written { .. }), "{answer:?}");
    assert_eq!(payload(&store, &name(1)).await, "second");
}

#[tokio::test]
async fn a_lock_that_is_not_given_up_is_waited_for_once_and_every_step_says_so() {
    let (_folder, path) = folder();
    let store = SqliteStore::builder().busy_timeout(Duration::from_millis(300)).open(&path).expect("a store");
    let writes = (0..20).map(first_login).collect();
    // The first waits alone, the others together: twice the time, and not twenty times.
    let answers = wait_together(&store, &raw(&path), Duration::from_millis(1_500), writes).await;
    for answer in answers {
        let error = answer.expect_err("locked");
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        assert!(error.to_string().contains("was locked by another process for 300ms"), "{error}");
    }
    assert!(store.all_keys().await.expect("a store").is_empty(), "none was done afterwards");
}
