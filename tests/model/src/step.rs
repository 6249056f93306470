//! What each step does to the world: the process's own functions and the keeper's real protocol, one after the other.

use rampauth_keeper::State;
use rampauth_keeper::next_step::{self, Need};

use crate::flaw::Flaw;
use crate::model::{Action, KeeperModel};
use crate::outside;
use crate::rule::Rule;
use crate::setup::Fault;
use crate::time::{self, LEASE, NEEDS, boot};
use crate::world::{Outcome, Pace, Presentation, Process, Step, World};

impl KeeperModel {
    pub(crate) fn step(&self, world: &mut World, action: Action) {
        match action {
            Action::Look(process) => self.look(world, process, Need::Ahead),
            Action::Open(process) => self.open(world, process),
            Action::Send(process) => self.send(world, process),
            Action::Answer(process) => self.answer(world, process),
            Action::Finish(process) => self.finish(world, process),
            Action::GiveUp(process) => self.give_up(world, process),
            Action::Use(process) => self.use_token(world, process),
            Action::Resume(process) => world.processes[process].pace = Pace::Going,
            Action::ResumeToCompute(process) => self.compute_now(world, process),
            Action::Arrive(late) => {
                let late = world.late.remove(late);
                self.replace(world, late);
            }
            Action::Act(person) => {
                self.act(world, person);
                world.people.remove(person);
            }
            Action::Tick => outside::tick(world),
            Action::End => world.ended = true,
            Action::Fault(fault, process) => {
                world.faults -= 1;
                self.fault(world, fault, process);
            }
            Action::Starts(fault) => self.start(world, fault == Fault::Login),
            Action::ActUnheard(person) => {
                world.faults -= 1;
                self.act(world, person);
            }
        }
    }

    fn send(&self, world: &mut World, process: usize) {
        let Step::Claimed(presentation, mark) = world.processes[process].step else { return };
        let record = self.record(world);
        let unmoved = self.flaw(Flaw::NoSecondLook)
            || !presentation.doubtful
            || next_step::still_claimed(record.as_ref(), &presentation.reference());
        let young = self.flaw(Flaw::AgeOfClaimIgnored) || next_step::may_send(boot(world.now - mark), NEEDS, LEASE);
        world.processes[process].step = if unmoved && young {
            self.watch(world, presentation);
            Step::Sent(presentation)
        } else {
            Step::Answered(presentation, Outcome::NotSent)
        };
    }

    /// What the checker makes of a request that leaves.
    fn watch(&self, world: &mut World, presentation: Presentation) {
        let kind = self.setup.kind;
        let token = world.provider.presents(kind, presentation.grant);
        let generation = (presentation.session, presentation.generation);
        // Where a token is not replaced, the next generation presents it too, and a late commit can bring that about while
        // a doubtful request of the generation before is on its way: what is not doubtful must be alone all the same.
        let sent = |it: &Process| match it.step {
            Step::Sent(other) => {
                world.provider.presents(kind, other.grant) == token
                    && ((other.session, other.generation) == generation || (!other.doubtful && !presentation.doubtful))
            }
            _ => false,
        };
        let grant = world.provider.grant(presentation.grant);
        let record = world.record.as_ref().filter(|it| it.session == presentation.session);
        let current = record.filter(|it| it.generation == presentation.generation);
        let elsewhere = current.is_some_and(|it| it.attempt.as_ref().is_none_or(|held| held.id != presentation.id));
        let presented_dies = self.setup.presented_life.map(|life| world.provider.grant(token).at + life);
        let dying = world.now + self.margin() >= grant.at + time::ACCESS_LIFE
            || presented_dies.is_some_and(|death| world.now + 2 >= death)
            || current.is_some_and(|it| it.rejected == Some(presentation.grant));
        let allowed = match self.setup.when_unknown {
            _ if presentation.by_hand => true,
            rampauth_core::WhenUnknown::Stop => false,
            rampauth_core::WhenUnknown::AtLastMoment => dying,
            _ => true,
        };
        let at_once = elsewhere || world.processes.iter().any(sent);
        let known_doubtful = current.map_or(presentation.doubtful, |it| {
            it.state != State::Ready || it.attempt.as_ref().is_some_and(|held| held.presented_by.len() > 1)
        });
        let successor = record.is_some_and(|it| it.generation > presentation.generation);
        world.broken.note(Rule::TwoAtOnce, at_once);
        world.broken.note(Rule::SpentAsFresh, !known_doubtful && grant.spent.is_some());
        world.broken.note(Rule::SuccessorKnown, successor);
        let asked = presentation.condemned && presentation.by_hand;
        world.broken.note(Rule::RefusedAgain, world.condemned & (1 << token) != 0 && !asked);
        world.broken.note(Rule::Policy, known_doubtful && !allowed);
    }

    /// How many ticks before the access token's expiry the last moment is.
    fn margin(&self) -> u8 {
        if self.setup.kind == crate::setup::Kind::BeforeExpiry { 2 } else { 0 }
    }

    fn answer(&self, world: &mut World, process: usize) {
        let Step::Sent(presentation) = world.processes[process].step else { return };
        let granted = self.present(world, presentation);
        if let Some(grant) = granted {
            world.received |= 1 << grant;
        }
        let outcome = granted.map_or(Outcome::Refused, Outcome::Granted);
        world.processes[process].step = Step::Answered(presentation, outcome);
    }

    pub(crate) fn present(&self, world: &mut World, presentation: Presentation) -> Option<u8> {
        world.provider.present(self.setup.kind, presentation.grant, world.now, self.setup.presented_life)
    }
}
