//! `keep` with some hundred profiles, which share keys and HTTP clients. `RAMPAUTH_PROFILES` sets another number, to see how long
//! it takes to start with (BENCHMARKS.md).

use std::fmt::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use rampauth_core::{AccessToken, Error, Expiry, Presents, Refresh, RefreshPolicy, RefreshToken, TokenSet};
use rampauth_keeper::{Keeper, SealingKey, SealingKeys, SessionKey};
use rampauth_store_sqlite::SqliteStore;

use crate::keep::Keeping;
use crate::support::{Home, SEALED, SEALING_KEY};

const ADDRESS: &str = "127.0.0.1:9";

/// Never asked to refresh.
struct Nobody(RefreshPolicy);

#[async_trait]
impl Refresh for Nobody {
    fn policy(&self) -> &RefreshPolicy {
        &self.0
    }

    async fn refresh(&self, _: &TokenSet) -> Result<TokenSet, Error> {
        unreachable!("the tokens are fresh")
    }
}

/// As many logins of `alix-card`, in a store that is written without the command line, which would take as many processes.
async fn import(home: &Home, profiles: usize) {
    let store = SqliteStore::open(home.path().join("rampauth.db")).expect("a store");
    let keys = SealingKeys::new(SealingKey::parse(SEALING_KEY.trim()).expect("a key"));
    let keeper = Keeper::builder(store).sealing(keys).on_demand().spawn().expect("a keeper");
    let nobody = Arc::new(Nobody(RefreshPolicy::new(Presents::RefreshToken)));
    let expiry = Expiry::At(std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(4_900_000_000));
    for number in 0..profiles {
        let key = SessionKey::parse(format!("alix-card/{ADDRESS}/p{number}")).expect("a key");
        let session = keeper.session(key, Arc::clone(&nobody)).await.expect("a session");
        let token = format!("t{number}");
        let tokens = TokenSet::new()
            .with_access_token(AccessToken::new(&token).expect("a token"), expiry)
            .with_refresh_token(RefreshToken::new(&token).expect("a token"), Expiry::Unknown);
        session.put(tokens).await.expect("stored");
    }
    keeper.shutdown().await;
}

#[expect(clippy::disallowed_methods, reason = "who measures says in the environment with how many")]
fn number_of_profiles() -> usize {
    std::env::var("RAMPAUTH_PROFILES").ok().and_then(|number| number.parse().ok()).unwrap_or(300)
}

#[expect(clippy::disallowed_methods, reason = "time that is printed, and that nothing depends on")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

#[test]
fn some_hundred_profiles_are_kept_and_read_again() {
    let profiles = number_of_profiles();
    let mut config = SEALED.to_owned();
    for number in 0..profiles {
        write!(
            config,
            "[profile.p{number}]\nprovider = \"alix-card\"\nbase_url = \"http://{ADDRESS}\"\npartner_code = \"c\"\n\
             secret_key = {{ file = \"secret.txt\" }}\nsigning_key = {{ file = \"partner.pem\" }}\n"
        )
        .expect("a String takes all");
    }
    let home = Home::new(&config);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(import(&home, profiles));
    let start = now();
    let mut keeping = Keeping::start(&home, &[], "");
    keeping.until(&format!("started profiles={profiles} sessions={profiles}"));
    let started = start.elapsed();
    let start = now();
    keeping.signal("-HUP");
    keeping.until(&format!("the configuration was read again profiles={profiles} added=0 removed=0"));
    println!("{profiles} profiles: started after {started:?}, read again after {:?}", start.elapsed());
    let (code, log) = keeping.stop("-TERM");
    assert_eq!((code, log.matches("keeping the session").count()), (Some(0), profiles), "{log}");
    let last = profiles - 1;
    assert_eq!(home.run(&["token", &format!("p{last}")]).done().output(), format!("t{last}\n"));
}
