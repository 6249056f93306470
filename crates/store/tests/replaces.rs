//! What a store that compares and sets can get wrong: the suite finds every one.

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use common::{Kept, Mutant, Records, failed, is_caught, revision};
use rampauth_core::{Clock as _, SystemClock};
use rampauth_store::{
    Due, DueQuery, Record, Replaced, Replacement, Revision, SessionKey, Store, StoreError, StoreTime, Stored,
    conformance,
};

const CONFLICTS: &str = "replace: upon another revision nothing is written, and what is there is answered";
const BOTH_NUMBERS: &str = "replace: a revision is both its numbers, of 64 bits each";

#[tokio::test(flavor = "multi_thread")]
async fn revisions_that_are_not_compared() {
    type Accepts = fn(&Records, &SessionKey, Revision) -> bool;
    let any: Accepts = |_, _, _| true;
    let number: Accepts = |records, key, expected| revision(records.get(key)).number() == expected.number();
    let random: Accepts = |records, key, expected| revision(records.get(key)).random() == expected.random();
    let small: Accepts = |records, key, expected| {
        let bits = |revision: Revision| (revision.number() & u64::from(u32::MAX), revision.random());
        bits(revision(records.get(key))) == bits(expected)
    };
    let signed: Accepts = |records, key, expected| {
        let bits = |revision: Revision| (revision.number(), revision.random() & (u64::MAX >> 1));
        bits(revision(records.get(key))) == bits(expected)
    };
    let insert_or_replace: Accepts =
        |records, key, expected| expected == Revision::ABSENT || revision(records.get(key)) == expected;
    let anybodys: Accepts = |records, key, expected| {
        let known = records.values().any(|(revision, _)| *revision == expected);
        revision(records.get(key)) == expected || known && !records.contains_key(key)
    };
    let at_most: Accepts = |records, key, expected| revision(records.get(key)).number() <= expected.number();
    for (mistake, accepts, by) in [
        ("not at all", any, CONFLICTS),
        ("by their number alone", number, BOTH_NUMBERS),
        ("by their random bits alone", random, BOTH_NUMBERS),
        ("by 32 bits of the number", small, BOTH_NUMBERS),
        ("by 63 bits", signed, BOTH_NUMBERS),
        (
            "only where one is expected",
            insert_or_replace,
            "replace: what was never stored is absent, and is written only by who expects that",
        ),
        ("with those of any key", anybodys, "replace: one key's revision is nothing to another key"),
        ("as if later ones were as good", at_most, CONFLICTS),
    ] {
        is_caught(mistake, Mutant { accepts, ..Mutant::sound() }, by).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replaces_that_are_not_one_step() {
    let failed = failed(Mutant { torn: true, ..Mutant::sound() }).await;
    for by in [
        "replace: of sixteen upon one revision one is written, and the others see it",
        "concurrent: of sixteen begins one has begun, and the others are told how long",
        "concurrent: of sixteen who settle one doubt one has begun",
        "concurrent: of sixteen answers to one token one is saved and every other is kept",
        "concurrent: of sixteen logins in place of one, one is saved",
    ] {
        assert!(failed.contains(by), "{by:?} did not find it; failed were {failed:#?}");
    }
    // One after the other such a store makes no mistake.
    let at_once = |name: &&str| name.starts_with("concurrent: ") || name.contains("of sixteen");
    assert!(failed.iter().all(at_once), "{failed:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_not_what_is_stored() {
    let unwritten: Kept = |_, _| None;
    let record_alone: Kept =
        |before, (revision, record)| Some((before.map_or(revision, |(revision, _)| *revision), record));
    let unless_the_same: Kept = |before, (revision, record)| match before {
        Some((_, stored)) if stored.to_json().expose_secret() == record.to_json().expose_secret() => None,
        _ => Some((revision, record)),
    };
    let own_revision: Kept =
        |_, (revision, record)| Some((Revision::from_parts(revision.number(), revision.random() ^ 1), record));
    let read_back = "replace: what is written is read, with its revision";
    for (mistake, kept, by) in [
        ("nothing is written", unwritten, read_back),
        ("the revision stays", record_alone, read_back),
        ("the store draws revisions of its own", own_revision, read_back),
        (
            "what is the same is not written",
            unless_the_same,
            "replace: a record that is written again unchanged has a new revision",
        ),
    ] {
        is_caught(mistake, Mutant::keeping(kept), by).await;
    }
    type Refused = fn(&mut Records, &SessionKey, Replacement<'_>, Stored) -> Stored;
    let nothing: Refused = |_, _, _, current| Stored { record: None, revision: Revision::ABSENT, ..current };
    let expected: Refused = |_, _, replacement, current| Stored { revision: replacement.expected, ..current };
    let written: Refused = |records, key, replacement, current| {
        records.insert(key.clone(), (current.revision, replacement.record.clone()));
        current
    };
    let counted: Refused = |records, key, replacement, current| {
        if let Some((revision, _)) = records.get_mut(key) {
            *revision = replacement.revision;
        }
        current
    };
    for (mistake, refused) in [
        ("a conflict shows nothing", nothing),
        ("a conflict shows the revision that was expected", expected),
        ("what conflicts is written all the same", written),
        ("a conflict counts as a write", counted),
    ] {
        is_caught(mistake, Mutant { refused, ..Mutant::sound() }, CONFLICTS).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn due_records_that_cannot_be_gone_on_from() {
    type DueRecord = fn(Stored) -> Stored;
    let bare: DueRecord = |stored| Stored { record: None, ..stored };
    let unversioned: DueRecord = |stored| Stored { revision: Revision::ABSENT, ..stored };
    let timeless: DueRecord = |stored| Stored { time: StoreTime::wall(std::time::UNIX_EPOCH), ..stored };
    for (mistake, due_record) in [("no record", bare), ("no revision", unversioned), ("no time", timeless)] {
        let by = "due: it brings the record, its revision and the store's time";
        is_caught(mistake, Mutant { due_record, ..Mutant::sound() }, by).await;
    }
    let ahead = Mutant { clock: || SystemClock.now() + Duration::from_secs(3600), ..Mutant::sound() };
    is_caught("a local time for the world's", ahead, "replace: what is written is read, with its revision").await;
}

/// What several openings of one store share, and what each keeps to itself.
#[derive(Clone, Default)]
struct Opening {
    disk: Arc<Mutex<Records>>,
    /// What is not on the disk yet, or is not taken from there any more.
    own: Arc<Mutex<Records>>,
    caches: bool,
    forgets_revisions: bool,
}

impl Opening {
    fn find(&self, key: &SessionKey) -> Option<(Revision, Record)> {
        let own = self.own.lock().expect("records").get(key).cloned();
        own.or_else(|| self.disk.lock().expect("records").get(key).cloned())
    }
}

#[async_trait]
impl Store for Opening {
    async fn read(&self, key: &SessionKey) -> Result<Stored, StoreError> {
        let (revision, record) = self.find(key).unzip();
        let time = StoreTime::wall(SystemClock.now());
        Ok(Stored { record, revision: revision.unwrap_or(Revision::ABSENT), time })
    }

    async fn replace(&self, key: &SessionKey, replacement: Replacement<'_>) -> Result<Replaced, StoreError> {
        let current = self.read(key).await?;
        if current.revision != replacement.expected {
            return Ok(Replaced::Conflict(current));
        }
        let records = if self.caches { &self.own } else { &self.disk };
        records.lock().expect("records").insert(key.clone(), (replacement.revision, replacement.record.clone()));
        Ok(Replaced::Written { time: current.time })
    }

    async fn due(&self, _: &DueQuery) -> Result<Vec<Due>, StoreError> {
        Ok(Vec::new())
    }

    async fn keys(&self, _: Option<&SessionKey>, _: usize) -> Result<Vec<SessionKey>, StoreError> {
        Ok(Vec::new())
    }
}

/// Opens the store anew.
fn opened(store: &Opening) -> Opening {
    if store.forgets_revisions {
        for (revision, _) in store.disk.lock().expect("records").values_mut() {
            *revision = Revision::from_parts(1, 1);
        }
    }
    Opening { own: Arc::new(Mutex::new(BTreeMap::new())), ..store.clone() }
}

#[tokio::test]
async fn openings_of_one_store_that_keep_nothing_to_themselves_pass() {
    let store = Opening::default();
    conformance::check_restarts(async || opened(&store)).await;
}

#[tokio::test]
#[should_panic(expected = "what was written is not seen by a store that was open before")]
async fn what_is_answered_before_it_is_durable() {
    let store = Opening { caches: true, ..Opening::default() };
    conformance::check_restarts(async || opened(&store)).await;
}

#[tokio::test]
#[should_panic(expected = "what was written is not seen by a store that was opened afterwards")]
async fn revisions_that_go_back_when_the_store_is_opened_anew() {
    let store = Opening { forgets_revisions: true, ..Opening::default() };
    conformance::check_restarts(async || opened(&store)).await;
}
