//! What a program needs that changes its settings while it runs, and that ends without losing what it holds alone.

use std::sync::{Arc, PoisonError};

use rampauth_core::{Error, TokenSet};
use rampauth_store::SessionKey;

use crate::keeper::Keeper;
use crate::tokens::encoding;
use crate::tokens::sealing::SealingKeys;

impl Keeper {
    /// The tokens that were granted and that the store has not taken, by session, whether anybody has a handle on it or not. This
    /// process alone holds them: when it ends they are lost, unless they are written somewhere else. Ask after
    /// [`shutdown`](Self::shutdown), which tries to save them; before it, some may be on their way into the store just now.
    pub fn unsaved(&self) -> Vec<(SessionKey, TokenSet)> {
        let keys = self.sessions.context.sealing_keys();
        let mut unsaved = Vec::new();
        for session in self.sessions.registry.all() {
            let Some(held) = session.flight().held() else { continue };
            if let Ok(tokens) = encoding::open(&held.tokens, session.seal(keys.as_deref())) {
                unsaved.push((session.key.clone(), tokens));
            }
        }
        unsaved
    }

    /// Whether this keeper still has the session of this key: somebody has a handle on it, its refresh is under way, or it holds
    /// tokens that the store has not taken. Once it has not, another keeper of the same process may open it, with other settings,
    /// without presenting a token that this one is about to replace.
    pub fn holds(&self, key: &SessionKey) -> bool {
        self.sessions.registry.find(key).is_some()
    }

    /// Seals with these keys from now on, and opens what they sealed. A keeper that sealed with none begins to.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](rampauth_core::ErrorKind::Config) when the key that seals until now is not among the new ones: what it
    /// sealed could not be opened any more. Nothing is changed then.
    pub fn seal_with(&self, keys: SealingKeys) -> Result<(), Error> {
        let mut sealing = self.sessions.context.sealing.write().unwrap_or_else(PoisonError::into_inner);
        let now = sealing.as_ref().map(|now| now.sealing().id());
        if let Some(id) = now.filter(|id| keys.find(id).is_none()) {
            let reason = format!("key {id}, which seals the tokens until now, is not among the new ones");
            let help = "give it as one that can be read as well, until all tokens are sealed anew";
            return Err(Error::config("change the sealing key", reason).with_help(help));
        }
        *sealing = Some(Arc::new(keys));
        Ok(())
    }
}
