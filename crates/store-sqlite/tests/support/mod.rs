//! What the tests of a file need: sessions to put into it, and eyes that are not the store's.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::error::Error;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use rampauth_core::SecretString;
use rampauth_store::{
    Answer, AttemptId, AttemptRef, DueQuery, Operation, OwnerId, Record, Replaced, Replacement, Revision, SessionId,
    SessionKey, Store as _, StoreError, StoreExt as _, Stored, StoredTokens, TokenDigest, protocol,
};
use rampauth_store_sqlite::SqliteStore;
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// A folder with the path of a store that is not there yet.
pub(crate) fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("rampauth.db");
    (folder, path)
}

pub(crate) fn key(subject: &str) -> SessionKey {
    SessionKey::parse(format!("onboard/staging/acme/{subject}")).expect("a key")
}

/// A time that no clock rounds.
pub(crate) fn time(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000 + seconds)
}

pub(crate) fn tokens(text: &str) -> StoredTokens {
    let mut tokens = StoredTokens::new(SecretString::new(text.to_owned()), TokenDigest::of(text), time(0));
    tokens.next_due = Some(time(60));
    tokens
}

pub(crate) fn put(session: u128, text: &str) -> Operation {
    Operation::Put { session: SessionId::from_random(session), expect: None, tokens: tokens(text) }
}

pub(crate) fn begin(record: &Record, attempt: u128, lease: Duration, settle: bool) -> Operation {
    Operation::Begin {
        generation: record.generation,
        presents: record.tokens.as_ref().expect("tokens").presents,
        attempt: AttemptId::from_random(attempt),
        owner: OwnerId::from_random(1),
        lease,
        settle,
    }
}

pub(crate) fn commit(record: &Record, attempt: u128, text: &str) -> Operation {
    let attempt =
        AttemptRef { id: AttemptId::from_random(attempt), session: record.session, generation: record.generation };
    Operation::Commit { attempt, tokens: tokens(text) }
}

/// A replace, to be carried out by whoever has it.
pub(crate) struct Write {
    key: SessionKey,
    expected: Revision,
    record: Record,
    claims: bool,
}

impl Write {
    /// What this operation makes of what is stored.
    pub(crate) fn of(key: SessionKey, stored: &Stored, operation: Operation) -> Self {
        let mut slot = stored.record.clone();
        let answer = protocol::apply(&mut slot, operation, &stored.time);
        let claims = matches!(answer, Answer::Begun(_));
        Self { key, expected: stored.revision, record: slot.expect("a record"), claims }
    }

    pub(crate) async fn carry_out(self, store: SqliteStore) -> Result<Replaced, StoreError> {
        let Self { key, expected, record, claims } = self;
        let revision = expected.next().expect("random numbers");
        store.replace(&key, Replacement { expected, revision, record: &record, claims }).await
    }
}

pub(crate) async fn login(store: &SqliteStore, key: &SessionKey, text: &str) -> Record {
    match store.apply(key, put(1, text)).await.expect("a store that can be written") {
        Answer::Saved(record) => record,
        other => panic!("a first login was answered {other:?}"),
    }
}

/// The keys that are due, as listed.
pub(crate) async fn due(store: &SqliteStore, before: SystemTime, limit: usize) -> Vec<SessionKey> {
    let due = store.due(&DueQuery::new(before, limit)).await.expect("a list");
    due.into_iter().map(|due| due.key).collect()
}

pub(crate) async fn payload(store: &SqliteStore, key: &SessionKey) -> String {
    let record = store.load(key).await.expect("a store that can be read").expect("a record");
    record.tokens.expect("tokens").payload.expose_secret().to_owned()
}

/// The file, for whoever is not a store.
pub(crate) fn raw(path: &Path) -> Connection {
    Connection::open(path).expect("a database")
}

/// Puts this text in the place of a record, with the sum that belongs to it.
pub(crate) fn replace_record(path: &Path, key: &SessionKey, record: &str) {
    let sum = Sha256::digest(format!("{key}\n{record}"));
    let changed = raw(path)
        .execute("UPDATE session SET record = ?2, sum = ?3 WHERE key = ?1", (key.as_str(), record, &sum[..]))
        .expect("a table of sessions");
    assert_eq!(changed, 1, "{key} is there");
}

/// Everything that is in a folder, by name. Shared memory is named alone: readers write in it, and Windows lets nobody look.
pub(crate) fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    let mut contents: Vec<_> = entries
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let readable = entry.path().is_file() && !name.ends_with("-shm");
            let content = if readable { std::fs::read(entry.path()).expect("a file") } else { Vec::new() };
            (name, content)
        })
        .collect();
    contents.sort();
    contents
}

/// Waits until a store that was dropped has closed its file: SQLite then removes the log.
pub(crate) fn wait_until_closed(path: &Path) {
    let mut log = path.to_owned().into_os_string();
    log.push("-wal");
    for _ in 0..1000 {
        if !Path::new(&log).exists() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("{} is still open", path.display());
}

/// Everything that an error or a value says of itself, its causes included.
pub(crate) fn said(error: &StoreError) -> String {
    let mut said = format!("{error} {error:?} {error:#?}");
    let mut cause = error.source();
    while let Some(next) = cause {
        said.push_str(&shown(&next));
        said.push_str(&next.to_string());
        cause = next.source();
    }
    said
}

pub(crate) fn shown(value: &impl Debug) -> String {
    format!("{value:?} {value:#?}")
}
