//! When which session is looked at next: deadlines on the wall clock, checked at least every half minute, so that a clock that
//! is set or a machine that slept delays nothing for longer.
//!
//! A deadline waits in a slot with others. Near slots are a tick wide; farther ones are wider, up to a 64th of the way there,
//! and what comes out of such a slot too early goes into a nearer one. So there are a thousand slots or two, whatever the
//! deadlines, and a deadline is a pointer in one of them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;

const HEARTBEAT: Duration = Duration::from_secs(30);
/// Deadlines are met never early and less than this late.
const TICK: Duration = Duration::from_millis(64);
/// How many sessions are looked at before others have their turn.
const BATCH: usize = 256;

/// What waits for its time.
pub(crate) trait Timed {
    /// What for.
    fn timer(&self) -> &Timer;

    /// Its time has come. Whatever is to come after this, it says now.
    fn wake(self: Arc<Self>, now: SystemTime);
}

/// What a session waits for, in eight bytes: the tick of its deadline, and how wide the slot is that it waits in. Changed only
/// under the schedule's lock.
pub(crate) struct Timer(AtomicU64);

/// A deadline in its slot.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Wait {
    /// The tick of the deadline.
    at: u64,
    /// The slot is two to this power of ticks wide.
    level: u32,
}

pub(crate) struct Schedule<T> {
    /// By their first tick.
    slots: Mutex<BTreeMap<u64, Vec<Weak<T>>>>,
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
        match session.timer().wait() {
            Some(wait) if wait.at <= at => return,
            Some(wait) if wait.slot() <= at => return session.timer().set(Some(Wait { at, ..wait })),
            Some(_) => drop(self.waste.fetch_add(1, Relaxed)),
            None => {}
        }
        let first = slots.first_key_value().map(|(slot, _)| *slot);
        let slot = enter(&mut slots, at, now, session);
        drop(slots);
        if first.is_none_or(|first| slot < first) {
            self.earlier.notify_one();
        }
    }

    /// The session is gone.
    pub(crate) fn forget(&self, timer: &Timer) {
        if timer.wait().is_some() {
            self.waste.fetch_add(1, Relaxed);
        }
    }

    /// Wakes sessions for ever.
    pub(crate) async fn run(&self, now: impl Fn() -> SystemTime) {
        loop {
            let mut time = now();
            while let Some(due) = self.take(last_tick(time)) {
                due.into_iter().for_each(|session| session.wake(time));
                tokio::task::yield_now().await;
                time = now();
            }
            self.tidy();
            let first = self.slots().first_key_value().map(|(slot, _)| *slot);
            let wait = first.map_or(HEARTBEAT, |slot| start(slot).saturating_sub(since_1970(time)).min(HEARTBEAT));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.earlier.notified() => {}
            }
        }
    }

    /// Takes some of what waits in the first slot, if its time has come: those whose deadline is over.
    fn take(&self, now: u64) -> Option<Vec<Arc<T>>> {
        let (mut due, mut kept) = (Vec::new(), Vec::new());
        let mut slots = self.slots();
        let mut first = slots.first_entry().filter(|slot| *slot.key() <= now)?;
        let slot = *first.key();
        let entries = first.get_mut();
        let batch = entries.split_off(entries.len().saturating_sub(BATCH));
        if entries.is_empty() {
            first.remove();
        }
        for entry in batch {
            let session = entry.upgrade();
            let wait = session.as_ref().and_then(|session| session.timer().wait());
            match (session, wait) {
                (Some(session), Some(wait)) if wait.slot() == slot && wait.at <= now => {
                    session.timer().set(None);
                    due.push(session);
                }
                (Some(session), Some(wait)) if wait.slot() == slot => {
                    enter(&mut slots, wait.at, now, &session);
                    kept.push(session);
                }
                (session, _) => {
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
        slots.retain(|slot, entries| {
            let before = entries.len();
            entries.retain(|entry| {
                let Some(session) = entry.upgrade() else { return false };
                let waits = session.timer().wait().is_some_and(|wait| wait.slot() == *slot);
                kept.push(session);
                waits
            });
            // One session may have come to the same slot twice.
            entries.sort_unstable_by_key(Weak::as_ptr);
            entries.dedup_by(|one, other| one.ptr_eq(other));
            entries.shrink_to_fit();
            self.waste.fetch_sub((before - entries.len()) as i64, Relaxed);
            !entries.is_empty()
        });
        drop(slots);
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<u64, Vec<Weak<T>>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts a session that waits for this tick into its slot.
fn enter<T: Timed>(slots: &mut BTreeMap<u64, Vec<Weak<T>>>, at: u64, now: u64, session: &Arc<T>) -> u64 {
    let wait = Wait::new(at, now);
    session.timer().set(Some(wait));
    slots.entry(wait.slot()).or_default().push(Arc::downgrade(session));
    wait.slot()
}

impl Wait {
    /// The slot begins after `now`, unless the deadline is over.
    fn new(at: u64, now: u64) -> Self {
        let level = at.saturating_sub(now).checked_ilog2().map_or(0, |log| log.saturating_sub(6));
        Self { at, level }
    }

    fn slot(self) -> u64 {
        self.at >> self.level << self.level
    }
}

impl Timer {
    const IDLE: u64 = u64::MAX;

    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(Self::IDLE))
    }

    fn wait(&self) -> Option<Wait> {
        let packed = self.0.load(Relaxed);
        (packed != Self::IDLE).then_some(Wait { at: packed >> 6, level: (packed & 63) as u32 })
    }

    fn set(&self, wait: Option<Wait>) {
        self.0.store(wait.map_or(Self::IDLE, |wait| wait.at << 6 | u64::from(wait.level)), Relaxed);
    }
}

/// Two million years: beyond it nothing comes.
const LAST_SECOND: u64 = 1 << 46;

/// The first tick that is not before this time; they are counted from 1970.
fn first_tick(time: SystemTime) -> u64 {
    let since = since_1970(time);
    let begun = since.subsec_nanos() % 1_000_000 != 0;
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
