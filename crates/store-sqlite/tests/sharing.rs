//! Names of a file that do not share its log are refused, and those that do are taken.
#![cfg(unix)]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use rampauth_store::{Answer, DueQuery, Store as _, StoreErrorKind, StoreExt as _};
use rampauth_store_sqlite::SqliteStore;
use support::{begin, commit, contents, folder, key, login, payload, time};

const LEASE: Duration = Duration::from_secs(35);
const LINKED: &str = "has more than one name (hard links), and each name has a log of its own; remove the others, and share the \
                      folder or use a symbolic link";

#[tokio::test]
async fn a_file_with_two_names_is_refused_by_either() {
    let (folder, path) = folder();
    drop(SqliteStore::open(&path).expect("a store"));
    support::wait_until_closed(&path);
    let other = folder.path().join("other.db");
    fs::hard_link(&path, &other).expect("a second name");
    let before = contents(folder.path());
    for name in [&path, &other] {
        let error = SqliteStore::open(name).expect_err("two names");
        assert_eq!(error.to_string(), format!("failed to open the store: {} {LINKED}", name.display()));
        assert_eq!(error.kind(), StoreErrorKind::Incompatible);
    }
    assert!(contents(folder.path()) == before, "the folder is as it was");
    fs::remove_file(&other).expect("one name");
    SqliteStore::open(&path).expect("one name");
}

#[tokio::test]
async fn a_second_name_that_comes_later_stops_new_claims_and_loses_no_tokens() {
    let (folder, path) = folder();
    let store = SqliteStore::open(&path).expect("a store");
    let record = login(&store, &key("a"), "first").await;
    store.apply(&key("a"), begin(&record, 1, LEASE, false)).await.expect("a claim");
    let second = login(&store, &key("b"), "b").await;
    let other = folder.path().join("other.db");
    fs::hard_link(&path, &other).expect("a second name");
    for error in [
        store.apply(&key("b"), begin(&second, 2, LEASE, true)).await.expect_err("two names"),
        store.due(&DueQuery::new(time(1000), 9)).await.expect_err("two names"),
        store.all_keys().await.expect_err("two names"),
    ] {
        assert!(error.to_string().ends_with(&format!("{} {LINKED}", path.display())), "{error}");
    }
    let saved = store.apply(&key("a"), commit(&record, 1, "second")).await.expect("what was granted is stored");
    assert!(matches!(saved, Answer::Saved(_)), "{saved:?}");
    fs::remove_file(&other).expect("one name");
    assert_eq!(payload(&store, &key("a")).await, "second");
}

#[tokio::test]
async fn symbolic_links_lead_to_the_same_log() {
    let (folder, path) = folder();
    let store = SqliteStore::open(&path).expect("a store");
    let record = login(&store, &key("a"), "first").await;
    let (link, folders) = (folder.path().join("link.db"), folder.path().join("folder"));
    symlink(&path, &link).expect("a link to the file");
    symlink(folder.path(), &folders).expect("a link to the folder");
    for (number, name) in [link.clone(), folders.join("rampauth.db"), folders.join("link.db")].into_iter().enumerate() {
        let other = SqliteStore::open(&name).expect("the same store");
        let attempt = number as u128 + 1;
        store.apply(&key("a"), begin(&record, attempt, Duration::ZERO, true)).await.expect("a claim");
        let seen = other.load(&key("a")).await.expect("a store").expect("a record");
        let claim = seen.attempt.map(|claim| claim.id.get());
        assert_eq!(claim, Some(attempt), "{}: what one has written the other sees", name.display());
    }
    assert!(!folder.path().join("link.db-wal").exists(), "there is one log");

    // A link that leads elsewhere by now is noticed.
    let other = SqliteStore::open(&link).expect("the same store");
    let elsewhere = folder.path().join("elsewhere.db");
    drop(SqliteStore::open(&elsewhere).expect("another store"));
    fs::remove_file(&link).expect("a link");
    symlink(&elsewhere, &link).expect("a link");
    let error = other.load(&key("a")).await.expect_err("it leads elsewhere");
    assert!(error.to_string().contains("was moved, deleted or replaced"), "{error}");
}

#[test]
fn a_link_to_nothing_is_named_and_makes_nothing() {
    let (folder, path) = folder();
    let missing = folder.path().join("missing.db");
    symlink(&missing, &path).expect("a link");
    let error = SqliteStore::open(&path).expect_err("a link to nothing");
    let why = "cannot be created: it is a symbolic link to a file that does not exist";
    assert_eq!(error.to_string(), format!("failed to open the store: {} {why}", path.display()));
    assert!(!missing.exists());
}

#[test]
fn what_has_no_absolute_path_or_no_path_at_all_is_no_temporary_database() {
    for path in ["", "a\0b"] {
        let error = SqliteStore::open(path).expect_err("no path");
        assert_ne!(error.kind(), StoreErrorKind::Unavailable, "{error}");
        assert!(error.to_string().starts_with("failed to open the store: "), "{error}");
    }
}
