//! The protocol, as every store has to carry it out.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use async_trait::async_trait;
use rampauth_store::{Answer, Operation, Record, SessionKey, Store, StoreError, conformance};
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
    async fn load(&self, key: &SessionKey) -> Result<Option<Record>, StoreError> {
        self.next().load(key).await
    }

    async fn apply(&self, key: &SessionKey, operation: Operation) -> Result<Answer, StoreError> {
        self.next().apply(key, operation).await
    }

    async fn due(&self, before: SystemTime, limit: usize) -> Result<Vec<SessionKey>, StoreError> {
        self.next().due(before, limit).await
    }

    async fn keys(&self) -> Result<Vec<SessionKey>, StoreError> {
        self.next().keys().await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_stores_of_one_file_keep_the_protocol() {
    let (_folder, path) = folder();
    let stores = (0..3).map(|_| SqliteStore::open(&path).expect("a store")).collect();
    conformance::check(InTurn(stores, AtomicUsize::new(0))).await;
}
