//! The in-memory store beyond the suite: who shares it, and whose time it goes by.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rampauth_store::{
    Answer, AttemptId, DueQuery, MemoryStore, Operation, OwnerId, SessionId, SessionKey, Store as _, StoreExt as _,
    StoredTokens, TokenDigest,
};

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn key() -> SessionKey {
    SessionKey::parse("provider/sandbox/account").expect("a key")
}

fn login() -> Operation {
    let mut tokens = StoredTokens::new("needle".into(), TokenDigest::of("presented"), at(0));
    tokens.next_due = Some(at(50));
    Operation::Put { session: SessionId::from_random(1), expect: None, tokens }
}

fn begin(attempt: u128) -> Operation {
    Operation::Begin {
        generation: 1,
        presents: TokenDigest::of("presented"),
        attempt: AttemptId::from_random(attempt),
        owner: OwnerId::from_random(1),
        lease: Duration::from_secs(10),
        settle: true,
    }
}

#[tokio::test]
async fn claims_hold_and_lapse_by_its_clock() {
    let seconds = Arc::new(AtomicU64::new(100));
    let clock = {
        let seconds = Arc::clone(&seconds);
        move || at(seconds.load(Ordering::Relaxed))
    };
    let store = MemoryStore::new().with_clock(clock);
    let key = key();
    let apply = |operation| store.apply(&key, operation);
    apply(login()).await.expect("saved");
    let Answer::Begun(record) = apply(begin(1)).await.expect("begun") else { panic!("not begun") };
    assert_eq!(record.updated_at, at(100));
    let attempt = record.attempt.expect("a claim");
    assert_eq!((attempt.first_sent, attempt.lease.map(|lease| lease.until)), (at(100), Some(at(110))));

    seconds.store(109, Ordering::Relaxed);
    let busy = apply(begin(2)).await.expect("an answer");
    assert!(matches!(busy, Answer::Busy { until } if until == at(110)), "{busy:?}");
    let query = DueQuery::new(at(1000), 9);
    assert!(store.due(&query).await.expect("a list").is_empty());

    seconds.store(110, Ordering::Relaxed);
    let due = store.due(&query).await.expect("a list");
    assert!(matches!(&due[..], [due] if due.key == key), "{due:?}");
    let begun = apply(begin(2)).await.expect("an answer");
    assert!(matches!(begun, Answer::Begun(_)), "{begun:?}");
}

#[tokio::test]
async fn clones_share_what_they_hold_and_stores_do_not() {
    let (store, other) = (MemoryStore::new(), MemoryStore::default());
    store.clone().apply(&key(), login()).await.expect("saved");
    assert!(store.load(&key()).await.expect("a load").is_some());
    assert!(other.load(&key()).await.expect("a load").is_none());
    assert_eq!((store.all_keys().await.expect("keys"), other.all_keys().await.expect("keys")), (vec![key()], vec![]));
}

#[tokio::test]
async fn debug_shows_how_many_it_holds_and_no_token() {
    let store = MemoryStore::new();
    let answer = store.apply(&key(), login()).await.expect("saved");
    let Answer::Saved(record) = &answer else { panic!("not saved") };
    let held = record.tokens.as_ref().expect("tokens").payload.expose_secret();
    assert_eq!(held, "needle");
    let shown = format!("{store:?} {store:#?} {answer:?} {answer:#?} {:?}", login());
    assert!(shown.contains("sessions: 1") && !shown.contains("needle"), "{shown}");
}

#[test]
fn it_ends_with_its_process() {
    assert!(!MemoryStore::new().outlives_the_process());
    assert!(!Arc::new(MemoryStore::new()).outlives_the_process());
}
