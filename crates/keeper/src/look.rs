//! A record as this process has seen it, for the steps that go on from there without reading it again.

use std::sync::Arc;

use rampauth_store::{Record, Seen, Stored};

use crate::clock::steady::Mark;

/// What the store held, and when it was asked.
#[derive(Clone)]
pub(crate) struct Look {
    stored: Stored,
    /// From before the question.
    asked: Mark,
    /// Counts those that are remembered, by the handles on it.
    remembered: Option<Arc<()>>,
}

/// How many records a keeper remembers at a time, for the next refreshes of their sessions. The others are read again.
const REMEMBERED: usize = 1_024;

impl Look {
    pub(crate) fn new(stored: Stored, asked: Mark) -> Self {
        Self { stored, asked, remembered: None }
    }

    pub(crate) fn record(&self) -> Option<&Record> {
        self.stored.record.as_ref()
    }

    pub(crate) fn into_record(self) -> Option<Record> {
        self.stored.record
    }

    /// The same, counted as one that is remembered; `None` where there are enough.
    pub(crate) fn counted(mut self, remembered: &Arc<()>) -> Option<Self> {
        let is_room = Arc::strong_count(remembered) <= REMEMBERED;
        is_room.then(|| {
            self.remembered = Some(Arc::clone(remembered));
            self
        })
    }

    /// The same for a step of the store at `now`.
    pub(crate) fn seen_at(&self, now: &Mark) -> Seen {
        Seen { stored: self.stored.clone(), age: now.since(&self.asked) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rampauth_store::{Revision, StoreTime};
    use std::time::UNIX_EPOCH;

    use crate::clock::steady::Steady;
    use crate::clock::wall::WallClock;

    #[test]
    fn so_many_are_remembered_and_no_more_until_one_is_gone() {
        let asked = Steady::new(WallClock::Machine).mark();
        let look = || {
            let time = StoreTime::wall(UNIX_EPOCH);
            Look::new(Stored { record: None, revision: Revision::ABSENT, time }, asked)
        };
        let all = Arc::default();
        let mut held: Vec<_> = (0..REMEMBERED).map(|_| look().counted(&all).expect("room")).collect();
        assert!(look().counted(&all).is_none());
        held.pop();
        assert!(look().counted(&all).is_some());
    }
}
