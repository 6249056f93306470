//! Ours: a session over the in-memory store, whose refresh is answered here.

use std::error::Error;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use rampauth_core::{AccessToken, Expiry, Presents, Refresh, RefreshPolicy, RefreshToken, TokenSet};
use rampauth_keeper::{Keeper, MemoryStore, Session, SessionKey};

use crate::holder::Holder;
use crate::issuer::{Issuer, LIFETIME_SECONDS};

struct Provider {
    issuer: Issuer,
    policy: RefreshPolicy,
}

#[async_trait]
impl Refresh for Provider {
    fn policy(&self) -> &RefreshPolicy {
        &self.policy
    }

    #[expect(clippy::disallowed_methods, reason = "the issuer's own clock")]
    async fn refresh(&self, current: &TokenSet) -> Result<TokenSet, rampauth_core::Error> {
        let expiry = Expiry::At(SystemTime::now() + Duration::from_secs(LIFETIME_SECONDS));
        Ok(current.clone().with_access_token(AccessToken::new(self.issuer.issue())?, expiry))
    }
}

impl Holder for Session {
    async fn read(&self, show: impl FnOnce(&str) + Send) {
        show(self.try_access_token().expect("a fresh token").expose_secret());
    }
}

pub(crate) async fn hold(issuer: Issuer) -> Result<impl Holder, Box<dyn Error>> {
    let keeper = Keeper::builder(MemoryStore::new()).spawn()?;
    let provider = Provider { issuer, policy: RefreshPolicy::new(Presents::RefreshToken) };
    let session = keeper.session(SessionKey::parse("bench/loopback/ours")?, provider).await?;
    session.put(TokenSet::new().with_refresh_token(RefreshToken::new("from-a-login")?, Expiry::Unknown)).await?;
    session.access_token().await?;
    Ok(session)
}
