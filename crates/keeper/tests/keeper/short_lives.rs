//! Tokens that live less than a claim: refreshed in time, over and over, and found again after a lost answer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use rampauth_core::{
    AccessToken, Error, ErrorKind, Expiry, Outcome, Presents, Refresh, RefreshPolicy, RefreshTime, TokenSet,
    WhenUnknown,
};
use rampauth_keeper::{Events, Keeper, MemoryStore, Session, State, StoreExt as _};

use crate::support::{Wall, key, pass};

/// A request of 15 s and two saves of 5 s.
const CLAIM: Duration = Duration::from_secs(25);

/// A provider whose token renews itself, and only while it lives: a dead one needs a login, and nothing is sent.
#[derive(Clone)]
struct SelfRenewing {
    policy: RefreshPolicy,
    life: Duration,
    wall: Wall,
    calls: Arc<AtomicUsize>,
    /// What happens to the calls with these numbers; all others are granted.
    faults: Arc<Mutex<Vec<(usize, Error)>>>,
}

impl SelfRenewing {
    fn new(wall: &Wall, life: Duration) -> Self {
        let policy = RefreshPolicy::new(Presents::AccessToken).with_time(RefreshTime::BeforeExpiry);
        let policy = policy.with_named_dead_tokens();
        Self { policy, life, wall: wall.clone(), calls: Arc::default(), faults: Arc::default() }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn granted(&self, number: usize) -> TokenSet {
        let token = AccessToken::new(format!("access-{number}")).expect("a token");
        TokenSet::new().with_access_token(token, Expiry::At(self.wall.now() + self.life))
    }
}

#[async_trait]
impl Refresh for SelfRenewing {
    fn policy(&self) -> &RefreshPolicy {
        &self.policy
    }

    async fn refresh(&self, current: &TokenSet) -> Result<TokenSet, Error> {
        if current.access_expiry.is_known_past(self.wall.now()) {
            return Err(Error::new(ErrorKind::LoginNeeded, Outcome::NotSent, "refresh", "the token has expired"));
        }
        let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let faults = self.faults.lock().expect("no panic").clone();
        match faults.into_iter().find(|(call, _)| *call == number) {
            Some((_, fault)) => Err(fault),
            None => Ok(self.granted(number)),
        }
    }
}

struct Kept {
    wall: Wall,
    provider: SelfRenewing,
    store: MemoryStore,
    session: Session,
    events: Events,
    _keeper: Keeper,
}

/// A session that has just logged in.
async fn kept(life: Duration, change: impl FnOnce(RefreshPolicy) -> RefreshPolicy) -> Kept {
    let wall = Wall::new();
    let clock = {
        let wall = wall.clone();
        move || wall.now()
    };
    let mut provider = SelfRenewing::new(&wall, life);
    provider.policy = change(provider.policy);
    let store = MemoryStore::new().with_clock(clock.clone());
    let builder = Keeper::builder(store.clone()).clock(clock).request_deadline(Duration::from_secs(15));
    let keeper = builder.save_deadline(Duration::from_secs(5)).spawn().expect("a keeper");
    let session = keeper.session(key(), provider.clone()).await.expect("a session");
    session.put(provider.granted(0)).await.expect("saved");
    let events = keeper.events();
    Kept { wall, provider, store, session, events, _keeper: keeper }
}

impl Kept {
    async fn state(&self) -> State {
        self.store.load(&key()).await.expect("a store in order").expect("a record").state
    }

    fn expiry(&self) -> SystemTime {
        self.session.tokens().and_then(|tokens| tokens.access_expiry.time()).expect("an expiry")
    }

    fn happened(&mut self) -> Vec<&'static str> {
        std::iter::from_fn(|| self.events.try_next()).map(|event| event.kind.as_str()).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_lives_less_than_a_claim_is_refreshed_in_time_over_many_cycles() {
    let [five, twenty, sixty] = [5, 20, 60].map(Duration::from_secs);
    let [tenth, second] = [100, 1_000].map(Duration::from_millis);
    for life in [tenth, second, five, twenty, CLAIM, 2 * CLAIM, sixty, 3 * CLAIM] {
        let mut kept = kept(life, |policy| policy).await;
        for cycle in 0..100 {
            pass(life / 2).await;
            assert!(kept.wall.now() < kept.expiry(), "{life:?}, half life {cycle}: it died");
        }
        assert_eq!(kept.state().await, State::Ready, "{life:?}");
        // Fifty lives have passed, and each is used to two thirds at least.
        let calls = kept.provider.calls();
        assert!((50..=80).contains(&calls), "{life:?}: {calls} calls");
        let mut happened = kept.happened();
        happened.retain(|event| *event != "refreshed");
        assert_eq!(happened, [""; 0], "{life:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_about_a_short_life_is_resolved_before_it_ends() {
    let lost = Error::new(ErrorKind::Timeout, Outcome::Unknown, "refresh", "no answer came");
    for when_unknown in [WhenUnknown::Promptly { within: Duration::from_secs(60) }, WhenUnknown::AtLastMoment] {
        for life in [Duration::from_secs(5), Duration::from_secs(20), CLAIM, 2 * CLAIM, 3 * CLAIM] {
            let mut kept = kept(life, |policy| policy.with_when_unknown(when_unknown)).await;
            kept.provider.faults.lock().expect("no panic").push((1, lost.clone()));
            pass(life * 2).await;
            assert_eq!(kept.state().await, State::Ready, "{life:?}, {when_unknown:?}");
            let happened = kept.happened();
            assert_eq!(happened[..2], ["doubtful", "settled"], "{life:?}, {when_unknown:?}");
            assert!(!happened.contains(&"login_needed"), "{life:?}, {when_unknown:?}: {happened:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_was_not_sent_is_tried_again_before_a_short_life_ends() {
    let unreachable = Error::new(ErrorKind::Unreachable, Outcome::NotSent, "refresh", "no connection");
    for life in [Duration::from_secs(20), CLAIM, 3 * CLAIM] {
        let kept = kept(life, |policy| policy).await;
        // Pauses of up to 1, 2 and 4 s: the fourth would be longer than what is left.
        let faults = (1..=3).map(|call| (call, unreachable.clone()));
        kept.provider.faults.lock().expect("no panic").extend(faults);
        pass(life * 2).await;
        assert_eq!(kept.state().await, State::Ready, "{life:?}");
        assert!(kept.wall.now() < kept.expiry(), "{life:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_claim_of_another_process_is_looked_at_again_while_the_token_lives() {
    let kept = kept(Duration::from_secs(20), |policy| policy).await;
    // Another process claims the session when it is due, and saves its grant without a word to this one.
    pass(Duration::from_secs(13)).await;
    let record = kept.store.load(&key()).await.expect("a store in order").expect("a record");
    let attempt = rampauth_keeper::AttemptRef {
        id: rampauth_keeper::AttemptId::from_random(1),
        session: record.session,
        generation: record.generation,
    };
    let begin = rampauth_keeper::Operation::Begin {
        generation: record.generation,
        presents: record.tokens.as_ref().expect("tokens").presents,
        attempt: attempt.id,
        owner: rampauth_keeper::OwnerId::from_random(2),
        lease: CLAIM,
        settle: false,
    };
    kept.store.apply(&key(), begin).await.expect("begun");
    pass(Duration::from_secs(3)).await;
    assert_eq!(kept.provider.calls(), 0, "the claim is not this process's");
    // It gives the claim back unused: the token is presented before it dies at 20 s, not when the claim would lapse at 38 s.
    let back = rampauth_keeper::Operation::Conclude {
        attempt,
        conclusion: rampauth_keeper::Conclusion::NotSent,
        next_due: record.next_due,
        error: None,
    };
    kept.store.apply(&key(), back).await.expect("taken back");
    pass(Duration::from_secs(2)).await;
    assert_eq!(kept.provider.calls(), 1);
    assert_eq!(kept.state().await, State::Ready);
}
