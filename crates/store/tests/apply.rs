//! How a step is carried out on a store that compares and sets: what it runs on, at which time, and what it does where another
//! process was first.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use rampauth_store::{
    Answer, AttemptId, AttemptRef, Conclusion, Due, DueQuery, MAX_AGE, MemoryStore, Operation, OwnerId, Record,
    Replaced, Replacement, Revision, Seen, SessionId, SessionKey, State, Store, StoreError, StoreErrorKind,
    StoreExt as _, StoreTime, Stored, StoredTokens, TokenDigest, apply,
};

const LEASE: Duration = Duration::from_secs(35);
const SESSION: SessionId = SessionId::from_random(1);

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn key() -> SessionKey {
    SessionKey::parse("provider/sandbox/account").expect("a key")
}

fn tokens(text: &str) -> StoredTokens {
    StoredTokens::new(text.into(), TokenDigest::of(text), at(0))
}

fn login() -> Operation {
    Operation::Put { session: SESSION, expect: None, tokens: tokens("first") }
}

fn attempt(id: u128) -> AttemptRef {
    AttemptRef { id: AttemptId::from_random(id), session: SESSION, generation: 1 }
}

fn claim(id: u128) -> Operation {
    let (attempt, owner) = (attempt(id).id, OwnerId::from_random(1));
    Operation::Begin { generation: 1, presents: TokenDigest::of("first"), attempt, owner, lease: LEASE, settle: false }
}

fn commit(id: u128) -> Operation {
    Operation::Commit { attempt: attempt(id), tokens: tokens("second") }
}

fn conclude(id: u128, conclusion: Conclusion) -> Operation {
    Operation::Conclude { attempt: attempt(id), conclusion, next_due: None, error: None }
}

/// What another process does right before the next replace.
type Before = Box<dyn FnOnce() -> Operation + Send>;

/// A store at 1,000 s that counts its round trips.
struct Counted {
    store: MemoryStore,
    reads: Mutex<u32>,
    replaces: Mutex<u32>,
    before_the_next: Mutex<Vec<Before>>,
}

impl Counted {
    async fn logged_in() -> Self {
        let store = MemoryStore::new().with_clock(|| at(1_000));
        store.apply(&key(), login()).await.expect("saved");
        let (reads, replaces, before_the_next) = Default::default();
        Self { store, reads, replaces, before_the_next }
    }

    fn before_the_next(&self, operation: impl FnOnce() -> Operation + Send + 'static) {
        self.before_the_next.lock().expect("no panic").push(Box::new(operation));
    }

    /// Reads and replaces since the last call.
    fn round_trips(&self) -> (u32, u32) {
        let taken = |count: &Mutex<u32>| std::mem::take(&mut *count.lock().expect("no panic"));
        (taken(&self.reads), taken(&self.replaces))
    }

    async fn stored(&self) -> Stored {
        self.store.read(&key()).await.expect("a record")
    }

    async fn seen(&self, age: Duration) -> Option<Seen> {
        Some(Seen { stored: self.stored().await, age })
    }
}

#[async_trait]
impl Store for Counted {
    async fn read(&self, key: &SessionKey) -> Result<Stored, StoreError> {
        *self.reads.lock().expect("no panic") += 1;
        self.store.read(key).await
    }

    async fn replace(&self, key: &SessionKey, replacement: Replacement<'_>) -> Result<Replaced, StoreError> {
        *self.replaces.lock().expect("no panic") += 1;
        let before = self.before_the_next.lock().expect("no panic").pop();
        if let Some(before) = before {
            self.store.apply(key, before()).await?;
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

fn lease_end(record: Option<&Record>) -> Option<SystemTime> {
    record.and_then(Record::lease).map(|lease| lease.until)
}

#[tokio::test]
async fn on_a_record_that_was_seen_a_claim_and_a_commit_are_one_round_trip_each() {
    let store = Counted::logged_in().await;
    let claimed = apply(&store, &key(), store.seen(Duration::ZERO).await, claim(1)).await.expect("claimed");
    assert!(matches!(claimed.answer, Answer::Begun(_)) && store.round_trips() == (0, 1));
    let seen = Some(Seen { stored: claimed.stored, age: Duration::from_secs(2) });
    let saved = apply(&store, &key(), seen, commit(1)).await.expect("saved");
    assert!(matches!(saved.answer, Answer::Saved(_)) && store.round_trips() == (0, 1));
    // What comes back is what is stored, at the store's own time.
    let stored = store.stored().await;
    assert_eq!((saved.stored.revision, saved.stored.time), (stored.revision, StoreTime::wall(at(1_000))));
    assert_eq!(saved.stored.record.expect("a record").generation, 2);
    // Without a record at hand it is read first.
    apply(&store, &key(), None, commit(2)).await.expect("an answer");
    assert_eq!(store.round_trips(), (1, 1));
}

#[tokio::test]
async fn a_step_runs_at_the_time_that_it_is_in_the_store_now() {
    for (age, read_again) in [(0, false), (7, false), (60, false), (61, true)] {
        let store = Counted::logged_in().await;
        let seen = store.seen(Duration::from_secs(age)).await;
        let claimed = apply(&store, &key(), seen, claim(1)).await.expect("claimed");
        assert_eq!(store.round_trips(), (u32::from(read_again), 1), "{age} s old");
        let now = at(1_000) + if read_again { Duration::ZERO } else { Duration::from_secs(age) };
        assert_eq!(lease_end(claimed.stored.record.as_ref()), Some(now + LEASE), "{age} s old");
    }
    assert_eq!(MAX_AGE, Duration::from_secs(60));
}

#[tokio::test]
async fn a_claim_that_meets_a_changed_record_is_not_made_and_sees_what_changed() {
    let store = Counted::logged_in().await;
    // The rejection leaves all that a claim compares as it was.
    let access = TokenDigest::of("access");
    let mut tokens = tokens("first");
    tokens.access = Some(access);
    let session = SessionId::from_random(1);
    store
        .store
        .apply(&key(), Operation::Remove { session: SessionId::from_random(2), expect: session })
        .await
        .expect("removed");
    let expect = Some(SessionId::from_random(2));
    store.store.apply(&key(), Operation::Put { session, expect, tokens }).await.expect("saved");
    let generation = store.stored().await.record.expect("a record").generation;
    store.before_the_next(move || Operation::Reject { session, generation, access });
    let Operation::Begin { presents, attempt, owner, lease, settle, .. } = claim(1) else { unreachable!("a claim") };
    let claim = Operation::Begin { generation, presents, attempt, owner, lease, settle };
    let applied = apply(&store, &key(), None, claim.clone()).await.expect("an answer");
    let Answer::Moved(Some(record)) = applied.answer else { panic!("{:?}", applied.answer) };
    assert_eq!((record.rejected, record.attempt.is_some()), (Some(access), false));
    assert_eq!((applied.stored.revision, store.round_trips()), (store.stored().await.revision, (1, 1)));
    // Planned anew on what it saw, it is made.
    let seen = Some(Seen { stored: applied.stored, age: Duration::ZERO });
    let applied = apply(&store, &key(), seen, claim).await.expect("claimed");
    assert!(matches!(applied.answer, Answer::Begun(_)) && store.round_trips() == (0, 1));
}

#[tokio::test]
async fn the_end_of_a_doubt_is_planned_anew_too() {
    let store = Counted::logged_in().await;
    store.store.apply(&key(), claim(1)).await.expect("claimed");
    store.store.apply(&key(), conclude(1, Conclusion::Unknown)).await.expect("in doubt");
    store.before_the_next(|| conclude(1, Conclusion::NotSent));
    let give_up = Operation::GiveUp { session: SESSION, generation: 1 };
    let applied = apply(&store, &key(), None, give_up).await.expect("an answer");
    assert!(matches!(applied.answer, Answer::Moved(Some(_))), "{:?}", applied.answer);
    assert_eq!(store.stored().await.record.expect("a record").state, State::Ready);
}

#[tokio::test]
async fn what_a_provider_answered_is_written_upon_whatever_is_there_by_then() {
    for (late, before, state, generation) in [
        (commit(1), conclude(1, Conclusion::Unknown), State::Ready, 2),
        (conclude(1, Conclusion::Unknown), conclude(9, Conclusion::NotSent), State::Doubtful, 1),
    ] {
        let store = Counted::logged_in().await;
        store.store.apply(&key(), claim(1)).await.expect("claimed");
        store.before_the_next(move || before);
        let seen = store.seen(Duration::ZERO).await;
        let applied = apply(&store, &key(), seen, late).await.expect("an answer");
        assert!(matches!(applied.answer, Answer::Saved(_) | Answer::Done(_)), "{:?}", applied.answer);
        assert_eq!(store.round_trips(), (0, 2));
        let Stored { record, revision, .. } = store.stored().await;
        let record = record.expect("a record");
        assert_eq!((applied.stored.revision, record.state, record.generation), (revision, state, generation));
    }
}

#[tokio::test]
async fn what_takes_a_claim_back_that_may_still_be_on_its_way_leaves_it_no_revision_to_match() {
    let store = Counted::logged_in().await;
    let before = store.stored().await;
    // Its answer was lost, and nothing of it is in the record.
    let taken_back = apply(&store, &key(), None, conclude(1, Conclusion::NotSent)).await.expect("an answer");
    assert!(matches!(taken_back.answer, Answer::Done(_)), "{:?}", taken_back.answer);
    assert_ne!(store.stored().await.revision, before.revision);
    let record = before.record.expect("a record");
    let late =
        Replacement { expected: before.revision, revision: Revision::from_parts(2, 2), record: &record, claims: true };
    assert!(matches!(store.replace(&key(), late).await, Ok(Replaced::Conflict(_))));
}

#[tokio::test]
async fn an_answer_that_writes_nothing_is_never_that_of_a_record_seen_before() {
    let store = Counted::logged_in().await;
    store.store.apply(&key(), claim(1)).await.expect("claimed");
    // Seen while another process held the claim, which is over by now.
    let seen = store.seen(Duration::ZERO).await;
    store.store.apply(&key(), conclude(1, Conclusion::NotSent)).await.expect("taken back");
    let applied = apply(&store, &key(), seen, claim(2)).await.expect("an answer");
    let Answer::Moved(Some(record)) = applied.answer else { panic!("{:?}", applied.answer) };
    assert!(record.attempt.is_none() && store.round_trips() == (1, 0));
    let seen = Some(Seen { stored: applied.stored, age: Duration::ZERO });
    let applied = apply(&store, &key(), seen, claim(2)).await.expect("claimed");
    assert!(matches!(applied.answer, Answer::Begun(_)) && store.round_trips() == (0, 1));
    // One that was just read is.
    let applied = apply(&store, &key(), None, claim(3)).await.expect("an answer");
    assert!(matches!(applied.answer, Answer::Busy { .. }) && store.round_trips() == (1, 0), "{:?}", applied.answer);
}

#[tokio::test]
async fn a_doubt_that_is_over_and_a_claim_that_has_passed_on_are_not_answered_from_before() {
    let store = Counted::logged_in().await;
    store.store.apply(&key(), claim(1)).await.expect("claimed");
    store.store.apply(&key(), conclude(1, Conclusion::Unknown)).await.expect("in doubt");
    let seen = store.seen(Duration::ZERO).await;
    store.store.apply(&key(), conclude(1, Conclusion::NotSent)).await.expect("taken back");
    let applied = apply(&store, &key(), seen, claim(2)).await.expect("an answer");
    assert!(matches!(applied.answer, Answer::Moved(Some(_))), "{:?}", applied.answer);
    assert_eq!((applied.stored.revision, store.round_trips()), (store.stored().await.revision, (1, 0)));
    // Another's claim is over, and what is concluded is of the one that followed.
    store.store.apply(&key(), claim(3)).await.expect("claimed");
    let seen = store.seen(Duration::ZERO).await;
    store.store.apply(&key(), conclude(3, Conclusion::NotSent)).await.expect("taken back");
    store.store.apply(&key(), claim(4)).await.expect("claimed");
    let applied = apply(&store, &key(), seen, conclude(4, Conclusion::Unknown)).await.expect("an answer");
    assert!(matches!(applied.answer, Answer::Done(_)) && store.round_trips() == (1, 1), "{:?}", applied.answer);
    assert_eq!(store.stored().await.record.expect("a record").state, State::Doubtful);
}

#[tokio::test]
async fn what_was_written_comes_back_with_the_time_of_the_write() {
    let clock = Arc::new(AtomicU64::new(1_000));
    let store = MemoryStore::new().with_clock({
        let clock = Arc::clone(&clock);
        move || at(clock.load(Ordering::SeqCst))
    });
    store.apply(&key(), login()).await.expect("saved");
    let stored = store.read(&key()).await.expect("a record");
    // The claim is on its way for five seconds.
    clock.store(1_005, Ordering::SeqCst);
    let seen = Some(Seen { stored, age: Duration::ZERO });
    let claimed = apply(&store, &key(), seen, claim(1)).await.expect("claimed");
    assert_eq!(claimed.stored.time, StoreTime::wall(at(1_005)));
    assert_eq!(lease_end(claimed.stored.record.as_ref()), Some(at(1_000) + LEASE));
}

#[tokio::test]
async fn a_claim_that_held_when_it_was_seen_is_over_by_a_time_that_is_read_again_and_by_no_other() {
    let store = Counted::logged_in().await;
    store.store.apply(&key(), claim(1)).await.expect("claimed");
    let Operation::Begin { generation, presents, attempt, owner, lease, .. } = claim(2) else {
        unreachable!("a claim")
    };
    let settle = Operation::Begin { generation, presents, attempt, owner, lease, settle: true };
    // The question was on its way for longer than the claim lasts. The store's clock was read after that, and still shows the same.
    let seen = store.seen(LEASE + Duration::from_secs(1)).await;
    let applied = apply(&store, &key(), seen.clone(), settle).await.expect("an answer");
    assert!(matches!(applied.answer, Answer::Busy { .. }), "{:?}", applied.answer);
    let give_up = Operation::GiveUp { session: SESSION, generation: 1 };
    let applied = apply(&store, &key(), seen, give_up).await.expect("an answer");
    assert!(matches!(applied.answer, Answer::Moved(_)), "{:?}", applied.answer);
    assert_eq!(store.round_trips(), (2, 0));
    assert_eq!(store.stored().await.record.expect("a record").state, State::Ready);
}

#[tokio::test]
async fn what_was_planned_on_a_record_that_is_too_old_is_planned_anew_where_that_has_changed() {
    let old = MAX_AGE + Duration::from_secs(1);
    let store = Counted::logged_in().await;
    let seen = store.seen(old).await;
    store.store.apply(&key(), conclude(9, Conclusion::NotSent)).await.expect("written");
    let applied = apply(&store, &key(), seen, claim(1)).await.expect("an answer");
    assert!(matches!(applied.answer, Answer::Moved(Some(_))), "{:?}", applied.answer);
    assert_eq!((applied.stored.revision, store.round_trips()), (store.stored().await.revision, (1, 0)));
    // An answer of the provider's is no plan.
    let seen = store.seen(old).await;
    store.store.apply(&key(), conclude(9, Conclusion::NotSent)).await.expect("written");
    let applied = apply(&store, &key(), seen, commit(1)).await.expect("saved");
    assert!(matches!(applied.answer, Answer::Saved(_)) && store.round_trips() == (1, 1));
}

#[tokio::test]
async fn where_others_are_always_first_it_ends_with_an_error() {
    let store = Counted::logged_in().await;
    for number in 0..2_000 {
        store.before_the_next(move || conclude(number, Conclusion::NotSent));
    }
    let error = apply(&store, &key(), None, conclude(1, Conclusion::NotSent)).await.expect_err("always changed");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    let why = "failed to change provider/sandbox/account: its record has changed each time that it was looked at";
    assert_eq!(error.to_string(), why);
}

#[tokio::test]
async fn all_keys_are_listed_however_many_there_are() {
    let store = MemoryStore::new();
    let mut expected = Vec::new();
    for number in 0..20_001 {
        let key = SessionKey::parse(format!("provider/sandbox/account/{number:05}")).expect("a key");
        let record = Record::tombstone(SESSION, 1, at(0));
        let (expected_revision, revision) = (Revision::ABSENT, Revision::from_parts(1, 1));
        let replacement = Replacement { expected: expected_revision, revision, record: &record, claims: false };
        store.replace(&key, replacement).await.expect("written");
        expected.push(key);
    }
    assert_eq!(store.all_keys().await.expect("a list"), expected);
}
