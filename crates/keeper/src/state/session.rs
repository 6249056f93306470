//! The data of one session: what readers see of it, the refresh under way, and how its records are read and shown.

use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use rampauth_core::{Error, Outcome, Refresh, TokenSet};
use rampauth_store::{Answer, MAX_AGE, Operation, Record, SessionId, SessionKey, State, StoredTokens};

use crate::context::KeeperContext;
use crate::event::EventKind;
use crate::generic::registry::{Keyed, Registry};
use crate::generic::schedule::{Schedule, Timed, Timer};
use crate::generic::single_flight::{Host, UnderWay};
use crate::look::Look;
use crate::metrics;
use crate::plan::policy;
use crate::session_options::SessionOptions;
use crate::state::refresh::{Flight, FlightGuard, Landing};
use crate::tokens::encoding;
use crate::tokens::sealing::{Seal, SealingKeys};
use crate::visible::snapshot::{Slot, Snapshot};

pub(crate) struct SessionState {
    pub(crate) context: Arc<KeeperContext>,
    pub(crate) registry: Arc<Registry<Self>>,
    pub(crate) schedule: Arc<Schedule<Self>>,
    pub(crate) key: SessionKey,
    pub(crate) provider: Arc<dyn Refresh>,
    pub(crate) options: SessionOptions,
    /// The end of the credential that was warned of, in minutes since 1970.
    pub(crate) warned: AtomicU32,
    pub(crate) slot: Slot,
    flight: Mutex<Option<Box<Flight>>>,
    timer: Timer,
}

/// The open sessions of a keeper.
#[derive(Clone)]
pub(crate) struct Sessions {
    pub(crate) context: Arc<KeeperContext>,
    pub(crate) registry: Arc<Registry<SessionState>>,
    pub(crate) schedule: Arc<Schedule<SessionState>>,
}

/// The same for one who does not keep the keeper alive.
pub(crate) struct WeakSessions {
    context: Weak<KeeperContext>,
    registry: Arc<Registry<SessionState>>,
    schedule: Arc<Schedule<SessionState>>,
}

impl Sessions {
    pub(crate) fn downgrade(&self) -> WeakSessions {
        let Self { context, registry, schedule } = self.clone();
        WeakSessions { context: Arc::downgrade(&context), registry, schedule }
    }

    /// The open session of this key; where there is none, one that knows nothing of its record yet.
    pub(crate) fn open(
        &self,
        key: SessionKey,
        provider: Arc<dyn Refresh>,
        options: SessionOptions,
    ) -> Arc<SessionState> {
        if self.context.permits.is_new(&key) {
            metrics::begin(&key);
        }
        self.registry.open(key, |key| {
            let Self { context, registry, schedule } = self.clone();
            let (slot, flight, timer) = (Slot::default(), Mutex::default(), Timer::new());
            let warned = AtomicU32::new(0);
            Arc::new(SessionState { context, registry, schedule, key, provider, options, warned, slot, flight, timer })
        })
    }
}

impl WeakSessions {
    /// The sessions, while anything holds the keeper: a handle on it or on a session, a refresh in flight, or tokens that are not
    /// saved yet.
    pub(crate) fn upgrade(&self) -> Option<Sessions> {
        let (registry, schedule) = (Arc::clone(&self.registry), Arc::clone(&self.schedule));
        self.context.upgrade().map(|context| Sessions { context, registry, schedule })
    }
}

impl SessionState {
    pub(crate) fn flight(&self) -> FlightGuard<'_> {
        FlightGuard(self.flight.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn tell(&self, generation: u64, kind: EventKind) {
        self.context.tell(&self.key, generation, kind);
    }

    /// Which login and generation readers see.
    pub(crate) fn generation(&self) -> Option<(SessionId, u64)> {
        self.slot.peek().as_ref().map(|snapshot| (snapshot.session, snapshot.generation))
    }

    /// How far the keeper's clock was ahead of the wall clock when this process saw the tokens first.
    pub(crate) fn ahead(&self) -> Duration {
        self.slot.load().map_or(Duration::ZERO, |shown| shown.ahead())
    }

    /// Now, by the clock that a record's times are read by.
    pub(crate) fn read_now(&self) -> SystemTime {
        self.context.clock.now().checked_sub(self.ahead()).unwrap_or(SystemTime::UNIX_EPOCH)
    }

    pub(crate) async fn look_at_record(&self) -> Result<Look, Error> {
        self.context.look(&self.key).await
    }

    pub(crate) async fn load(&self) -> Result<Option<Record>, Error> {
        self.context.load(&self.key).await
    }

    pub(crate) async fn apply(&self, operation: Operation) -> Result<Answer, Error> {
        self.context.apply(&self.key, operation).await
    }

    /// A step before anything is sent, on the record as it was seen.
    pub(crate) async fn apply_on(&self, seen: &Look, operation: Operation) -> Result<(Answer, Look), Error> {
        self.context.apply_on(&self.key, Some(seen), operation, Outcome::NotSent).await
    }

    /// Keeps what was seen for the next refresh, if that comes while it may still be acted on.
    pub(crate) fn remember(&self, look: Look) {
        let now = self.context.clock.wall();
        let due = look.record().and_then(Record::due);
        let is_soon = due.is_some_and(|due| due.duration_since(now).unwrap_or_default() < MAX_AGE);
        if let Some(look) = is_soon.then(|| look.counted(&self.context.remembered)).flatten() {
            self.flight().remember(Some(Box::new(look)));
        }
    }

    /// Tokens as this session's store holds them.
    pub(crate) fn stored(&self, tokens: &TokenSet, generation: u64, granted_at: SystemTime) -> Option<StoredTokens> {
        let policy = self.provider.policy();
        let lease = self.context.options.lease;
        let due = match tokens.access_token {
            Some(_) if tokens.access_expiry.time().is_none() => {
                let every = self.options.refresh_interval();
                every.and_then(|every| policy::due_at_least_every(&self.key, generation, granted_at, every))
            }
            Some(_) => policy::due(&self.key, generation, tokens.access_expiry, granted_at, policy, lease),
            None => policy::due_without_access_token(tokens.refresh_expiry, granted_at, policy),
        };
        self.context.warn_of_unsealed_tokens();
        let keys = self.context.sealing_keys();
        encoding::stored(tokens, policy, granted_at, due, self.seal(keys.as_deref()))
    }

    /// The record as this session's options read it: tokens of which nobody knows when they expire are due at least so often, also
    /// where they were stored by a process that was not told so.
    pub(crate) fn by_options(&self, mut record: Record) -> Record {
        if let Some(due) = self.due_by_options(&record) {
            record.next_due = Some(due);
            record.tokens.iter_mut().for_each(|tokens| tokens.next_due = Some(due));
        }
        record
    }

    fn due_by_options(&self, record: &Record) -> Option<SystemTime> {
        let every = self.options.refresh_interval()?;
        let at_rest = record.state == State::Ready && record.attempt.is_none() && record.next_due.is_none();
        let unknown = |it: &&StoredTokens| it.access.is_some() && it.access_expiry.time().is_none();
        let tokens = record.tokens.as_ref().filter(unknown).filter(|_| at_rest)?;
        policy::due_at_least_every(&self.key, record.generation, tokens.granted_at, every)
    }

    /// How this session's tokens are sealed and opened with these keys.
    pub(crate) fn seal<'a>(&'a self, keys: Option<&'a SealingKeys>) -> Seal<'a> {
        Seal { session: &self.key, keys }
    }

    /// Shows readers what a record holds, unless they see something newer already.
    pub(crate) fn adopt(&self, record: &Record) -> Result<(), Error> {
        let keys = self.context.sealing_keys();
        let snapshot = Snapshot::of(record, self.seal(keys.as_deref()));
        let snapshot = snapshot.map_err(|unreadable| unreadable.into_error("read the session", &self.key))?;
        self.show(match self.due_by_options(record) {
            Some(due) => snapshot.due_at(due),
            None => snapshot,
        });
        Ok(())
    }

    /// As [`adopt`](Self::adopt), and tells of what somebody else did: newer tokens, or a logout.
    pub(crate) fn adopt_newer(&self, record: &Record) -> Result<(), Error> {
        let shown = self.slot.load();
        let newer = shown.is_none_or(|it| it.session != record.session || it.generation < record.generation);
        self.adopt(record)?;
        if newer {
            let ended = record.state == State::Tombstone;
            self.tell(record.generation, if ended { EventKind::Removed } else { EventKind::Adopted });
        }
        Ok(())
    }

    pub(crate) fn show(&self, snapshot: Snapshot) {
        // One at a time, so that none overtakes a rejection.
        let mut flight = self.flight();
        let mut snapshot = snapshot.read_by(&self.context.clock, self.slot.load().as_deref());
        let Some(access) = flight.rejected() else { return self.slot.publish(&Arc::new(snapshot)) };
        let known = snapshot.is_rejected() && snapshot.holds(access);
        if !known && snapshot.holds(access) {
            snapshot.reject(self.context.clock.now());
        }
        self.slot.publish(&Arc::new(snapshot));
        if known || self.slot.load().is_none_or(|shown| !shown.holds(access)) {
            flight.set_rejected(None);
        }
    }
}

impl Keyed for SessionState {
    fn key(&self) -> &SessionKey {
        &self.key
    }
}

impl Timed for SessionState {
    fn timer(&self) -> &Timer {
        &self.timer
    }
}

impl Host for SessionState {
    type Landing = Landing;

    fn note(&self, end: impl FnOnce(&mut UnderWay<Landing>)) {
        self.flight().note(end);
    }
}

impl Drop for SessionState {
    fn drop(&mut self) {
        self.schedule.forget(&self.timer);
        self.registry.close(self);
    }
}
