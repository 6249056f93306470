//! What each step does to the world: the process's own functions and the keeper's real protocol, one after the other.

use std::sync::OnceLock;

use rampauth_core::{Error, ErrorKind, Outcome as Sending};
use rampauth_keeper::next_step::{self, Need, Opened, Plan};
use rampauth_keeper::protocol::apply;
use rampauth_keeper::{Answer, Conclusion, Operation, OwnerId, Record, State, policy};

use crate::flaw::Flaw;
use crate::ids::{attempt, digest, session};
use crate::model::{Action, KeeperModel};
use crate::outside;
use crate::rule::Rule;
use crate::setup::Fault;
use crate::shown::{adopt, seen, show, told, unsaved};
use crate::stored::{Stored, Tokens, tokens};
use crate::template::refusal;
use crate::time::{self, FLOOR, LEASE, NEEDS, boot, wall};
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

    fn flaw(&self, flaw: Flaw) -> bool {
        self.setup.flaw == Some(flaw)
    }

    /// The record as the keeper sees it.
    fn record(&self, world: &World) -> Option<Record> {
        world.record.as_ref().map(|it| it.record(&self.setup, &world.provider))
    }

    /// One step of the store.
    pub(crate) fn store(&self, world: &mut World, operation: Operation) -> Answer {
        let now = time::store(world.now);
        let mut slot = self.record(world);
        let tokens_before = world.record.as_ref().and_then(|record| record.tokens);
        let answer = match self.setup.flaw {
            Some(flaw) => flaw.apply(&mut slot, operation, &now),
            None => apply(&mut slot, operation, &now),
        };
        let after = slot.as_ref().map(Stored::of);
        if let (Some(record), Some(kept), true) = (&slot, &after, self.setup.compared) {
            kept.compare(record, &self.setup, &world.provider);
        }
        if let (Some(before), Some(after)) = (&world.record, &after) {
            let same_session = before.session == after.session;
            if !same_session || before.generation != after.generation {
                world.perhaps_sent.clear();
            }
            if let (Some(old), Some(new), true) = (before.tokens, after.tokens, same_session) {
                world.broken.note(Rule::StaleOverwrite, world.provider.descends(old.grant, new.grant));
            }
        }
        // A grant forgets that the token was refused.
        let granted = matches!(answer, Answer::Saved(_) | Answer::Adopted(_));
        let forgotten = after.as_ref().is_none_or(|after| !after.refused || after.tokens == tokens_before);
        world.broken.note(Rule::Refusals, granted && !forgotten);
        world.record = after;
        answer
    }

    pub(crate) fn look(&self, world: &mut World, process: usize, need: Need) {
        let Some(record) = self.record(world) else { return };
        let plan = next_step::plan(&record, need, &self.policy, LEASE, wall(world.now));
        let plan = self.setup.flaw.map_or(plan, |flaw| flaw.plan(&record, plan));
        let stored = world.record.as_ref().expect("it was just read");
        let step = match (plan, stored.tokens) {
            (Plan::Present { settle: false }, _) if world.refreshes == 0 => return,
            (Plan::Present { .. } | Plan::SendManually, Some(tokens)) => {
                let (session, generation) = (stored.session, stored.generation);
                let (id, grant, by_hand) = (world.free_attempt(), tokens.grant, need.is_a_persons());
                let condemned = plan == Plan::SendManually;
                let presentation = Presentation { id, session, generation, grant, doubtful: false, by_hand, condemned };
                Step::Opening(presentation, plan == Plan::Present { settle: true })
            }
            (Plan::GiveUp, _) => Step::GivingUp(stored.session, stored.generation),
            (Plan::Present { .. } | Plan::SendManually | Plan::Rest | Plan::Wait(_) | Plan::LogIn, _) => return,
        };
        world.processes[process].step = step;
        adopt(world, process, Some(&record));
    }

    pub(crate) fn begin(&self, world: &mut World, process: usize) -> Answer {
        let Step::Opening(presentation, settle) = world.processes[process].step else { unreachable!("opening") };
        let presents = digest(world.provider.presents(self.setup.kind, presentation.grant));
        let (generation, attempt) = (presentation.generation.into(), attempt(presentation.id));
        let (owner, lease) = (OwnerId::from_random(process as u128), LEASE);
        let answer = self.store(
            world,
            match presentation.condemned {
                true => Operation::ClaimManually { generation, presents, attempt, owner, lease },
                false => Operation::Begin { generation, presents, attempt, owner, lease, settle },
            },
        );
        if matches!(answer, Answer::Begun(_)) && !world.perhaps_sent.contains(&presentation.id) {
            world.perhaps_sent.push(presentation.id);
        }
        answer
    }

    fn open(&self, world: &mut World, process: usize) {
        let answer = self.begin(world, process);
        self.opened(world, process, Some(&answer));
    }

    /// Goes on after a begin whose answer may be lost.
    pub(crate) fn opened(&self, world: &mut World, process: usize, answer: Option<&Answer>) {
        let Step::Opening(presentation, _) = world.processes[process].step else { return };
        let step = match next_step::opened(answer) {
            Opened::Claimed { doubtful, .. } => {
                if !doubtful {
                    world.refreshes = world.refreshes.saturating_sub(1);
                }
                Step::Claimed(Presentation { doubtful, ..presentation }, world.now)
            }
            Opened::TakeBack => Step::Answered(presentation, Outcome::NotSent),
            Opened::LookAgain => Step::Idle,
            Opened::Wait { .. } => {
                world.processes[process].pace = Pace::Waiting;
                Step::Idle
            }
            Opened::Foreign => unreachable!("the protocol answers what it was asked"),
        };
        world.processes[process].step = step;
        adopt(world, process, answer.and_then(told));
    }

    fn send(&self, world: &mut World, process: usize) {
        let Step::Claimed(presentation, asked) = world.processes[process].step else { return };
        let record = self.record(world);
        let unmoved = self.flaw(Flaw::NoSecondLook)
            || !presentation.doubtful
            || next_step::still_claimed(record.as_ref(), &presentation.reference());
        let young = self.flaw(Flaw::AgeOfClaimIgnored) || next_step::may_send(boot(world.now - asked), NEEDS, LEASE);
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

    fn finish(&self, world: &mut World, process: usize) {
        let it = world.processes[process];
        if let Some((presentation, grant)) = it.unsaved()
            && self.flaw(Flaw::UnsavedForgotten)
            && it.shown == Some(unsaved(presentation, grant))
        {
            let record = world.record.as_ref().expect("nothing removes a record");
            show(world, process, seen(record));
            world.processes[process].step = Step::Idle;
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
        let answer = self.deliver(world, process);
        world.processes[process].step = Step::Idle;
        match answer {
            Answer::Stale | Answer::Gone => {
                let record = self.record(world);
                adopt(world, process, record.as_ref());
            }
            answer => adopt(world, process, told(&answer)),
        }
    }

    /// Tells the store what came of a presentation.
    pub(crate) fn deliver(&self, world: &mut World, process: usize) -> Answer {
        match world.processes[process].step {
            Step::Answered(presentation, Outcome::Granted(grant)) => {
                let granted = Tokens::granted(&self.setup, &world.provider, grant, presentation.generation + 1);
                let tokens = tokens(&self.setup, &world.provider, granted);
                let generation = world.record.as_ref().map(|record| record.generation);
                if generation == Some(presentation.generation) {
                    // A late answer to the very presentation heals, whatever another one was answered.
                    world.condemned &= !(1 << world.provider.presents(self.setup.kind, grant));
                }
                self.store(world, Operation::Commit { attempt: presentation.reference(), tokens })
            }
            Step::Answered(presentation, outcome) => self.conclude(world, presentation, outcome),
            Step::Condemning(presentation, seen) => {
                // The orphans that were not there when it looked are not looked at.
                let hidden = match world.record.as_mut() {
                    Some(record) if !seen => std::mem::take(&mut record.orphans),
                    _ => Vec::new(),
                };
                let answer = self.conclude(world, presentation, Outcome::Refused);
                if let Some(record) = world.record.as_mut() {
                    record.orphans.extend(hidden);
                }
                answer
            }
            _ => unreachable!("there is nothing to tell"),
        }
    }

    fn conclude(&self, world: &mut World, presentation: Presentation, outcome: Outcome) -> Answer {
        let conclusion = self.conclusion(outcome);
        let next_due = Some(wall(world.now + FLOOR));
        let error = matches!(outcome, Outcome::Refused | Outcome::Forbidden).then(|| refusal().clone());
        let operation = Operation::Conclude { attempt: presentation.reference(), conclusion, next_due, error };
        let answer = self.store(world, operation);
        // Anything but `Done` says that tokens came from elsewhere.
        let changed = world.record.as_ref().is_some_and(|it| it.state != State::LoginNeeded);
        world.broken.note(Rule::Tried, presentation.condemned && changed && matches!(answer, Answer::Done(_)));
        if conclusion == Conclusion::Dead && matches!(answer, Answer::Done(_) | Answer::Adopted(_)) {
            world.condemned |= 1 << world.provider.presents(self.setup.kind, presentation.grant);
        }
        if matches!(conclusion, Conclusion::NotSent | Conclusion::Refused) {
            world.perhaps_sent.retain(|id| *id != presentation.id);
        }
        answer
    }

    fn conclusion(&self, outcome: Outcome) -> Conclusion {
        let kind = match outcome {
            Outcome::Refused if self.setup.names_dead => ErrorKind::LoginNeeded,
            Outcome::Refused => ErrorKind::Refused,
            Outcome::Forbidden => ErrorKind::Forbidden,
            Outcome::NotSent => ErrorKind::Unreachable,
            Outcome::Unknown | Outcome::Granted(_) => ErrorKind::Timeout,
        };
        policy::conclusion(error(kind), &self.policy)
    }

    fn give_up(&self, world: &mut World, process: usize) {
        let Step::GivingUp(login, generation) = world.processes[process].step else { return };
        let (session, generation) = (session(login), generation.into());
        let answer = self.store(world, Operation::GiveUp { session, generation });
        world.processes[process].step = Step::Idle;
        if next_step::held_until(&answer, session, generation).is_some() {
            world.processes[process].pace = Pace::Waiting;
        }
        adopt(world, process, told(&answer));
    }
}

/// An error of each kind, made once.
fn error(kind: ErrorKind) -> &'static Error {
    static ERRORS: OnceLock<[Error; 5]> = OnceLock::new();
    let errors = ERRORS.get_or_init(|| {
        [
            (ErrorKind::LoginNeeded, Sending::Refused),
            (ErrorKind::Refused, Sending::Refused),
            (ErrorKind::Forbidden, Sending::Refused),
            (ErrorKind::Unreachable, Sending::NotSent),
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
