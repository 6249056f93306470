//! What the disk lost: said by file and key, told of nothing else, and never written over.

mod support;

use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Duration;

use rampauth_store::{
    Answer, Operation, Replaced, SessionId, State, Store as _, StoreError, StoreErrorKind, StoreExt as _,
};
use rampauth_store_sqlite::SqliteStore;
use support::{
    Write, begin, due, folder, key, login, payload, put, raw, replace_record, said, shown, time, wait_until_closed,
};

const NEEDLE: &str = "needle-5b1f";
const LEASE: Duration = Duration::from_secs(35);

/// Every way to reach a record.
async fn errors(store: &SqliteStore) -> Vec<StoreError> {
    let other = login(store, &key("other"), "other").await;
    let remove = Operation::Remove { session: SessionId::from_random(9), expect: SessionId::from_random(1) };
    let mut errors = vec![store.load(&key("a")).await.expect_err("a damaged record")];
    for operation in [put(1, NEEDLE), put(7, NEEDLE), begin(&other, 1, LEASE, true), remove] {
        errors.push(store.apply(&key("a"), operation).await.expect_err("a damaged record"));
    }
    errors
}

fn row(path: &Path) -> (Vec<u8>, Vec<u8>) {
    let read =
        |row: &rusqlite::Row<'_>| Ok((row.get_ref(0)?.as_bytes()?.to_vec(), row.get_ref(1)?.as_bytes()?.to_vec()));
    raw(path).query_row("SELECT record, sum FROM session WHERE key LIKE '%/a'", [], read).expect("a row")
}

/// What happens to the record of `a`, and how.
type Damage = (&'static str, fn(&Path));

const DAMAGES: [Damage; 6] = [
    ("a bit of the tokens", |path| change(path, "UPDATE session SET record = replace(record, 'needle', 'noodle')")),
    ("a digit of the generation", |path| {
        change(path, "UPDATE session SET record = replace(record, '\"generation\":', '\"generation\":9')");
    }),
    ("text that is no text", |path| change(path, "UPDATE session SET record = CAST(x'7bff7d' AS TEXT)")),
    ("its sum", |path| change(path, "UPDATE session SET sum = zeroblob(32)")),
    ("half of it, as if it were whole", |path| {
        replace_record(path, &key("a"), &format!("{{\"version\":1,\"{NEEDLE}"));
    }),
    ("a member of the wrong kind", |path| {
        let (record, _) = row(path);
        let record = String::from_utf8(record).expect("JSON");
        replace_record(
            path,
            &key("a"),
            &record.replace("\"generation\":", &format!("\"generation\":\"{NEEDLE}\",\"x\":")),
        );
    }),
];

#[tokio::test]
async fn a_damaged_record_is_named_left_alone_and_in_nobody_s_way() {
    for (case, damage) in DAMAGES {
        let (_folder, path) = folder();
        let store = SqliteStore::open(&path).expect("a store");
        login(&store, &key("a"), NEEDLE).await;
        let before = row(&path);
        assert!(String::from_utf8_lossy(&before.0).contains(NEEDLE), "the needle is in the record");
        damage(&path);
        let damaged = row(&path);
        assert!(damaged != before, "{case}");
        for error in errors(&store).await {
            assert_eq!(error.kind(), StoreErrorKind::Damaged, "{case}: {error}");
            let text = error.to_string();
            assert!(text.starts_with("failed to ") && text.contains(&format!(" {}: ", key("a"))), "{case}: {text}");
            let end =
                format!("{} holds a damaged record of it; restore a copy, or set it aside and log in", path.display());
            assert!(text.ends_with(&end), "{case}: {text}");
            assert!(!said(&error).contains("needle"), "{case}: {}", said(&error));
        }
        assert!(row(&path) == damaged, "{case}: nothing was written over");
        assert_eq!(payload(&store, &key("other")).await, "other", "{case}");
        assert_eq!(store.all_keys().await.expect("a list"), [key("a"), key("other")], "{case}");
        assert_eq!(due(&store, time(100), 9).await, [key("a"), key("other")], "{case}: to be noticed");
    }
}

/// What was set aside, oldest first: key, record, sum, generation.
fn set_aside(path: &Path) -> Vec<(String, Vec<u8>, Vec<u8>, i64)> {
    let raw = raw(path);
    let mut rows = raw.prepare("SELECT key, record, sum, generation FROM damaged ORDER BY id").expect("the table");
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).expect("rows");
    rows.collect::<Result<_, _>>().expect("rows")
}

#[tokio::test]
async fn a_damaged_record_is_set_aside_byte_for_byte_and_its_session_begins_anew() {
    let session = SessionId::from_random;
    for (case, damage) in DAMAGES {
        let (_folder, path) = folder();
        let store = SqliteStore::open(&path).expect("a store");
        let first = login(&store, &key("a"), "first").await;
        store.apply(&key("a"), begin(&first, 1, LEASE, false)).await.expect("a claim");
        store.apply(&key("a"), support::commit(&first, 1, NEEDLE)).await.expect("saved");
        login(&store, &key("other"), "other").await;
        damage(&path);
        let (record, sum) = row(&path);

        let tombstone = store.set_aside(&key("a"), session(7)).await.expect(case).expect("it is damaged");
        assert_eq!((tombstone.state, tombstone.generation, tombstone.session), (State::Tombstone, 2, session(7)));
        assert_eq!(set_aside(&path), [(key("a").to_string(), record, sum, 2)], "{case}");
        let stored = store.load(&key("a")).await.expect(case).expect("a tombstone");
        assert_eq!((stored.state, stored.generation, stored.session), (State::Tombstone, 2, session(7)), "{case}");
        assert_eq!(payload(&store, &key("other")).await, "other", "{case}");
        assert_eq!(due(&store, time(100), 9).await, [key("other")], "{case}: nothing is due of it");

        let login = login_upon(session(7), 8);
        let Answer::Saved(saved) = store.apply(&key("a"), login).await.expect(case) else { panic!("{case}") };
        assert_eq!(saved.generation, 3, "{case}: generations go on");
        // What comes late for the login that was set aside is not stored.
        let late = store.apply(&key("a"), support::commit(&first, 1, NEEDLE)).await.expect(case);
        assert!(matches!(late, Answer::Gone), "{case}: {late:?}");

        damage_again(&path);
        store.set_aside(&key("a"), session(9)).await.expect(case).expect("it is damaged");
        assert_eq!(set_aside(&path).len(), 2, "{case}: the first is kept");
    }
}

fn damage_again(path: &Path) {
    change(path, "UPDATE session SET sum = zeroblob(32)");
}

#[tokio::test]
async fn generations_never_go_back_behind_a_record_that_was_set_aside() {
    let session = SessionId::from_random;
    for damaged in [-1, 0, 1, i64::MIN] {
        let (_folder, path) = folder();
        let store = SqliteStore::open(&path).expect("a store");
        let mut record = login(&store, &key("a"), "first").await;
        // Due at the same time as before, so that the index of what is due stays as it is.
        for attempt in 1..=4 {
            store.apply(&key("a"), begin(&record, attempt, LEASE, false)).await.expect("a claim");
            let saved = store.apply(&key("a"), support::commit(&record, attempt, "next")).await.expect("saved");
            let Answer::Saved(saved) = saved else { panic!("{saved:?}") };
            record = saved;
        }
        damage_again(&path);
        let tombstone = store.set_aside(&key("a"), session(7)).await.expect("a store").expect("it is damaged");
        assert_eq!(tombstone.generation, 5);
        // The number beside the record is damaged as well this time.
        change(&path, &format!("UPDATE session SET sum = zeroblob(32), generation = {damaged}"));
        let tombstone = store.set_aside(&key("a"), session(8)).await.expect("a store").expect("it is damaged");
        assert_eq!(tombstone.generation, 5, "{damaged}");
        let login = login_upon(session(8), 9);
        let saved = store.apply(&key("a"), login).await.expect("a login");
        let Answer::Saved(saved) = saved else { panic!("{saved:?}") };
        assert_eq!(saved.generation, 6, "{damaged}");
    }
}

#[tokio::test]
async fn what_was_computed_before_a_record_was_set_aside_is_not_written_over_its_tombstone() {
    let session = SessionId::from_random;
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).expect("a store");
    let first = login(&store, &key("a"), "first").await;
    store.apply(&key("a"), begin(&first, 1, LEASE, false)).await.expect("a claim");
    let seen = store.read(&key("a")).await.expect("a store");
    let late = || Write::of(key("a"), &seen, support::commit(&first, 1, NEEDLE)).carry_out(store.clone());

    damage_again(&path);
    store.set_aside(&key("a"), session(7)).await.expect("a store").expect("it is damaged");
    let tombstone = store.read(&key("a")).await.expect("a store");
    let Replaced::Conflict(found) = late().await.expect("an answer") else { panic!("the tombstone was written over") };
    assert_eq!(found.revision, tombstone.revision);
    assert_eq!(found.record.map(|record| (record.state, record.session)), Some((State::Tombstone, session(7))));

    // Set aside a second time, the record has another revision than the first tombstone.
    let upon_the_first = Write::of(key("a"), &tombstone, login_upon(session(7), 8));
    damage_again(&path);
    store.set_aside(&key("a"), session(9)).await.expect("a store").expect("it is damaged");
    let answer = upon_the_first.carry_out(store.clone()).await.expect("an answer");
    assert!(matches!(answer, Replaced::Conflict(_)), "{answer:?}");
    assert!(matches!(late().await.expect("an answer"), Replaced::Conflict(_)));
    let stored = store.load(&key("a")).await.expect("a store").expect("a tombstone");
    assert_eq!((stored.state, stored.session, stored.generation), (State::Tombstone, session(9), 1));
}

/// A login in the place of that session.
fn login_upon(expect: SessionId, session: u128) -> Operation {
    let session = SessionId::from_random(session);
    Operation::Put { session, expect: Some(expect), tokens: support::tokens("new") }
}

#[tokio::test]
async fn where_a_lost_generation_starts_again_lower_nothing_of_the_old_session_is_accepted() {
    let session = SessionId::from_random;
    for damaged in [2, 1, 0, -1] {
        let (_folder, path) = folder();
        let store = SqliteStore::open(&path).expect("a store");
        let mut record = login(&store, &key("a"), "first").await;
        let mut earlier = Vec::new();
        for attempt in 1..=4 {
            earlier.push(record.clone());
            store.apply(&key("a"), begin(&record, attempt, LEASE, false)).await.expect("a claim");
            let saved = store.apply(&key("a"), support::commit(&record, attempt, "next")).await.expect("saved");
            let Answer::Saved(saved) = saved else { panic!("{saved:?}") };
            record = saved;
        }
        store.apply(&key("a"), begin(&record, 5, LEASE, false)).await.expect("a claim");
        let seen = store.read(&key("a")).await.expect("a store");
        // Both copies of the generation are lost, and nothing was set aside before that would say more.
        change(&path, &format!("UPDATE session SET sum = zeroblob(32), generation = {damaged}"));
        let tombstone = store.set_aside(&key("a"), session(7)).await.expect("a store").expect("it is damaged");
        assert!(tombstone.generation < record.generation, "it went back: {}", tombstone.generation);
        let saved = store.apply(&key("a"), login_upon(session(7), 8)).await.expect("a login");
        let Answer::Saved(new) = saved else { panic!("{saved:?}") };

        for (attempt, old) in earlier.iter().chain([&record]).enumerate() {
            let late = support::commit(old, attempt as u128 + 1, "late");
            let answer = store.apply(&key("a"), late).await.expect("a store");
            assert!(matches!(answer, Answer::Gone), "{damaged}, generation {}: {answer:?}", old.generation);
            let answer = store.apply(&key("a"), begin(old, 9, LEASE, true)).await.expect("a store");
            assert!(matches!(answer, Answer::Moved(_)), "{damaged}, generation {}: {answer:?}", old.generation);
        }
        let answer = store.apply(&key("a"), login_upon(record.session, 9)).await.expect("a store");
        assert!(matches!(answer, Answer::Moved(_)), "{damaged}: {answer:?}");
        // A process that saw the record before writes nothing over what is there now.
        let write = Write::of(key("a"), &seen, support::commit(&record, 5, "late"));
        let answer = write.carry_out(store.clone()).await.expect("a store");
        assert!(matches!(answer, Replaced::Conflict(_)), "{damaged}: {answer:?}");
        let left = store.load(&key("a")).await.expect("a store").expect("a record");
        assert_eq!((left.session, left.generation), (new.session, new.generation), "{damaged}");
        assert_eq!(payload(&store, &key("a")).await, "new", "{damaged}");
    }
}

#[tokio::test]
async fn nothing_but_a_damaged_record_is_set_aside() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).expect("a store");
    login(&store, &key("a"), "first").await;
    let before = row(&path);
    for sound in ["a", "nobody"] {
        assert!(store.set_aside(&key(sound), SessionId::from_random(7)).await.expect("a store").is_none(), "{sound}");
    }
    replace_record(&path, &key("a"), "{\"version\":9}");
    let newer = row(&path);
    let error = store.set_aside(&key("a"), SessionId::from_random(7)).await.expect_err("it is a newer program's");
    assert_eq!(error.kind(), StoreErrorKind::Incompatible);
    assert!(error.to_string().starts_with(&format!("failed to set aside {}: ", key("a"))), "{error}");
    assert!(row(&path) == newer && newer != before && set_aside(&path).is_empty(), "nothing was done");
}

fn change(path: &Path, sql: &str) {
    let sql = format!("{sql} WHERE key LIKE '%/a'");
    assert_eq!(raw(path).execute(&sql, []), Ok(1), "{sql}");
}

#[tokio::test]
async fn a_record_of_a_newer_version_is_not_ours_to_read() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).expect("a store");
    login(&store, &key("a"), NEEDLE).await;
    replace_record(&path, &key("a"), &format!("{{\"version\":9,\"tokens\":\"{NEEDLE}\"}}"));
    for error in errors(&store).await {
        assert_eq!(error.kind(), StoreErrorKind::Incompatible);
        let why = "holds it in version 9 of a record, which this program does not know; update the program";
        assert!(error.to_string().ends_with(&format!(" {}: {} {why}", key("a"), path.display())), "{error}");
        assert!(!said(&error).contains("needle"), "{}", said(&error));
    }
}

#[tokio::test]
async fn a_record_under_another_key_is_not_taken_for_its_own() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).expect("a store");
    login(&store, &key("a"), "a").await;
    login(&store, &key("b"), "b").await;
    raw(&path)
        .execute_batch("UPDATE session SET (record, sum) = (SELECT record, sum FROM session WHERE key LIKE '%/b')")
        .expect("a table of sessions");
    let error = store.load(&key("a")).await.expect_err("another's record");
    assert_eq!(error.kind(), StoreErrorKind::Damaged);
    assert_eq!(payload(&store, &key("b")).await, "b");
}

#[tokio::test]
async fn a_row_that_no_store_writes_is_left_alone() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).expect("a store");
    login(&store, &key("a"), "a").await;
    raw(&path)
        .execute("INSERT INTO session (key, record, sum, generation, due) VALUES ('not a key', '{}', x'00', 1, 1)", [])
        .expect("a row");
    assert_eq!(store.all_keys().await.expect("a list"), [key("a")]);
    assert_eq!(due(&store, time(100), 9).await, [key("a")]);
}

#[tokio::test]
async fn a_damaged_page_takes_its_own_sessions_and_no_others() {
    const SESSIONS: usize = 120;
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).expect("a store");
    let keys: Vec<_> = (0..SESSIONS).map(|number| key(&format!("{number:03}"))).collect();
    for key in &keys {
        login(&store, key, &format!("{NEEDLE}{}", "x".repeat(900))).await;
    }
    drop(store);
    wait_until_closed(&path);
    let pages = "SELECT pageno, pgsize FROM dbstat WHERE name = 'session' AND pagetype = 'leaf' ORDER BY pageno";
    let (page, size): (u64, usize) = {
        let connection = raw(&path);
        let mut pages = connection.prepare(pages).expect("the list of pages");
        let pages: Vec<_> = pages
            .query_map([], |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, u16>(1)?.into())))
            .expect("pages")
            .collect::<Result<_, _>>()
            .expect("pages");
        assert!(pages.len() > 10, "{} pages", pages.len());
        pages[pages.len() / 2]
    };
    let mut file = fs::OpenOptions::new().write(true).open(&path).expect("the file");
    file.seek(SeekFrom::Start((page - 1) * size as u64)).expect("a page");
    file.write_all(&vec![0xff; size]).expect("a lost page");
    drop(file);

    let store = SqliteStore::open(&path).expect("a store with a lost page");
    let (mut lost, mut whole) = (Vec::new(), Vec::new());
    for key in &keys {
        match store.load(key).await {
            Ok(record) => whole.push((key, record.expect("a record"))),
            Err(error) => {
                let why = "is damaged where this is kept; restore a copy";
                assert_eq!(error.to_string(), format!("failed to read {key}: {} {why}", path.display()));
                assert_eq!(error.kind(), StoreErrorKind::Damaged);
                assert!(!said(&error).contains(NEEDLE));
                lost.push(key);
            }
        }
    }
    assert!((1..10).contains(&lost.len()) && whole.len() + lost.len() == SESSIONS, "{} lost", lost.len());
    assert_eq!(store.all_keys().await.expect("a list"), keys);
    assert_eq!(due(&store, time(100), SESSIONS).await, keys);
    for key in lost {
        let error = store.apply(key, put(1, NEEDLE)).await.expect_err("a lost page");
        assert_eq!(error.kind(), StoreErrorKind::Damaged, "{error}");
        assert!(error.to_string().contains(key.as_str()), "{error}");
    }
    for (key, record) in whole {
        let answer = store.apply(key, begin(&record, 1, LEASE, false)).await.expect("a whole page");
        assert!(matches!(answer, Answer::Begun(_)), "{answer:?}");
    }
    drop(store);
    wait_until_closed(&path);
    let bytes = fs::read(&path).expect("the file");
    let start = usize::try_from(page - 1).expect("a small file") * size;
    assert!(bytes[start..start + size].iter().all(|byte| *byte == 0xff), "the lost page is as it was found");
}

#[tokio::test]
async fn no_token_is_shown() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).expect("a store");
    login(&store, &key("a"), NEEDLE).await;
    assert_eq!(payload(&store, &key("a")).await, NEEDLE);
    assert!(!shown(&store).contains(NEEDLE));
    assert!(!shown(&SqliteStore::builder()).contains(NEEDLE));
    let record = store.load(&key("a")).await.expect("a store").expect("a record");
    assert!(!shown(&record).contains(NEEDLE));
}
