//! Sessions that are due together at a provider that allows three hundred calls a second: how many calls a grant costs, and how
//! long it takes until all are fresh, beside the time that so many need at that rate.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rampauth_bench::figures::{is_wanted, report};
use rampauth_bench::keeping::key;
use rampauth_core::{
    AccessToken, Clock as _, Error, ErrorKind, Expiry, Outcome, Presents, Refresh, RefreshPolicy, RefreshToken,
    SystemClock, TokenSet,
};
use rampauth_keeper::Keeper;
use rampauth_store_sqlite::SqliteStore;
use tokio::time::sleep;

const FIGURES: [&str; 3] = ["limited/all-fresh", "limited/at-that-rate", "limited/requests-per-100"];
const SESSIONS: usize = 10_000;
const ALLOWED: usize = 300;
const ANSWER: Duration = Duration::from_millis(20);
/// All are due in the last third of it, within a second or two.
const LIFE: Duration = Duration::from_secs(60);

#[expect(clippy::disallowed_methods, reason = "a benchmark measures")]
fn now() -> Instant {
    Instant::now()
}

/// Grants three hundred calls in each second of its own, and asks the others to come back when the next one has begun.
struct Limited {
    policy: RefreshPolicy,
    start: Instant,
    /// When it was called first.
    first: OnceLock<Instant>,
    /// The second that it is, and the calls in it.
    second: Mutex<(u64, usize)>,
    calls: AtomicUsize,
    granted: AtomicUsize,
}

fn tokens(life: Duration) -> TokenSet {
    let access = AccessToken::new("a".repeat(400)).expect("a token");
    let refresh = RefreshToken::new("r".repeat(440)).expect("a token");
    let expiry = Expiry::At(SystemClock.now() + life);
    TokenSet::new().with_access_token(access, expiry).with_refresh_token(refresh, Expiry::Unknown)
}

#[async_trait]
impl Refresh for Limited {
    fn policy(&self) -> &RefreshPolicy {
        &self.policy
    }

    async fn refresh(&self, _: &TokenSet) -> Result<TokenSet, Error> {
        self.first.get_or_init(now);
        self.calls.fetch_add(1, Ordering::Relaxed);
        let is_over = {
            let (second, mut counted) = (self.start.elapsed().as_secs(), self.second.lock().expect("no panic"));
            *counted = if counted.0 == second { (second, counted.1 + 1) } else { (second, 1) };
            counted.1 > ALLOWED
        };
        sleep(ANSWER).await;
        if is_over {
            let error = Error::new(ErrorKind::RateLimited, Outcome::Refused, "refresh", "too many calls");
            return Err(error.with_retry_after(Some(Duration::from_secs(1))));
        }
        self.granted.fetch_add(1, Ordering::Relaxed);
        Ok(tokens(Duration::from_secs(86_400)))
    }
}

#[tokio::main]
async fn main() {
    if !is_wanted(&FIGURES) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(folder.path().join("rampauth.db")).expect("a store");
    let keeper = Keeper::builder(store).accept_unsealed().spawn().expect("a keeper");
    let (calls, granted, second, first) = Default::default();
    let policy = RefreshPolicy::new(Presents::RefreshToken);
    let limited = Arc::new(Limited { policy, start: now(), first, second, calls, granted });
    let mut sessions = Vec::with_capacity(SESSIONS);
    for number in 0..SESSIONS {
        let provider: Arc<dyn Refresh> = limited.clone();
        sessions.push(keeper.session(key(number), provider).await.expect("a session"));
    }
    for session in &sessions {
        session.put(tokens(LIFE)).await.expect("saved");
    }
    while limited.granted.load(Ordering::Relaxed) < SESSIONS {
        sleep(Duration::from_millis(10)).await;
    }
    let started = limited.first.get().expect("it was called");
    report(FIGURES[0], started.elapsed().as_secs_f64(), "s");
    report(FIGURES[1], SESSIONS as f64 / ALLOWED as f64, "s");
    report(FIGURES[2], 100.0 * limited.calls.load(Ordering::Relaxed) as f64 / SESSIONS as f64, "");
    keeper.shutdown().await;
}
