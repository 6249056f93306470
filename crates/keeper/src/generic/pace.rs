//! How fast one provider is called: it is left alone for a while after it asked for that, then tried once, and from then on called
//! no more often than it has shown to allow.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// The longest pause that one session's answer means for the others: the provider may have meant that session alone.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The first pause where the provider does not say how long; each that follows at once is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The time over which answers are counted to find the rate.
const WINDOW: Duration = Duration::from_secs(1);
/// What is tried at first after a pause of which no rate is known, in attempts a second. It doubles each second.
const FIRST_RATE: f64 = 10.0;
/// What is left of a rate that was too high.
const LESS: f64 = 0.95;
/// By which part a rate grows in a second at first, once a limit is known. It doubles with each `PATIENCE` without a new one.
const GROWTH: f64 = 0.005;
const PATIENCE: f64 = 10.0;
/// A rate beyond this is none: attempts under way are few in any case.
const HIGHEST_RATE: f64 = 100_000.0;
/// How far an attempt may be made ahead of its time, so that timers that are a little late cost nothing.
const AHEAD: Duration = Duration::from_millis(20);

/// Whether another attempt may begin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Turn {
    Now,
    /// Not before this time.
    NotBefore(Instant),
    /// Not before the attempt that tries the provider after a pause has its answer.
    AfterTheProbe,
}

#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// The end of the pause, and how many there were without an answer in between.
    pause: Option<Instant>,
    paused_at: Option<Instant>,
    pauses: u32,
    /// Whether the provider is tried once before all others go on.
    probe: Probe,
    rate: Option<Rate>,
    /// When the answers of the last second came that were not *too many*.
    answers: VecDeque<Instant>,
}

#[derive(Debug, Default, PartialEq)]
enum Probe {
    #[default]
    None,
    Due,
    UnderWay,
}

#[derive(Debug)]
struct Rate {
    per_second: f64,
    /// When the next attempt may begin.
    next: Option<Instant>,
    /// Whether a limit was met; otherwise the rate doubles each second.
    is_known: bool,
    /// For how long it has held up others since it was last too high, in seconds.
    held_up: f64,
}

impl Pace {
    /// Whether an attempt may begin now that nobody marked as urgent.
    pub(crate) fn turn(&self, now: Instant) -> Turn {
        if let Some(end) = self.pause_end(now) {
            return Turn::NotBefore(end);
        }
        if self.probe == Probe::UnderWay {
            return Turn::AfterTheProbe;
        }
        let next = self.rate.as_ref().and_then(|rate| rate.next);
        next.filter(|next| *next > now + AHEAD).map_or(Turn::Now, |next| Turn::NotBefore(next - AHEAD))
    }

    /// The end of the pause, while there is one.
    pub(crate) fn pause_end(&self, now: Instant) -> Option<Instant> {
        self.pause.filter(|end| *end > now)
    }

    /// An attempt begins. `waited`: whether the pace has held up others too.
    pub(crate) fn begin(&mut self, now: Instant, waited: bool) {
        if self.probe == Probe::Due && self.pause_end(now).is_none() {
            self.probe = Probe::UnderWay;
        }
        if let Some(rate) = &mut self.rate {
            let step = 1.0 / rate.per_second;
            let from = rate.next.map_or(now, |next| next.max(now));
            rate.next = Some(from + Duration::from_secs_f64(step));
            if waited {
                rate.grow(step);
            }
            if rate.per_second >= HIGHEST_RATE {
                self.rate = None;
            }
        }
    }

    /// An attempt ended without an answer that says something about the pace: the next one tries the provider, where one is to.
    pub(crate) fn end(&mut self) {
        if self.probe == Probe::UnderWay {
            self.probe = Probe::Due;
        }
    }

    /// The provider answered an attempt that began at that time, whatever it said, and not that there were too many calls.
    pub(crate) fn answered(&mut self, now: Instant, began: Instant) {
        self.answers.push_back(now);
        self.forget_before(now);
        // What was under way when the pause began says nothing about it.
        if self.paused_at.is_none_or(|paused_at| paused_at <= began) {
            (self.pause, self.paused_at, self.pauses, self.probe) = (None, None, 0, Probe::None);
        }
    }

    /// The provider asked to be left alone, for this long if it said so. `overrun`: whether because of too many calls.
    pub(crate) fn limited(&mut self, now: Instant, retry_after: Option<Duration>, overrun: bool) {
        // Calls that were under way together are answered alike: the first of them begins the pause.
        let first = self.pause_end(now).is_none();
        let by_itself = if first { FIRST_PAUSE.saturating_mul(1 << self.pauses.min(8)) } else { Duration::ZERO };
        let end = now + retry_after.unwrap_or(by_itself).min(LONGEST_PAUSE);
        self.pause = Some(self.pause.map_or(end, |pause| pause.max(end)));
        self.probe = Probe::Due;
        if !first {
            return;
        }
        self.pauses = self.pauses.saturating_add(1);
        self.paused_at = Some(now);
        self.forget_before(now);
        // What was answered in the last second is allowed in one, whether it came in a burst or evenly. A few answers may be all
        // that was asked for: only a rate that has held others up shows how little is allowed.
        let allowed = self.answers.len() as f64;
        let before = self.rate.take();
        let known = before.as_ref().is_some_and(|rate| rate.is_known);
        let per_second = match before.map(|rate| rate.per_second * LESS) {
            _ if !overrun => FIRST_RATE.max(allowed),
            Some(less) if allowed > 0.0 => less.min(allowed),
            Some(less) => less,
            None => FIRST_RATE.max(allowed * LESS),
        };
        let is_known = known || overrun && allowed > 0.0;
        self.rate = Some(Rate { per_second: per_second.max(1.0), next: None, is_known, held_up: 0.0 });
        self.answers.clear();
    }

    fn forget_before(&mut self, now: Instant) {
        while self.answers.front().is_some_and(|at| now.saturating_duration_since(*at) > WINDOW) {
            self.answers.pop_front();
        }
    }
}

impl Rate {
    /// Grows a little with each attempt that it has held up.
    fn grow(&mut self, seconds: f64) {
        self.held_up += seconds;
        let part = if self.is_known { GROWTH * (self.held_up / PATIENCE).floor().exp2() } else { 1.0 };
        self.per_second *= 1.0 + part.min(1.0) * seconds;
    }
}

#[cfg(test)]
mod tests;
