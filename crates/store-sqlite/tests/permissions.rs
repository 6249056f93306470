//! Who may read the file, and what happens where it may not be written.
#![cfg(unix)]

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rampauth_store::StoreErrorKind;
use rampauth_store_sqlite::SqliteStore;
use support::{folder, key, login, payload, wait_until_closed};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("a file of ours");
}

/// Runs something with the rights that permissions give, even for root.
fn without_privileges<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let limited = move || {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

            let mut sets = capabilities(None).expect("this thread's capabilities");
            sets.effective -= CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH | CapabilitySet::FOWNER;
            set_capabilities(None, sets).expect("fewer capabilities");
        }
        work()
    };
    thread::spawn(limited).join().expect("no panic")
}

#[tokio::test]
async fn the_file_its_log_and_its_shared_memory_are_the_owner_s_alone() {
    let (folder, path) = folder();
    let store = SqliteStore::open(&path).expect("a store");
    login(&store, &key("a"), "first").await;
    let mut names: Vec<_> = support::contents(folder.path()).into_iter().map(|(name, _)| name).collect();
    names.sort();
    assert_eq!(names, ["rampauth.db", "rampauth.db-shm", "rampauth.db-wal"]);
    for name in names {
        assert_eq!(mode(&folder.path().join(&name)), 0o600, "{name}");
    }
}

#[tokio::test]
async fn an_empty_file_that_others_may_read_is_narrowed_first() {
    let (folder, path) = folder();
    fs::write(&path, "").expect("an empty file");
    set_mode(&path, 0o644);
    let store = SqliteStore::open(&path).expect("a store");
    login(&store, &key("a"), "first").await;
    for name in ["rampauth.db", "rampauth.db-shm", "rampauth.db-wal"] {
        assert_eq!(mode(&folder.path().join(name)), 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_store_that_its_owner_shares_with_a_group_stays_shared() {
    let (folder, path) = folder();
    drop(SqliteStore::open(&path).expect("a store"));
    wait_until_closed(&path);
    set_mode(&path, 0o660);
    let store = SqliteStore::open(&path).expect("the same store");
    login(&store, &key("a"), "first").await;
    for name in ["rampauth.db", "rampauth.db-shm", "rampauth.db-wal"] {
        assert_eq!(mode(&folder.path().join(name)), 0o660, "{name}");
    }
}

#[tokio::test]
async fn a_read_only_file_is_refused_when_it_is_opened() {
    let (_folder, path) = folder();
    login(&SqliteStore::open(&path).expect("a store"), &key("a"), "first").await;
    wait_until_closed(&path);
    set_mode(&path, 0o400);
    let (at, before) = (path.clone(), fs::read(&path).expect("a file"));
    let error = without_privileges(move || SqliteStore::open(at)).expect_err("a read-only file");
    assert_eq!(
        error.to_string(),
        format!(
            "failed to open the store: {} is read-only; this user needs to write to it and to its folder",
            path.display()
        )
    );
    assert_eq!(error.kind(), StoreErrorKind::NotWritable);
    assert!(fs::read(&path).expect("a file") == before);
    set_mode(&path, 0o600);
    assert_eq!(payload(&SqliteStore::open(&path).expect("a store"), &key("a")).await, "first");
}

#[test]
fn a_file_that_may_not_be_read_is_refused() {
    let (_folder, path) = folder();
    drop(SqliteStore::open(&path).expect("a store"));
    wait_until_closed(&path);
    set_mode(&path, 0o000);
    let at = path.clone();
    let error = without_privileges(move || SqliteStore::open(at)).expect_err("a file that may not be read");
    let why = "cannot be opened: this user needs to write to it and to its folder";
    assert_eq!(error.to_string(), format!("failed to open the store: {} {why}", path.display()));
    assert_eq!(error.kind(), StoreErrorKind::NotWritable);
}

#[test]
fn a_read_only_folder_takes_no_new_store() {
    let (folder, path) = folder();
    set_mode(folder.path(), 0o500);
    let at = path.clone();
    let error = without_privileges(move || SqliteStore::open(at)).expect_err("a read-only folder");
    let why = "cannot be created: this user may not write to its folder";
    assert_eq!(error.to_string(), format!("failed to open the store: {} {why}", path.display()));
    assert_eq!(error.kind(), StoreErrorKind::NotWritable);
    set_mode(folder.path(), 0o700);
    assert!(!path.exists());
}

#[test]
fn a_read_only_folder_with_a_closed_store_is_refused() {
    let (folder, path) = folder();
    drop(SqliteStore::open(&path).expect("a store"));
    wait_until_closed(&path);
    set_mode(folder.path(), 0o500);
    let at = path.clone();
    // The log cannot be made beside the file.
    let error = without_privileges(move || SqliteStore::open(at)).expect_err("a read-only folder");
    set_mode(folder.path(), 0o700);
    assert_eq!(error.kind(), StoreErrorKind::NotWritable, "{error}");
    assert!(error.to_string().starts_with(&format!("failed to open the store: {} ", path.display())), "{error}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long it takes is what is looked at")]
fn where_no_log_can_be_made_nobody_waits_for_a_lock() {
    let (folder, path) = folder();
    fs::write(&path, "").expect("an empty file");
    set_mode(folder.path(), 0o500);
    let (at, started) = (path.clone(), Instant::now());
    let error = without_privileges(move || SqliteStore::open(at)).expect_err("a read-only folder");
    set_mode(folder.path(), 0o700);
    assert_eq!(error.kind(), StoreErrorKind::NotWritable, "{error}");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}
