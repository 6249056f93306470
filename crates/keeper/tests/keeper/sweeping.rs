//! Sessions that nobody has open: found in the store when they are due, and refreshed by the client of their key.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rampauth_core::{
    AccessToken, Error, ErrorKind, Expiry, Outcome, Presents, Refresh, RefreshPolicy, RefreshToken, TokenSet,
};
use rampauth_keeper::{Keeper, KeeperBuilder, MemoryStore, SessionKey, State, StoreExt as _};
use rampauth_test_kit::logs::CaptureLogs;

use crate::support::{LIFETIME, Wall, pass};

const SESSIONS: usize = 300;
const ANSWER: Duration = Duration::from_secs(2);
const MOST: usize = 8;

/// A provider of any number of sessions whose refresh tokens work once.
#[derive(Clone)]
struct SingleUse {
    policy: RefreshPolicy,
    wall: Wall,
    down: Arc<AtomicBool>,
    sent: Arc<Mutex<HashSet<String>>>,
    sent_twice: Arc<AtomicUsize>,
    under_way: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    calls: Arc<AtomicUsize>,
}

impl SingleUse {
    fn granted(&self, session: &str, generation: usize) -> TokenSet {
        let access = AccessToken::new(format!("access-{session}-{generation}")).expect("a token");
        let refresh = RefreshToken::new(format!("refresh-{session}-{generation}")).expect("a token");
        let expiry = Expiry::At(self.wall.now() + LIFETIME);
        TokenSet::new().with_access_token(access, expiry).with_refresh_token(refresh, Expiry::Unknown)
    }
}

#[async_trait]
impl Refresh for SingleUse {
    fn policy(&self) -> &RefreshPolicy {
        &self.policy
    }

    async fn refresh(&self, current: &TokenSet) -> Result<TokenSet, Error> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.down.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unreachable, Outcome::NotSent, "test", "nobody is there"));
        }
        let token = current.refresh_token.as_ref().expect("a token").expose_secret().to_owned();
        let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(under_way, Ordering::SeqCst);
        pass(ANSWER).await;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        let mut parts = token.split('-').skip(1);
        let (session, generation) = (parts.next().expect("a session"), parts.next().expect("a generation"));
        let generation: usize = generation.parse().expect("a number");
        if !self.sent.lock().expect("no panic").insert(token.clone()) {
            self.sent_twice.fetch_add(1, Ordering::SeqCst);
        }
        Ok(self.granted(session, generation + 1))
    }
}

/// A store of many sessions that were logged in by a process that is gone.
struct Stored {
    wall: Wall,
    store: MemoryStore,
    provider: SingleUse,
}

fn key(number: usize) -> SessionKey {
    SessionKey::parse(format!("fake/test/account/{number}")).expect("a key")
}

impl Stored {
    async fn new() -> Self {
        let wall = Wall::new();
        let clock = {
            let wall = wall.clone();
            move || wall.now()
        };
        let store = MemoryStore::new().with_clock(clock);
        let (down, sent, sent_twice, under_way, most, calls) = Default::default();
        let policy = RefreshPolicy::new(Presents::RefreshToken);
        let provider = SingleUse { policy, wall: wall.clone(), down, sent, sent_twice, under_way, most, calls };
        let this = Self { wall, store, provider };
        let keeper = this.builder().on_demand().spawn().expect("a keeper");
        for number in 0..SESSIONS {
            let session = keeper.session(key(number), this.provider.clone()).await.expect("a session");
            session.put(this.provider.granted(&number.to_string(), 0)).await.expect("saved");
        }
        this
    }

    fn builder(&self) -> KeeperBuilder {
        let wall = self.wall.clone();
        Keeper::builder(self.store.clone()).clock(move || wall.now()).concurrent_attempts(MOST)
    }

    /// A keeper that has no session open and knows the client of each.
    fn keeper(&self) -> Keeper {
        let provider: Arc<dyn Refresh> = Arc::new(self.provider.clone());
        let client = move |key: &SessionKey| (key.provider() == "fake").then(|| Arc::clone(&provider));
        self.builder().providers(client).spawn().expect("a keeper")
    }

    async fn generations(&self) -> Vec<u64> {
        let mut generations = Vec::new();
        for number in 0..SESSIONS {
            let record = self.store.load(&key(number)).await.expect("a store").expect("a record");
            assert_eq!(record.state, State::Ready);
            generations.push(record.generation);
        }
        generations
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_starts_anew_keeps_alive_what_others_stored_a_few_at_a_time() {
    let stored = Stored::new().await;
    let keeper = stored.keeper();
    pass(LIFETIME * 98 / 100).await;
    let generations = stored.generations().await;
    assert!(generations.iter().all(|generation| *generation == 2), "{generations:?}");
    assert!(stored.provider.most.load(Ordering::SeqCst) <= MOST);
    assert_eq!(stored.provider.sent_twice.load(Ordering::SeqCst), 0);
    // Nothing of them is left in memory.
    assert!((0..SESSIONS).all(|number| !keeper.holds(&key(number))));
    // And so it goes on.
    pass(LIFETIME).await;
    assert!(stored.generations().await.iter().all(|generation| *generation >= 3));
}

#[tokio::test(start_paused = true)]
async fn two_processes_share_the_work_and_send_no_token_twice() {
    let stored = Stored::new().await;
    let _keepers = [stored.keeper(), stored.keeper(), stored.keeper()];
    pass(LIFETIME * 98 / 100).await;
    assert!(stored.generations().await.iter().all(|generation| *generation == 2));
    assert_eq!(stored.provider.sent_twice.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_key_without_a_client_is_named_once_and_is_in_nobodys_way() {
    let stored = Stored::new().await;
    let logs = CaptureLogs::start();
    let provider: Arc<dyn Refresh> = Arc::new(stored.provider.clone());
    let client = move |key: &SessionKey| match key.subject() {
        Some("7") => None,
        Some("8") => panic!("a client that cannot be made"),
        _ => Some(Arc::clone(&provider)),
    };
    let _keeper = stored.builder().providers(client).spawn().expect("a keeper");
    pass(LIFETIME * 98 / 100).await;
    let generations = stored.generations().await;
    for (number, generation) in generations.into_iter().enumerate() {
        assert_eq!(generation, if [7, 8].contains(&number) { 1 } else { 2 }, "{number}");
    }
    let shown = logs.text();
    for number in [7, 8] {
        let named = shown.lines().filter(|line| {
            line.contains(&format!("fake/test/account/{number} "))
                || line.ends_with(&format!("fake/test/account/{number}"))
        });
        assert_eq!(named.count(), 1, "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_provider_is_gone_it_is_tried_ever_less_often() {
    let stored = Stored::new().await;
    stored.provider.down.store(true, Ordering::SeqCst);
    let _keeper = stored.keeper();
    pass(LIFETIME).await;
    let before = stored.provider.calls.load(Ordering::SeqCst);
    pass(LIFETIME).await;
    let tried = stored.provider.calls.load(Ordering::SeqCst) - before;
    assert!((SESSIONS..=SESSIONS * 5).contains(&tried), "{tried} calls in {LIFETIME:?}");
    stored.provider.down.store(false, Ordering::SeqCst);
    pass(LIFETIME).await;
    assert!(stored.generations().await.iter().all(|generation| *generation >= 2), "found again in five minutes");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_left_alone_holds_up_no_other() {
    let stored = Stored::new().await;
    let (limiting, others) = (Arc::new(Limiting(stored.provider.policy)), stored.provider.clone());
    let provider: Arc<dyn Refresh> = Arc::new(others.clone());
    // Those of the one that limits are due all the while, and many more than may be under way.
    let keeper = stored.builder().on_demand().spawn().expect("a keeper");
    for number in 0..SESSIONS {
        let key = SessionKey::parse(format!("limiting/test/account/{number}")).expect("a key");
        let session = keeper.session(key, limiting.clone() as Arc<dyn Refresh>).await.expect("a session");
        let mut tokens = others.granted(&number.to_string(), 0);
        tokens.access_expiry = Expiry::At(stored.wall.now() + Duration::from_secs(60));
        session.put(tokens).await.expect("saved");
    }
    let client = move |key: &SessionKey| match key.provider() {
        "limiting" => Some(limiting.clone() as Arc<dyn Refresh>),
        _ => Some(Arc::clone(&provider)),
    };
    let _keeper = stored.builder().providers(client).spawn().expect("a keeper");
    pass(LIFETIME * 98 / 100).await;
    let generations = stored.generations().await;
    assert!(generations.iter().all(|generation| *generation == 2), "{generations:?}");
}

/// A provider that has no time for anybody.
struct Limiting(RefreshPolicy);

#[async_trait]
impl Refresh for Limiting {
    fn policy(&self) -> &RefreshPolicy {
        &self.0
    }

    async fn refresh(&self, _: &TokenSet) -> Result<TokenSet, Error> {
        let error = Error::new(ErrorKind::RateLimited, Outcome::Refused, "test", "too many calls");
        Err(error.with_retry_after(Some(Duration::from_secs(3_600))))
    }
}
