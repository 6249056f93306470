//! The keeper on a machine whose clock is 20 minutes off the provider's: one refresh, tokens that are handed out, and the next
//! refresh in time.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rampauth_core::{AccessToken, Clock, Expiry, Refresh, RefreshToken, SystemClock, TokenSet};
use rampauth_keeper::{EventKind, Keeper, MemoryStore, SessionKey, StoreExt as _};
use rampauth_sandbox::{Call, Sandbox};

const TWENTY_MINUTES: Duration = Duration::from_secs(20 * 60);
const TWO_DAYS: Duration = Duration::from_secs(2 * 86_400);

/// This machine's clock in a test: ahead of the sandbox's, or behind it because the sandbox's was moved.
#[derive(Clone, Copy)]
enum Here {
    Ahead,
    Behind,
    DaysAhead,
}

impl Here {
    async fn sandbox(self) -> Sandbox {
        let sandbox = Sandbox::start().await.expect("a sandbox");
        if let Self::Behind = self {
            sandbox.advance(TWENTY_MINUTES);
        }
        sandbox
    }

    fn now(self) -> SystemTime {
        match self {
            Self::Ahead => SystemClock.now() + TWENTY_MINUTES,
            Self::Behind => SystemClock.now(),
            Self::DaysAhead => SystemClock.now() + TWO_DAYS,
        }
    }

    fn card(self, sandbox: &Sandbox) -> Arc<dyn Refresh> {
        use rampauth_alix::{BaseUrl, CardClient, Config, PartnerCode, RsaSigningKey, SecretKey};
        let partner = &sandbox.credentials().alix;
        let config = Config::new(
            BaseUrl::parse(sandbox.url()).expect("a base URL"),
            PartnerCode::new(&partner.partner_code).expect("a partner code"),
            SecretKey::new(&partner.secret_key).expect("a secret key"),
            RsaSigningKey::parse(&partner.signing_key).expect("the partner's key"),
        );
        Arc::new(CardClient::new(config).expect("a client").with_clock(move || self.now()))
    }

    fn user(self, sandbox: &Sandbox) -> Arc<dyn Refresh> {
        use rampauth_transak::{ApiKey, BaseUrl, Config, UserClient};
        let config = Config::new(BaseUrl::parse(sandbox.url()).expect("a base URL"));
        let config = config.with_api_key(ApiKey::new(&sandbox.credentials().transak.api_key).expect("a key"));
        Arc::new(UserClient::new(config).expect("a client").with_clock(move || self.now()))
    }
}

/// The tokens of a login, whose expiries stand as they came.
fn login(sandbox: &Sandbox, call: Call) -> TokenSet {
    let issued = sandbox.issue(call);
    let access = AccessToken::new(issued.access_token).expect("a token");
    let set = TokenSet::new().with_access_token(access, Expiry::At(issued.access_token_expires_at));
    match issued.refresh_token {
        Some(refresh) => set.with_refresh_token(RefreshToken::new(refresh).expect("a token"), Expiry::Unknown),
        None => set,
    }
}

async fn keeps(here: Here, call: Call, lifetime: Duration, calls_at_most: usize) {
    let sandbox = here.sandbox().await;
    let provider = match call {
        Call::TransakUser => here.user(&sandbox),
        _ => here.card(&sandbox),
    };
    let store = MemoryStore::new().with_clock(move || here.now());
    let keeper = Keeper::builder(store.clone()).clock(move || here.now()).spawn().expect("a keeper");
    let mut events = keeper.events();
    let key = SessionKey::parse("any/sandbox/account").expect("a key");
    let session = keeper.session(key.clone(), provider).await.expect("a session");
    session.put(login(&sandbox, call)).await.expect("saved");
    session.refresh().await.expect("refreshed");
    let granted_at = here.now();
    let before = sandbox.events().len();
    assert!(before <= calls_at_most, "{before} calls");

    // It is handed out, and nothing else is sent for it.
    for _ in 0..20 {
        session.access_token().await.expect("a token");
        assert!(session.try_access_token().is_some());
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(sandbox.events().len(), before);

    // It lives for its life from now on by this machine's clock, and is refreshed in the last third of it at the latest.
    let record = store.load(&key).await.expect("a store in order").expect("a record");
    let tokens = record.tokens.as_ref().expect("tokens");
    let near = |time: SystemTime, wanted: SystemTime| {
        let apart = time.duration_since(wanted).unwrap_or_else(|error| error.duration());
        assert!(apart < Duration::from_secs(60), "{apart:?} apart");
    };
    near(tokens.access_expiry.time().expect("an expiry"), granted_at + lifetime);
    let due = tokens.next_due.expect("a time").duration_since(granted_at).expect("to come");
    assert!((lifetime.mul_f64(0.65)..lifetime.mul_f64(0.85)).contains(&due), "{due:?} of {lifetime:?}");

    // The difference is told once, and in the record.
    let (difference, _) = record.clock_difference().expect("a difference");
    assert_eq!(difference.is_ahead(), matches!(here, Here::Ahead));
    assert!(difference.by().abs_diff(TWENTY_MINUTES) < Duration::from_secs(60), "{difference}");
    let told = std::iter::from_fn(|| events.try_next()).filter(|it| matches!(it.kind, EventKind::ClocksDiffer(_)));
    assert_eq!(told.count(), 1);
    keeper.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_ahead_spends_one_refresh_and_hands_the_token_out() {
    // The login's token seems dead already, and is refreshed for that too.
    keeps(Here::Ahead, Call::AlixCard, Duration::from_secs(900), 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_behind_hands_out_no_dead_token() {
    keeps(Here::Behind, Call::AlixCard, Duration::from_secs(900), 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_says_itself_when_it_expires_is_read_by_the_providers_clock_too() {
    for here in [Here::Ahead, Here::Behind] {
        keeps(here, Call::TransakUser, Duration::from_secs(30 * 86_400), 1).await;
    }
}

/// Such a `date` is none that a life may be counted by, so that nothing can be handed out: every word about it names the clock, and
/// what is granted meanwhile is stored and not asked for in a loop.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_days_ahead_is_named_and_refreshes_in_no_loop() {
    let here = Here::DaysAhead;
    let sandbox = here.sandbox().await;
    let store = MemoryStore::new().with_clock(move || here.now());
    let keeper = Keeper::builder(store.clone()).clock(move || here.now()).spawn().expect("a keeper");
    let mut events = keeper.events();
    let key = SessionKey::parse("any/sandbox/account").expect("a key");
    let session = keeper.session(key.clone(), here.card(&sandbox)).await.expect("a session");
    session.put(login(&sandbox, Call::AlixCard)).await.expect("saved");
    let error = session.refresh().await.expect_err("expired already");
    let named = "this machine's clock is 2 days ahead of the provider's";
    assert!(error.help().contains(named), "{error}: {}", error.help());
    assert!(error.clock_difference().is_some_and(|it| it.by() > TWO_DAYS - Duration::from_secs(60)));
    for _ in 0..20 {
        let error = session.access_token().await.expect_err("expired");
        assert!(error.help().contains(named), "{error}: {}", error.help());
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let calls = sandbox.events().len();
    assert!(calls <= 6, "{calls} calls");
    let record = store.load(&key).await.expect("a store in order").expect("a record");
    assert_eq!(record.clock_difference().map(|(difference, _)| difference.is_ahead()), Some(true));
    let told = std::iter::from_fn(|| events.try_next()).filter(|it| matches!(it.kind, EventKind::ClocksDiffer(_)));
    assert_eq!(told.count(), 1);
    keeper.shutdown().await;
}
