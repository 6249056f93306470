//! What is written is there for others at once, and for those that come later.

use super::difference::{self, Times};
use super::names::{S1, login, tokens};
use crate::key::SessionKey;
use crate::record::Record;
use crate::revision::Revision;
use crate::store::{Replaced, Replacement, Store};

/// How often the store is opened.
const OPENINGS: u32 = 5;

/// Plays what [`check`](super::check) cannot, for it needs more than one opening of a store: each record that was answered as
/// written is seen by a store that was open before, and by one that is opened afterwards, with its very revision; and what was
/// computed from an earlier revision is refused by all of them. `open` opens the same store each time.
///
/// # Panics
///
/// When the store breaks one of these rules, naming it.
pub async fn check_restarts<S: Store>(open: impl AsyncFn() -> S) {
    let key = SessionKey::parse("conformance/restart/a").expect("a key of three short plain parts");
    let bystander = open().await;
    let mut written = Revision::ABSENT;
    for number in 1..=OPENINGS {
        let store = open().await;
        is_seen(&store, &key, written, number - 1, "by a store that was opened afterwards").await;
        let record = record(number);
        let revision = written.next().expect("random numbers");
        let replacement = Replacement { expected: written, revision, record: &record, claims: false };
        let answer = store.replace(&key, replacement).await.expect("a store that can be written");
        assert!(matches!(answer, Replaced::Written { .. }), "opened anew, it does not know {written:?} any more");
        // Ended without a word, as by a crash: nothing is left for a destructor to write.
        is_seen(&bystander, &key, revision, number, "by a store that was open before").await;
        std::mem::forget(store);
        let stale =
            Replacement { expected: written, revision: Revision::from_parts(99, 99), record: &record, claims: true };
        for store in [&bystander, &open().await] {
            let answer = store.replace(&key, stale).await.expect("a store that can be written");
            assert!(matches!(answer, Replaced::Conflict(_)), "{written:?} was taken for {revision:?}");
        }
        written = revision;
    }
}

fn record(number: u32) -> Record {
    login(S1, u64::from(number), tokens(number))
}

async fn is_seen(store: &impl Store, key: &SessionKey, revision: Revision, number: u32, by: &str) {
    let stored = store.read(key).await.expect("a store that can be read");
    assert_eq!(stored.revision, revision, "what was written is not seen {by}");
    let expected = (number > 0).then(|| record(number));
    let differences = difference::records(expected.as_ref(), stored.record.as_ref(), Times::Exact);
    assert!(differences.is_empty(), "what was written is not seen {by}: {differences:?}");
}
