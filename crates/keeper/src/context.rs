//! What all sessions of a keeper have in common, and their way to the store. It holds no session.

use std::borrow::Cow;
use std::sync::{Arc, Once, PoisonError, RwLock};
use std::time::Duration;

use rampauth_core::{Error, ErrorKind, Outcome};
use rampauth_store::{Answer, Operation, OwnerId, Record, SessionKey, Store, StoreError, StoreErrorKind, apply};
use tokio::runtime::Handle;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::steady::Steady;
use crate::event::{Event, EventKind};
use crate::generic::permits::PermitsByProvider;
use crate::look::Look;
use crate::metrics;
use crate::plan::backoff::Pauses;
use crate::tokens::sealing::SealingKeys;

pub(crate) struct KeeperContext {
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
    pub(crate) permits: PermitsByProvider,
    /// Counts the records that are remembered.
    pub(crate) remembered: Arc<()>,
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
    /// After a failure.
    pub(crate) floor: Pauses,
    /// How many refusals in a row make a session without a usable access token failing.
    pub(crate) failing_after: u32,
}

impl KeeperContext {
    pub(crate) fn tell(&self, key: &SessionKey, generation: u64, kind: EventKind) {
        if let Some(counter) = kind.counter() {
            metrics::happened(key, counter);
        }
        // Nobody has to listen.
        drop(self.events.send(Event { key: key.clone(), generation, kind }));
    }

    /// The keys of this moment.
    pub(crate) fn sealing_keys(&self) -> Option<Arc<SealingKeys>> {
        self.sealing.read().unwrap_or_else(PoisonError::into_inner).clone()
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

    pub(crate) async fn look(&self, key: &SessionKey) -> Result<Look, Error> {
        let asked = self.clock.mark();
        let stored = self.in_time(Outcome::NotSent, key, self.store.read(key)).await?;
        Ok(Look::new(stored, asked))
    }

    pub(crate) async fn load(&self, key: &SessionKey) -> Result<Option<Record>, Error> {
        Ok(self.look(key).await?.into_record())
    }

    pub(crate) async fn apply(&self, key: &SessionKey, operation: Operation) -> Result<Answer, Error> {
        Ok(self.apply_on(key, None, operation, Outcome::NotSent).await?.0)
    }

    /// A step on the record as it was seen, and what is stored after it; `outcome` says how far the provider's call has got when it
    /// fails. A claim's age counts from before this call.
    pub(crate) async fn apply_on(
        &self,
        key: &SessionKey,
        seen: Option<&Look>,
        operation: Operation,
        outcome: Outcome,
    ) -> Result<(Answer, Look), Error> {
        let asked = self.clock.mark();
        let seen = seen.map(|look| look.seen_at(&asked));
        // On the heap: a step holds several records, and each refresh would hold them all along.
        let step = Box::pin(apply(&*self.store, key, seen, operation));
        let applied = self.in_time(outcome, key, step).await?;
        Ok((applied.answer, Look::new(applied.stored, asked)))
    }

    async fn in_time<T>(
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
}

impl Drop for KeeperContext {
    fn drop(&mut self) {
        // The task that wakes sessions need not wait for the next heartbeat.
        self.closing.cancel();
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

/// What is made of an answer of the store that does not belong to the operation.
pub(crate) fn unexpected_reply(outcome: Outcome, action: &'static str) -> Error {
    let reason = "the store gave an answer that does not belong to the question";
    Error::new(ErrorKind::Internal, outcome, action, reason)
}
