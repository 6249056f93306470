//! The keeper: one per process, owner of every refresh that its sessions need.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use rampauth_core::{Error, Refresh};
use rampauth_store::{OwnerId, SessionKey};

use crate::event::Events;
use crate::login;
use crate::session::Session;
use crate::session_options::SessionOptions;
use crate::state::session::Sessions;

/// Keeps sessions fresh: refreshes ahead of need, once for all who wait, and journals each presentation before it leaves.
///
/// Cheap to clone. Refreshes run on the runtime that the keeper was built on and belong to it: a caller that is dropped, times
/// out or panics changes nothing about them.
///
/// It ends with the last handle on it and on its sessions; what is in flight then is saved first. [`shutdown`](Self::shutdown)
/// waits for that.
#[derive(Clone)]
pub struct Keeper {
    pub(crate) sessions: Sessions,
}

impl Keeper {
    /// The session of this key, refreshed by `provider`. What the store holds of it is read now.
    ///
    /// Keep one and clone it: that costs nothing, where this reads the store. While a handle on the key's session is alive in
    /// this keeper, another one that is asked for shares it, its refresh and its tokens; the `provider` that comes with it is
    /// dropped, and the first one stays.
    ///
    /// An `Arc<dyn Refresh>` is shared as it is; anything else is held once per session.
    ///
    /// # Errors
    ///
    /// [`Internal`](rampauth_core::ErrorKind::Internal) when the store cannot be read, or holds something damaged under this key;
    /// [`Config`](rampauth_core::ErrorKind::Config) when its tokens are sealed with a key that was not given. Where that key is lost,
    /// [`remove`](Self::remove) makes room for a login.
    pub async fn session(&self, key: SessionKey, provider: impl Refresh + 'static) -> Result<Session, Error> {
        self.session_with(key, provider, SessionOptions::new()).await
    }

    /// The same with options of its own, which hold for as long as a handle on the session is alive: as with `provider`, the first
    /// ones stay.
    ///
    /// # Errors
    ///
    /// As [`session`](Self::session).
    pub async fn session_with(
        &self,
        key: SessionKey,
        provider: impl Refresh + 'static,
        options: SessionOptions,
    ) -> Result<Session, Error> {
        Session::open(&self.sessions, key, shared(provider), options).await
    }

    /// Ends the session of this key, whichever login is stored: as [`Session::remove`], and without a look at the tokens. So it
    /// works where [`session`](Self::session) does not, because the key that sealed them is lost or what was sealed is damaged;
    /// after it the session can be opened, for a login. Where nothing is stored nothing is done.
    ///
    /// ```
    /// use rampauth_core::{Error, Refresh, TokenSet};
    /// use rampauth_keeper::{Keeper, Session, SessionKey};
    ///
    /// /// Replaces a session whose sealing key is lost for good.
    /// async fn replace(
    ///     keeper: &Keeper,
    ///     key: SessionKey,
    ///     client: impl Refresh + 'static,
    ///     login: TokenSet,
    /// ) -> Result<Session, Error> {
    ///     keeper.remove(&key).await?;
    ///     let session = keeper.session(key, client).await?;
    ///     session.put(login).await?;
    ///     Ok(session)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Session::remove`]. A record that the store itself cannot read stays as it is: a store that can set one aside has a
    /// method of its own for that, such as `SqliteStore::set_aside`.
    pub async fn remove(&self, key: &SessionKey) -> Result<(), Error> {
        let Sessions { context, registry, .. } = &self.sessions;
        match context.load(key).await? {
            Some(record) => login::remove(context, registry, key, record.session).await,
            None => Ok(()),
        }
    }

    /// Whose presentations this keeper's are: drawn when it started, and in the record of every session that it claims.
    pub fn owner(&self) -> OwnerId {
        self.sessions.context.owner
    }

    /// What happens to all sessions from now on; what happened before is not told again. Read them all along: a reader that
    /// falls behind by more than 1,024 loses the oldest, and with an [`EventKind::Unclaimed`](crate::EventKind::Unclaimed) the tokens
    /// in it. They end with the keeper.
    pub fn events(&self) -> Events {
        Events::new(self.sessions.context.events.subscribe())
    }

    /// Starts no refresh any more and waits for those in flight, until their answers are saved or their doubt is journalled.
    /// Then it tries to save what the store has not taken so far, a few times and for no longer than two
    /// [`save_deadline`](crate::KeeperBuilder::save_deadline)s. What is not saved then is told once more as
    /// [`EventKind::SaveFailed`](crate::EventKind::SaveFailed) and stays readable through [`Session::tokens`]; asked again, it tries
    /// again.
    pub async fn shutdown(&self) {
        let Sessions { context, registry, .. } = &self.sessions;
        context.closing.cancel();
        context.tasks.close();
        context.tasks.wait().await;
        for session in registry.held() {
            // All at once: each of them may have to wait for the store.
            let save = async move { session.save_before_the_end().await };
            context.tasks.spawn_on(save, &context.runtime);
        }
        context.tasks.wait().await;
    }
}

/// A provider for one session: the one that was given, where that is shared already.
fn shared(provider: impl Refresh + 'static) -> Arc<dyn Refresh> {
    match (&provider as &dyn Any).downcast_ref::<Arc<dyn Refresh>>() {
        Some(shared) => Arc::clone(shared),
        None => Arc::new(provider),
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").field("options", &self.sessions.context.options).finish_non_exhaustive()
    }
}
