//! The client of a session that is kept: it can be exchanged for one with other settings while the session is open.

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use rampauth_core::{Error, Refresh, RefreshPolicy, TokenSet};

pub(super) struct Client {
    policy: RefreshPolicy,
    current: RwLock<Arc<dyn Refresh>>,
}

impl Client {
    pub(super) fn new(client: Arc<dyn Refresh>) -> Self {
        Self { policy: *client.policy(), current: RwLock::new(client) }
    }

    /// Refreshes with another client from now on; a request under way goes on with the one that it began with. `false` where the
    /// other one's rules differ: those of an open session stay.
    pub(super) fn replace(&self, client: Arc<dyn Refresh>) -> bool {
        let alike = self.policy == *client.policy();
        if alike {
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = client;
        }
        alike
    }
}

#[async_trait]
impl Refresh for Client {
    fn policy(&self) -> &RefreshPolicy {
        &self.policy
    }

    async fn refresh(&self, current: &TokenSet) -> Result<TokenSet, Error> {
        let client = Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner));
        client.refresh(current).await
    }
}
