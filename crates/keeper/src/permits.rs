//! How many attempts are under way at one provider at a time: each takes a permit. Those who wait for one are served by urgency,
//! and nobody holds more than its own.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::SystemTime;

use rampauth_store::SessionKey;
use tokio::sync::oneshot;

/// Who goes first; of two scheduled attempts the one whose tokens die sooner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// What is sent dies within the time of one attempt.
    Dying,
    /// A caller waits.
    Caller,
    /// Nobody waits, and this is when the tokens die.
    Scheduled(SystemTime),
}

/// The permits of every provider and environment that has been called.
pub(crate) struct PermitsByProvider {
    most: usize,
    all: Mutex<BTreeMap<Box<str>, Arc<Permits>>>,
}

impl PermitsByProvider {
    /// `most` for each of them, one at least.
    pub(crate) fn new(most: usize) -> Self {
        Self { most: most.max(1), all: Mutex::default() }
    }

    pub(crate) fn of(&self, key: &SessionKey) -> Arc<Permits> {
        let key = key.as_str();
        let end = key.match_indices('/').nth(1).map_or(key.len(), |(end, _)| end);
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(permits) = all.get(&key[..end]) {
            return Arc::clone(permits);
        }
        let permits = Arc::new(Permits::new(self.most));
        all.insert(Box::from(&key[..end]), Arc::clone(&permits));
        permits
    }
}

pub(crate) struct Permits {
    most: usize,
    line: Mutex<Line>,
}

#[derive(Default)]
struct Line {
    taken: usize,
    /// How many have come, so that of equal urgency the first goes first.
    come: u64,
    waiting: BTreeMap<(Urgency, u64), oneshot::Sender<Permit>>,
    /// The urgency of each who waits, by number.
    places: BTreeMap<u64, Urgency>,
}

/// One attempt's right to be under way, until it is dropped.
pub(crate) struct Permit(Arc<Permits>);

/// A place in the line. Dropped, it is given up.
pub(crate) struct Place {
    permits: Arc<Permits>,
    number: u64,
    permit: oneshot::Receiver<Permit>,
}

/// Permits on their way to those who waited. They are handed over outside of the lock: one whose receiver is gone comes back.
type Granted = Vec<(oneshot::Sender<Permit>, Permit)>;

impl Permits {
    fn new(most: usize) -> Self {
        Self { most, line: Mutex::default() }
    }

    /// A permit, unless all are taken or somebody waits who is as urgent.
    pub(crate) fn try_take(self: &Arc<Self>, urgency: Urgency) -> Option<Permit> {
        let mut line = self.line();
        let first = line.waiting.first_key_value().map(|((first, _), _)| *first);
        if line.taken >= self.most_for(urgency) || first.is_some_and(|first| first <= urgency) {
            return None;
        }
        line.taken += 1;
        Some(Permit(Arc::clone(self)))
    }

    /// A place in the line for one.
    pub(crate) fn wait(self: &Arc<Self>, urgency: Urgency) -> Place {
        let (sender, permit) = oneshot::channel();
        let mut line = self.line();
        line.come += 1;
        let number = line.come;
        line.waiting.insert((urgency, number), sender);
        line.places.insert(number, urgency);
        let granted = self.grant(&mut line);
        drop(line);
        hand_over(granted);
        Place { permits: Arc::clone(self), number, permit }
    }

    /// A caller waits for what has this place now.
    pub(crate) fn a_caller_waits(self: &Arc<Self>, number: u64) {
        let mut line = self.line();
        let Some(urgency) = line.places.get(&number).copied().filter(|urgency| *urgency > Urgency::Caller) else {
            return;
        };
        if let Some(sender) = line.waiting.remove(&(urgency, number)) {
            line.waiting.insert((Urgency::Caller, number), sender);
            line.places.insert(number, Urgency::Caller);
        }
        let granted = self.grant(&mut line);
        drop(line);
        hand_over(granted);
    }

    /// A quarter is kept for those who wait themselves, and for what dies.
    fn most_for(&self, urgency: Urgency) -> usize {
        match urgency {
            Urgency::Scheduled(_) => self.most - self.most / 4,
            Urgency::Dying | Urgency::Caller => self.most,
        }
    }

    fn grant(self: &Arc<Self>, line: &mut Line) -> Granted {
        let mut granted = Granted::new();
        while let Some(first) = line.waiting.first_entry() {
            let (urgency, number) = *first.key();
            if line.taken >= self.most_for(urgency) {
                break;
            }
            granted.push((first.remove(), Permit(Arc::clone(self))));
            line.places.remove(&number);
            line.taken += 1;
        }
        granted
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hand_over(granted: Granted) {
    for (sender, permit) in granted {
        // Dropped where nobody waits for it any more, and then the next one's.
        drop(sender.send(permit));
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut line = self.0.line();
        line.taken -= 1;
        let granted = self.0.grant(&mut line);
        drop(line);
        hand_over(granted);
    }
}

impl Place {
    pub(crate) fn number(&self) -> u64 {
        self.number
    }
}

impl Future for Place {
    type Output = Permit;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Permit> {
        // The line keeps the sender until it sends, and this place keeps the line.
        Pin::new(&mut self.permit).poll(context).map(|permit| permit.expect("a line that grants each place"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut line = self.permits.line();
        if let Some(urgency) = line.places.remove(&self.number) {
            line.waiting.remove(&(urgency, self.number));
        }
        // Who stood behind may be less urgent, and served by what is free.
        let granted = self.permits.grant(&mut line);
        drop(line);
        hand_over(granted);
    }
}

#[cfg(test)]
mod tests;
