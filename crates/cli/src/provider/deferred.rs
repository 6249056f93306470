//! A client that is loaded when a command turns out to need it: one that finds a usable token reads no key and sets up no TLS.

use std::sync::OnceLock;

use async_trait::async_trait;
use rampauth_core::{Error, ErrorKind, Outcome, Refresh, RefreshPolicy, TokenSet};

use crate::config::Profile;

pub(crate) struct Deferred {
    policy: RefreshPolicy,
    client: OnceLock<Box<dyn Refresh>>,
}

impl Deferred {
    /// Knows the rules of the profile's provider, and can send nothing yet.
    pub(crate) fn new(profile: &Profile) -> Self {
        Self { policy: profile.policy(), client: OnceLock::new() }
    }

    /// Loads all that sending takes.
    ///
    /// # Errors
    ///
    /// As [`Profile::client`].
    pub(crate) fn load(&self, profile: &Profile) -> Result<(), Error> {
        if self.client.get().is_none() {
            // Where another was faster, that one is as good.
            drop(self.client.set(profile.client()?));
        }
        Ok(())
    }
}

#[async_trait]
impl Refresh for Deferred {
    fn policy(&self) -> &RefreshPolicy {
        &self.policy
    }

    async fn refresh(&self, current: &TokenSet) -> Result<TokenSet, Error> {
        match self.client.get() {
            Some(client) => client.refresh(current).await,
            None => {
                let reason = "its client was not loaded";
                Err(Error::new(ErrorKind::Internal, Outcome::NotSent, "refresh the tokens", reason))
            }
        }
    }
}
