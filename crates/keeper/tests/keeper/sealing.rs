//! Sealed tokens: what keepers with the right key, another or none make of them, and what is said where there is no key.

use rampauth_core::{Error, ErrorKind, Expiry, Outcome};
use rampauth_keeper::{
    Answer, EventKind, Keeper, MemoryStore, Operation, Record, SealingKey, SealingKeys, Session, SessionId, SessionKey,
    StoreExt as _, StoredTokens, reseal,
};
use rampauth_test_kit::logs::CaptureLogs;

use crate::support::{Fragile, LIFETIME, Provider, Wall, key, tokens};

/// A wall clock that goes with tokio's.
fn clock() -> impl Fn() -> std::time::SystemTime + Clone + Send + Sync + 'static {
    let wall = Wall::new();
    move || wall.now()
}

pub(crate) fn sealing_key(n: u8) -> SealingKey {
    SealingKey::from_bytes(&[n; 32])
}

fn keys(n: u8) -> SealingKeys {
    SealingKeys::new(sealing_key(n))
}

/// What several processes share.
struct Shared {
    store: Fragile,
    provider: Provider,
    clock: std::sync::Arc<dyn Fn() -> std::time::SystemTime + Send + Sync>,
}

impl Shared {
    fn new() -> Self {
        let clock = clock();
        let (store, provider) = (Fragile::new(clock.clone()), Provider::new(clock.clone()));
        Self { store, provider, clock: std::sync::Arc::new(clock) }
    }

    fn process(&self, keys: Option<SealingKeys>) -> Keeper {
        let clock = std::sync::Arc::clone(&self.clock);
        let builder = Keeper::builder(self.store.clone()).clock(move || clock());
        let builder = match keys {
            Some(keys) => builder.sealing(keys),
            None => builder.accept_unsealed(),
        };
        builder.spawn().expect("a keeper")
    }

    async fn session(&self, keys: Option<SealingKeys>) -> Result<Session, Error> {
        self.process(keys).session(key(), self.provider.clone()).await
    }

    /// A session with `access-0` and `refresh-0`.
    async fn logged_in(&self, keys: Option<SealingKeys>) -> Session {
        let session = self.session(keys).await.expect("a session");
        session.put(tokens(0, Expiry::At((self.clock)() + LIFETIME))).await.expect("saved");
        session
    }

    async fn text(&self) -> String {
        self.store.record().await.to_json().expose_secret().to_owned()
    }

    async fn sealed_with(&self) -> Option<String> {
        self.store.record().await.tokens.expect("tokens").sealed_with
    }
}

async fn access(session: &Session) -> String {
    session.access_token().await.expect("a token").expose_secret().to_owned()
}

#[tokio::test(start_paused = true)]
async fn the_store_sees_no_token_and_every_keeper_with_the_key_does() {
    let shared = Shared::new();
    let session = shared.logged_in(Some(keys(1))).await;
    session.refresh().await.expect("refreshed");
    let text = shared.text().await;
    assert!(text.contains("sealed-1:") && text.contains(sealing_key(1).id()), "{text}");
    for part in ["access-", "refresh-", "accessToken"] {
        assert!(!text.contains(part), "{part}: {text}");
    }
    let another = shared.session(Some(keys(2).with_readable(sealing_key(1)))).await.expect("a session");
    assert_eq!((access(&session).await, access(&another).await), ("access-1".to_owned(), "access-1".to_owned()));
    // What it saves is sealed with its own key, and read no more by those that do not have it.
    another.refresh().await.expect("refreshed");
    assert_eq!(shared.provider.presented(), ["refresh-0", "refresh-1"]);
    assert_eq!(shared.sealed_with().await.as_deref(), Some(sealing_key(2).id()));
}

#[tokio::test(start_paused = true)]
async fn another_key_is_an_error_that_names_the_right_one_and_changes_nothing() {
    let shared = Shared::new();
    shared.logged_in(Some(keys(1))).await;
    let before = shared.text().await;
    let id = sealing_key(1).id().to_owned();
    for (keys, given) in [(Some(keys(2)), "which is not among the keys given"), (None, "and no key is given")] {
        let keeper = shared.process(keys.clone());
        let error = keeper.session(key(), shared.provider.clone()).await.expect_err("sealed with another key");
        assert_eq!(
            error.to_string(),
            format!("failed to read the session: the tokens of fake/test/account are sealed with key {id}, {given}")
        );
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Config, Outcome::NotSent));
        // Another session is not concerned.
        let other = SessionKey::parse("fake/test/other").expect("a key");
        let other = keeper.session(other, shared.provider.clone()).await.expect("a session");
        other.put(tokens(7, Expiry::At((shared.clock)() + LIFETIME))).await.expect("saved");
        assert_eq!(access(&other).await, "access-7");
        other.remove().await.expect("removed");
    }
    assert_eq!((shared.text().await, shared.provider.calls()), (before, 0));
}

#[tokio::test(start_paused = true)]
async fn once_the_key_is_lost_a_logout_makes_room_for_a_login() {
    let shared = Shared::new();
    shared.logged_in(Some(keys(1))).await;
    let keeper = shared.process(Some(keys(2)));
    let error = keeper.session(key(), shared.provider.clone()).await.expect_err("sealed with another key");
    assert!(error.help().contains("`Keeper::remove`"), "{}", error.help());
    keeper.remove(&key()).await.expect("removed");
    let session = keeper.session(key(), shared.provider.clone()).await.expect("nothing is sealed any more");
    assert_eq!(session.access_token().await.expect_err("no login yet").kind(), ErrorKind::LoginNeeded);
    session.put(tokens(7, Expiry::At((shared.clock)() + LIFETIME))).await.expect("saved");
    assert_eq!(access(&session).await, "access-7");
    assert_eq!((shared.sealed_with().await.as_deref(), shared.provider.calls()), (Some(sealing_key(2).id()), 0));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_sealed_anew_with_a_strange_key_goes_on_as_long_as_its_token() {
    let shared = Shared::new();
    let keeper = shared.process(Some(keys(1)));
    let session = keeper.session(key(), shared.provider.clone()).await.expect("a session");
    session.put(tokens(0, Expiry::At((shared.clock)() + LIFETIME))).await.expect("saved");
    let mut events = keeper.events();
    reseal(&shared.store, &keys(2).with_readable(sealing_key(1))).await.expect("sealed anew");
    let before = shared.text().await;
    let error = session.refresh().await.expect_err("sealed with another key");
    assert!(error.to_string().contains(sealing_key(2).id()), "{error}");
    let told = std::iter::from_fn(|| events.try_next()).any(|event| matches!(event.kind, EventKind::RefreshFailed(_)));
    assert!(told, "a background refresh would fail unseen");
    assert_eq!(access(&session).await, "access-0");
    assert_eq!((shared.text().await, shared.provider.calls()), (before, 0));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_was_copied_from_another_session_does_not_open() {
    let shared = Shared::new();
    shared.logged_in(Some(keys(1))).await;
    let stolen: StoredTokens = shared.store.record().await.tokens.expect("tokens");
    let other = SessionKey::parse("fake/test/other").expect("a key");
    let put = Operation::Put { session: SessionId::from_random(7), expect: None, tokens: stolen };
    assert!(matches!(shared.store.apply(&other, put).await, Ok(Answer::Saved(_))));
    let error = shared.process(Some(keys(1))).session(other, shared.provider.clone()).await.expect_err("out of place");
    let id = sealing_key(1).id().to_owned();
    assert_eq!(
        error.to_string(),
        format!(
            "failed to read the session: the tokens of fake/test/other do not open with key {id}, which sealed them: they were \
             changed, or belong elsewhere"
        )
    );
    assert_eq!(error.kind(), ErrorKind::Internal);
}

#[tokio::test(start_paused = true)]
async fn what_is_unsealed_is_read_with_a_key_and_sealed_when_it_is_saved_next() {
    let shared = Shared::new();
    shared.logged_in(None).await;
    assert!(shared.text().await.contains("refresh-0"));
    let session = shared.session(Some(keys(1))).await.expect("a session");
    assert_eq!((access(&session).await.as_str(), shared.sealed_with().await), ("access-0", None));
    session.refresh().await.expect("refreshed");
    assert_eq!(shared.sealed_with().await.as_deref(), Some(sealing_key(1).id()));
    assert!(!shared.text().await.contains("refresh-"));
}

#[tokio::test(start_paused = true)]
async fn tokens_that_are_held_while_the_store_is_out_of_order_are_saved_sealed() {
    let shared = Shared::new();
    let session = shared.logged_in(Some(keys(1))).await;
    shared.store.refuse_commits(true);
    session.refresh().await.expect_err("not saved");
    assert_eq!(access(&session).await, "access-1");
    shared.store.refuse_commits(false);
    session.refresh().await.expect("saved, and refreshed");
    assert!(!shared.text().await.contains("refresh-"));
    assert_eq!(shared.provider.presented(), ["refresh-0", "refresh-1"]);
}

#[tokio::test(start_paused = true)]
async fn tokens_that_go_unsealed_to_a_lasting_store_are_warned_of_once() {
    const WARNING: &str = "tokens are stored unsealed";
    async fn said(builder: rampauth_keeper::KeeperBuilder) -> usize {
        let logs = CaptureLogs::start();
        let keeper = builder.spawn().expect("a keeper");
        let provider = Provider::new(clock());
        for name in ["fake/test/one", "fake/test/two"] {
            let session = keeper.session(SessionKey::parse(name).expect("a key"), provider.clone()).await;
            let session = session.expect("a session");
            assert!(name.ends_with("two") || !logs.text().contains(WARNING), "before anything is written");
            session.put(tokens(0, Expiry::Unknown)).await.expect("saved");
            session.refresh().await.expect("refreshed");
        }
        logs.text().lines().filter(|line| line.contains(WARNING) && line.starts_with("WARN")).count()
    }
    let lasting = || Keeper::builder(Fragile::new(clock()));
    assert_eq!(said(lasting()).await, 1);
    assert_eq!(said(Keeper::builder(std::sync::Arc::new(Fragile::new(clock())))).await, 1);
    assert_eq!(said(lasting().sealing(keys(1))).await, 0);
    assert_eq!(said(lasting().accept_unsealed()).await, 0);
    assert_eq!(said(Keeper::builder(MemoryStore::new())).await, 0);
    assert_eq!(said(Keeper::builder(std::sync::Arc::new(MemoryStore::new()))).await, 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_session_but_its_seals_changes_when_it_is_sealed_anew() {
    let shared = Shared::new();
    shared.logged_in(Some(keys(1))).await;
    let seals = |mut record: Record| {
        let tokens = record.tokens.as_mut().expect("tokens");
        (tokens.payload, tokens.sealed_with) = ("".into(), None);
        record.updated_at = std::time::UNIX_EPOCH;
        record.to_json().expose_secret().to_owned()
    };
    let before = seals(shared.store.record().await);
    let both = keys(2).with_readable(sealing_key(1));
    let report = reseal(&shared.store, &both).await.expect("sealed anew");
    assert_eq!((report.resealed, report.current, report.failed.len()), (vec![key()], vec![], 0));
    assert_eq!(seals(shared.store.record().await), before);
    let report = reseal(&shared.store, &both).await.expect("nothing to do");
    assert_eq!((report.resealed, report.current, report.failed.len()), (vec![], vec![key()], 0));
    // The old key can go.
    let session = shared.session(Some(keys(2))).await.expect("a session");
    assert_eq!(access(&session).await, "access-0");
}

#[tokio::test(start_paused = true)]
async fn a_keeper_goes_on_with_other_keys_that_can_read_what_it_sealed() {
    let shared = Shared::new();
    let keeper = shared.process(Some(keys(1)));
    let session = keeper.session(key(), shared.provider.clone()).await.expect("a session");
    session.put(tokens(0, Expiry::At((shared.clock)() + LIFETIME))).await.expect("saved");
    let error = keeper.seal_with(keys(2)).expect_err("what key 1 sealed could not be read");
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Config, Outcome::NotSent));
    assert!(error.to_string().contains(sealing_key(1).id()), "{error}");
    session.refresh().await.expect("as before");
    assert_eq!(shared.sealed_with().await.as_deref(), Some(sealing_key(1).id()));
    keeper.seal_with(keys(2).with_readable(sealing_key(1))).expect("both");
    session.refresh().await.expect("the old one is read");
    assert_eq!(shared.sealed_with().await.as_deref(), Some(sealing_key(2).id()));
    keeper.seal_with(keys(2)).expect("the old one is needed no more");
    session.refresh().await.expect("the new one is read");
    assert_eq!(access(&session).await, "access-3");
}

#[tokio::test(start_paused = true)]
async fn a_keeper_without_a_key_begins_to_seal() {
    let shared = Shared::new();
    let keeper = shared.process(None);
    let session = keeper.session(key(), shared.provider.clone()).await.expect("a session");
    session.put(tokens(0, Expiry::At((shared.clock)() + LIFETIME))).await.expect("saved");
    keeper.seal_with(keys(1)).expect("a first key");
    session.refresh().await.expect("what is not sealed is read");
    assert_eq!(shared.sealed_with().await.as_deref(), Some(sealing_key(1).id()));
}
