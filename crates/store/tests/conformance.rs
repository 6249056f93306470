//! The in-memory store passes the suite, and the suite is not empty.

use std::collections::BTreeSet;
use std::sync::Arc;

use rampauth_store::{MemoryStore, Store, conformance};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_memory_store_passes() {
    conformance::check(MemoryStore::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_that_was_used_before_passes_again() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    conformance::check(Arc::clone(&store)).await;
    conformance::check(store).await;
}

#[tokio::test]
async fn clones_of_the_memory_store_pass_as_openings_of_one_store() {
    let store = MemoryStore::new();
    conformance::check_restarts(async || store.clone()).await;
}

#[test]
fn every_scenario_has_a_name_of_its_own_and_every_operation_has_scenarios() {
    let names = conformance::scenarios();
    let different: BTreeSet<_> = names.iter().collect();
    assert_eq!(different.len(), names.len());
    for rule in [
        "put",
        "begin",
        "commit",
        "conclude not sent",
        "conclude unknown",
        "conclude dead",
        "give up",
        "reject",
        "remove",
        "due",
        "keys",
        "content",
        "concurrent",
        "replace",
    ] {
        let of_the_rule = names.iter().filter(|name| name.starts_with(&format!("{rule}: "))).count();
        assert!(of_the_rule > 0, "no scenario is about {rule}");
    }
}
