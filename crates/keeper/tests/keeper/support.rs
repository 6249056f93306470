//! A provider that does as it is told, a clock that follows tokio's, and a store that can be made to fail.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use rampauth_core::{
    AccessToken, Error, ErrorKind, Expiry, Outcome, Presents, Refresh, RefreshPolicy, RefreshToken, TokenSet,
    WhenUnknown,
};
use rampauth_keeper::{
    Answer, Due, DueQuery, Events, Keeper, KeeperBuilder, MemoryStore, Operation, Record, Replaced, Replacement,
    SessionKey, Store, StoreError, StoreErrorKind, StoreExt as _, Stored,
};

pub(crate) use crate::wall::Wall;
use crate::write::Write;

/// How long an access token of [`Provider`] lives.
pub(crate) const LIFETIME: Duration = Duration::from_secs(1_000);

pub(crate) fn key() -> SessionKey {
    SessionKey::parse("fake/test/account").expect("a key")
}

/// What the provider does with the next presentation.
#[derive(Clone, Debug)]
pub(crate) enum Move {
    /// A new pair.
    Grant,
    /// This error.
    Fail(Error),
    /// This error after this long.
    FailAfter(Duration, Error),
    /// A new pair after this long.
    GrantAfter(Duration),
    /// A new pair whose access token lives for this long.
    GrantUntil(Duration),
    /// Grants exactly this.
    Answer(TokenSet),
    /// Grants, and the answer is lost.
    LoseAnswer,
    Panic,
    /// Never answers.
    Hang,
}

/// Hands out `access-N` and `refresh-N`, and remembers what was presented. What is not scripted is granted.
#[derive(Clone)]
pub(crate) struct Provider {
    pub(crate) policy: RefreshPolicy,
    moves: Arc<Mutex<VecDeque<Move>>>,
    presented: Arc<Mutex<Vec<String>>>,
    at_once: Arc<AtomicUsize>,
    policy_panics: Arc<AtomicBool>,
    clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

impl Provider {
    pub(crate) fn new(clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self {
            policy: RefreshPolicy::new(Presents::RefreshToken),
            moves: Arc::default(),
            presented: Arc::default(),
            at_once: Arc::default(),
            policy_panics: Arc::default(),
            clock: Arc::new(clock),
        }
    }

    pub(crate) fn when_unknown(mut self, when_unknown: WhenUnknown) -> Self {
        self.policy = self.policy.with_when_unknown(when_unknown);
        self
    }

    pub(crate) fn panic_when_asked_for_the_policy(&self, panics: bool) {
        self.policy_panics.store(panics, Ordering::SeqCst);
    }

    pub(crate) fn next(&self, moves: impl IntoIterator<Item = Move>) {
        self.moves.lock().expect("no panic").extend(moves);
    }

    /// The refresh tokens that were presented, in order.
    pub(crate) fn presented(&self) -> Vec<String> {
        self.presented.lock().expect("no panic").clone()
    }

    pub(crate) fn calls(&self) -> usize {
        self.presented().len()
    }

    fn pair(&self, number: usize) -> TokenSet {
        let expiry = Expiry::At((self.clock)() + LIFETIME);
        tokens(number, expiry)
    }
}

/// `access-N` until `expiry`, and `refresh-N`.
pub(crate) fn tokens(number: usize, expiry: Expiry) -> TokenSet {
    TokenSet::new()
        .with_access_token(AccessToken::new(format!("access-{number}")).expect("a token"), expiry)
        .with_refresh_token(RefreshToken::new(format!("refresh-{number}")).expect("a token"), Expiry::Unknown)
}

#[async_trait]
impl Refresh for Provider {
    fn policy(&self) -> &RefreshPolicy {
        assert!(!self.policy_panics.load(Ordering::SeqCst), "a policy that panics");
        &self.policy
    }

    async fn refresh(&self, current: &TokenSet) -> Result<TokenSet, Error> {
        let token = current.refresh_token.as_ref().expect("a refresh token").expose_secret().to_owned();
        let number = {
            let mut presented = self.presented.lock().expect("no panic");
            presented.push(token);
            presented.len()
        };
        assert_eq!(self.at_once.fetch_add(1, Ordering::SeqCst), 0, "two presentations at once");
        let next = self.moves.lock().expect("no panic").pop_front().unwrap_or(Move::Grant);
        let answer = match next {
            Move::Grant => Ok(self.pair(number)),
            Move::GrantAfter(wait) => {
                tokio::time::sleep(wait).await;
                Ok(self.pair(number))
            }
            Move::GrantUntil(lifetime) => Ok(tokens(number, Expiry::At((self.clock)() + lifetime))),
            Move::Answer(tokens) => Ok(tokens),
            Move::Fail(error) => Err(error),
            Move::FailAfter(wait, error) => {
                tokio::time::sleep(wait).await;
                Err(error)
            }
            Move::LoseAnswer => Err(error(ErrorKind::Timeout, Outcome::Unknown)),
            Move::Panic => {
                self.at_once.store(0, Ordering::SeqCst);
                std::panic::panic_any("a provider that panics");
            }
            Move::Hang => {
                self.at_once.store(0, Ordering::SeqCst);
                std::future::pending().await
            }
        };
        self.at_once.store(0, Ordering::SeqCst);
        answer
    }
}

pub(crate) fn error(kind: ErrorKind, outcome: Outcome) -> Error {
    Error::new(kind, outcome, "refresh the fake tokens", "it was told to fail")
}

/// A step of the store that can be delayed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Load,
    Begin,
    Commit,
}

/// What others do behind a process's back.
type Meanwhile = Box<dyn FnOnce() -> Vec<Operation> + Send>;

/// A memory store that can be put out of order.
#[derive(Clone)]
pub(crate) struct Fragile {
    pub(crate) store: Arc<Mutex<MemoryStore>>,
    out_of_order: Arc<AtomicBool>,
    refuses_commits: Arc<AtomicBool>,
    panics: Arc<AtomicBool>,
    loses_begin: Arc<AtomicBool>,
    loses_logins: Arc<AtomicUsize>,
    delays: Arc<Mutex<Vec<(Step, Duration)>>>,
    after_begin: Arc<Mutex<Option<Meanwhile>>>,
    steps: Arc<AtomicUsize>,
    pub(crate) sweeps: Arc<AtomicUsize>,
}

impl Fragile {
    pub(crate) fn new(clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self {
            store: Arc::new(Mutex::new(MemoryStore::new().with_clock(clock))),
            out_of_order: Arc::default(),
            refuses_commits: Arc::default(),
            panics: Arc::default(),
            loses_begin: Arc::default(),
            loses_logins: Arc::default(),
            delays: Arc::default(),
            after_begin: Arc::default(),
            steps: Arc::default(),
            sweeps: Arc::default(),
        }
    }

    pub(crate) fn fail(&self, fails: bool) {
        self.out_of_order.store(fails, Ordering::SeqCst);
    }

    pub(crate) fn refuse_commits(&self, refuses: bool) {
        self.refuses_commits.store(refuses, Ordering::SeqCst);
    }

    /// Panics when it is asked next.
    pub(crate) fn panic_next(&self) {
        self.panics.store(true, Ordering::SeqCst);
    }

    /// Carries out the next begin, and its answer is lost.
    pub(crate) fn lose_the_next_answer_to_begin(&self) {
        self.loses_begin.store(true, Ordering::SeqCst);
    }

    /// Carries out this many puts and removes, and their answers are lost.
    pub(crate) fn lose_answers_to_logins(&self, number: usize) {
        self.loses_logins.store(number, Ordering::SeqCst);
    }

    /// Carries out the next one of these after this long; what is loaded was read before.
    pub(crate) fn delay_the_next(&self, step: Step, wait: Duration) {
        self.delays.lock().expect("no panic").push((step, wait));
    }

    async fn delay(&self, step: Step) {
        let wait = {
            let mut delays = self.delays.lock().expect("no panic");
            delays.iter().position(|delay| delay.0 == step).map(|place| delays.remove(place).1)
        };
        if let Some(wait) = wait {
            tokio::time::sleep(wait).await;
        }
    }

    /// Carries these out after the next begin, before that is answered.
    pub(crate) fn after_the_next_begin(&self, meanwhile: impl FnOnce() -> Vec<Operation> + Send + 'static) {
        *self.after_begin.lock().expect("no panic") = Some(Box::new(meanwhile));
    }

    pub(crate) fn steps(&self) -> usize {
        self.steps.load(Ordering::SeqCst)
    }

    fn check(&self, commit: bool) -> Result<(), StoreError> {
        self.steps.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics.swap(false, Ordering::SeqCst), "a store that panics");
        self.is_there(commit)
    }

    fn is_there(&self, commit: bool) -> Result<(), StoreError> {
        let fails = self.out_of_order.load(Ordering::SeqCst) || commit && self.refuses_commits.load(Ordering::SeqCst);
        let error = || StoreError::new(StoreErrorKind::Unavailable, "failed to use the store: it was told to fail");
        if fails { Err(error()) } else { Ok(()) }
    }

    fn store(&self) -> MemoryStore {
        self.store.lock().expect("no panic").clone()
    }

    /// The store as it comes back from a copy in which the session is what `record` says, newly logged in.
    pub(crate) async fn fail_over_to(&self, record: Record) {
        let copy = MemoryStore::new();
        let tokens = record.tokens.expect("tokens");
        let put = Operation::Put { session: record.session, expect: None, tokens };
        assert!(matches!(copy.apply(&key(), put).await, Ok(Answer::Saved(_))));
        *self.store.lock().expect("no panic") = copy;
    }

    pub(crate) async fn record(&self) -> Record {
        self.record_of(&key()).await
    }

    pub(crate) async fn record_of(&self, key: &SessionKey) -> Record {
        self.store().load(key).await.expect("a store in order").expect("a record")
    }
}

#[async_trait]
impl Store for Fragile {
    async fn read(&self, key: &SessionKey) -> Result<Stored, StoreError> {
        self.check(false)?;
        let stored = self.store().read(key).await;
        self.delay(Step::Load).await;
        stored
    }

    async fn replace(&self, key: &SessionKey, replacement: Replacement<'_>) -> Result<Replaced, StoreError> {
        let write = Write::of(self.store().load(key).await?.as_ref(), replacement);
        self.check(write == Write::Commit)?;
        match write {
            Write::Claim => self.delay(Step::Begin).await,
            Write::Commit => self.delay(Step::Commit).await,
            Write::Login | Write::Other => {}
        }
        let answer = self.store().replace(key, replacement).await;
        let claim = write == Write::Claim;
        let meanwhile = if claim { self.after_begin.lock().expect("no panic").take() } else { None };
        for operation in meanwhile.map(|operations| operations()).unwrap_or_default() {
            self.store().apply(key, operation).await?;
        }
        let one_less = |number: usize| number.checked_sub(1);
        if claim && self.loses_begin.swap(false, Ordering::SeqCst)
            || write == Write::Login
                && self.loses_logins.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok()
        {
            return Err(StoreError::new(StoreErrorKind::Unavailable, "failed to use the store: its answer is lost"));
        }
        answer
    }

    async fn due(&self, query: &DueQuery) -> Result<Vec<Due>, StoreError> {
        self.sweeps.fetch_add(1, Ordering::SeqCst);
        self.is_there(false)?;
        self.store().due(query).await
    }

    async fn keys(&self, after: Option<&SessionKey>, limit: usize) -> Result<Vec<SessionKey>, StoreError> {
        self.check(false)?;
        self.store().keys(after, limit).await
    }
}

/// Everything of a test, with a session that has just logged in: `access-0`, `refresh-0`.
pub(crate) struct World {
    pub(crate) wall: Wall,
    pub(crate) clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    pub(crate) store: Fragile,
    pub(crate) provider: Provider,
    pub(crate) keeper: Keeper,
    pub(crate) session: rampauth_keeper::Session,
    pub(crate) events: Events,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|provider| provider).await
    }

    pub(crate) async fn with(set_up: impl FnOnce(Provider) -> Provider) -> Self {
        let wall = Wall::new();
        let clock = {
            let wall = wall.clone();
            move || wall.now()
        };
        let store = Fragile::new(clock.clone());
        let provider = set_up(Provider::new(clock.clone()));
        let keeper = builder(store.clone(), clock.clone()).spawn().expect("a keeper");
        let session = keeper.session(key(), provider.clone()).await.expect("a session");
        session.put(tokens(0, Expiry::At(clock() + LIFETIME))).await.expect("saved");
        let events = keeper.events();
        Self { wall, clock: Arc::new(clock), store, provider, keeper, session, events }
    }

    /// Another process on the same store.
    pub(crate) async fn another_process(&self) -> (Keeper, rampauth_keeper::Session) {
        let keeper = self.another_keeper();
        let session = keeper.session(key(), self.provider.clone()).await.expect("a session");
        (keeper, session)
    }

    /// Its keeper, with no session open yet.
    pub(crate) fn another_keeper(&self) -> Keeper {
        let clock = Arc::clone(&self.clock);
        builder(self.store.clone(), move || clock()).spawn().expect("a keeper")
    }

    /// The token that a caller gets.
    pub(crate) async fn token(&self) -> String {
        self.session.access_token().await.expect("a token").expose_secret().to_owned()
    }

    /// The names of what happened since this was asked last.
    pub(crate) fn happened(&mut self) -> Vec<&'static str> {
        std::iter::from_fn(|| self.events.try_next()).map(|event| event.kind.as_str()).collect()
    }
}

fn builder(store: Fragile, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> KeeperBuilder {
    Keeper::builder(store).clock(clock)
}

pub(crate) async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}
