//! What a step does where another process was first: which steps run again, and at which time. And what a store is told of a step.

use std::sync::Mutex;
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use rampauth_store::{
    Answer, AttemptId, AttemptRef, Conclusion, Due, DueQuery, MemoryStore, Operation, OwnerId, Replaced, Replacement,
    Resealed, Seen, SessionId, SessionKey, Store, StoreError, StoreExt as _, Stored, StoredTokens, TokenDigest, apply,
};

const LEASE: Duration = Duration::from_secs(35);
const SESSION: SessionId = SessionId::from_random(1);
/// The store's time.
const NOW: Duration = Duration::from_secs(1_000);

fn key() -> SessionKey {
    SessionKey::parse("provider/sandbox/account").expect("a key")
}

fn access() -> TokenDigest {
    TokenDigest::of("access")
}

fn tokens(text: &str) -> StoredTokens {
    let mut tokens = StoredTokens::new(text.into(), TokenDigest::of(text), UNIX_EPOCH);
    tokens.access = Some(access());
    tokens
}

fn login(session: u128, expect: Option<SessionId>) -> Operation {
    Operation::Put { session: SessionId::from_random(session), expect, tokens: tokens("first") }
}

fn claim(id: u128) -> Operation {
    let (attempt, owner, presents) = (AttemptId::from_random(id), OwnerId::from_random(1), TokenDigest::of("first"));
    Operation::Begin { generation: 1, presents, attempt, owner, lease: LEASE, settle: false }
}

fn claim_manually(id: u128) -> Operation {
    let (attempt, owner, presents) = (AttemptId::from_random(id), OwnerId::from_random(1), TokenDigest::of("first"));
    Operation::ClaimManually { generation: 1, presents, attempt, owner, lease: LEASE }
}

fn conclude(id: u128, conclusion: Conclusion) -> Operation {
    let attempt = AttemptRef { id: AttemptId::from_random(id), session: SESSION, generation: 1 };
    Operation::Conclude { attempt, conclusion, next_due: None, error: None }
}

/// Changes the record, and nothing that another step compares.
fn reject() -> Operation {
    Operation::Reject { session: SESSION, generation: 1, access: access() }
}

/// A store at [`NOW`] that notes which replaces are said to begin an attempt.
struct Raced {
    store: MemoryStore,
    claims: Mutex<Vec<bool>>,
    /// What another process does right before the next replace.
    before_the_next: Mutex<Option<Operation>>,
}

impl Raced {
    /// A store in which these were carried out.
    async fn after(operations: impl IntoIterator<Item = Operation>) -> Self {
        let store = MemoryStore::new().with_clock(|| UNIX_EPOCH + NOW);
        for operation in operations {
            store.apply(&key(), operation).await.expect("carried out");
        }
        Self { store, claims: Mutex::default(), before_the_next: Mutex::default() }
    }

    fn before_the_next(&self, operation: Operation) {
        *self.before_the_next.lock().expect("no panic") = Some(operation);
    }

    async fn seen(&self, age: Duration) -> Option<Seen> {
        Some(Seen { stored: self.store.read(&key()).await.expect("a record"), age })
    }
}

#[async_trait]
impl Store for Raced {
    async fn read(&self, key: &SessionKey) -> Result<Stored, StoreError> {
        self.store.read(key).await
    }

    async fn replace(&self, key: &SessionKey, replacement: Replacement<'_>) -> Result<Replaced, StoreError> {
        self.claims.lock().expect("no panic").push(replacement.claims);
        let before = self.before_the_next.lock().expect("no panic").take();
        if let Some(before) = before {
            self.store.apply(key, before).await?;
        }
        self.store.replace(key, replacement).await
    }

    async fn due(&self, query: &DueQuery) -> Result<Vec<Due>, StoreError> {
        self.store.due(query).await
    }

    async fn keys(&self, after: Option<&SessionKey>, limit: usize) -> Result<Vec<SessionKey>, StoreError> {
        self.store.keys(after, limit).await
    }
}

#[tokio::test]
async fn a_store_is_told_which_replaces_begin_an_attempt() {
    let store = Raced::after([]).await;
    for (operation, claims) in [
        (login(1, None), false),
        (claim(1), true),
        (conclude(1, Conclusion::Dead), false),
        (claim_manually(2), true),
        (conclude(2, Conclusion::Unknown), false),
        (reject(), false),
    ] {
        let step = format!("{operation:?}");
        store.apply(&key(), operation).await.expect("carried out");
        let told = std::mem::take(&mut *store.claims.lock().expect("no panic"));
        assert_eq!(told, [claims], "{step}");
    }
}

#[tokio::test]
async fn a_person_s_claim_is_planned_anew_where_the_record_has_changed() {
    let store = Raced::after([login(1, None), claim(1), conclude(1, Conclusion::Dead)]).await;
    store.before_the_next(reject());
    let answer = store.apply(&key(), claim_manually(2)).await.expect("an answer");
    let Answer::Moved(Some(record)) = answer else { panic!("{answer:?}") };
    assert_eq!((record.rejected, record.attempt.is_none()), (Some(access()), true));
}

#[tokio::test]
async fn a_login_a_logout_a_rejection_and_a_new_seal_are_carried_out_upon_what_another_process_wrote() {
    let sealed = Resealed { was: TokenDigest::of("first"), payload: "sealed".into(), sealed_with: None };
    for (operation, before) in [
        (login(2, Some(SESSION)), claim(1)),
        (Operation::Remove { session: SessionId::from_random(2), expect: SESSION }, claim(1)),
        (reject(), claim(1)),
        (Operation::Reseal { payloads: vec![sealed] }, claim(1)),
    ] {
        let step = format!("{operation:?}");
        let store = Raced::after([login(1, None)]).await;
        store.before_the_next(before);
        let answer = store.apply(&key(), operation).await.expect("an answer");
        assert!(matches!(answer, Answer::Saved(_) | Answer::Done(_)), "{step}: {answer:?}");
        assert_eq!(store.claims.lock().expect("no panic").len(), 2, "{step}: the first was a conflict");
    }
}

#[tokio::test]
async fn what_runs_again_after_a_conflict_runs_at_the_time_of_the_conflict() {
    let store = Raced::after([login(1, None), claim(1)]).await;
    let seen = store.seen(Duration::from_secs(30)).await;
    store.before_the_next(reject());
    let concluded = apply(&store, &key(), seen, conclude(1, Conclusion::Unknown)).await.expect("an answer");
    assert!(matches!(concluded.answer, Answer::Done(_)), "{:?}", concluded.answer);
    assert_eq!(concluded.stored.record.map(|record| record.updated_at), Some(UNIX_EPOCH + NOW));
}
