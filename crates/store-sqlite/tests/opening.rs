//! Which files are opened, which are refused, and that what is refused stays as it was.

mod support;

use std::fs;

use rampauth_keeper::Keeper;
use rampauth_store::{DueQuery, MemoryStore, SessionId, Store as _, StoreErrorKind, StoreExt as _};
use rampauth_store_sqlite::SqliteStore;
use support::{Write, contents, folder, key, login, payload, raw, wait_until_closed};

#[tokio::test]
async fn what_was_saved_is_there_when_it_is_opened_again() {
    let (_folder, path) = folder();
    login(&SqliteStore::open(&path).expect("a new store"), &key("a"), "first").await;
    let again = SqliteStore::open(&path).expect("the same store");
    assert_eq!(payload(&again, &key("a")).await, "first");
    drop(again);
    wait_until_closed(&path);
    assert_eq!(payload(&SqliteStore::open(&path).expect("the same store"), &key("a")).await, "first");
}

#[tokio::test]
async fn an_empty_file_is_a_fresh_store() {
    let (_folder, path) = folder();
    fs::write(&path, "").expect("an empty file");
    let store = SqliteStore::open(&path).expect("a fresh store");
    assert_eq!(store.all_keys().await.expect("a list"), []);
    login(&store, &key("a"), "first").await;
}

#[tokio::test]
async fn a_store_that_was_left_half_made_is_finished() {
    let (_folder, path) = folder();
    raw(&path).pragma_update(None, "journal_mode", "wal").expect("an empty database");
    assert!(fs::metadata(&path).expect("a file").len() > 0, "a header and nothing else");
    login(&SqliteStore::open(&path).expect("a store"), &key("a"), "first").await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_name_that_sqlite_reads_as_something_else_is_a_file_like_any_other() {
    let (folder, _) = folder();
    for name in [":memory:", "file:a?mode=memory", "a b%20c", "ключ"] {
        let path = folder.path().join(name);
        login(&SqliteStore::open(&path).expect(name), &key("a"), name).await;
        assert!(path.is_file(), "{name}");
        assert_eq!(payload(&SqliteStore::open(&path).expect(name), &key("a")).await, name);
    }
}

#[tokio::test]
async fn a_copy_made_while_the_store_is_in_use_is_a_store() {
    let (folder, path) = folder();
    let store = SqliteStore::open(&path).expect("a store");
    login(&store, &key("a"), "first").await;
    let copy = folder.path().join("copy.db");
    raw(&path).execute("VACUUM INTO ?1", [copy.to_str().expect("a plain path")]).expect("a copy");
    login(&store, &key("b"), "second").await;
    let copy = SqliteStore::open(copy).expect("the copy");
    assert_eq!(payload(&copy, &key("a")).await, "first");
    assert_eq!(copy.all_keys().await.expect("a list"), [key("a")]);
}

#[test]
fn what_is_not_a_store_is_refused_and_left_as_it_is() {
    let database = |make: &str| {
        let (_folder, path) = folder();
        raw(&path).execute_batch(make).expect(make);
        fs::read(&path).expect("a database")
    };
    let cases = [
        ("a text", b"sqlite is not this\n".to_vec(), "is not an SQLite database; it is left as it is"),
        ("one byte", b"x".to_vec(), "is not an SQLite database; it is left as it is"),
        ("zeros", vec![0; 8192], "is not an SQLite database; it is left as it is"),
        ("a foreign database", database("CREATE TABLE a (x)"), FOREIGN),
        ("one that shares its log", database("PRAGMA journal_mode = wal; CREATE TABLE a (x)"), FOREIGN),
        ("a foreign version", database("PRAGMA user_version = 1; CREATE TABLE a (x); DROP TABLE a"), FOREIGN),
        (
            "a newer store",
            database("PRAGMA application_id = 0x72616d70; PRAGMA user_version = 9; CREATE TABLE session (x)"),
            "has version 9, and this program knows up to 2; update the program",
        ),
        (
            "a store without its table",
            database("PRAGMA application_id = 0x72616d70; PRAGMA user_version = 1; CREATE TABLE a (x)"),
            FOREIGN,
        ),
    ];
    for (case, bytes, why) in cases {
        let (folder, path) = folder();
        fs::write(&path, bytes).expect(case);
        let before = contents(folder.path());
        let error = SqliteStore::open(&path).expect_err(case);
        assert_eq!(error.to_string(), format!("failed to open the store: {} {why}", path.display()), "{case}");
        assert_eq!(error.kind(), StoreErrorKind::Incompatible, "{case}");
        assert!(contents(folder.path()) == before, "{case}: the folder is as it was");
    }
}

const FOREIGN: &str = "is the database of another program; it is left as it is";

#[test]
fn the_log_of_a_foreign_database_is_left_to_its_owner() {
    let (folder, path) = folder();
    let owner = raw(&path);
    owner.execute_batch("PRAGMA journal_mode = wal; CREATE TABLE a (x); INSERT INTO a VALUES (1)").expect("rows");
    // As after a crash of the owner: the log is there and nobody has the file open.
    let crashed = folder.path().join("crashed");
    fs::create_dir(&crashed).expect("a folder");
    for (name, content) in contents(folder.path()).iter().filter(|(name, _)| name.starts_with("rampauth.db")) {
        if !name.ends_with("-shm") {
            fs::write(crashed.join(name), content).expect("a copy");
        }
    }
    let before = contents(&crashed);
    assert!(before.iter().any(|(name, content)| name.ends_with("-wal") && !content.is_empty()));
    let error = SqliteStore::open(crashed.join("rampauth.db")).expect_err("not a store");
    assert_eq!(error.kind(), StoreErrorKind::Incompatible);
    let after: Vec<_> = contents(&crashed).into_iter().filter(|(name, _)| !name.ends_with("-shm")).collect();
    assert!(after == before, "database and log are as they were");
}

#[test]
fn a_place_where_no_file_can_be_is_named() {
    let (folder, path) = folder();
    let missing = folder.path().join("missing").join("rampauth.db");
    #[cfg(unix)]
    let inside = path.join("rampauth.db");
    fs::write(&path, "").expect("a file");
    for (place, kind, why) in [
        (&missing, StoreErrorKind::NotWritable, "cannot be created: its folder does not exist"),
        #[cfg(unix)]
        (&inside, StoreErrorKind::NotWritable, "cannot be created: what should be its folder is a file"),
        (&folder.path().to_owned(), StoreErrorKind::Incompatible, "is a folder; name a file in it"),
    ] {
        let error = SqliteStore::open(place).expect_err(why);
        assert_eq!(error.to_string(), format!("failed to open the store: {} {why}", place.display()));
        assert_eq!(error.kind(), kind, "{why}");
    }
    assert!(!missing.parent().expect("a folder").exists(), "no folder is made");
}

#[tokio::test]
async fn a_newer_version_that_takes_the_file_over_ends_the_work_of_this_one() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).expect("a store");
    let record = login(&store, &key("a"), "first").await;
    let stored = store.read(&key("a")).await.expect("a store");
    raw(&path).pragma_update(None, "user_version", 3).expect("a newer version");
    let later = support::time(1000);
    let granted = Write::of(key("a"), &stored, support::commit(&record, 7, "x"));
    let (a, session) = (key("a"), SessionId::from_random(9));
    let errors = [
        ("read onboard/staging/acme/a", store.load(&a).await.map(drop)),
        ("save onboard/staging/acme/a", granted.carry_out(store.clone()).await.map(drop)),
        ("list the sessions that are due", store.due(&DueQuery::new(later, 10)).await.map(drop)),
        ("list the sessions", store.all_keys().await.map(drop)),
        ("set aside onboard/staging/acme/a", store.set_aside(&a, session).await.map(drop)),
        ("look for changes", store.changes(None).await.map(drop)),
        ("empty the log", store.empty_log().await.map(drop)),
    ];
    for (action, result) in errors {
        let error = result.expect_err("a newer version");
        let why = "has version 3, and this program knows up to 2; update the program";
        assert_eq!(error.to_string(), format!("failed to {action}: {} {why}", path.display()));
        assert_eq!(error.kind(), StoreErrorKind::Incompatible);
    }
    raw(&path).pragma_update(None, "user_version", 2).expect("the version before");
    assert_eq!(payload(&store, &key("a")).await, "first", "nothing was written");
}

#[test]
fn a_store_shows_its_path_and_no_more() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).expect("a store");
    assert_eq!(format!("{store:?}"), format!("SqliteStore {{ path: {path:?}, .. }}"));
}

#[test]
fn by_default_the_store_ends_its_wait_for_a_lock_before_the_keeper_does() {
    let keeper = format!("{:?}", Keeper::builder(MemoryStore::new()));
    assert!(keeper.contains("save: 5s"), "{keeper}");
    assert_eq!(format!("{:?}", SqliteStore::builder()), "SqliteStoreBuilder { busy_timeout: 4s, .. }");
}
