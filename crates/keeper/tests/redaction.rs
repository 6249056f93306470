//! No secret is in anything that prints: needles go in as tokens, are proven to be held, and must not come out.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::{Debug, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use rampauth_core::{
    AccessToken, Error, ErrorKind, Expiry, Outcome, Presents, Refresh, RefreshPolicy, RefreshToken, SecretString,
    TokenSet, WhenUnknown,
};
use rampauth_keeper::{
    Answer, AttemptId, AttemptRef, Due, DueQuery, Event, EventKind, Keeper, MemoryStore, Operation, OwnerId, Record,
    Replaced, Replacement, Resealed, Session, SessionId, SessionKey, Store, StoreError, StoreErrorKind, StoreExt as _,
    Stored, StoredTokens, TokenDigest,
};
use rampauth_test_kit::logs::{CaptureLogs, render_error};
use rampauth_test_kit::needle::Needle;
use tokio::time::{Instant, sleep};

const LIFETIME: Duration = Duration::from_secs(1_000);

fn key() -> SessionKey {
    SessionKey::parse("careless/test/account").expect("a key")
}

/// Every token that was handed to a keeper, each a needle.
#[derive(Clone, Default)]
struct Needles(Arc<Mutex<Vec<Needle>>>);

impl Needles {
    fn needle(&self, label: &str) -> String {
        let needle = Needle::new(label);
        let text = needle.to_string();
        self.0.lock().expect("no panic").push(needle);
        text
    }

    fn tokens(&self, expiry: Expiry) -> TokenSet {
        let access = AccessToken::new(self.needle("access")).expect("a token");
        self.refresh_token().with_access_token(access, expiry)
    }

    fn refresh_token(&self) -> TokenSet {
        TokenSet::new().with_refresh_token(RefreshToken::new(self.needle("refresh")).expect("a token"), Expiry::Unknown)
    }

    #[track_caller]
    fn assert_absent_from(&self, what: &str, text: &str) {
        for needle in &*self.0.lock().expect("no panic") {
            needle.assert_absent_from_nonempty(what, text);
        }
    }

    #[track_caller]
    fn assert_held_in(&self, what: &str, text: &str) {
        let held = self.0.lock().expect("no panic").iter().any(|needle| text.contains(needle.as_str()));
        assert!(held, "no needle is held in {what}");
    }
}

fn print(value: &impl Debug) -> String {
    format!("{value:?} {value:#?}")
}

fn clock() -> impl Fn() -> SystemTime + Send + Sync + Clone + 'static {
    let start = Instant::now();
    move || UNIX_EPOCH + Duration::from_secs(1_800_000_000) + start.elapsed()
}

enum Move {
    Fail(ErrorKind, Outcome),
    Lose,
    /// Panics with what was presented.
    Panic,
    /// Breaks the contract, and brings a refresh token.
    Salvage,
    /// Grants after this long.
    Slow(Duration),
}

/// Does as it is told; what is not scripted is granted.
#[derive(Clone)]
struct Provider {
    policy: RefreshPolicy,
    needles: Needles,
    moves: Arc<Mutex<VecDeque<Move>>>,
    clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

#[async_trait]
impl Refresh for Provider {
    fn policy(&self) -> &RefreshPolicy {
        &self.policy
    }

    async fn refresh(&self, current: &TokenSet) -> Result<TokenSet, Error> {
        let error = |kind, outcome| Error::new(kind, outcome, "refresh the tokens", "it was told to fail");
        let next = self.moves.lock().expect("no panic").pop_front();
        match next {
            Some(Move::Fail(kind, outcome)) => return Err(error(kind, outcome)),
            Some(Move::Lose) => return Err(error(ErrorKind::Timeout, Outcome::Unknown)),
            Some(Move::Panic) => {
                let token = current.refresh_token.as_ref().expect("a refresh token");
                std::panic::resume_unwind(Box::new(token.expose_secret().to_owned()));
            }
            Some(Move::Salvage) => {
                let error = error(ErrorKind::Protocol, Outcome::Unknown);
                return Err(error.with_salvage(Some(self.needles.refresh_token())));
            }
            Some(Move::Slow(wait)) => sleep(wait).await,
            None => {}
        }
        Ok(self.needles.tokens(Expiry::At((self.clock)() + LIFETIME)))
    }
}

/// A store of one process that can be told to take no tokens.
#[derive(Clone)]
struct Fragile {
    store: MemoryStore,
    takes_nothing: Arc<AtomicBool>,
}

#[async_trait]
impl Store for Fragile {
    async fn read(&self, key: &SessionKey) -> Result<Stored, StoreError> {
        self.store.read(key).await
    }

    async fn replace(&self, key: &SessionKey, replacement: Replacement<'_>) -> Result<Replaced, StoreError> {
        let before = self.store.load(key).await?.and_then(|record| record.last_commit);
        if before != replacement.record.last_commit && self.takes_nothing.load(Ordering::SeqCst) {
            return Err(StoreError::new(StoreErrorKind::NotWritable, "failed to save: it was told to"));
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

/// Two processes that share a store.
struct World {
    needles: Needles,
    provider: Provider,
    store: Fragile,
    keepers: [Keeper; 2],
    sessions: [Session; 2],
    /// What was returned to callers.
    errors: String,
}

impl World {
    async fn new() -> Self {
        let (clock, needles) = (clock(), Needles::default());
        let within = Duration::from_secs(3_600);
        let policy = RefreshPolicy::new(Presents::RefreshToken).with_when_unknown(WhenUnknown::Promptly { within });
        let (moves, clock_of_provider) = (Arc::default(), Arc::new(clock.clone()));
        let provider = Provider { policy, needles: needles.clone(), moves, clock: clock_of_provider };
        let shared = MemoryStore::new().with_clock(clock.clone());
        let fragile = || Fragile { store: shared.clone(), takes_nothing: Arc::default() };
        let store = fragile();
        let spawn = |store| Keeper::builder(store).clock(clock.clone()).on_demand().spawn().expect("a keeper");
        let keepers = [spawn(store.clone()), spawn(fragile())];
        let one = keepers[0].session(key(), provider.clone()).await.expect("a session");
        one.put(needles.tokens(Expiry::At(clock() + LIFETIME))).await.expect("saved");
        let two = keepers[1].session(key(), provider.clone()).await.expect("a session");
        Self { needles, provider, store, keepers, sessions: [one, two], errors: String::new() }
    }

    /// One refresh in this process after these moves of the provider; whether it succeeded.
    async fn refresh(&mut self, process: usize, moves: impl IntoIterator<Item = Move>) -> bool {
        self.provider.moves.lock().expect("no panic").extend(moves);
        let result = self.sessions[process].refresh().await;
        self.note(result)
    }

    fn note(&mut self, result: Result<(), Error>) -> bool {
        let Err(error) = result else { return true };
        self.errors.push_str(&render_error(&error));
        false
    }

    /// Everything that can happen to a session.
    async fn live(&mut self) {
        assert!(self.refresh(0, []).await);
        assert!(!self.refresh(1, [Move::Fail(ErrorKind::RateLimited, Outcome::Refused)]).await);
        assert!(!self.refresh(0, [Move::Lose]).await);
        assert!(!self.refresh(0, [Move::Panic]).await);
        assert!(self.refresh(0, []).await, "settled");
        assert!(!self.refresh(0, [Move::Salvage]).await);
        // An answer that is held back until the other process has settled the doubt.
        self.store.takes_nothing.store(true, Ordering::SeqCst);
        assert!(!self.refresh(0, []).await);
        sleep(Duration::from_secs(60)).await;
        assert!(self.refresh(1, []).await);
        self.store.takes_nothing.store(false, Ordering::SeqCst);
        self.sessions[0].settle().await.expect("saved as an orphan");
        // The orphan stands in for the tokens that are refused.
        assert!(self.refresh(1, [Move::Fail(ErrorKind::LoginNeeded, Outcome::Refused)]).await, "adopted");
        assert!(!self.refresh(1, [Move::Fail(ErrorKind::LoginNeeded, Outcome::Refused)]).await);
        // A login, and a logout while an answer is on its way.
        let sessions = self.sessions.clone();
        sessions[0].put(self.needles.tokens(Expiry::Unknown)).await.expect("saved");
        let token = sessions[0].access_token().await.expect("a token");
        self.needles.assert_held_in("the access token", token.expose_secret());
        sessions[0].reject(&token).await.expect("noted");
        let slow = tokio::spawn({
            self.provider.moves.lock().expect("no panic").push_back(Move::Slow(Duration::from_secs(5)));
            let session = sessions[0].clone();
            async move { session.refresh().await }
        });
        sleep(Duration::from_secs(1)).await;
        sessions[0].remove().await.expect("removed");
        let late = slow.await.expect("no panic");
        self.note(late);
        let gone = sessions[0].access_token().await.map(drop);
        assert!(!self.note(gone));
    }
}

#[tokio::test(start_paused = true)]
async fn no_event_no_error_and_no_log_shows_a_token() {
    let logs = CaptureLogs::start();
    let recorder = DebuggingRecorder::new();
    let metrics = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let mut world = World::new().await;
    let mut events = world.keepers.each_ref().map(Keeper::events);
    world.live().await;
    let all: Vec<Event> = events.iter_mut().flat_map(|events| std::iter::from_fn(|| events.try_next())).collect();
    let mut printed = String::new();
    for event in &all {
        writeln!(printed, "{}", print(event)).expect("text in memory");
        match &event.kind {
            EventKind::RefreshFailed(error) | EventKind::SaveFailed(error) | EventKind::Doubtful { error, .. } => {
                printed.push_str(&render_error(error));
            }
            EventKind::Unclaimed(unclaimed) => {
                let token = unclaimed.tokens().refresh_token.as_ref().expect("a refresh token");
                world.needles.assert_held_in("the unclaimed tokens", token.expose_secret());
                printed.push_str(&print(unclaimed));
                printed.push_str(&print(unclaimed.tokens()));
            }
            _ => {}
        }
    }
    let seen: BTreeSet<_> = all.iter().map(|event| event.kind.as_str()).collect();
    let every = [
        "adopted",
        "doubtful",
        "login_needed",
        "orphaned",
        "refresh_failed",
        "refreshed",
        "removed",
        "save_failed",
        "settled",
        "unclaimed",
    ];
    assert_eq!(seen, BTreeSet::from(every));
    world.needles.assert_absent_from("the events", &printed);
    world.needles.assert_absent_from("the errors", &world.errors);
    let logs = logs.text();
    assert!(logs.contains("span rampauth_keeper refresh: key=careless/test/account"), "{logs}");
    world.needles.assert_absent_from("the logs", &logs);
    let metrics = metrics.snapshot().into_vec();
    let moved = metrics.iter().filter(|(.., value)| *value != DebugValue::Counter(0));
    let names: BTreeSet<_> = moved.map(|(key, ..)| key.key().name()).collect();
    assert_eq!(names.len(), 7, "{names:?}");
    world.needles.assert_absent_from("the metrics", &print(&metrics));
}

#[tokio::test(start_paused = true)]
async fn no_public_type_prints_a_token() {
    let world = World::new().await;
    let needles = &world.needles;
    let [session, _] = &world.sessions;
    let held = session.try_access_token().expect("fresh");
    needles.assert_held_in("the token", held.expose_secret());
    let record = world.store.load(&key()).await.expect("a store").expect("a record");
    let text = record.to_json();
    needles.assert_held_in("the record's text", text.expose_secret());
    let tokens = record.tokens.clone().expect("tokens");
    needles.assert_held_in("the payload", tokens.payload.expose_secret());
    let attempt = AttemptRef { id: AttemptId::from_random(1), session: record.session, generation: record.generation };
    let begin = Operation::Begin {
        generation: record.generation,
        presents: tokens.presents,
        attempt: attempt.id,
        owner: OwnerId::from_random(2),
        lease: Duration::from_secs(20),
        settle: false,
    };
    let put = Operation::Put { session: SessionId::from_random(3), expect: None, tokens: tokens.clone() };
    let commit = Operation::Commit { attempt, tokens: tokens.clone() };
    let was = TokenDigest::of(tokens.payload.expose_secret());
    let resealed = Resealed { was, payload: tokens.payload.clone(), sealed_with: None };
    let reseal = Operation::Reseal { payloads: vec![resealed] };
    let begun = world.store.apply(&key(), begin.clone()).await.expect("an answer");
    for (what, text) in [
        ("Keeper", print(&world.keepers[0])),
        ("KeeperBuilder", print(&Keeper::builder(world.store.store.clone()))),
        ("Session", print(session)),
        ("TokenRef", print(&held)),
        ("TokenSet", print(&session.tokens())),
        ("Events", print(&world.keepers[0].events())),
        ("MemoryStore", print(&world.store.store)),
        ("Record", print(&record)),
        ("its text", print(&text)),
        ("StoredTokens", print(&tokens)),
        ("Operation", [begin, put, commit, reseal].map(|it| print(&it)).concat()),
        ("Answer", print(&begun)),
        ("SessionKey", format!("{} {}", print(session.key()), session.key())),
    ] {
        needles.assert_absent_from(what, &text);
    }
    let reading = session.try_access_token().expect("fresh").to_owned();
    needles.assert_absent_from("the token that is kept", &print(&reading));
}

#[tokio::test(start_paused = true)]
async fn no_error_about_something_damaged_repeats_it() {
    let (needle, needles) = (Needle::new("damaged"), Needles::default());
    let text = needle.as_str();
    for damaged in [
        text.to_owned(),
        format!("\"{text}\""),
        format!(r#"{{"{text}":"{text}"}}"#),
        format!(r#"{{"version":"{text}"}}"#),
        format!(r#"{{"version":1,"session":"{text}","generation":"{text}","state":"{text}"}}"#),
        format!(r#"{{"version":1,"version":"{text}"#),
    ] {
        let error = Record::from_json(&damaged).expect_err("damaged");
        needle.assert_absent_from_nonempty("what is damaged", &print(&error));
    }
    let error = SessionKey::parse(format!("a/b/{text}@example.com")).expect_err("no key");
    needle.assert_absent_from_nonempty("an error about a key", &render_error(&error));

    // A payload that cannot be read.
    let clock = clock();
    for payload in [text.to_owned(), format!(r#"{{"accessToken":"{text}\n"}}"#), format!(r#"{{"{text}":1}}"#)] {
        let store = MemoryStore::new().with_clock(clock.clone());
        let tokens = StoredTokens::new(SecretString::new(payload), TokenDigest::of(text), clock());
        let put = Operation::Put { session: SessionId::from_random(1), expect: None, tokens };
        assert!(matches!(store.apply(&key(), put).await, Ok(Answer::Saved(_))));
        let keeper = Keeper::builder(store).clock(clock.clone()).on_demand().spawn().expect("a keeper");
        let policy = RefreshPolicy::new(Presents::RefreshToken);
        let moves = Arc::default();
        let provider = Provider { policy, needles: needles.clone(), moves, clock: Arc::new(clock.clone()) };
        let error = keeper.session(key(), provider).await.expect_err("damaged");
        assert!(error.to_string().ends_with("what the store holds of careless/test/account is damaged"), "{error}");
        needle.assert_absent_from_nonempty("an error about a payload", &render_error(&error));
    }
}
