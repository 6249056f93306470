//! A provider that limits: its other sessions are left alone too, it is tried once, and then called as often as it allows.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use http::StatusCode;
use rampauth_core::{
    AccessToken, Error, ErrorKind, Expiry, Outcome, Presents, Refresh, RefreshPolicy, RefreshToken, TokenSet,
};
use rampauth_keeper::{Keeper, MemoryStore, Session, SessionKey};
use tokio::time::Instant;

use crate::support::{Wall, pass};

const ANSWER: Duration = Duration::from_millis(20);
/// What was logged in with dies after this.
const LIFE: Duration = Duration::from_secs(600);
const NEVER: Duration = Duration::from_secs(1_000_000);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Answers after a moment: with tokens, unless it was called more often in this second than it allows.
#[derive(Clone)]
struct Limited {
    policy: RefreshPolicy,
    wall: Wall,
    start: Instant,
    allowed: usize,
    /// Answers to come before all others.
    next: Arc<Mutex<Vec<Error>>>,
    calls: Arc<AtomicUsize>,
    this_second: Arc<Mutex<(u64, usize)>>,
}

impl Limited {
    fn granted(&self, life: Duration, refresh_life: Duration) -> TokenSet {
        let access = AccessToken::new(format!("access-{}", self.calls())).expect("a token");
        let refresh = RefreshToken::new("refresh").expect("a token");
        let at = |life| Expiry::At(self.wall.now() + life);
        TokenSet::new().with_access_token(access, at(life)).with_refresh_token(refresh, at(refresh_life))
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

fn too_many(retry_after: Duration) -> Error {
    Error::new(ErrorKind::RateLimited, Outcome::Refused, "test", "too many").with_retry_after(Some(retry_after))
}

#[async_trait]
impl Refresh for Limited {
    fn policy(&self) -> &RefreshPolicy {
        &self.policy
    }

    async fn refresh(&self, _: &TokenSet) -> Result<TokenSet, Error> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let next = self.next.lock().expect("no panic").pop();
        let is_over = {
            let (second, mut this_second) =
                (self.start.elapsed().as_secs(), self.this_second.lock().expect("no panic"));
            if this_second.0 != second {
                *this_second = (second, 0);
            }
            this_second.1 += 1;
            this_second.1 > self.allowed
        };
        pass(ANSWER).await;
        match next {
            Some(error) => Err(error),
            None if is_over => Err(too_many(seconds(1))),
            None => Ok(self.granted(NEVER, NEVER)),
        }
    }
}

struct Many {
    provider: Limited,
    sessions: Vec<Session>,
    _keeper: Keeper,
}

impl Many {
    /// So many sessions, logged in with refresh tokens that live for so long.
    async fn new(number: usize, allowed: usize, refresh_life: Duration) -> Self {
        let wall = Wall::new();
        let clock = {
            let wall = wall.clone();
            move || wall.now()
        };
        let policy = RefreshPolicy::new(Presents::RefreshToken);
        let (start, next, calls, this_second) = (Instant::now(), Arc::default(), Arc::default(), Arc::default());
        let provider = Limited { policy, wall, start, allowed, next, calls, this_second };
        let store = MemoryStore::new().with_clock(clock.clone());
        let keeper = Keeper::builder(store).clock(clock).spawn().expect("a keeper");
        let mut sessions = Vec::new();
        for number in 0..number {
            let key = SessionKey::parse(format!("fake/test/account/{number}")).expect("a key");
            let session = keeper.session(key, provider.clone()).await.expect("a session");
            session.put(provider.granted(LIFE, refresh_life)).await.expect("saved");
            sessions.push(session);
        }
        Self { provider, sessions, _keeper: keeper }
    }

    /// How many have new tokens.
    fn fresh(&self) -> usize {
        let end = self.provider.wall.now() + LIFE;
        let lives = |tokens: TokenSet| tokens.access_expiry.time().is_some_and(|time| time > end);
        self.sessions.iter().filter(|session| session.tokens().is_some_and(lives)).count()
    }

    /// One of them is told to wait for so long, and the moment after that.
    async fn limited(&self, retry_after: Duration) {
        self.provider.next.lock().expect("no panic").push(too_many(retry_after));
        self.sessions[0].refresh().await.expect_err("too many");
    }
}

#[tokio::test(start_paused = true)]
async fn one_session_s_limit_pauses_the_others_and_then_one_tries() {
    let many = Many::new(20, usize::MAX, NEVER).await;
    many.limited(seconds(7)).await;
    let (limited, before) = (Instant::now(), many.provider.calls());
    for session in &many.sessions[1..] {
        let token = session.access_token().await.expect("a token");
        session.reject(&token).await.expect("noted");
    }
    while limited.elapsed() < seconds(7) - ANSWER {
        pass(ANSWER / 2).await;
        assert_eq!(many.provider.calls(), before, "{:?}", limited.elapsed());
    }
    let mut most_at_once = 0;
    while many.provider.calls() == before {
        pass(Duration::from_millis(1)).await;
    }
    for _ in 0..ANSWER.as_millis() - 2 {
        most_at_once = most_at_once.max(many.provider.calls() - before);
        pass(Duration::from_millis(1)).await;
    }
    assert_eq!(most_at_once, 1, "until its answer is there");
    pass(seconds(20)).await;
    assert!(many.fresh() >= 19, "{}", many.fresh());
}

#[tokio::test(start_paused = true)]
async fn an_outage_pauses_the_others_too_and_a_refusal_does_not() {
    for (status, pauses) in [
        (StatusCode::SERVICE_UNAVAILABLE, true),
        (StatusCode::INTERNAL_SERVER_ERROR, false),
        (StatusCode::FORBIDDEN, false),
    ] {
        let many = Many::new(2, usize::MAX, NEVER).await;
        let error = Error::new(ErrorKind::Refused, Outcome::Refused, "test", "not now").with_status(status);
        many.provider.next.lock().expect("no panic").push(error);
        many.sessions[0].refresh().await.expect_err("not now");
        let calls = many.provider.calls();
        let token = many.sessions[1].access_token().await.expect("a token");
        many.sessions[1].reject(&token).await.expect("noted");
        pass(Duration::from_millis(500)).await;
        assert_eq!(many.provider.calls() - calls, usize::from(!pauses), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_caller_waits_for_the_end_of_a_pause_and_a_person_passes_it() {
    let many = Many::new(3, usize::MAX, NEVER).await;
    many.limited(seconds(600)).await;
    let (asked, calls) = (Instant::now(), many.provider.calls());
    let token = many.sessions[1].access_token().await.expect("a token");
    many.sessions[1].reject(&token).await.expect("noted");
    let error = many.sessions[1].access_token().await.expect_err("left alone");
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::RateLimited, Outcome::NotSent));
    assert!(error.to_string().ends_with("the provider asked to be left alone for a while, so nothing was sent"));
    let left = error.retry_after().expect("when");
    assert!(left <= seconds(30) && left > seconds(29), "{left:?}");
    assert!(asked.elapsed() < seconds(1) && many.provider.calls() == calls);
    let by_hand = Instant::now();
    many.sessions[2].refresh().await.expect("a person's word stands above it");
    assert!(by_hand.elapsed() < seconds(1), "{:?}", by_hand.elapsed());
    // The provider answered: it has room again.
    pass(seconds(2)).await;
    many.sessions[1].access_token().await.expect("refreshed");
}

#[tokio::test(start_paused = true)]
async fn what_would_die_meanwhile_is_tried_during_a_pause() {
    for (life, tried) in [(seconds(20), 1), (NEVER, 0)] {
        let many = Many::new(2, usize::MAX, life).await;
        many.limited(seconds(600)).await;
        let calls = many.provider.calls();
        let token = many.sessions[1].access_token().await.expect("a token");
        many.sessions[1].reject(&token).await.expect("noted");
        pass(seconds(5)).await;
        assert_eq!(many.provider.calls() - calls, tried, "{life:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_allows_300_a_second_is_used_well_and_asked_little_more_often() {
    let many = Many::new(6_000, 300, NEVER).await;
    // All are due together.
    let mut rejected = Vec::new();
    for session in &many.sessions {
        rejected.push(session.access_token().await.expect("a token"));
    }
    let began = Instant::now();
    for (session, token) in many.sessions.iter().zip(&rejected) {
        session.reject(token).await.expect("noted");
    }
    while many.fresh() < 6_000 {
        pass(Duration::from_millis(100)).await;
        assert!(began.elapsed() < seconds(60), "{} of 6,000 after a minute", many.fresh());
    }
    let (took, least) = (began.elapsed(), seconds(6_000 / 300));
    assert!(took <= least.mul_f64(1.5), "{took:?}");
    assert!(many.provider.calls() <= 6_600, "{}", many.provider.calls());
}
