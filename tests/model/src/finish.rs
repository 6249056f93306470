//! After the answer: what came of a presentation is saved or concluded, upon whatever the store holds by then.

use std::sync::OnceLock;

use rampauth_core::{Error, ErrorKind, Outcome as Sending};
use rampauth_keeper::{Answer, Conclusion, LastError, Operation, Record, State, policy};

use crate::flaw::Flaw;
use crate::model::KeeperModel;
use crate::replace::{Memory, Notes, Replace};
use crate::rule::Rule;
use crate::shown::{adopt, seen, show, told, unsaved};
use crate::stored::{Stored, Tokens, tokens};
use crate::template::{pause, refusal};
use crate::time::{FLOOR, MAX_AGE, PAUSE, TICK, wall};
use crate::world::{Outcome, Presentation, Step, World};

impl KeeperModel {
    pub(crate) fn finish(&self, world: &mut World, process: usize) {
        let it = world.processes[process];
        if let Some((presentation, grant)) = it.unsaved()
            && self.flaw(Flaw::UnsavedForgotten)
            && it.shown == Some(unsaved(presentation, grant))
        {
            let record = world.record.as_ref().expect("nothing removes a record");
            show(world, process, seen(record));
            world.processes[process].rest();
            return;
        }
        if let Step::Answered(presentation, Outcome::Refused) = it.step
            && self.flaw(Flaw::CondemnedInTwoSteps)
            && self.conclusion(Outcome::Refused) == Conclusion::Dead
        {
            let seen = world.record.as_ref().is_some_and(|record| !record.orphans.is_empty());
            world.processes[process].step = Step::Condemning(presentation, seen);
            return;
        }
        if it.upon != world.revision {
            // A conflict shows what is there, and so does reading it.
            world.processes[process].upon = world.revision;
            if self.flaw(Flaw::DroppedAtConflict) {
                world.processes[process].rest();
            }
            return;
        }
        let answer = self.deliver(world, process);
        world.processes[process].rest();
        if let Answer::Saved(record) | Answer::Done(record) = &answer {
            self.remember(world, process, record);
        }
        match answer {
            Answer::Stale | Answer::Gone => {
                let record = self.record(world);
                adopt(world, process, record.as_ref());
            }
            answer => adopt(world, process, told(&answer)),
        }
    }

    /// Keeps what was written for the next claim, if that comes soon.
    fn remember(&self, world: &mut World, process: usize, record: &Record) {
        let due = record.due().map(|due| due.duration_since(wall(world.now)).unwrap_or_default());
        let soon = due.is_some_and(|wait| wait < TICK * u32::from(MAX_AGE));
        if self.setup.remembers && soon {
            let (revision, time, asked) = (world.revision, world.now, world.now);
            world.remembered[process] = Some(Memory { revision, record: Stored::of(record), time, asked });
        }
    }

    /// Tells the store what came of a presentation.
    pub(crate) fn deliver(&self, world: &mut World, process: usize) -> Answer {
        let (answer, replace, notes) = self.delivery(world, process);
        match replace {
            Some(replace) => self.replace(world, replace),
            None => self.note(world, notes),
        }
        answer
    }

    /// What the store is to be told of a presentation, if its process knows what the store holds.
    pub(crate) fn undelivered(&self, world: &mut World, process: usize) -> Option<Replace> {
        let current = world.processes[process].upon == world.revision;
        current.then(|| self.delivery(world, process).1).flatten()
    }

    fn delivery(&self, world: &mut World, process: usize) -> (Answer, Option<Replace>, Notes) {
        let (answer, after, notes) = match world.processes[process].step {
            Step::Answered(presentation, Outcome::Granted(grant)) => {
                let granted = Tokens::granted(&self.setup, &world.provider, grant, presentation.generation + 1);
                let tokens = tokens(&self.setup, &world.provider, granted);
                let generation = world.record.as_ref().map(|record| record.generation);
                // A late answer to the very presentation heals, whatever another one was answered.
                let heals = generation == Some(presentation.generation);
                let alive = if heals { 1 << world.provider.presents(self.setup.kind, grant) } else { 0 };
                let commit = Operation::Commit { attempt: presentation.reference(), tokens };
                let (answer, after) = self.run(world, commit, world.now);
                (answer, after, Notes { alive, ..Notes::default() })
            }
            Step::Answered(presentation, outcome) => self.conclude(world, presentation, outcome),
            Step::Condemning(presentation, seen) => {
                // The orphans that were not there when it looked are not looked at.
                let hidden = match world.record.as_mut() {
                    Some(record) if !seen => std::mem::take(&mut record.orphans),
                    _ => Vec::new(),
                };
                let (answer, mut after, notes) = self.conclude(world, presentation, Outcome::Refused);
                if let Some(after) = &mut after {
                    after.orphans.extend(hidden.iter().copied());
                }
                if let Some(record) = world.record.as_mut() {
                    record.orphans.extend(hidden);
                }
                (answer, after, notes)
            }
            _ => unreachable!("there is nothing to tell"),
        };
        let replace = after.map(|record| Replace { upon: world.revision, record, notes });
        (answer, replace, notes)
    }

    fn conclude(
        &self,
        world: &mut World,
        presentation: Presentation,
        outcome: Outcome,
    ) -> (Answer, Option<Stored>, Notes) {
        let conclusion = self.conclusion(outcome);
        let error: Option<LastError> = match outcome {
            Outcome::Refused | Outcome::Forbidden => Some(refusal().clone()),
            Outcome::TurnedAway => Some(pause(world.now + PAUSE)),
            Outcome::Granted(_) | Outcome::NotSent | Outcome::Unknown => None,
        };
        let wait = if outcome == Outcome::TurnedAway { PAUSE } else { FLOOR };
        let next_due = Some(wall(world.now + wait));
        let operation = Operation::Conclude { attempt: presentation.reference(), conclusion, next_due, error };
        let (answer, after) = self.run(world, operation, world.now);
        // Anything but `Done` says that tokens came from elsewhere.
        let changed = after.as_ref().is_some_and(|it| it.state != State::LoginNeeded);
        world.broken.note(Rule::Tried, presentation.condemned && changed && matches!(answer, Answer::Done(_)));
        let condemns = conclusion == Conclusion::Dead && matches!(answer, Answer::Done(_) | Answer::Adopted(_));
        let dead = if condemns { 1 << world.provider.presents(self.setup.kind, presentation.grant) } else { 0 };
        let unsent = matches!(conclusion, Conclusion::NotSent | Conclusion::Refused).then_some(presentation.id);
        (answer, after, Notes { unsent, dead, ..Notes::default() })
    }

    fn conclusion(&self, outcome: Outcome) -> Conclusion {
        let kind = match outcome {
            Outcome::Refused if self.setup.names_dead => ErrorKind::LoginNeeded,
            Outcome::Refused => ErrorKind::Refused,
            Outcome::Forbidden => ErrorKind::Forbidden,
            Outcome::NotSent => ErrorKind::Unreachable,
            Outcome::TurnedAway => ErrorKind::RateLimited,
            Outcome::Unknown | Outcome::Granted(_) => ErrorKind::Timeout,
        };
        policy::conclusion(error(kind), &self.policy)
    }
}

/// An error of each kind, made once.
fn error(kind: ErrorKind) -> &'static Error {
    static ERRORS: OnceLock<[Error; 6]> = OnceLock::new();
    let errors = ERRORS.get_or_init(|| {
        [
            (ErrorKind::LoginNeeded, Sending::Refused),
            (ErrorKind::Refused, Sending::Refused),
            (ErrorKind::Forbidden, Sending::Refused),
            (ErrorKind::Unreachable, Sending::NotSent),
            (ErrorKind::RateLimited, Sending::NotSent),
            (ErrorKind::Timeout, Sending::Unknown),
        ]
        .map(|(kind, outcome)| {
            let error = Error::new(kind, outcome, "refresh", "the model says so");
            // A refusal in the provider's own form has its code.
            if kind == ErrorKind::Refused { error.with_provider_code("32") } else { error }
        })
    });
    errors.iter().find(|error| error.kind() == kind).expect("there is one of each")
}
