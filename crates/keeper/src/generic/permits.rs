//! How many attempts are under way at one provider at a time, and when the next one may begin: each takes a permit. Those that wait
//! for one are served by urgency, and none holds more than its own.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use rampauth_core::{Error, ErrorKind, Outcome};
use rampauth_store::SessionKey;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use crate::generic::pace::{Pace, Turn};

/// Who goes first; of two scheduled attempts the one whose tokens die sooner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// What is sent dies within the time of one attempt, or the time to resolve its doubt ends.
    Dying,
    /// A person asked.
    Manual,
    /// A caller waits.
    Caller,
    /// Nobody waits, and this is when the tokens die.
    Scheduled(SystemTime),
}

impl Urgency {
    /// Whether it does not wait for a pause or a rate: it could be too late, or a person stands above them.
    fn passes(self) -> bool {
        matches!(self, Self::Dying | Self::Manual)
    }
}

/// The permits of every provider and environment that has been called.
pub(crate) struct PermitsByProvider {
    most: usize,
    runtime: Handle,
    all: Mutex<BTreeMap<Box<str>, Arc<Permits>>>,
}

impl PermitsByProvider {
    /// `most` for each of them, one at least. The runtime wakes those that wait for their time.
    pub(crate) fn new(most: usize, runtime: Handle) -> Self {
        Self { most: most.max(1), runtime, all: Mutex::default() }
    }

    /// Whether this is the first key of its provider and environment.
    pub(crate) fn is_new(&self, key: &SessionKey) -> bool {
        self.enter(key).1
    }

    /// How many attempts may be under way at each provider.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// How the keys begin whose provider is left alone just now.
    pub(crate) fn left_alone(&self) -> Vec<String> {
        let (all, now) = (self.all.lock().unwrap_or_else(PoisonError::into_inner), Instant::now());
        let is_left_alone = |permits: &Permits| permits.line().pace.pause_end(now).is_some();
        all.iter().filter(|(_, permits)| is_left_alone(permits)).map(|(provider, _)| format!("{provider}/")).collect()
    }

    pub(crate) fn of(&self, key: &SessionKey) -> Arc<Permits> {
        self.enter(key).0
    }

    fn enter(&self, key: &SessionKey) -> (Arc<Permits>, bool) {
        let key = key.as_str();
        let end = key.match_indices('/').nth(1).map_or(key.len(), |(end, _)| end);
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(permits) = all.get(&key[..end]) {
            return (Arc::clone(permits), false);
        }
        let permits = Arc::new(Permits::new(self.most, self.runtime.clone()));
        all.insert(Box::from(&key[..end]), Arc::clone(&permits));
        (permits, true)
    }
}

pub(crate) struct Permits {
    most: usize,
    runtime: Handle,
    line: Mutex<Line>,
}

#[derive(Default)]
struct Line {
    taken: usize,
    /// How many have come, so that of equal urgency the first goes first.
    come: u64,
    waiting: BTreeMap<(Urgency, u64), Waiting>,
    /// The urgency of each that waits, by number.
    places: BTreeMap<u64, Urgency>,
    pace: Pace,
    /// Whether the pace holds up those that wait.
    held_up: bool,
    /// When the line is looked at next by itself.
    wake: Option<Instant>,
}

/// What a place in the line comes to: a permit, or for a caller how long the provider's pause still lasts.
pub(crate) type Served = Result<Permit, Duration>;

type Waiting = oneshot::Sender<Served>;

/// One attempt's right to be under way, until it is dropped.
pub(crate) struct Permit {
    permits: Arc<Permits>,
    began: Instant,
    /// Whether the provider's answer has been noted.
    is_answered: bool,
}

/// A place in the line. Dropped, it is given up.
pub(crate) struct Place {
    permits: Arc<Permits>,
    number: u64,
    permit: oneshot::Receiver<Served>,
}

/// Permits on their way to those that waited. They are handed over outside of the lock: one whose receiver is gone comes back.
type Granted = Vec<(Waiting, Served)>;

impl Permits {
    fn new(most: usize, runtime: Handle) -> Self {
        Self { most, runtime, line: Mutex::default() }
    }

    /// A permit, unless all are taken, its time has not come, or one waits that is as urgent.
    pub(crate) fn try_take(self: &Arc<Self>, urgency: Urgency) -> Option<Permit> {
        let (mut line, now) = (self.line(), Instant::now());
        let first = line.waiting.first_key_value().map(|((first, _), _)| *first);
        if line.taken >= self.most_for(urgency) || first.is_some_and(|first| first <= urgency) {
            return None;
        }
        if !urgency.passes() && line.pace.turn(now) != Turn::Now {
            return None;
        }
        Some(self.begin(&mut line, now))
    }

    fn begin(self: &Arc<Self>, line: &mut Line, now: Instant) -> Permit {
        line.taken += 1;
        line.pace.begin(now, line.held_up);
        Permit { permits: Arc::clone(self), began: now, is_answered: false }
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

    /// A caller waits for what has this place now. No caller waits for the end of a pause.
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

    /// A quarter is kept for callers, and for what dies.
    fn most_for(&self, urgency: Urgency) -> usize {
        match urgency {
            Urgency::Scheduled(_) => self.most - self.most / 4,
            Urgency::Dying | Urgency::Manual | Urgency::Caller => self.most,
        }
    }

    fn grant(self: &Arc<Self>, line: &mut Line) -> Granted {
        let (now, mut granted) = (Instant::now(), Granted::new());
        if let Some(end) = line.pace.pause_end(now) {
            while let Some(caller) = line.first_caller() {
                granted.push((caller, Err(end - now)));
            }
        }
        while let Some((&(urgency, number), _)) = line.waiting.first_key_value() {
            if line.taken >= self.most_for(urgency) {
                return granted;
            }
            if !urgency.passes() {
                match line.pace.turn(now) {
                    Turn::Now => {}
                    Turn::NotBefore(time) => {
                        line.held_up = true;
                        self.wake_at(line, time);
                        return granted;
                    }
                    Turn::AfterTheProbe => return granted,
                }
            }
            let permit = self.begin(line, now);
            granted.extend(line.remove(urgency, number).map(|sender| (sender, Ok(permit))));
        }
        line.held_up = false;
        granted
    }

    /// Looks at the line when the time of the first has come.
    fn wake_at(self: &Arc<Self>, line: &mut Line, time: Instant) {
        if line.wake.is_some_and(|wake| wake <= time) {
            return;
        }
        line.wake = Some(time);
        let permits = Arc::downgrade(self);
        drop(self.runtime.spawn(async move {
            sleep_until(time).await;
            let Some(permits) = permits.upgrade() else { return };
            let mut line = permits.line();
            line.wake = line.wake.filter(|wake| *wake > time);
            let granted = permits.grant(&mut line);
            drop(line);
            hand_over(granted);
        }));
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn remove(&mut self, urgency: Urgency, number: u64) -> Option<Waiting> {
        self.places.remove(&number);
        self.waiting.remove(&(urgency, number))
    }

    fn first_caller(&mut self) -> Option<Waiting> {
        let callers = (Urgency::Caller, 0)..=(Urgency::Caller, u64::MAX);
        let (urgency, number) = self.waiting.range(callers).next().map(|(place, _)| *place)?;
        self.remove(urgency, number)
    }
}

fn hand_over(granted: Granted) {
    for (sender, served) in granted {
        // Dropped where nobody waits for it any more, and then the next one's.
        drop(sender.send(served));
    }
}

impl Permit {
    /// Notes what the provider's answer says about its pace.
    pub(crate) fn note(&mut self, answer: Result<(), &Error>) {
        let now = Instant::now();
        let mut line = self.permits.line();
        match answer.map_err(|error| (error, error.outcome(), error.status())) {
            // Nothing arrived there, or nothing came back.
            Err((_, Outcome::NotSent, _) | (_, Outcome::Unknown, None)) => return,
            Err((error, _, status)) if error.kind() == ErrorKind::RateLimited || status == Some(503) => {
                line.pace.limited(now, error.retry_after(), error.kind() == ErrorKind::RateLimited);
            }
            Ok(()) | Err(_) => line.pace.answered(now, self.began),
        }
        self.is_answered = true;
        let granted = self.permits.grant(&mut line);
        drop(line);
        hand_over(granted);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut line = self.permits.line();
        line.taken -= 1;
        if !self.is_answered {
            line.pace.end();
        }
        let granted = self.permits.grant(&mut line);
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
    type Output = Served;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Served> {
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
        // The next one may be less urgent, and served by what is free.
        let granted = self.permits.grant(&mut line);
        drop(line);
        hand_over(granted);
    }
}

#[cfg(test)]
mod tests;
