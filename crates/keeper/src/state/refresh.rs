//! The one refresh of a session that is under way, shared by all who wait for it, and the pause after one that failed.

mod guard;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::FutureExt as _;
use rampauth_core::{Error, ErrorKind, Outcome};
use rampauth_store::{AttemptRef, SessionId, State, StoreError, StoredTokens, TokenDigest};
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use self::guard::FlightGuard;
use crate::event::EventKind;
use crate::generic::single_flight::{Awaited, Host, UnderWay};
use crate::keeper::random;
use crate::metrics;
use crate::plan::next_step::Need;
use crate::plan::policy;
use crate::refresh::look::Look;
use crate::refresh::run::ACTION;
use crate::session::Inner;

#[derive(Default)]
pub(crate) struct Flight {
    under_way: UnderWay<Landing>,
    /// How many callers wait for it.
    callers: u32,
    failures: u32,
    /// After a failure.
    floor: Option<Floor>,
    /// Whether the one under way only looks at the record, because a failure stands.
    only_looks: bool,
    /// Its place in the line for a permit, while it stands there.
    in_line: Option<u64>,
    /// Tokens that were granted and that the store has not taken yet.
    unsaved: Option<Unsaved>,
    /// An access token that readers saw, that the provider rejected, and of which the record does not know yet.
    rejected: Option<TokenDigest>,
    /// When a refresh that found nothing to do yet wants to look again.
    look_again: Option<SystemTime>,
    /// When the pause after a refresh that brings nothing better ends at the latest.
    pause_ends: Option<SystemTime>,
    /// Whether the pause after this refresh is the longest.
    pause_is_longest: bool,
    /// Whether it was told that the session is failing.
    failing: bool,
    /// The record as it was seen last, where the next refresh comes soon.
    look: Option<Box<Look>>,
    /// The shortest lifetime that was asked for and not granted, and the longest that was granted then.
    in_vain: Option<(Duration, Duration)>,
}

pub(crate) type Landing = Result<(), Error>;

/// A refresh that is waited for.
pub(crate) struct Ticket {
    pub(crate) landing: Awaited<Landing>,
    /// Whether it only looks at the record.
    only_looks: bool,
    /// Whether somebody else started it.
    joined: bool,
}

/// A failure that stands for a while: nothing is presented meanwhile. The record may be looked at, for what others brought.
struct Floor {
    until: Instant,
    error: Error,
    /// When the record was looked at last.
    looked: Instant,
}

/// Callers who find no usable token while a failure stands have the record looked at, no more often than this.
pub(crate) const LOOK_PACE: Duration = Duration::from_secs(1);
/// The longest pause where it is the store that failed, or the saving: of that the provider sees nothing.
const STORE_PAUSE: Duration = Duration::from_secs(5);

/// A grant on its way into the store.
#[derive(Clone)]
pub(crate) struct Unsaved {
    pub(crate) attempt: AttemptRef,
    pub(crate) tokens: StoredTokens,
    /// Whether refreshes failed before this one.
    pub(crate) recovers: bool,
}

impl Inner {
    pub(crate) fn flight(&self) -> FlightGuard<'_> {
        FlightGuard(self.flight.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Refreshes if it is due and nobody is at it; otherwise it is woken again when it is.
    pub(crate) fn look(self: &Arc<Self>, now: SystemTime) {
        if let Some(at) = self.warn_of_expiry(now) {
            self.keeper.schedule.wake_at(at, now, self);
        }
        let due = self.slot.peek().as_ref().and_then(|snapshot| snapshot.due());
        let (unsaved, floor) = match &*self.flight().0 {
            Some(flight) => (flight.unsaved.is_some(), flight.floor.as_ref().map(|floor| floor.until)),
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

    /// What another process may have left in the record is looked at, unless it is known here and waits for its time.
    pub(crate) fn look_at_what_others_left(self: &Arc<Self>, found: Option<Look>) {
        let due = self.slot.peek().as_ref().and_then(|snapshot| snapshot.due());
        if due.is_none_or(|due| due > self.keeper.clock.now()) {
            self.flight().remember(found.map(Box::new));
            // Where a failure stands, the look that follows it finds it.
            drop(self.take_off(Need::Ahead));
        }
    }

    /// Joins the refresh under way, or starts one, and waits for it to land.
    pub(crate) async fn fly(self: &Arc<Self>, need: Need) -> Landing {
        loop {
            let Ticket { landing, only_looks, joined } = self.take_off(need)?;
            // Without a result it panicked, or its runtime is gone.
            let landed = landing.await.unwrap_or_else(|_| {
                let reason = "the refresh ended without a result";
                Err(Error::new(ErrorKind::Internal, Outcome::Unknown, ACTION, reason))
            });
            // A look is not what a person asked for, and one that found the failure to be over lets the refresh begin.
            let over = || self.flight().0.as_ref().is_none_or(|flight| flight.floor.is_none());
            let hopeless = landed.as_ref().is_err_and(|error| error.kind() == ErrorKind::LoginNeeded);
            // Nor is one of somebody else's that found a login to be needed and sent nothing.
            if joined && need == Need::ByHand && hopeless && is_not_sent(&landed) {
                continue;
            }
            if !only_looks || !need.is_a_persons() && (landed.is_ok() || hopeless || !over()) {
                return landed;
            }
        }
    }

    /// Joins the refresh under way, or starts one.
    pub(crate) fn take_off(self: &Arc<Self>, need: Need) -> Result<Ticket, Error> {
        // From before the question whether it may start, so that a shutdown waits for what starts.
        let _counted = self.keeper.tasks.token();
        let mut guard = self.flight();
        let Flight { under_way, callers, floor, only_looks, in_line, .. } = guard.get();
        let mut barred = None;
        let (landing, flying) = under_way.join_or_start(self, || {
            barred = self.may_start(need, floor.as_mut())?;
            *only_looks = barred.is_some();
            Ok(())
        })?;
        *callers = if flying.is_some() { 0 } else { *callers } + u32::from(need != Need::Ahead);
        let only_looks = *only_looks;
        let in_line = in_line.filter(|_| need != Need::Ahead);
        // A runtime that is gone lets go of a flight at once.
        drop(guard);
        let Some(flying) = flying else {
            if let Some(place) = in_line {
                self.keeper.permits.of(&self.key).a_caller_waits(place);
            }
            return Ok(Ticket { landing, only_looks, joined: true });
        };
        let span = tracing::info_span!(
            target: "rampauth_keeper",
            "refresh",
            key = %self.key,
            attempt = Empty,
            generation = Empty,
            outcome = Empty
        );
        let refresh = async move {
            let before = flying.host.generation();
            // A panic of the caller's own store or policy is a failure like any other: told, and tried again after the pause.
            let landed = AssertUnwindSafe(flying.host.refresh(need, barred)).catch_unwind().await;
            let landed = landed.unwrap_or_else(|_| Err(flying.host.panicked()));
            Span::current()
                .record("outcome", landed.as_ref().map_or_else(|error| error.outcome().as_str(), |()| "done"));
            flying.host.land(&landed, flying.host.generation() != before);
            flying.end(landed);
        };
        self.keeper.tasks.spawn_on(refresh.instrument(span), &self.keeper.runtime);
        Ok(Ticket { landing, only_looks, joined: false })
    }

    fn panicked(self: &Arc<Self>) -> Error {
        if self.flight().unsaved().is_some() {
            self.keeper.sessions.hold(self);
        }
        let reason = "the store panicked, or what the provider says of its policy";
        let error = Error::new(ErrorKind::Internal, Outcome::Unknown, ACTION, reason);
        let generation = self.slot.load().map_or(0, |shown| shown.generation);
        self.keeper.tell(&self.key, generation, EventKind::RefreshFailed(error.clone()));
        error
    }

    /// Whether a flight may start. While a failure stands it may not present: that failure comes back for a flight that only
    /// looks.
    fn may_start(&self, need: Need, floor: Option<&mut Floor>) -> Result<Option<Error>, Error> {
        if self.keeper.closing.is_cancelled() {
            let reason = "the keeper is shutting down";
            return Err(Error::new(ErrorKind::Internal, Outcome::NotSent, ACTION, reason));
        }
        let now = Instant::now();
        match floor {
            Some(floor) if !need.is_a_persons() && now < floor.until => {
                if need == Need::Ahead || now < floor.looked + LOOK_PACE {
                    return Err(floor.error.clone());
                }
                floor.looked = now;
                Ok(Some(floor.error.clone()))
            }
            _ => Ok(None),
        }
    }

    /// Which login and generation readers see.
    fn generation(&self) -> Option<(SessionId, u64)> {
        self.slot.peek().as_ref().map(|snapshot| (snapshot.session, snapshot.generation))
    }

    /// Notes the result, and when to look again: a failure stands for a while, longer with each one after it.
    fn land(self: &Arc<Self>, landed: &Landing, moved: bool) {
        let now = self.keeper.clock.now();
        let mut guard = self.flight();
        let flight = guard.get();
        let (look_again, pause_ends) = (flight.look_again.take(), flight.pause_ends.take());
        let pause_is_longest = std::mem::take(&mut flight.pause_is_longest);
        let shown = self.slot.load();
        if std::mem::take(&mut flight.only_looks) {
            // What others brought, or the end of it all, is newer than the failure.
            if moved || landed.as_ref().is_err_and(|error| error.kind() == ErrorKind::LoginNeeded) {
                (flight.failures, flight.floor, flight.failing) = (0, None, false);
                self.plan(look_again);
            }
            return;
        }
        // Nothing may keep a flight from landing.
        let presents = catch_unwind(AssertUnwindSafe(|| self.provider.policy().presents));
        let death = shown.as_ref().zip(presents.ok()).and_then(|(it, presents)| it.presented_expiry(presents));
        let left = death.map(|time| time.duration_since(now).unwrap_or_default());
        metrics::landed(&self.key, flight.callers, left);
        let dies_in = left.filter(|left| !left.is_zero());
        match landed {
            Ok(()) => {
                (flight.failures, flight.floor, flight.failing) = (0, None, false);
                self.plan(look_again);
            }
            // The claim was somebody else's all the while: nothing was tried.
            Err(_) if look_again.is_some() => self.plan(look_again),
            Err(error) => {
                let (first, longest) = self.keeper.options.floor;
                let of_the_store = StoreError::is_the_cause_of(error) || flight.unsaved.is_some();
                let most = if of_the_store { longest.min(STORE_PAUSE) } else { longest };
                let ceiling = self.ceiling(flight.failures).min(most);
                if ceiling < most {
                    flight.failures = flight.failures.saturating_add(1);
                }
                let wait = self.pause(ceiling).max(error.retry_after().unwrap_or_default()).min(longest);
                let left = pause_ends.map(|end| end.duration_since(now).unwrap_or_default());
                let wait = left.map_or(wait, |left| wait.min(left));
                let may_wait = error.retry_after().is_some();
                let wait = if may_wait { wait } else { spared(wait, dies_in, first) };
                let wait = if pause_is_longest { longest } else { wait };
                // Another process may log in at any time, and looking costs nothing but a look. What a person tries in *login
                // needed* is never repeated by itself.
                let condemned = shown.as_ref().is_some_and(|it| it.state == State::LoginNeeded);
                let hopeless = condemned || error.kind() == ErrorKind::LoginNeeded;
                let (looked, error) = (Instant::now(), error.clone());
                flight.floor = Some(Floor { until: looked + wait, error, looked }).filter(|_| !hopeless);
                if !hopeless || flight.unsaved.is_some() {
                    // What is held is saved as soon as may be, whenever its own refresh is due.
                    let due = shown.and_then(|snapshot| snapshot.due()).filter(|_| flight.unsaved.is_none());
                    let at = now.checked_add(wait).unwrap_or(now);
                    self.keeper.schedule.wake_at(due.map_or(at, |due| due.max(at)), now, self);
                }
            }
        }
    }

    /// The longest pause after so many failures: exponential.
    fn ceiling(&self, failures: u32) -> Duration {
        let (first, most) = self.keeper.options.floor;
        first.saturating_mul(1 << failures.min(20)).min(most)
    }

    /// A pause with full jitter, and never shorter than a quarter of the first one.
    fn pause(&self, ceiling: Duration) -> Duration {
        let part = random().map_or(1.0, |bits| (bits >> 96) as f64 / f64::from(u32::MAX));
        ceiling.mul_f64(part).max(self.shortest_pause())
    }

    /// Wakes this session when its refresh is due, or when a warning is. If the refresh is due already, an attempt has just run: use
    /// the time it asked for, or else that of [`next_look`](Self::next_look).
    pub(crate) fn plan(self: &Arc<Self>, look_again: Option<SystemTime>) {
        let now = self.keeper.clock.now();
        if let Some(at) = self.warn_of_expiry(now) {
            self.keeper.schedule.wake_at(at, now, self);
        }
        let Some(due) = self.slot.load().and_then(|snapshot| snapshot.due()) else { return };
        let soon = || self.next_look(now).unwrap_or(now);
        let at = if due > now { due } else { look_again.unwrap_or_else(soon) };
        self.keeper.schedule.wake_at(at, now, self);
    }

    /// When this session is looked at again that is due all the while.
    pub(crate) fn next_look(&self, now: SystemTime) -> Option<SystemTime> {
        let shown = self.slot.load()?;
        let granted_at = shown.asked_for().unwrap_or(now);
        let lease = self.keeper.options.lease;
        Some(policy::next_look(granted_at, shown.expiries(), lease, self.shortest_pause(), now))
    }

    fn shortest_pause(&self) -> Duration {
        self.keeper.options.floor.0 / 4
    }

    /// Another login begins anew.
    pub(crate) fn forget_failures(&self) {
        if let Some(flight) = &mut *self.flight().0 {
            (flight.failures, flight.floor, flight.failing, flight.rejected) = (0, None, false, None);
        }
    }
}

impl Host for Inner {
    type Landing = Landing;

    fn note(&self, end: impl FnOnce(&mut UnderWay<Landing>)) {
        let mut guard = self.flight();
        let flight = guard.get();
        end(&mut flight.under_way);
        // What is not needed until the next refresh is freed.
        let needed = flight.unsaved.is_some() || flight.rejected.is_some() || flight.in_vain.is_some();
        if flight.failures == 0 && flight.floor.is_none() && !needed {
            *guard.0 = None;
        }
    }
}

fn is_not_sent(landed: &Landing) -> bool {
    landed.as_ref().is_err_and(|error| error.outcome() == Outcome::NotSent)
}

/// A pause that leaves a credential which dies soon half of its time, for one more try at least.
fn spared(wait: Duration, dies_in: Option<Duration>, first: Duration) -> Duration {
    dies_in.map_or(wait, |left| wait.min(first.max(left / 2)))
}
