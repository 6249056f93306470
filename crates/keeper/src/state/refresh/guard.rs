//! What is remembered of a session between two refreshes, under its lock.

use std::sync::MutexGuard;
use std::time::{Duration, SystemTime};

use rampauth_store::TokenDigest;

use super::{Flight, Unsaved};
use crate::refresh::look::Look;

pub(crate) struct FlightGuard<'a>(pub(super) MutexGuard<'a, Option<Box<Flight>>>);

impl FlightGuard<'_> {
    pub(super) fn get(&mut self) -> &mut Flight {
        self.0.get_or_insert_default()
    }

    /// What the store has not taken yet.
    pub(crate) fn held(&self) -> Option<Unsaved> {
        self.0.as_ref().and_then(|flight| flight.unsaved.clone())
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
