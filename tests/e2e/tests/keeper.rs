//! The keeper with real clients and stores against the sandbox, whose refresh tokens work once: no spent token is presented,
//! and readers always have a live one.

use std::time::{Duration, Instant};

use rampauth_alix::{BaseUrl, CardClient, Config, PartnerCode, RsaSigningKey, SecretKey};
use rampauth_core::{AccessToken, Expiry, RefreshToken, TokenSet};
use rampauth_keeper::{EventKind, Keeper, MemoryStore, SessionKey, StoreExt as _};
use rampauth_sandbox::{Call, Event, Sandbox, Verdict};
use rampauth_store_sqlite::SqliteStore;

fn key() -> SessionKey {
    SessionKey::parse("alix-card/sandbox/zencardtest").expect("a key")
}

fn client(sandbox: &Sandbox) -> CardClient {
    let partner = &sandbox.credentials().alix;
    let config = Config::new(
        BaseUrl::parse(sandbox.url()).expect("a base URL"),
        PartnerCode::new(&partner.partner_code).expect("a partner code"),
        SecretKey::new(&partner.secret_key).expect("a secret key"),
        RsaSigningKey::parse(&partner.signing_key).expect("the partner's key"),
    );
    CardClient::new(config).expect("a client")
}

fn login(sandbox: &Sandbox) -> TokenSet {
    let issued = sandbox.issue(Call::AlixCard);
    let access = AccessToken::new(issued.access_token).expect("a token");
    let refresh = RefreshToken::new(issued.refresh_token.expect("a refresh token")).expect("a token");
    let refresh_expiry = issued.refresh_token_expires_at.map_or(Expiry::Unknown, Expiry::At);
    TokenSet::new()
        .with_access_token(access, Expiry::At(issued.access_token_expires_at))
        .with_refresh_token(refresh, refresh_expiry)
}

fn refused(sandbox: &Sandbox) -> Vec<Event> {
    sandbox.events().into_iter().filter(|event| event.verdict == Verdict::Refused).collect()
}

#[expect(clippy::disallowed_methods, reason = "a test that watches real time pass")]
async fn read_for(session: &rampauth_keeper::Session, time: Duration) -> usize {
    let end = Instant::now() + time;
    let mut different = Vec::new();
    while Instant::now() < end {
        let token = session.access_token().await.expect("a live token").expose_secret().to_owned();
        if !different.contains(&token) {
            different.push(token);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    different.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_lived_token_is_kept_fresh_through_rotations_while_many_read_it() {
    let sandbox = Sandbox::builder().access_lifetime(Duration::from_secs(3)).start().await.expect("a sandbox");
    let keeper = Keeper::builder(MemoryStore::new()).spawn().expect("a keeper");
    let mut events = keeper.events();
    let session = keeper.session(key(), client(&sandbox)).await.expect("a session");
    session.put(login(&sandbox)).await.expect("saved");
    let readers: Vec<_> = (0..8)
        .map(|_| {
            let session = session.clone();
            tokio::spawn(async move { read_for(&session, Duration::from_secs(8)).await })
        })
        .collect();
    for reader in readers {
        assert!(reader.await.expect("no panic") >= 3, "rotations pass under its eyes");
    }
    keeper.shutdown().await;
    assert!(refused(&sandbox).is_empty(), "{:?}", refused(&sandbox));
    let refreshed = std::iter::from_fn(|| events.try_next());
    let refreshed = refreshed.filter(|event| matches!(event.kind, EventKind::Refreshed)).count();
    assert_eq!(refreshed, sandbox.events().len(), "every call is one refresh that was told of");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keepers_that_share_a_file_never_present_a_spent_token() {
    let sandbox = Sandbox::builder().access_lifetime(Duration::from_secs(3)).start().await.expect("a sandbox");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rampauth.db");
    let mut keepers = Vec::new();
    for number in 0..4 {
        let keeper = Keeper::builder(SqliteStore::open(&file).expect("a store")).spawn().expect("a keeper");
        let session = keeper.session(key(), client(&sandbox)).await.expect("a session");
        if number == 0 {
            session.put(login(&sandbox)).await.expect("saved");
        }
        keepers.push((keeper, session));
    }
    let readers: Vec<_> = keepers
        .iter()
        .map(|(_, session)| {
            let session = session.clone();
            tokio::spawn(async move { read_for(&session, Duration::from_secs(8)).await })
        })
        .collect();
    for reader in readers {
        assert!(reader.await.expect("no panic") >= 2, "it sees what the others refreshed");
    }
    for (keeper, _) in &keepers {
        keeper.shutdown().await;
    }
    assert!(refused(&sandbox).is_empty(), "{:?}", refused(&sandbox));
    let record = SqliteStore::open(&file).expect("a store").load(&key()).await.expect("readable").expect("a record");
    assert_eq!(record.generation, 1 + sandbox.events().len() as u64, "each call is one generation");
}
