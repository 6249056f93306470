//! The protocol, as every store has to carry it out.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use rampauth_store::{Due, DueQuery, Replaced, Replacement, SessionKey, Store, StoreError, Stored, conformance};
use rampauth_store_sqlite::SqliteStore;
use support::folder;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_store_keeps_the_protocol() {
    let (_folder, path) = folder();
    conformance::check(SqliteStore::open(path).expect("a store")).await;
}

/// The same file, opened several times: no step leaves anything behind in a connection.
struct InTurn(Vec<SqliteStore>, AtomicUsize);

impl InTurn {
    fn next(&self) -> &SqliteStore {
        &self.0[self.1.fetch_add(1, Ordering::Relaxed) % self.0.len()]
    }
}

#[async_trait]
impl Store for InTurn {
    async fn read(&self, key: &SessionKey) -> Result<Stored, StoreError> {
        self.next().read(key).await
    }

    async fn replace(&self, key: &SessionKey, replacement: Replacement<'_>) -> Result<Replaced, StoreError> {
        self.next().replace(key, replacement).await
    }

    async fn due(&self, query: &DueQuery) -> Result<Vec<Due>, StoreError> {
        self.next().due(query).await
    }

    async fn keys(&self, after: Option<&SessionKey>, limit: usize) -> Result<Vec<SessionKey>, StoreError> {
        self.next().keys(after, limit).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_stores_of_one_file_keep_the_protocol() {
    let (_folder, path) = folder();
    let stores = (0..3).map(|_| SqliteStore::open(&path).expect("a store")).collect();
    conformance::check(InTurn(stores, AtomicUsize::new(0))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_written_is_there_for_every_opening_of_the_file() {
    let (_folder, path) = folder();
    conformance::check_restarts(async || SqliteStore::open(&path).expect("a store")).await;
}
