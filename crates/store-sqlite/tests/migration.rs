//! A file of an earlier version is brought up to date with everything in it.
//!
//! `files/version-1.db` was written by this crate as it was before records had revisions: of each state one session, and one whose
//! record was damaged afterwards.

mod support;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rampauth_store::{
    Answer, Record, Revision, SessionId, State, Store as _, StoreErrorKind, StoreExt as _, Stored, TokenDigest,
};
use rampauth_store_sqlite::SqliteStore;
use support::{begin, commit, due, folder, key, payload, raw, time};
use tempfile::TempDir;

const OPEN: [&str; 4] = ["ready", "in-doubt", "login-needed", "removed"];

fn earlier() -> (TempDir, PathBuf) {
    let (folder, path) = folder();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/files/version-1.db");
    fs::copy(file, &path).expect("a file of version 1");
    (folder, path)
}

async fn read(store: &SqliteStore, subject: &str) -> (Record, Revision) {
    let Stored { record, revision, .. } = store.read(&key(subject)).await.expect("a record that can be read");
    (record.expect("a record"), revision)
}

#[tokio::test]
async fn every_session_is_there_as_it_was() {
    let (_folder, path) = earlier();
    let store = SqliteStore::open(&path).expect("a store");
    let (ready, _) = read(&store, "ready").await;
    assert_eq!((ready.state, ready.generation), (State::Ready, 2));
    assert_eq!(payload(&store, &key("ready")).await, "ready, refreshed");
    let (in_doubt, _) = read(&store, "in-doubt").await;
    assert_eq!(in_doubt.state, State::Doubtful);
    assert_eq!(in_doubt.attempt.expect("an attempt").presents, TokenDigest::of("in-doubt"));
    let (login_needed, _) = read(&store, "login-needed").await;
    assert_eq!(login_needed.state, State::LoginNeeded);
    let (removed, _) = read(&store, "removed").await;
    assert_eq!((removed.state, removed.tokens.is_none()), (State::Tombstone, true));
    let keys = ["damaged", "in-doubt", "login-needed", "ready", "removed"].map(key);
    assert_eq!(store.all_keys().await.expect("a list"), keys);
    assert_eq!(due(&store, time(100), 9).await, ["in-doubt", "damaged", "ready"].map(key));
    let version: i64 = raw(&path).pragma_query_value(None, "user_version", |row| row.get(0)).expect("a version");
    assert_eq!(version, 2);
}

#[tokio::test]
async fn each_record_has_a_revision_of_this_file_until_it_is_written() {
    let ((_one, path), (_other, other)) = (earlier(), earlier());
    let (store, other) = (SqliteStore::open(&path).expect("a store"), SqliteStore::open(other).expect("a store"));
    for subject in OPEN {
        let (_, revision) = read(&store, subject).await;
        assert_eq!(revision.number(), 1, "{subject}");
        assert_ne!(revision, read(&other, subject).await.1, "{subject}: a copy that goes its own way has others");
    }
    let again = SqliteStore::open(&path).expect("a store");
    let (record, before) = read(&again, "ready").await;
    let claim = begin(&record, 7, Duration::from_secs(35), false);
    let claimed = again.apply(&key("ready"), claim).await.expect("a claim");
    assert!(matches!(claimed, Answer::Begun(_)), "{claimed:?}");
    let (_, claimed) = read(&store, "ready").await;
    assert!(claimed.number() == 2 && claimed.random() != before.random(), "{claimed:?}");
    store.apply(&key("ready"), commit(&record, 7, "third")).await.expect("saved");
    assert_eq!(payload(&again, &key("ready")).await, "third");
}

#[tokio::test]
async fn what_was_damaged_before_is_in_nobodys_way_and_can_be_set_aside() {
    let (_folder, path) = earlier();
    let store = SqliteStore::open(&path).expect("a store, whatever is damaged in it");
    let error = store.load(&key("damaged")).await.expect_err("damaged");
    assert_eq!(error.kind(), StoreErrorKind::Damaged);
    let tombstone = store.set_aside(&key("damaged"), SessionId::from_random(5)).await.expect("set aside");
    assert_eq!(tombstone.map(|record| record.generation), Some(1));
    let (record, revision) = read(&store, "damaged").await;
    assert_eq!((record.state, revision.number()), (State::Tombstone, 2));
}
