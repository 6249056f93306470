//! When which session is looked at next: deadlines on the wall clock, checked at least every half minute, so that a clock that
//! is set or a machine that slept delays nothing for longer.
//!
//! A deadline waits in a slot with others. Near slots are a tick wide; farther ones are wider, up to a 64th of the way there,
//! and what comes out of such a slot too early goes into a nearer one. So there are a thousand slots or two, whatever the
//! deadlines, and a deadline is sixteen bytes in one of them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;

const HEARTBEAT: Duration = Duration::from_secs(30);
/// How often the deadlines are checked where the clock is one that was given.
const GIVEN_HEARTBEAT: Duration = Duration::from_millis(100);
/// Deadlines are met never early and less than this late.
const TICK: Duration = Duration::from_millis(16);
/// How many sessions are looked at before others have their turn.
const BATCH: usize = 256;

/// What waits for its time.
pub(crate) trait Timed {
    /// What for.
    fn timer(&self) -> &Timer;
}

/// What a session waits for: the tick of its deadline. Changed only under the schedule's lock.
pub(crate) struct Timer(AtomicU64);

/// A deadline, with its tick at hand: it goes from slot to slot without a look at its session.
struct Entry<T> {
    at: u64,
    session: Weak<T>,
}

type Slots<T> = BTreeMap<u64, Vec<Entry<T>>>;

pub(crate) struct Schedule<T> {
    /// By their first tick.
    slots: Mutex<Slots<T>>,
    /// How many entries of the slots are of no use any more: their session is gone, or waits for something earlier.
    waste: AtomicI64,
    earlier: Notify,
    /// Whether anybody runs it: what nobody wakes is not kept.
    runs: bool,
}

impl<T: Timed> Schedule<T> {
    pub(crate) fn new(runs: bool) -> Self {
        Self { slots: Mutex::default(), waste: AtomicI64::new(0), earlier: Notify::new(), runs }
    }

    /// Wakes the session at this time, or before it if it waits for something earlier already.
    pub(crate) fn wake_at(&self, at: SystemTime, now: SystemTime, session: &Arc<T>) {
        if !self.runs {
            return;
        }
        let (at, now) = (first_tick(at), last_tick(now));
        let mut slots = self.slots();
        match session.timer().at() {
            Some(earlier) if earlier <= at => return,
            Some(_) => drop(self.waste.fetch_add(1, Relaxed)),
            None => {}
        }
        session.timer().set(Some(at));
        let first = slots.first_key_value().map(|(slot, _)| *slot);
        let slot = enter(&mut slots, Entry { at, session: Arc::downgrade(session) }, now);
        drop(slots);
        if first.is_none_or(|first| slot < first) {
            self.earlier.notify_one();
        }
    }

    /// The session is gone.
    pub(crate) fn forget(&self, timer: &Timer) {
        if timer.at().is_some() {
            self.waste.fetch_add(1, Relaxed);
        }
    }

    /// Wakes sessions for as long as there is a time. What one waits for after that, `wake` has to say. A clock that is `given` is one
    /// of a test and may jump by days: that is seen within a tenth of a second, unless the runtime's own time is paused and waits for
    /// nothing anyway.
    #[expect(clippy::disallowed_methods, reason = "it tells whether the runtime's time is paused, and nothing else")]
    pub(crate) async fn run(
        &self,
        given: bool,
        now: impl Fn() -> Option<SystemTime>,
        wake: impl Fn(&Arc<T>, SystemTime),
    ) {
        let mut heartbeat = if given { GIVEN_HEARTBEAT } else { HEARTBEAT };
        while let Some(mut time) = now() {
            while let Some(due) = self.take(last_tick(time)) {
                due.into_iter().for_each(|session| wake(&session, time));
                tokio::task::yield_now().await;
                let Some(later) = now() else { return };
                time = later;
            }
            self.tidy();
            let first = self.slots().first_key_value().map(|(slot, _)| *slot);
            let wait = first.map_or(heartbeat, |slot| start(slot).saturating_sub(since_1970(time)).min(heartbeat));
            let began = std::time::Instant::now();
            tokio::select! {
                () = tokio::time::sleep(wait) => {
                    let is_paused = began.elapsed() < wait / 2;
                    heartbeat = if is_paused { HEARTBEAT } else { heartbeat };
                }
                () = self.earlier.notified() => {}
            }
        }
    }

    /// Takes some of what waits in the first slot, if its time has come: those whose deadline is over.
    fn take(&self, now: u64) -> Option<Vec<Arc<T>>> {
        let (mut due, mut kept) = (Vec::new(), Vec::new());
        let mut slots = self.slots();
        let mut first = slots.first_entry().filter(|slot| *slot.key() <= now)?;
        let entries = first.get_mut();
        let batch = entries.split_off(entries.len().saturating_sub(BATCH));
        if entries.is_empty() {
            first.remove();
        }
        for entry in batch {
            if entry.at > now {
                enter(&mut slots, entry, now);
                continue;
            }
            match entry.session.upgrade() {
                Some(session) if session.timer().at() == Some(entry.at) => {
                    session.timer().set(None);
                    due.push(session);
                }
                session => {
                    self.waste.fetch_sub(1, Relaxed);
                    kept.extend(session);
                }
            }
        }
        // Whoever else held them may have let go meanwhile: their end is not for under the lock.
        drop(slots);
        Some(due)
    }

    /// Lets go of what is of no use, once that is the larger part.
    fn tidy(&self) {
        let waste = usize::try_from(self.waste.load(Relaxed)).unwrap_or(0);
        if waste == 0 {
            return;
        }
        let mut kept = Vec::new();
        let mut slots = self.slots();
        if waste <= slots.values().map(Vec::len).sum::<usize>() / 2 {
            return;
        }
        slots.retain(|_, entries| {
            let before = entries.len();
            entries.retain(|entry| {
                let Some(session) = entry.session.upgrade() else { return false };
                let waits = session.timer().at() == Some(entry.at);
                kept.push(session);
                waits
            });
            // One session may have come to the same deadline twice.
            entries.sort_unstable_by_key(|entry| entry.session.as_ptr());
            entries.dedup_by(|one, other| one.session.ptr_eq(&other.session));
            entries.shrink_to_fit();
            self.waste.fetch_sub((before - entries.len()) as i64, Relaxed);
            !entries.is_empty()
        });
        drop(slots);
    }

    fn slots(&self) -> MutexGuard<'_, Slots<T>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts a deadline into its slot, which begins after `now` unless the deadline is over.
fn enter<T>(slots: &mut Slots<T>, entry: Entry<T>, now: u64) -> u64 {
    let level = entry.at.saturating_sub(now).checked_ilog2().map_or(0, |log| log.saturating_sub(6));
    let slot = entry.at >> level << level;
    slots.entry(slot).or_default().push(entry);
    slot
}

impl Timer {
    const IDLE: u64 = u64::MAX;

    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(Self::IDLE))
    }

    fn at(&self) -> Option<u64> {
        Some(self.0.load(Relaxed)).filter(|at| *at != Self::IDLE)
    }

    fn set(&self, at: Option<u64>) {
        self.0.store(at.unwrap_or(Self::IDLE), Relaxed);
    }
}

/// Two million years: beyond it nothing comes.
const LAST_SECOND: u64 = 1 << 46;

/// The first tick that is not before this time; they are counted from 1970.
fn first_tick(time: SystemTime) -> u64 {
    let since = since_1970(time);
    let begun = !since.subsec_nanos().is_multiple_of(1_000_000);
    (milliseconds(since) + u64::from(begun)).div_ceil(TICK.as_millis() as u64)
}

/// The last tick that is not after this time.
fn last_tick(time: SystemTime) -> u64 {
    milliseconds(since_1970(time)) / TICK.as_millis() as u64
}

fn milliseconds(since: Duration) -> u64 {
    since.as_secs().min(LAST_SECOND) * 1_000 + u64::from(since.subsec_millis())
}

fn start(tick: u64) -> Duration {
    Duration::from_millis(tick * TICK.as_millis() as u64)
}

fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests;
