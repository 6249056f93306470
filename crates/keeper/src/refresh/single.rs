//! The one refresh of a session at a time, shared by all who wait for it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::SystemTime;

use futures_util::FutureExt as _;
use rampauth_core::{Error, ErrorKind, Outcome};
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use crate::event::EventKind;
use crate::generic::single_flight::Awaited;
use crate::look::Look;
use crate::plan::next_step::Need;
use crate::refresh::error::{ACTION, shutting_down};
use crate::state::backoff::Floor;
use crate::state::refresh::{Flight, Landing};
use crate::state::session::SessionState;

/// A refresh that is waited for.
pub(crate) struct Ticket {
    pub(crate) landing: Awaited<Landing>,
    /// Whether it only looks at the record.
    only_looks: bool,
    /// Whether somebody else started it.
    joined: bool,
}

impl SessionState {
    /// Refreshes if it is due and nobody is at it; otherwise it is woken again when it is.
    pub(crate) fn look(self: &Arc<Self>, now: SystemTime) {
        if let Some(at) = self.warn_of_expiry(now) {
            self.schedule.wake_at(at, now, self);
        }
        let due = self.slot.peek().as_ref().and_then(|snapshot| snapshot.due());
        let (unsaved, floor) = {
            let flight = self.flight();
            (flight.has_unsaved(), flight.floor().map(|floor| floor.until))
        };
        if unsaved || due.is_some_and(|due| due <= now) {
            // Where it does not take off, a failure stands; where it does, the landing says when to look again.
            if let (Err(_), Some(until)) = (self.take_off(Need::Ahead), floor) {
                // The pause goes by a clock that nobody sets.
                let left = until.saturating_duration_since(Instant::now());
                self.schedule.wake_at(now.checked_add(left).unwrap_or(now), now, self);
            }
        } else if let Some(due) = due {
            self.schedule.wake_at(due, now, self);
        }
    }

    /// What another process may have left in the record is looked at, unless it is known here and waits for its time.
    pub(crate) fn look_at_what_others_left(self: &Arc<Self>, found: Option<Look>) {
        let due = self.slot.peek().as_ref().and_then(|snapshot| snapshot.due());
        if due.is_none_or(|due| due > self.context.clock.now()) {
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
            let over = || self.flight().floor().is_none();
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
        let _counted = self.context.tasks.token();
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
                self.context.permits.of(&self.key).a_caller_waits(place);
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
        self.context.tasks.spawn_on(refresh.instrument(span), &self.context.runtime);
        Ok(Ticket { landing, only_looks, joined: false })
    }

    fn panicked(self: &Arc<Self>) -> Error {
        if self.flight().has_unsaved() {
            self.registry.hold(self);
        }
        let reason = "the store panicked, or what the provider says of its policy";
        let error = Error::new(ErrorKind::Internal, Outcome::Unknown, ACTION, reason);
        let generation = self.slot.load().map_or(0, |shown| shown.generation);
        self.tell(generation, EventKind::RefreshFailed(error.clone()));
        error
    }

    /// Whether a flight may start. While a failure stands it may not present: that failure comes back for a flight that only
    /// looks.
    fn may_start(&self, need: Need, floor: Option<&mut Floor>) -> Result<Option<Error>, Error> {
        if self.context.closing.is_cancelled() {
            return Err(shutting_down());
        }
        let now = Instant::now();
        let Some(floor) = floor.filter(|floor| !need.is_a_persons() && now < floor.until) else { return Ok(None) };
        let may_look = need != Need::Ahead && floor.may_look(now);
        if may_look { Ok(Some(floor.error.clone())) } else { Err(floor.error.clone()) }
    }
}

fn is_not_sent(landed: &Landing) -> bool {
    landed.as_ref().is_err_and(|error| error.outcome() == Outcome::NotSent)
}
