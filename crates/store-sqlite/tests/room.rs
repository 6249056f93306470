//! Room on the disk for what a claim may bring: the log is given blocks for it behind its end, and for nothing else.
#![cfg(any(target_os = "linux", target_os = "android"))]

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use rampauth_store::StoreExt as _;
use rampauth_store_sqlite::SqliteStore;
use support::{begin, commit, folder, key, login};

const LEASE: Duration = Duration::from_secs(35);
/// What the largest answer adds to a record, in bytes.
const MAX_GRANT: u64 = 96 * 1024;

#[tokio::test]
async fn only_a_claim_has_room_reserved() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).expect("a store");
    let behind_the_end = || {
        let log = fs::metadata(path.with_extension("db-wal")).expect("the log");
        (log.blocks() * 512).saturating_sub(log.len())
    };
    let record = login(&store, &key("a"), "first").await;
    assert!(behind_the_end() < 3 * 4_096, "a login: {}", behind_the_end());
    store.apply(&key("a"), begin(&record, 1, LEASE, false)).await.expect("a claim");
    assert!(behind_the_end() >= MAX_GRANT, "a claim: {}", behind_the_end());

    let reserved = behind_the_end();
    store.apply(&key("a"), commit(&record, 1, "second")).await.expect("saved");
    assert!(behind_the_end() < reserved, "what a claim brings goes into its room");
    assert!(store.empty_log().await.expect("a store"), "nobody reads it");
    login(&store, &key("b"), "first").await;
    assert!(behind_the_end() < 3 * 4_096, "a login: {}", behind_the_end());
}
