//! Every record of a store sealed anew: orphans, sessions that cannot be read, and records that move meanwhile.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use rampauth_core::{AccessToken, Error, ErrorKind, Expiry, Presents, Refresh, RefreshPolicy, RefreshToken, TokenSet};
use rampauth_keeper::{
    Answer, AttemptId, AttemptRef, Conclusion, Due, DueQuery, Keeper, MemoryStore, Operation, OwnerId, Record,
    Replaced, Replacement, SealingKey, SealingKeys, SessionId, SessionKey, Store, StoreError, StoreErrorKind,
    StoreExt as _, Stored, StoredTokens, TokenDigest, reseal,
};
use rampauth_test_kit::logs::{CaptureLogs, render_error};
use rampauth_test_kit::needle::Needle;

fn key(name: &str) -> SessionKey {
    SessionKey::parse(format!("fake/test/{name}")).expect("a key")
}

fn sealing_key(n: u8) -> SealingKey {
    SealingKey::from_bytes(&[n; 32])
}

/// Seals with key 2, and reads what key 1 sealed.
fn keys() -> SealingKeys {
    SealingKeys::new(sealing_key(2)).with_readable(sealing_key(1))
}

/// A provider that nobody asks.
struct Nobody(RefreshPolicy);

#[async_trait]
impl Refresh for Nobody {
    fn policy(&self) -> &RefreshPolicy {
        &self.0
    }

    async fn refresh(&self, _: &TokenSet) -> Result<TokenSet, Error> {
        panic!("nothing is refreshed here");
    }
}

fn keeper(store: impl Store + 'static, sealing: Option<SealingKeys>) -> Keeper {
    let builder = Keeper::builder(store).on_demand();
    let builder = match sealing {
        Some(keys) => builder.sealing(keys),
        None => builder.accept_unsealed(),
    };
    builder.spawn().expect("a keeper")
}

async fn session(keeper: &Keeper, key: &SessionKey) -> Result<rampauth_keeper::Session, Error> {
    keeper.session(key.clone(), Nobody(RefreshPolicy::new(Presents::RefreshToken))).await
}

/// Tokens `access-TEXT` and `refresh-TEXT` as a keeper stores them for this session.
async fn stored(key: &SessionKey, text: &str, sealing: Option<u8>) -> StoredTokens {
    let store = MemoryStore::new();
    let keeper = keeper(store.clone(), sealing.map(|n| SealingKeys::new(sealing_key(n))));
    let tokens = TokenSet::new()
        .with_access_token(AccessToken::new(format!("access-{text}")).expect("a token"), Expiry::Unknown)
        .with_refresh_token(RefreshToken::new(format!("refresh-{text}")).expect("a token"), Expiry::Unknown);
    session(&keeper, key).await.expect("a session").put(tokens).await.expect("saved");
    record(&store, key).await.tokens.expect("tokens")
}

async fn record(store: &impl Store, key: &SessionKey) -> Record {
    store.load(key).await.expect("a store in order").expect("a record")
}

async fn text(store: &impl Store, key: &SessionKey) -> String {
    record(store, key).await.to_json().expose_secret().to_owned()
}

const SESSION: SessionId = SessionId::from_random(1);

fn put(tokens: StoredTokens) -> Operation {
    Operation::Put { session: SESSION, expect: None, tokens }
}

fn begin(generation: u64, presents: TokenDigest, n: u128) -> Operation {
    let (attempt, owner) = (AttemptId::from_random(n), OwnerId::from_random(n));
    Operation::Begin { generation, presents, attempt, owner, lease: Duration::ZERO, settle: true }
}

fn attempt(generation: u64, n: u128) -> AttemptRef {
    AttemptRef { id: AttemptId::from_random(n), session: SESSION, generation }
}

fn commit(n: u128, tokens: StoredTokens) -> Operation {
    Operation::Commit { attempt: attempt(1, n), tokens }
}

/// A session at generation 2 with the tokens `a`, and one orphan per other tokens.
async fn with_orphans(store: &impl Store, key: &SessionKey, all: impl IntoIterator<Item = StoredTokens>) {
    let first = stored(key, "first", None).await;
    let presents = first.presents;
    store.apply(key, put(first)).await.expect("saved");
    let all: Vec<_> = (10..).zip(all).collect();
    for (n, _) in &all {
        assert!(matches!(store.apply(key, begin(1, presents, *n)).await, Ok(Answer::Begun(_))));
    }
    for (n, tokens) in all {
        store.apply(key, commit(n, tokens)).await.expect("kept");
    }
}

fn sealed_with(record: &Record) -> Vec<Option<&str>> {
    let all = record.tokens.iter().chain(record.orphans.iter().map(|orphan| &orphan.tokens));
    all.map(|tokens| tokens.sealed_with.as_deref()).collect()
}

#[tokio::test]
async fn orphans_are_sealed_anew_too_and_can_stand_in_afterwards() {
    let (store, key) = (MemoryStore::new(), key("one"));
    let all = [stored(&key, "a", Some(1)).await, stored(&key, "b", Some(1)).await, stored(&key, "c", None).await];
    with_orphans(&store, &key, all).await;
    let report = reseal(&store, &keys()).await.expect("sealed anew");
    assert_eq!((report.resealed, report.current, report.failed.len()), (vec![key.clone()], vec![], 0));
    let before = record(&store, &key).await;
    assert_eq!(sealed_with(&before), [Some(sealing_key(2).id()); 3]);
    for adopted in ["access-c", "access-b"] {
        let now = record(&store, &key).await;
        let presents = now.tokens.expect("tokens").presents;
        store.apply(&key, begin(now.generation, presents, 99)).await.expect("begun");
        let attempt = attempt(now.generation, 99);
        let dead = Operation::Conclude { attempt, conclusion: Conclusion::Dead, next_due: None, error: None };
        assert!(matches!(store.apply(&key, dead).await, Ok(Answer::Adopted(_))));
        let keeper = keeper(store.clone(), Some(SealingKeys::new(sealing_key(2))));
        let token = session(&keeper, &key).await.expect("a session").access_token().await.expect("a token");
        assert_eq!(token.expose_secret(), adopted);
    }
}

/// Fails or moves as it is told, and is a memory store for the rest.
#[derive(Clone, Default)]
struct Odd {
    inner: MemoryStore,
    broken: Option<SessionKey>,
    /// What comes in right before each sealing, one after the other.
    before: Arc<Mutex<VecDeque<Operation>>>,
}

#[async_trait]
impl Store for Odd {
    async fn read(&self, key: &SessionKey) -> Result<Stored, StoreError> {
        if self.broken.as_ref() == Some(key) {
            return Err(StoreError::new(StoreErrorKind::Damaged, format!("failed to read {key}: it is damaged")));
        }
        self.inner.read(key).await
    }

    async fn replace(&self, key: &SessionKey, replacement: Replacement<'_>) -> Result<Replaced, StoreError> {
        let next = self.before.lock().expect("no panic").pop_front();
        if let Some(next) = next {
            self.inner.apply(key, next).await?;
        }
        self.inner.replace(key, replacement).await
    }

    async fn due(&self, query: &DueQuery) -> Result<Vec<Due>, StoreError> {
        self.inner.due(query).await
    }

    async fn keys(&self, after: Option<&SessionKey>, limit: usize) -> Result<Vec<SessionKey>, StoreError> {
        self.inner.keys(after, limit).await
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_named_left_as_it_is_and_in_nobodys_way() {
    let mut store = Odd::default();
    let apply = async |name: &str, tokens: StoredTokens| {
        store.apply(&key(name), put(tokens)).await.expect("saved");
    };
    for name in ["a-old", "g-broken", "h-unsealed"] {
        apply(name, stored(&key(name), "x", Some(1).filter(|_| name != "h-unsealed")).await).await;
    }
    apply("b-current", stored(&key("b-current"), "x", Some(2)).await).await;
    apply("c-strange", stored(&key("c-strange"), "x", Some(3)).await).await;
    apply("d-copied", stored(&key("elsewhere"), "x", Some(1)).await).await;
    apply("e-damaged", StoredTokens::new("no tokens".into(), TokenDigest::of("x"), UNIX_EPOCH)).await;
    apply("f-current-and-copied", stored(&key("elsewhere"), "x", Some(2)).await).await;
    let (removed, session) = (key("i-removed"), SessionId::from_random(2));
    apply("i-removed", stored(&removed, "x", Some(1)).await).await;
    store.apply(&removed, Operation::Remove { session, expect: SESSION }).await.expect("removed");
    // Its own tokens can be read, an orphan cannot.
    let half = key("j-half");
    with_orphans(&store, &half, [stored(&half, "a", Some(1)).await, stored(&half, "b", Some(3)).await]).await;

    store.broken = Some(key("g-broken"));
    let left = ["b-current", "c-strange", "d-copied", "e-damaged", "f-current-and-copied", "i-removed"].map(key);
    let mut before = Vec::new();
    for key in &left {
        before.push(text(&store, key).await);
    }
    let report = reseal(&store, &keys()).await.expect("sealed anew");
    assert_eq!(report.resealed, ["a-old", "h-unsealed"].map(key));
    assert_eq!(report.current, ["b-current"].map(key));
    let (strange, old, new) = (sealing_key(3), sealing_key(1), sealing_key(2));
    let elsewhere =
        |id: &str| format!("do not open with key {id}, which sealed them: they were changed, or belong elsewhere");
    let expected = [
        ("c-strange", format!("are sealed with key {}, which is not among the keys given", strange.id())),
        ("d-copied", elsewhere(old.id())),
        ("e-damaged", "what the store holds of fake/test/e-damaged is damaged".to_owned()),
        ("f-current-and-copied", elsewhere(new.id())),
        ("g-broken", "failed to seal the tokens anew: the store failed".to_owned()),
        ("j-half", format!("are sealed with key {}, which is not among the keys given", strange.id())),
    ];
    for ((failed, error), (name, reason)) in report.failed.iter().zip(&expected) {
        assert_eq!((failed, error.to_string().ends_with(reason)), (&key(name), true), "{error}");
    }
    assert_eq!(report.failed.len(), expected.len());
    for (key, before) in left.iter().zip(before) {
        assert_eq!(text(&store, key).await, before);
    }
    assert_eq!(sealed_with(&record(&store, &half).await), [Some(new.id()), Some(strange.id())]);
}

#[tokio::test]
async fn a_record_that_moves_meanwhile_is_looked_at_anew() {
    let key = key("one");
    let first = stored(&key, "first", Some(1)).await;
    let store = Odd::default();
    store.apply(&key, put(first)).await.expect("saved");
    let [second, third] = [stored(&key, "second", Some(1)).await, stored(&key, "third", Some(1)).await];
    store.before.lock().expect("no panic").extend([commit(10, second), commit(11, third)]);
    let report = reseal(&store, &keys()).await.expect("sealed anew");
    assert_eq!((report.resealed.len(), report.failed.len()), (1, 0));
    let record = record(&store, &key).await;
    assert_eq!((record.generation, record.orphans.len()), (2, 1));
    assert_eq!(sealed_with(&record), [Some(sealing_key(2).id()); 2]);
}

#[tokio::test]
async fn a_record_that_never_stands_still_is_reported() {
    let key = key("one");
    let store = Odd::default();
    store.apply(&key, put(stored(&key, "0", Some(1)).await)).await.expect("saved");
    for n in 1..200 {
        let tokens = stored(&key, &n.to_string(), Some(1)).await;
        let attempt = attempt(n, n.into());
        store.before.lock().expect("no panic").push_back(Operation::Commit { attempt, tokens });
    }
    let report = reseal(&store, &keys()).await.expect("a report");
    assert_eq!(report.failed.len(), 1);
    let expected = "failed to seal the tokens anew: the record of fake/test/one has moved all the while";
    assert_eq!(report.failed[0].1.to_string(), expected);
}

#[tokio::test]
async fn keys_and_tokens_are_shown_by_nothing() {
    let (secret, token) = (Needle::new("sealing-key-32-bytes"), Needle::new("token"));
    let bytes: [u8; 32] = secret.as_str().as_bytes()[..32].try_into().expect("32 bytes");
    let needle_key = SealingKey::from_bytes(&bytes);
    let sealing = SealingKeys::new(sealing_key(2)).with_readable(needle_key.clone());
    let logs = CaptureLogs::start();
    let (store, key) = (MemoryStore::new(), key("one"));
    let first = keeper(store.clone(), Some(SealingKeys::new(needle_key.clone())));
    let tokens = TokenSet::new()
        .with_access_token(AccessToken::new(token.as_str()).expect("a token"), Expiry::Unknown)
        .with_refresh_token(RefreshToken::new(token.as_str()).expect("a token"), Expiry::Unknown);
    let session = session(&first, &key).await.expect("a session");
    session.put(tokens).await.expect("saved");
    token.assert_held_in("the session", session.access_token().await.expect("a token").expose_secret());
    token.assert_absent_from_nonempty("the store", &text(&store, &key).await);
    secret.assert_absent_from("the store", &text(&store, &key).await);

    let unknown = reseal(&store, &SealingKeys::new(sealing_key(3))).await.expect("a report");
    let wrong_place = Odd::default();
    let stolen = record(&store, &key).await.tokens.expect("tokens");
    wrong_place.apply(&self::key("two"), put(stolen)).await.expect("saved");
    let altered = reseal(&wrong_place, &sealing).await.expect("a report");
    let mistyped = SealingKey::parse(secret.as_str()).expect_err("not a key");
    let builder = Keeper::builder(store.clone()).sealing(sealing.clone());
    let record = record(&store, &key).await;
    let resealed = reseal(&store, &sealing).await.expect("a report");
    assert_eq!((unknown.failed.len(), altered.failed.len(), resealed.resealed.len()), (1, 1, 1));
    let shown: [&dyn Debug; 8] = [&needle_key, &sealing, &builder, &first, &unknown, &altered, &record, &resealed];
    let mut said = shown.map(|value| format!("{value:?}\n{value:#?}\n")).concat();
    for error in [&unknown.failed[0].1, &altered.failed[0].1, &mistyped] {
        assert!(matches!(error.kind(), ErrorKind::Config | ErrorKind::Internal));
        said.push_str(&format!("{}{}\n", render_error(error), error.help()));
    }
    assert!(said.contains(needle_key.id()), "the key's id may be seen");
    for needle in [&secret, &token] {
        needle.assert_absent_from_nonempty("what is shown", &said);
        needle.assert_absent_from("the logs", &logs.text());
    }
}
