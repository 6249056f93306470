//! Up to the claim: a process looks at the record, plans, computes the step upon what it saw, and has it written if nothing else
//! was meanwhile.

use rampauth_keeper::next_step::{self, Need, Opened, Plan, Shown};
use rampauth_keeper::{Answer, Operation, OwnerId, Record};

use crate::flaw::Flaw;
use crate::ids::{Revision, attempt, digest, session};
use crate::model::KeeperModel;
use crate::replace::{Memory, Notes, Replace};
use crate::rule::Rule;
use crate::shown::{adopt, told};
use crate::stored::Stored;
use crate::time::{LEASE, MAX_AGE, wall};
use crate::world::{Outcome, Pace, Presentation, Step, View, World};

/// A record that was seen.
struct Seen {
    record: Record,
    stored: Stored,
    revision: Revision,
    view: View,
}

impl KeeperModel {
    pub(crate) fn look(&self, world: &mut World, process: usize, need: Need) {
        let asked = match world.processes[process].step {
            Step::Asking(asked) => asked,
            _ => world.now,
        };
        world.processes[process].rest();
        let Some(now) = self.read(world, asked) else { return };
        let memory = world.remembered[process].take();
        let remembered = memory.and_then(|memory| self.claimable(world, process, need, memory));
        let from_memory = remembered.is_some();
        let truth = self.plan(world, &now.record, need);
        let Seen { record, stored, revision, view } = remembered.unwrap_or(now);
        let plan = self.plan(world, &record, need);
        let step = match (plan, stored.tokens) {
            (Plan::Present { settle: false }, _) if world.refreshes == 0 => return,
            (Plan::Present { .. } | Plan::SendManually, Some(tokens)) => {
                let Stored { session, generation, .. } = stored;
                let (id, grant, by_hand) = (world.free_attempt(), tokens.grant, need.is_a_persons());
                let condemned = plan == Plan::SendManually;
                let presentation = Presentation { id, session, generation, grant, doubtful: false, by_hand, condemned };
                Step::Opening(presentation, plan == Plan::Present { settle: true }, view)
            }
            (Plan::GiveUp, _) => Step::GivingUp(stored.session, stored.generation, view),
            (Plan::Present { .. } | Plan::SendManually | Plan::Rest | Plan::Wait(_) | Plan::LogIn, _) => {
                world.broken.note(Rule::Told, from_memory && plan != truth);
                return;
            }
        };
        (world.processes[process].step, world.processes[process].upon) = (step, revision);
        adopt(world, process, Some(&record));
    }

    fn plan(&self, world: &World, record: &Record, need: Need) -> Plan {
        let plan = next_step::plan(record, need, &self.policy, LEASE, wall(world.now));
        self.setup.flaw.map_or(plan, |flaw| flaw.plan(record, plan))
    }

    /// The record as it is now, by a process that asked for it then.
    fn read(&self, world: &World, asked: u8) -> Option<Seen> {
        let (stored, record) = (world.record.clone()?, self.record(world)?);
        // Nobody can say when the store read its clock. All that has passed since the question is added to what it showed.
        let view = View { read: world.now, at: world.now + (world.now - asked), mark: world.now };
        Some(Seen { record, stored, revision: world.revision, view })
    }

    /// What a process remembers, if it is worth a claim: for whatever else there is to be said, it reads again.
    fn claimable(&self, world: &World, process: usize, need: Need, memory: Memory) -> Option<Seen> {
        let Memory { revision, record: stored, time, asked } = memory;
        let record = stored.record(&self.setup, &world.provider);
        let age = world.now - asked;
        let claims = matches!(self.plan(world, &record, need), Plan::Present { .. } | Plan::SendManually);
        let is_shown = world.processes[process].shown.is_some_and(|shown| shown.shown() == Shown::of(&record));
        let good = claims && is_shown || self.flaw(Flaw::ToldFromMemory);
        let at = if self.flaw(Flaw::TimeOfTheRecord) { time } else { time + age };
        (good && age <= MAX_AGE).then_some(Seen {
            record,
            stored,
            revision,
            view: View { read: time, at, mark: world.now },
        })
    }

    fn claim(&self, world: &World, process: usize, presentation: Presentation, settle: bool) -> Operation {
        let presents = digest(world.provider.presents(self.setup.kind, presentation.grant));
        let (generation, attempt) = (presentation.generation.into(), attempt(presentation.id));
        let (owner, lease) = (OwnerId::from_random(process as u128), LEASE);
        match presentation.condemned {
            true => Operation::ClaimManually { generation, presents, attempt, owner, lease },
            false => Operation::Begin { generation, presents, attempt, owner, lease, settle },
        }
    }

    /// What a process that is about to claim or to give up would have the store hold, and the answer to it; no answer where the
    /// record has changed since it was seen.
    fn computed(&self, world: &mut World, process: usize) -> Option<(Answer, Option<Replace>)> {
        let upon = world.processes[process].upon;
        if upon != world.revision {
            return None;
        }
        let (operation, view, presentation) = match world.processes[process].step {
            Step::Opening(presentation, settle, view) => {
                (self.claim(world, process, presentation, settle), view, Some(presentation))
            }
            Step::GivingUp(login, generation, view) => {
                let (session, generation) = (session(login), generation.into());
                (Operation::GiveUp { session, generation }, view, None)
            }
            _ => unreachable!("there is nothing to compute"),
        };
        let (answer, after) = self.run(world, operation, view.at);
        let begun = presentation.map(|it| it.id);
        let replace = after.map(|record| Replace { upon, record, notes: Notes { begun, ..Notes::default() } });
        Some((answer, replace))
    }

    /// The step that a process is about to have written; nothing where there is nothing to write.
    pub(crate) fn pending(&self, world: &mut World, process: usize) -> Option<Replace> {
        if self.was_claimed(world, process) {
            return None;
        }
        self.computed(world, process).and_then(|(_, replace)| replace)
    }

    /// The answer to a claim or a giving up; `None` where the step is computed anew first.
    fn answered(&self, world: &mut World, process: usize) -> Option<Answer> {
        if self.was_claimed(world, process) && self.read_again(world, process) {
            return None;
        }
        let Some((answer, replace)) = self.computed(world, process) else {
            if self.flaw(Flaw::ConflictRunAgain) {
                world.processes[process].upon = world.revision;
                self.read_again(world, process);
                return None;
            }
            return Some(Answer::Moved(self.record(world)));
        };
        if let Some(replace) = replace {
            self.note_claim(world, process);
            self.replace(world, replace);
        } else if self.read_again(world, process) {
            // What writes nothing is answered from a record that was read for it.
            return None;
        }
        Some(answer)
    }

    /// Whether somebody's claim held in the record that was seen, when it was read.
    fn was_claimed(&self, world: &World, process: usize) -> bool {
        let it = world.processes[process];
        let (Step::Opening(_, _, view) | Step::GivingUp(_, _, view)) = it.step else { return false };
        let current = world.record.as_ref().filter(|_| it.upon == world.revision);
        let lease = current.and_then(|record| record.attempt.as_ref()).and_then(|attempt| attempt.lease);
        lease.is_some_and(|until| view.read < until) && !self.flaw(Flaw::LeaseNotReadAgain)
    }

    /// Has the next step run at the time that the store's clock shows now, and says whether that is another.
    fn read_again(&self, world: &mut World, process: usize) -> bool {
        let (Step::Opening(_, _, view) | Step::GivingUp(_, _, view)) = &mut world.processes[process].step else {
            return false;
        };
        let again = View { read: world.now, at: world.now, ..*view };
        std::mem::replace(view, again) != again
    }

    /// The pause between look and step is over, and the step is computed as of now.
    pub(crate) fn compute_now(&self, world: &mut World, process: usize) {
        let now = world.now;
        let it = &mut world.processes[process];
        it.pace = Pace::Going;
        if let Step::Opening(_, _, view) | Step::GivingUp(_, _, view) = &mut it.step {
            // What has passed since is added to both.
            *view = View { at: view.at + (now - view.mark), mark: now, ..*view };
        }
    }

    /// What the checker makes of a claim that is about to be written.
    fn note_claim(&self, world: &mut World, process: usize) {
        let Step::Opening(presentation, _, view) = world.processes[process].step else { return };
        let paused = world.record.as_ref().and_then(|record| record.paused).is_some_and(|until| view.at < until);
        world.broken.note(Rule::Paused, paused && !presentation.by_hand);
    }

    pub(crate) fn open(&self, world: &mut World, process: usize) {
        if let Some(answer) = self.answered(world, process) {
            self.opened(world, process, Some(&answer));
        }
    }

    /// Goes on after a claim whose answer may be lost.
    pub(crate) fn opened(&self, world: &mut World, process: usize, answer: Option<&Answer>) {
        let Step::Opening(presentation, _, view) = world.processes[process].step else { return };
        world.processes[process].rest();
        match next_step::opened(answer) {
            Opened::Claimed { doubtful, .. } => {
                if !doubtful {
                    world.refreshes = world.refreshes.saturating_sub(1);
                }
                let mark = if self.flaw(Flaw::AgeFromTheAnswer) { world.now } else { view.mark };
                world.processes[process].step = Step::Claimed(Presentation { doubtful, ..presentation }, mark);
                world.processes[process].upon = world.revision;
            }
            Opened::TakeBack => world.processes[process].step = Step::Answered(presentation, Outcome::NotSent),
            Opened::LookAgain => {}
            Opened::Wait { .. } => world.processes[process].pace = Pace::Waiting,
            Opened::Foreign => unreachable!("the protocol answers what it was asked"),
        }
        adopt(world, process, answer.and_then(told));
    }

    pub(crate) fn give_up(&self, world: &mut World, process: usize) {
        let Step::GivingUp(login, generation, _) = world.processes[process].step else { return };
        let Some(answer) = self.answered(world, process) else { return };
        world.processes[process].rest();
        if next_step::held_until(&answer, session(login), generation.into()).is_some() {
            world.processes[process].pace = Pace::Waiting;
        }
        adopt(world, process, told(&answer));
    }
}
