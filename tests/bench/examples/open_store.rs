//! Opens the SQLite store at this path, waits for its first answer, and closes it: a part of what a command costs.

use rampauth_keeper::{SessionKey, StoreExt as _};
use rampauth_store_sqlite::SqliteStore;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let path = std::env::args().nth(1).expect("the store's path");
    let store = SqliteStore::open(path).expect("a store");
    let key = SessionKey::parse("nobody/nowhere/nothing").expect("a key");
    assert!(store.load(&key).await.expect("a store in order").is_none());
}
