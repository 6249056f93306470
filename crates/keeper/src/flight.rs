//! The one refresh of a session that is under way, shared by all who wait for it, and the pause after one that failed.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::FutureExt as _;
use futures_util::future::Shared;
use rampauth_core::{Error, ErrorKind, Outcome};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use crate::keeper::random;
use crate::metrics;
use crate::process::Need;
use crate::protocol::AttemptRef;
use crate::record::{StoredTokens, TokenDigest};
use crate::session::Inner;

#[derive(Default)]
pub(crate) struct Flight {
    /// The refresh under way, if its result is not there yet.
    landing: Option<Awaited>,
    /// How many callers wait for it.
    callers: u32,
    failures: u32,
    /// After a failure: until when it stands for all who ask.
    floor: Option<(Instant, Error)>,
    /// Tokens that were granted and that the store has not taken yet.
    unsaved: Option<Unsaved>,
    /// An access token that readers saw, that the provider rejected, and of which the record does not know yet.
    rejected: Option<TokenDigest>,
    /// When a refresh that found nothing to do yet wants to look again.
    look_again: Option<SystemTime>,
}

pub(crate) type Landing = Result<(), Error>;

/// A landing that any number of callers wait for.
type Awaited = Shared<oneshot::Receiver<Landing>>;

/// A refresh under way. However it ends, the next one can start and those who wait are woken.
struct Flying {
    inner: Arc<Inner>,
    result: Option<oneshot::Sender<Landing>>,
}

/// A grant on its way into the store.
#[derive(Clone)]
pub(crate) struct Unsaved {
    pub(crate) attempt: AttemptRef,
    pub(crate) tokens: StoredTokens,
}

impl Inner {
    pub(crate) fn flight(&self) -> FlightGuard<'_> {
        FlightGuard(self.flight.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Refreshes if it is due and nobody is at it; otherwise it is woken again when it is.
    pub(crate) fn look(self: &Arc<Self>, now: SystemTime) {
        let due = self.slot.peek().as_ref().and_then(|snapshot| snapshot.due());
        let (unsaved, floor) = match &*self.flight().0 {
            Some(flight) => (flight.unsaved.is_some(), flight.floor.as_ref().map(|(until, _)| *until)),
            None => (false, None),
        };
        if unsaved || due.is_some_and(|due| due <= now) {
            // Where it does not take off, a failure stands; where it does, the landing says when to look again.
            if let (Err(_), Some(until)) = (self.take_off(Need::Ahead), floor) {
                // The pause goes by a clock that nobody sets.
                let left = until.saturating_duration_since(Instant::now());
                self.keeper.schedule.wake_at(now.checked_add(left).unwrap_or(now), now, self);
            }
        } else if let Some(due) = due {
            self.keeper.schedule.wake_at(due, now, self);
        }
    }

    /// Joins the refresh under way, or starts one, and waits for it to land.
    pub(crate) async fn fly(self: &Arc<Self>, need: Need) -> Landing {
        match self.take_off(need)?.await {
            Ok(landed) => landed,
            // It panicked, or its runtime is gone.
            Err(_) => Err(Error::new(
                ErrorKind::Internal,
                Outcome::Unknown,
                "refresh the tokens",
                "the refresh ended without a result",
            )),
        }
    }

    fn take_off(self: &Arc<Self>, need: Need) -> Result<Awaited, Error> {
        let mut guard = self.flight();
        let flight = guard.get();
        if let Some(landing) = &flight.landing {
            flight.callers += u32::from(need != Need::Ahead);
            return Ok(landing.clone());
        }
        if self.keeper.closing.is_cancelled() {
            let reason = "the keeper is shutting down";
            return Err(Error::new(ErrorKind::Internal, Outcome::NotSent, "refresh the tokens", reason));
        }
        if let (Some((until, error)), false) = (&flight.floor, need.is_a_persons()) {
            if Instant::now() < *until {
                return Err(error.clone());
            }
        }
        let (result, landing) = oneshot::channel();
        let landing = landing.shared();
        flight.landing = Some(landing.clone());
        flight.callers = u32::from(need != Need::Ahead);
        let flying = Flying { inner: Arc::clone(self), result: Some(result) };
        let span = tracing::info_span!(
            target: "rampauth_keeper",
            "refresh",
            key = %self.key,
            attempt = Empty,
            generation = Empty,
            outcome = Empty
        );
        let refresh = async move {
            let landed = flying.inner.refresh(need).await;
            Span::current()
                .record("outcome", landed.as_ref().map_or_else(|error| error.outcome().as_str(), |()| "done"));
            flying.inner.land(&landed);
            flying.end(landed);
        };
        self.keeper.tasks.spawn_on(refresh.instrument(span), &self.keeper.runtime);
        Ok(landing)
    }

    /// Notes the result, and when to look again: a failure stands for a while, longer with each one after it.
    fn land(self: &Arc<Self>, landed: &Landing) {
        let now = self.keeper.clock.now();
        let mut guard = self.flight();
        let flight = guard.get();
        let look_again = flight.look_again.take();
        let shown = self.slot.load();
        let death = shown.as_ref().and_then(|it| it.presented_expiry(self.provider.policy().presents));
        let left = death.map(|time| time.duration_since(now).unwrap_or_default());
        metrics::landed(&self.key, flight.callers, left);
        match landed {
            Ok(()) => {
                (flight.failures, flight.floor) = (0, None);
                self.plan(look_again);
            }
            Err(error) => {
                let wait = self.pause(flight.failures).max(error.retry_after().unwrap_or_default());
                let wait = wait.min(self.keeper.options.floor.1);
                // Another process may log in at any time, and looking costs nothing but a look.
                let hopeless = error.kind() == ErrorKind::LoginNeeded;
                flight.failures = flight.failures.saturating_add(1);
                flight.floor = Some((Instant::now() + wait, error.clone())).filter(|_| !hopeless);
                if !hopeless || flight.unsaved.is_some() {
                    // What is held is saved as soon as may be, whenever its own refresh is due.
                    let due = shown.and_then(|snapshot| snapshot.due()).filter(|_| flight.unsaved.is_none());
                    let at = now.checked_add(wait).unwrap_or(now);
                    self.keeper.schedule.wake_at(due.map_or(at, |due| due.max(at)), now, self);
                }
            }
        }
    }

    /// Exponential with full jitter, and never shorter than a quarter of the first pause.
    fn pause(&self, failures: u32) -> Duration {
        let (first, most) = self.keeper.options.floor;
        let ceiling = first.saturating_mul(1 << failures.min(20)).min(most);
        let part = random().map_or(1.0, |bits| (bits >> 96) as f64 / f64::from(u32::MAX));
        ceiling.mul_f64(part).max(first / 4)
    }

    /// Wakes this session when its refresh is due. What is due already was looked at just now: then when that look said, or
    /// after a claim's length, when whoever holds it must have come to an end.
    pub(crate) fn plan(self: &Arc<Self>, look_again: Option<SystemTime>) {
        let now = self.keeper.clock.now();
        let Some(due) = self.slot.load().and_then(|snapshot| snapshot.due()) else { return };
        let soon = || now.checked_add(self.keeper.options.lease).unwrap_or(now);
        let at = if due > now { due } else { look_again.unwrap_or_else(soon) };
        self.keeper.schedule.wake_at(at, now, self);
    }

    /// Another login begins anew.
    pub(crate) fn forget_failures(&self) {
        if let Some(flight) = &mut *self.flight().0 {
            (flight.failures, flight.floor, flight.rejected) = (0, None, None);
        }
    }
}

impl Flying {
    fn end(mut self, landed: Landing) {
        let result = self.result.take();
        // First the next one can start, then those who wait may ask for it. Nobody has to.
        drop(self);
        result.map(|result| result.send(landed).ok());
    }
}

impl Drop for Flying {
    fn drop(&mut self) {
        let mut guard = self.inner.flight();
        let flight = guard.get();
        flight.landing = None;
        // What is not needed until the next refresh is freed.
        if flight.failures == 0 && flight.unsaved.is_none() && flight.rejected.is_none() {
            *guard.0 = None;
        }
    }
}

pub(crate) struct FlightGuard<'a>(MutexGuard<'a, Option<Box<Flight>>>);

impl FlightGuard<'_> {
    fn get(&mut self) -> &mut Flight {
        self.0.get_or_insert_default()
    }

    pub(crate) fn unsaved(&mut self) -> &mut Option<Unsaved> {
        &mut self.get().unsaved
    }

    pub(crate) fn rejected(&self) -> Option<TokenDigest> {
        self.0.as_ref().and_then(|flight| flight.rejected)
    }

    pub(crate) fn set_rejected(&mut self, access: Option<TokenDigest>) {
        self.get().rejected = access;
    }

    pub(crate) fn look_again_at(&mut self, time: SystemTime) {
        self.get().look_again = Some(time);
    }
}
