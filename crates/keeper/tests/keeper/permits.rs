//! Many sessions that are due together: few attempts are under way at a time, and nobody who waits is kept waiting by those who
//! need not go first.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rampauth_core::{
    AccessToken, Error, ErrorKind, Expiry, Outcome, Presents, Refresh, RefreshPolicy, RefreshToken, TokenSet,
};
use rampauth_keeper::{Keeper, MemoryStore, Session, SessionKey, StoreExt as _};
use tokio::time::Instant;

use crate::support::{LIFETIME, Wall, pass};

/// How long the provider takes for an answer.
const ANSWER: Duration = Duration::from_secs(10);
const SESSIONS: usize = 100;
/// Six for what is scheduled, and two that are kept for callers.
const MOST: usize = 8;
const SCHEDULED: usize = 6;

/// A provider of any number of sessions, which counts the calls that are under way.
#[derive(Clone)]
struct Slow {
    policy: RefreshPolicy,
    wall: Wall,
    calls: Arc<AtomicUsize>,
    under_way: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Slow {
    fn granted(&self, number: usize) -> TokenSet {
        let access = AccessToken::new(format!("access-{number}")).expect("a token");
        let refresh = RefreshToken::new(format!("refresh-{number}")).expect("a token");
        let expiry = Expiry::At(self.wall.now() + LIFETIME);
        TokenSet::new().with_access_token(access, expiry).with_refresh_token(refresh, Expiry::Unknown)
    }
}

#[async_trait]
impl Refresh for Slow {
    fn policy(&self) -> &RefreshPolicy {
        &self.policy
    }

    async fn refresh(&self, _: &TokenSet) -> Result<TokenSet, Error> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(under_way, Ordering::SeqCst);
        pass(ANSWER).await;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        Ok(self.granted(number))
    }
}

struct Many {
    store: MemoryStore,
    provider: Slow,
    keeper: Keeper,
    sessions: Vec<Session>,
}

impl Many {
    /// So many sessions that begin together.
    async fn new() -> Self {
        let wall = Wall::new();
        let clock = {
            let wall = wall.clone();
            move || wall.now()
        };
        let policy = RefreshPolicy::new(Presents::RefreshToken);
        let (calls, under_way, most) = Default::default();
        let provider = Slow { policy, wall, calls, under_way, most };
        let store = MemoryStore::new().with_clock(clock.clone());
        let keeper = Keeper::builder(store.clone()).clock(clock).concurrent_attempts(MOST).spawn().expect("a keeper");
        let mut sessions = Vec::new();
        for number in 0..SESSIONS {
            let key = SessionKey::parse(format!("fake/test/account/{number}")).expect("a key");
            let session = keeper.session(key, provider.clone()).await.expect("a session");
            session.put(provider.granted(0)).await.expect("saved");
            sessions.push(session);
        }
        Self { store, provider, keeper, sessions }
    }

    /// Goes on until as many as may be are under way, and others wait.
    async fn crowded(&self) {
        while self.provider.under_way.load(Ordering::SeqCst) < SCHEDULED {
            pass(Duration::from_secs(1)).await;
        }
        // All of them are due by then.
        pass(LIFETIME / 10).await;
    }

    /// How many sessions a process that ended now would leave in doubt.
    async fn claimed(&self) -> usize {
        let mut claimed = 0;
        for session in &self.sessions {
            let record = self.store.load(session.key()).await.expect("a store").expect("a record");
            claimed += usize::from(record.attempt.is_some_and(|attempt| attempt.lease.is_some()));
        }
        claimed
    }

    /// One whose refresh has not begun.
    async fn waiting(&self, from: usize) -> &Session {
        for session in &self.sessions[from..] {
            let record = self.store.load(session.key()).await.expect("a store").expect("a record");
            if record.generation == 1 && record.attempt.is_none() {
                return session;
            }
        }
        panic!("none waits")
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_that_are_due_together_are_refreshed_a_few_at_a_time_and_all_in_time() {
    let many = Many::new().await;
    many.crowded().await;
    for _ in 0..5 {
        assert_eq!(many.claimed().await, SCHEDULED, "what a crash would leave in doubt");
        pass(ANSWER).await;
    }
    pass(LIFETIME / 5).await;
    assert_eq!(many.provider.most.load(Ordering::SeqCst), SCHEDULED);
    for session in &many.sessions {
        let record = many.store.load(session.key()).await.expect("a store").expect("a record");
        assert_eq!(record.generation, 2, "{}", session.key());
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_does_not_wait_for_those_that_are_scheduled() {
    let many = Many::new().await;
    many.crowded().await;
    let asked = Instant::now();
    many.waiting(0).await.refresh().await.expect("refreshed");
    assert_eq!(asked.elapsed(), ANSWER, "its own call, and nobody else's before it");
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_joins_one_that_waits_brings_it_forward() {
    let many = Many::new().await;
    many.crowded().await;
    // The two that are kept for callers are taken.
    let (first, second) = (many.waiting(0).await.clone(), many.waiting(SESSIONS / 2).await.clone());
    let taken = tokio::spawn(async move { tokio::join!(first.refresh(), second.refresh()) });
    pass(Duration::from_secs(1)).await;
    assert_eq!(many.provider.under_way.load(Ordering::SeqCst), MOST);
    let joined = many.waiting(SESSIONS * 3 / 4).await;
    let asked = Instant::now();
    joined.refresh().await.expect("refreshed");
    assert!(asked.elapsed() <= 2 * ANSWER, "the first that ends makes room for it: {:?}", asked.elapsed());
    assert!(many.claimed().await > 0, "and others still wait");
    let (one, other) = taken.await.expect("no panic");
    one.and(other).expect("refreshed");
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_for_their_turn_send_nothing_once_the_keeper_shuts_down() {
    let many = Many::new().await;
    many.crowded().await;
    let waiting = many.waiting(0).await.clone();
    let (first, second) = (many.waiting(20).await.clone(), many.waiting(40).await.clone());
    let taken = tokio::spawn(async move { tokio::join!(first.refresh(), second.refresh()) });
    pass(Duration::from_secs(1)).await;
    let refused = tokio::spawn(async move { waiting.refresh().await });
    pass(Duration::from_secs(1)).await;
    let (calls, asked) = (many.provider.calls.load(Ordering::SeqCst), Instant::now());
    many.keeper.shutdown().await;
    assert!(asked.elapsed() <= ANSWER, "as long as what is under way: {:?}", asked.elapsed());
    assert_eq!(many.provider.calls.load(Ordering::SeqCst), calls);
    let error = refused.await.expect("no panic").expect_err("nothing was sent");
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Internal, Outcome::NotSent));
    // Not even a claim was made for it.
    assert!(error.to_string().ends_with(": the keeper is shutting down"), "{error}");
    let (one, other) = taken.await.expect("no panic");
    one.and(other).expect("what was under way is finished");
    assert_eq!(many.claimed().await, 0);
}
