//! Emptying the log: what records held before leaves the disk, unless somebody still reads it.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rampauth_store::StoreExt as _;
use rampauth_store_sqlite::SqliteStore;
use support::{begin, commit, contents, folder, key, login, payload, raw};

const OLDER: &str = "needle-71c4";

fn log(path: &Path) -> PathBuf {
    path.with_extension("db-wal")
}

/// Names of the files that hold this text.
fn holding(folder: &Path, text: &str) -> Vec<String> {
    let holds = |content: &[u8]| content.windows(text.len()).any(|window| window == text.as_bytes());
    contents(folder).into_iter().filter(|(_, content)| holds(content)).map(|(name, _)| name).collect()
}

/// A store whose log holds tokens that its record does not hold any more.
async fn with_older_tokens(path: &Path) -> SqliteStore {
    let store = SqliteStore::builder().busy_timeout(Duration::from_millis(50)).open(path).expect("a store");
    let record = login(&store, &key("a"), OLDER).await;
    store.apply(&key("a"), begin(&record, 1, Duration::from_secs(35), false)).await.expect("a claim");
    store.apply(&key("a"), commit(&record, 1, "newer")).await.expect("saved");
    store
}

#[tokio::test]
async fn an_emptied_log_holds_nothing_and_the_file_no_older_tokens() {
    let (folder, path) = folder();
    let store = with_older_tokens(&path).await;
    assert_eq!(holding(folder.path(), OLDER), ["rampauth.db-wal"]);
    assert!(store.empty_log().await.expect("a store"), "nobody reads it");
    assert_eq!(fs::metadata(log(&path)).expect("the log").len(), 0);
    assert!(holding(folder.path(), OLDER).is_empty());
    assert_eq!(payload(&store, &key("a")).await, "newer");
    assert!(store.empty_log().await.expect("a store"), "an empty one is empty");
    let record = store.load(&key("a")).await.expect("a store").expect("a record");
    store.apply(&key("a"), begin(&record, 2, Duration::from_secs(35), false)).await.expect("it goes on");
}

#[tokio::test]
async fn a_log_that_somebody_reads_is_not_said_to_be_empty() {
    let (folder, path) = folder();
    let store = with_older_tokens(&path).await;
    let reader = raw(&path);
    reader.execute_batch("BEGIN; SELECT count(*) FROM session").expect("an older state");
    let record = store.load(&key("a")).await.expect("a store").expect("a record");
    store.apply(&key("a"), begin(&record, 2, Duration::from_secs(35), false)).await.expect("a claim");
    assert!(!store.empty_log().await.expect("a store"), "it is read");
    assert_eq!(holding(folder.path(), OLDER), ["rampauth.db-wal"]);
    reader.execute_batch("COMMIT").expect("its end");
    assert!(store.empty_log().await.expect("a store"), "nobody reads it any more");
    assert!(holding(folder.path(), OLDER).is_empty());
}
