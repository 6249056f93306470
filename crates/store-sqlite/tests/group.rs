//! Steps that wait at the same time share a flush.

mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rampauth_store::{Answer, Operation, SessionKey, Store as _, StoreError, StoreErrorKind};
use rampauth_store_sqlite::SqliteStore;
use rusqlite::Connection;
use support::{begin, commit, folder, key, login, payload, put, raw};
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

/// Has steps wait for a lock that another connection holds, the first of them alone, and gives the lock up after `held`.
async fn wait_together(
    store: &SqliteStore,
    other: &Connection,
    held: Duration,
    steps: Vec<(SessionKey, Operation)>,
) -> Vec<Result<Answer, StoreError>> {
    other.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let store = Arc::new(store.clone());
    let start = |(key, operation): (SessionKey, Operation)| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.apply(&key, operation).await })
    };
    let mut steps = steps.into_iter();
    let first = steps.next().map(start);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let waiting: Vec<JoinHandle<_>> = first.into_iter().chain(steps.map(start)).collect();
    tokio::time::sleep(held).await;
    other.execute_batch("ROLLBACK").expect("its end");
    let mut answers = Vec::new();
    for step in waiting {
        answers.push(step.await.expect("an answer"));
    }
    answers
}

fn name(number: u32) -> SessionKey {
    key(&format!("s{number}"))
}

#[tokio::test]
async fn a_hundred_steps_that_wait_are_flushed_together_and_each_is_done() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).expect("a store");
    let before = transactions(&path);
    let steps =
        (0..100).map(|number| (name(number), put(u128::from(number) + 1, &format!("tokens {number}")))).collect();
    for answer in wait_together(&store, &raw(&path), Duration::from_millis(100), steps).await {
        assert!(matches!(answer, Ok(Answer::Saved(_))), "{answer:?}");
    }
    assert_eq!(transactions(&path) - before, 2, "the one that waited first, and all others");
    let other = SqliteStore::open(&path).expect("a store");
    for number in 0..100 {
        assert_eq!(payload(&other, &name(number)).await, format!("tokens {number}"));
    }
}

#[tokio::test]
async fn steps_on_one_session_follow_each_other_and_what_a_provider_granted_comes_first() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).expect("a store");
    let record = login(&store, &name(1), "first").await;
    store.apply(&name(1), begin(&record, 1, LEASE, false)).await.expect("a claim");
    let steps = vec![
        (name(0), put(7, "any")),
        (name(1), begin(&record, 2, LEASE, false)),
        (name(2), put(8, "other")),
        (name(1), commit(&record, 1, "second")),
        (name(1), commit(&record, 1, "second")),
    ];
    let answers = wait_together(&store, &raw(&path), Duration::from_millis(100), steps).await;
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.expect("a step")).collect();
    // The claim was for the tokens that the commit has replaced by then.
    assert!(matches!(answers[1], Answer::Moved(_)), "{:?}", answers[1]);
    for saved in [&answers[0], &answers[2], &answers[3], &answers[4]] {
        assert!(matches!(saved, Answer::Saved(_)), "{saved:?}");
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
    let steps = (0..4).map(|number| (name(number), put(u128::from(number) + 100, "new"))).collect();
    let answers = wait_together(&store, &other, Duration::from_millis(100), steps).await;
    for (number, answer) in answers.into_iter().enumerate() {
        match answer {
            Err(error) if number == 2 => assert_eq!(error.kind(), StoreErrorKind::Damaged, "{error}"),
            answer => assert!(number != 2 && answer.is_ok(), "{number}: {answer:?}"),
        }
    }
}

#[tokio::test]
async fn a_lock_that_is_not_given_up_is_waited_for_once_and_every_step_says_so() {
    let (_folder, path) = folder();
    let store = SqliteStore::builder().busy_timeout(Duration::from_millis(300)).open(&path).expect("a store");
    let steps = (0..20).map(|number| (name(number), put(u128::from(number) + 1, "tokens"))).collect();
    // The first waits alone, the others together: twice the time, and not twenty times.
    let answers = wait_together(&store, &raw(&path), Duration::from_millis(1_500), steps).await;
    for answer in answers {
        let error = answer.expect_err("locked");
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        assert!(error.to_string().contains("was locked by another process for 300ms"), "{error}");
    }
    assert!(store.keys().await.expect("a store").is_empty(), "none was done afterwards");
}
