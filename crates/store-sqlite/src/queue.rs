//! What waits for the thread that has the connection, and in which order it has its turn.

use std::collections::VecDeque;
use std::sync::mpsc;

use rampauth_store::Replaced;
use tokio::sync::oneshot;

use crate::error::Trouble;
use crate::row::Replace;
use crate::steps::Steps;

/// The most replaces that are carried out in one transaction. A flush costs as much for one as for many; a thousand pages in one
/// transaction are still a moment's work.
const GROUP: usize = 256;
/// How many reads come between two groups of replaces, so that neither keeps the other waiting.
const READS: usize = 64;

/// A replace and who waits for it.
pub(crate) struct Step {
    pub(crate) replace: Replace,
    pub(crate) answer: oneshot::Sender<Result<Replaced, Trouble>>,
}

/// Anything else that needs the file, and what it is answered where the file cannot be had.
pub(crate) type Work = Box<dyn FnOnce(Result<&mut Steps<'_>, Trouble>) + Send>;

pub(crate) enum Job {
    Step(Step),
    Work(Work),
}

/// The next thing to do.
pub(crate) enum Turn {
    /// These replaces, in one transaction.
    Steps(Vec<Step>),
    Work(Work),
}

/// What came and has not had its turn.
pub(crate) struct Queue {
    coming: mpsc::Receiver<Job>,
    /// Those that save what a provider has answered, or a login: they come before what is still to be asked.
    saves: VecDeque<Step>,
    claims: VecDeque<Step>,
    work: VecDeque<Work>,
    /// How many reads may come before the next group.
    reads_left: usize,
}

impl Queue {
    pub(crate) fn new(coming: mpsc::Receiver<Job>) -> Self {
        let (saves, claims, work) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        Self { coming, saves, claims, work, reads_left: 0 }
    }

    /// Waits until there is something to do; `false` when nothing can come any more.
    pub(crate) fn wait(&mut self) -> bool {
        while let Ok(job) = self.coming.try_recv() {
            self.take_in(job);
        }
        if self.saves.is_empty() && self.claims.is_empty() && self.work.is_empty() {
            match self.coming.recv() {
                Ok(job) => self.take_in(job),
                Err(_) => return false,
            }
        }
        true
    }

    /// Steps that were not begun have the next turn, before what came after them.
    pub(crate) fn put_back(&mut self, steps: Vec<Step>) {
        for step in steps.into_iter().rev() {
            let waiting = if step.replace.claims { &mut self.claims } else { &mut self.saves };
            waiting.push_front(step);
        }
    }

    fn take_in(&mut self, job: Job) {
        match job {
            Job::Step(step) if step.replace.claims => self.claims.push_back(step),
            Job::Step(step) => self.saves.push_back(step),
            Job::Work(work) => self.work.push_back(work),
        }
    }

    /// What is next. Of what nobody waits for any more nothing is done.
    pub(crate) fn next(&mut self) -> Option<Turn> {
        if self.reads_left > 0
            && let Some(work) = self.work.pop_front()
        {
            self.reads_left -= 1;
            return Some(Turn::Work(work));
        }
        self.reads_left = READS;
        let waiting = self.saves.drain(..).chain(self.claims.drain(..)).filter(|step| !step.answer.is_closed());
        let mut waiting: VecDeque<_> = waiting.collect();
        let group: Vec<_> = waiting.drain(..waiting.len().min(GROUP)).collect();
        for step in waiting {
            self.take_in(Job::Step(step));
        }
        if group.is_empty() { self.work.pop_front().map(Turn::Work) } else { Some(Turn::Steps(group)) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use rampauth_store::{Record, Replacement, Revision, SessionId, SessionKey};

    use super::*;

    type Caller = oneshot::Receiver<Result<Replaced, Trouble>>;

    fn record() -> Record {
        Record::tombstone(SessionId::from_random(1), 1, SystemTime::UNIX_EPOCH)
    }

    fn step(subject: &str, claims: bool) -> (Step, Caller) {
        let key = SessionKey::parse(format!("onboard/staging/acme/{subject}")).expect("a key");
        let (answer, caller) = oneshot::channel();
        let (expected, revision) = (Revision::ABSENT, Revision::from_parts(1, 1));
        let replace = Replace::new(&key, Replacement { expected, revision, record: &record(), claims });
        (Step { replace, answer }, caller)
    }

    fn queue() -> (mpsc::Sender<Job>, Queue) {
        let (sender, coming) = mpsc::channel();
        (sender, Queue::new(coming))
    }

    /// The subjects of the replaces whose turn it is.
    fn subjects(turn: Option<Turn>) -> Vec<String> {
        let Some(Turn::Steps(steps)) = turn else { panic!("no replaces") };
        steps.iter().map(|step| step.replace.key.subject().expect("a subject").to_owned()).collect()
    }

    #[test]
    fn what_is_to_be_saved_comes_before_what_is_still_to_be_asked() {
        let (sender, mut queue) = queue();
        let mut callers = Vec::new();
        for (subject, claims) in [("a", true), ("b", false), ("c", true), ("d", false)] {
            let (step, caller) = step(subject, claims);
            callers.push(caller);
            sender.send(Job::Step(step)).expect("a queue");
        }
        assert!(queue.wait());
        let Some(Turn::Steps(steps)) = queue.next() else { panic!("no replaces") };
        // Not begun, they come before what came since; and one whose caller has left does not come at all.
        callers.remove(2);
        let (late, _late) = step("e", true);
        sender.send(Job::Step(late)).expect("a queue");
        assert!(queue.wait());
        queue.put_back(steps);
        assert_eq!(subjects(queue.next()), ["b", "d", "a", "e"]);
        assert!(queue.next().is_none());
    }

    #[test]
    fn a_group_is_bounded_and_reads_come_between_two() {
        let (sender, mut queue) = queue();
        let mut callers = Vec::new();
        for number in 0..=GROUP {
            let (step, caller) = step(&number.to_string(), false);
            callers.push(caller);
            sender.send(Job::Step(step)).expect("a queue");
        }
        for _ in 0..=READS {
            sender.send(Job::Work(Box::new(|_| ()))).expect("a queue");
        }
        assert!(queue.wait());
        assert_eq!(subjects(queue.next()).len(), GROUP);
        for _ in 0..READS {
            assert!(matches!(queue.next(), Some(Turn::Work(_))));
        }
        assert_eq!(subjects(queue.next()), [GROUP.to_string()]);
        assert!(matches!(queue.next(), Some(Turn::Work(_))) && queue.next().is_none());
    }

    #[test]
    fn the_wait_ends_when_nothing_can_come_and_not_before_all_had_its_turn() {
        let (sender, mut queue) = queue();
        let (step, _caller) = step("a", false);
        sender.send(Job::Step(step)).expect("a queue");
        drop(sender);
        assert!(queue.wait() && queue.wait());
        assert_eq!(subjects(queue.next()), ["a"]);
        assert!(!queue.wait());
    }
}
