//! When which session is looked at next: deadlines on the keeper's clock, checked at least every half minute, so that a wall
//! clock that is set or a machine that slept delays nothing for longer.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;

use crate::session::Inner;
use crate::steady::Steady;

const HEARTBEAT: Duration = Duration::from_secs(30);

#[derive(Default)]
pub(crate) struct Schedule {
    deadlines: Mutex<BinaryHeap<Reverse<Deadline>>>,
    earlier: Notify,
}

struct Deadline {
    at: SystemTime,
    session: Weak<Inner>,
}

impl Schedule {
    /// Wakes the session at this time. A deadline that was overtaken wakes it in vain, which costs a look.
    pub(crate) fn wake_at(&self, at: SystemTime, session: Weak<Inner>) {
        let mut deadlines = self.deadlines.lock().unwrap_or_else(PoisonError::into_inner);
        let first = deadlines.peek().is_none_or(|Reverse(first)| at < first.at);
        deadlines.push(Reverse(Deadline { at, session }));
        if first {
            self.earlier.notify_one();
        }
    }

    /// Wakes sessions for ever.
    pub(crate) async fn run(&self, clock: &Steady) {
        loop {
            clock.beat();
            let now = clock.now();
            while let Some(session) = self.next(now) {
                if let Some(session) = session.upgrade() {
                    session.wake();
                }
            }
            let wait = {
                let deadlines = self.deadlines.lock().unwrap_or_else(PoisonError::into_inner);
                let first = deadlines.peek().and_then(|Reverse(first)| first.at.duration_since(now).ok());
                first.map_or(HEARTBEAT, |wait| wait.min(HEARTBEAT))
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.earlier.notified() => {}
            }
        }
    }

    fn next(&self, now: SystemTime) -> Option<Weak<Inner>> {
        let mut deadlines = self.deadlines.lock().unwrap_or_else(PoisonError::into_inner);
        let due = deadlines.peek().is_some_and(|Reverse(first)| first.at <= now);
        due.then(|| deadlines.pop()).flatten().map(|Reverse(deadline)| deadline.session)
    }
}

impl PartialEq for Deadline {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Deadline {}

impl PartialOrd for Deadline {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Deadline {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}
