//! What is remembered of a session between two refreshes and while one is under way, under its lock.

use std::sync::MutexGuard;
use std::time::{Duration, SystemTime};

use rampauth_core::Error;
use rampauth_store::{AttemptRef, StoredTokens, TokenDigest};

use crate::generic::single_flight::UnderWay;
use crate::look::Look;
use crate::state::backoff::Floor;

#[derive(Default)]
pub(crate) struct Flight {
    pub(crate) under_way: UnderWay<Landing>,
    /// How many callers wait for it.
    pub(crate) callers: u32,
    pub(crate) failures: u32,
    /// After a failure.
    pub(crate) floor: Option<Floor>,
    /// Whether the one under way only looks at the record, because a failure stands.
    pub(crate) only_looks: bool,
    /// Its place in the line for a permit, while it stands there.
    pub(crate) in_line: Option<u64>,
    /// Tokens that were granted and that the store has not taken yet.
    pub(crate) unsaved: Option<Unsaved>,
    /// An access token that readers saw, that the provider rejected, and of which the record does not know yet.
    rejected: Option<TokenDigest>,
    /// When a refresh that found nothing to do yet wants to look again.
    pub(crate) look_again: Option<SystemTime>,
    /// When the pause after a refresh that brings nothing better ends at the latest.
    pub(crate) pause_ends: Option<SystemTime>,
    /// Whether the pause after this refresh is the longest.
    pub(crate) pause_is_longest: bool,
    /// Whether it was told that the session is failing.
    failing: bool,
    /// The record as it was seen last, where the next refresh comes soon.
    look: Option<Box<Look>>,
    /// The shortest lifetime that was asked for and not granted, and the longest that was granted then.
    in_vain: Option<(Duration, Duration)>,
}

pub(crate) type Landing = Result<(), Error>;

/// A grant on its way into the store.
#[derive(Clone)]
pub(crate) struct Unsaved {
    pub(crate) attempt: AttemptRef,
    pub(crate) tokens: StoredTokens,
    /// Whether refreshes failed before this one.
    pub(crate) recovers: bool,
}

impl Flight {
    pub(crate) fn forget_failures(&mut self) {
        (self.failures, self.floor, self.failing) = (0, None, false);
    }

    fn is_needed(&self) -> bool {
        let held = self.unsaved.is_some() || self.rejected.is_some() || self.in_vain.is_some();
        self.failures > 0 || self.floor.is_some() || self.look.is_some() || held
    }
}

/// `None` while there is nothing to remember, as it is almost always.
pub(crate) struct FlightGuard<'a>(pub(crate) MutexGuard<'a, Option<Box<Flight>>>);

impl FlightGuard<'_> {
    pub(crate) fn get(&mut self) -> &mut Flight {
        self.0.get_or_insert_default()
    }

    /// Notes that a refresh is over. What is not needed until the next one is freed.
    pub(crate) fn note(&mut self, end: impl FnOnce(&mut UnderWay<Landing>)) {
        let flight = self.get();
        end(&mut flight.under_way);
        if !flight.is_needed() {
            *self.0 = None;
        }
    }

    /// The failure that stands, or stood until its pause was over.
    pub(crate) fn floor(&self) -> Option<&Floor> {
        self.0.as_ref().and_then(|flight| flight.floor.as_ref())
    }

    /// What the store has not taken yet.
    pub(crate) fn held(&self) -> Option<Unsaved> {
        self.0.as_ref().and_then(|flight| flight.unsaved.clone())
    }

    pub(crate) fn set_unsaved(&mut self, unsaved: Option<Unsaved>) {
        self.get().unsaved = unsaved;
    }

    pub(crate) fn has_unsaved(&self) -> bool {
        self.0.as_ref().is_some_and(|flight| flight.unsaved.is_some())
    }

    pub(crate) fn rejected(&self) -> Option<TokenDigest> {
        self.0.as_ref().and_then(|flight| flight.rejected)
    }

    pub(crate) fn set_rejected(&mut self, access: Option<TokenDigest>) {
        self.get().rejected = access;
    }

    /// Notes the place in the line for a permit. Whether a caller waits already.
    pub(crate) fn stand_in_line(&mut self, place: u64) -> bool {
        let flight = self.get();
        flight.in_line = Some(place);
        flight.callers > 0
    }

    pub(crate) fn leave_the_line(&mut self) {
        self.get().in_line = None;
    }

    pub(crate) fn remember(&mut self, look: Option<Box<Look>>) {
        self.get().look = look;
    }

    /// The record as it was seen last, once.
    pub(crate) fn take_look(&mut self) -> Option<Look> {
        self.0.as_mut().and_then(|flight| flight.look.take()).map(|look| *look)
    }

    pub(crate) fn look_again_at(&mut self, time: SystemTime) {
        self.get().look_again = Some(time);
    }

    pub(crate) fn pause_until_at_most(&mut self, time: Option<SystemTime>) {
        self.get().pause_ends = time;
    }

    pub(crate) fn pause_for_the_longest(&mut self) {
        self.get().pause_is_longest = true;
    }

    /// Whether nobody was told yet that the session is failing.
    pub(crate) fn is_news_that_it_fails(&mut self) -> bool {
        !std::mem::replace(&mut self.get().failing, true)
    }

    /// Another login begins anew.
    pub(crate) fn forget_failures(&mut self) {
        if let Some(flight) = &mut *self.0 {
            flight.forget_failures();
            flight.rejected = None;
        }
    }

    /// Nothing that lives this long was granted when it was asked for, but something that lives for `granted`.
    pub(crate) fn note_in_vain(&mut self, lifetime: Duration, granted: Option<Duration>) {
        let flight = self.get();
        let (asked, most) = flight.in_vain.unwrap_or((lifetime, Duration::ZERO));
        flight.in_vain = granted.map(|granted| (asked.min(lifetime), most.max(granted)));
    }

    /// Whether a token that lives this long was asked for in vain, and nothing better was granted since.
    pub(crate) fn was_in_vain(&self, lifetime: Duration, granted: Option<Duration>) -> bool {
        let in_vain = self.0.as_ref().and_then(|flight| flight.in_vain);
        in_vain.zip(granted).is_some_and(|((asked, most), granted)| lifetime >= asked && granted <= most)
    }
}
