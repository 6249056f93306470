//! The keeper: one per process, owner of every refresh that its sessions need.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Once, RwLock};
use std::time::Duration;

use rampauth_core::{Error, ErrorKind, Outcome, Refresh};
use rampauth_store::{OwnerId, SessionKey, Store, StoreError, StoreErrorKind};
use tokio::runtime::Handle;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::builder::KeeperBuilder;
use crate::clock::steady::Steady;
use crate::event::{Event, EventKind, Events};
use crate::generic::permits::PermitsByProvider;
use crate::generic::registry::Registry;
use crate::generic::schedule::Schedule;
use crate::metrics;
use crate::session::{Inner, Session};
use crate::session_options::SessionOptions;
use crate::tokens::sealing::SealingKeys;

/// Keeps sessions fresh: refreshes ahead of need, once for all who wait, and journals each presentation before it leaves.
///
/// Cheap to clone. Refreshes run on the runtime that the keeper was built on and belong to it: a caller that is dropped, times
/// out or panics changes nothing about them.
///
/// It ends with the last handle on it and on its sessions; what is in flight then is saved first. [`shutdown`](Self::shutdown)
/// waits for that.
#[derive(Clone)]
pub struct Keeper {
    pub(crate) shared: Arc<Shared>,
}

/// What all sessions of a keeper have in common.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    /// Replaced as a whole while the keeper works.
    pub(crate) sealing: RwLock<Option<Arc<SealingKeys>>>,
    pub(crate) accept_unsealed: bool,
    /// Whether it was said that tokens are stored unsealed.
    pub(crate) warned: Once,
    pub(crate) clock: Steady,
    pub(crate) options: Options,
    pub(crate) owner: OwnerId,
    pub(crate) runtime: Handle,
    pub(crate) tasks: TaskTracker,
    /// Cancelled at shutdown, and when nobody holds the keeper any more: nothing new is presented from then on.
    pub(crate) closing: CancellationToken,
    pub(crate) schedule: Arc<Schedule<Inner>>,
    pub(crate) permits: PermitsByProvider,
    /// Counts the records that are remembered.
    pub(crate) remembered: Arc<()>,
    pub(crate) sessions: Registry,
    pub(crate) events: broadcast::Sender<Event>,
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// A presentation, from sending to the whole answer.
    pub(crate) request: Duration,
    /// Saving what it brought.
    pub(crate) save: Duration,
    /// A claim.
    pub(crate) lease: Duration,
    /// The first pause after a failure, and the longest.
    pub(crate) floor: (Duration, Duration),
    /// How many refusals in a row make a session without a usable access token failing.
    pub(crate) failing_after: u32,
}

impl Keeper {
    /// A keeper over this store.
    pub fn builder(store: impl Store + 'static) -> KeeperBuilder {
        KeeperBuilder::new(Arc::new(store))
    }

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
    /// [`ErrorKind::Internal`] when the store cannot be read, or holds something damaged under this key; [`ErrorKind::Config`] when
    /// its tokens are sealed with a key that was not given. Where that key is lost, [`remove`](Self::remove) makes room for a login.
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
        Session::open(Arc::clone(&self.shared), key, shared(provider), options).await
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
        match self.shared.load(key).await? {
            Some(record) => self.shared.remove(key, record.session).await,
            None => Ok(()),
        }
    }

    /// Whose presentations this keeper's are: drawn when it started, and in the record of every session that it claims.
    pub fn owner(&self) -> OwnerId {
        self.shared.owner
    }

    /// What happens to all sessions from now on; what happened before is not told again. Read them all along: a reader that
    /// falls behind by more than 1,024 loses the oldest, and with an [`EventKind::Unclaimed`] the tokens in it. They end with the
    /// keeper.
    pub fn events(&self) -> Events {
        Events::new(self.shared.events.subscribe())
    }

    /// Starts no refresh any more and waits for those in flight, until their answers are saved or their doubt is journalled.
    /// Then it tries to save what the store has not taken so far, a few times and for no longer than two
    /// [`save_deadline`](KeeperBuilder::save_deadline)s. What is not saved then is told once more as
    /// [`EventKind::SaveFailed`] and stays readable through [`Session::tokens`]; asked again, it tries again.
    pub async fn shutdown(&self) {
        self.shared.closing.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
        for session in self.shared.sessions.held() {
            // All at once: each of them may have to wait for the store.
            let save = async move { session.save_before_the_end().await };
            self.shared.tasks.spawn_on(save, &self.shared.runtime);
        }
        self.shared.tasks.wait().await;
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Whoever wakes sessions need not wait for the next heartbeat.
        self.closing.cancel();
    }
}

impl Shared {
    pub(crate) fn tell(&self, key: &SessionKey, generation: u64, kind: EventKind) {
        metrics::happened(key, &kind);
        // Nobody has to listen.
        drop(self.events.send(Event { key: key.clone(), generation, kind }));
    }

    /// A step in the store; `outcome` says how far the provider's call has got when it fails.
    pub(crate) async fn in_time<T>(
        &self,
        outcome: Outcome,
        key: &SessionKey,
        step: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, Error> {
        let failed = |reason: Cow<'static, str>, error: StoreError| {
            Error::new(ErrorKind::Internal, outcome, "use the store", reason).with_source(error)
        };
        let limit = self.options.save;
        match tokio::time::timeout(limit, step).await {
            Ok(answer) => answer.map_err(|error| failed("the store failed".into(), error)),
            Err(_) => {
                // A store that says itself why it takes so long has named the session; this one has not.
                let error = format!("failed to use {key}: the store did not answer within {limit:?}");
                let reason = format!("the store did not answer for {key} within {limit:?}");
                Err(failed(reason.into(), StoreError::new(StoreErrorKind::Unavailable, error))
                    .with_help("see what keeps the store; the step may have been carried out, and can be repeated"))
            }
        }
    }

    /// Says once, before tokens go unsealed to where others may read them, that they do.
    pub(crate) fn warn_of_unsealed_tokens(&self) {
        if self.sealing_keys().is_none() && !self.accept_unsealed && self.store.outlives_the_process() {
            self.warned.call_once(|| {
                tracing::warn!(
                    target: "rampauth_keeper",
                    "tokens are stored unsealed: whoever can read the store has them; give the keeper a sealing key"
                );
            });
        }
    }
}

/// A provider for one session: the one that was given, where that is shared already.
fn shared(provider: impl Refresh + 'static) -> Arc<dyn Refresh> {
    match (&provider as &dyn Any).downcast_ref::<Arc<dyn Refresh>>() {
        Some(shared) => Arc::clone(shared),
        None => Arc::new(provider),
    }
}

/// 128 random bits.
#[expect(clippy::disallowed_methods, reason = "the one source of ids that no two processes share")]
pub(crate) fn random() -> Result<u128, Error> {
    let mut bits = [0; 16];
    match getrandom::fill(&mut bits) {
        Ok(()) => Ok(u128::from_ne_bytes(bits)),
        Err(_) => {
            let reason = "the system gives no random numbers";
            Err(Error::new(ErrorKind::Internal, Outcome::NotSent, "draw an id", reason))
        }
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").field("options", &self.shared.options).finish_non_exhaustive()
    }
}
