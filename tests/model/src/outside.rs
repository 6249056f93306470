//! What happens to the processes from outside: time, people, what their readers are told, and what goes wrong.

use rampauth_keeper::next_step::Need;
use rampauth_keeper::{Answer, Operation, State};

use crate::ids::{OUTDATED, digest, session};
use crate::model::KeeperModel;
use crate::replace::Replace;
use crate::rule::Rule;
use crate::setup::Fault;
use crate::shown::{adopt, show_unsaved, told};
use crate::stored::{Tokens, tokens};
use crate::time::wall;
use crate::world::{GONE, Outcome, Pace, Person, Process, Seen, Step, World};

impl KeeperModel {
    pub(crate) fn use_token(&self, world: &mut World, process: usize) {
        let Some((record, tokens)) = world.record.as_ref().and_then(|it| Some((it, it.tokens?))) else { return };
        let open = matches!(record.state, State::Ready | State::Doubtful);
        if open && record.rejected != Some(tokens.grant) && world.provider.access_is_dead(tokens.grant, world.now) {
            let current = (record.session, record.generation, tokens.grant);
            self.reject(world, process, current);
        }
    }

    pub(crate) fn reject(&self, world: &mut World, process: usize, (login, generation, grant): (u8, u8, u8)) {
        let operation =
            Operation::Reject { session: session(login), generation: generation.into(), access: digest(grant) };
        let answer = self.apply(world, operation);
        adopt(world, process, told(&answer));
    }

    pub(crate) fn start(&self, world: &mut World, login: bool) {
        let Some(record) = &world.record else { return };
        if !login && record.state == State::Tombstone {
            return;
        }
        let expect = record.session;
        world.faults -= 1;
        world.sessions += 1;
        let grant = login.then(|| world.provider.login(world.sessions, world.now));
        world.people.push(Person { session: world.sessions, expect, grant });
    }

    pub(crate) fn act(&self, world: &mut World, person: usize) {
        let Person { session: login, expect, grant } = world.people[person];
        let Some((before, generation)) = world.record.as_ref().map(|it| (it.session, it.generation)) else { return };
        let operation = match grant {
            Some(grant) => {
                let granted = Tokens::granted(&self.setup, &world.provider, grant, generation + 1);
                let tokens = tokens(&self.setup, &world.provider, granted);
                Operation::Put { session: session(login), expect: Some(session(expect)), tokens }
            }
            None => Operation::Remove { session: session(login), expect: session(expect) },
        };
        let answer = self.apply(world, operation);
        let after = world.record.as_ref().map(|it| it.session);
        let taken = matches!(answer, Answer::Saved(_) | Answer::Done(_));
        world.broken.note(Rule::Undone, (after != Some(before) && before != expect) || taken != (after == Some(login)));
    }

    pub(crate) fn fault(&self, world: &mut World, fault: Fault, process: usize) {
        let it = world.processes[process];
        match (fault, it.step) {
            (Fault::Crash, _) => crash(world, process),
            (Fault::Pause, step) => {
                let it = &mut world.processes[process];
                it.pace = Pace::Paused;
                if step == Step::Idle {
                    // Its question is on its way.
                    it.step = Step::Asking(world.now);
                }
            }
            (Fault::LoseRequest, Step::Sent(presentation)) => {
                world.processes[process].step = Step::Answered(presentation, Outcome::Unknown);
            }
            (Fault::LoseAnswer, Step::Sent(presentation)) => {
                self.present(world, presentation);
                world.processes[process].step = Step::Answered(presentation, Outcome::Unknown);
            }
            (Fault::NotSent, Step::Sent(presentation)) => {
                world.processes[process].step = Step::Answered(presentation, Outcome::NotSent);
            }
            (Fault::Forbidden, Step::Sent(presentation)) => {
                world.processes[process].step = Step::Answered(presentation, Outcome::Forbidden);
            }
            (Fault::TurnedAway, Step::Sent(presentation)) => {
                world.processes[process].step = Step::Answered(presentation, Outcome::TurnedAway);
            }
            (Fault::Restored, _) => self.restore(world),
            (Fault::StoreFails | Fault::StoreAnswerLost | Fault::StoreLate, Step::Opening(..) | Step::GivingUp(..)) => {
                let pending = self.pending(world, process);
                self.hand_over(world, fault, pending);
                self.opened(world, process, None);
                if matches!(it.step, Step::GivingUp(..)) {
                    world.processes[process].rest();
                }
            }
            (Fault::StoreFails | Fault::StoreAnswerLost | Fault::StoreLate, _) => {
                let undelivered = self.undelivered(world, process);
                self.hand_over(world, fault, undelivered);
                show_unsaved(world, process);
                // What is repeated is read for first.
                world.processes[process].upon = OUTDATED;
                if fault != Fault::StoreAnswerLost {
                    world.processes[process].pace = Pace::Waiting;
                }
            }
            (Fault::Reject, _) => {
                if let Some(Seen { session, generation, grant: Some(grant), .. }) = it.shown {
                    self.reject(world, process, (session, generation, grant));
                }
            }
            (Fault::Ask, _) => self.look(world, process, Need::UsableAt(wall(world.now))),
            (Fault::ByHand, _) => self.look(world, process, Need::ByHand),
            (_, _) => {}
        }
    }
}

impl KeeperModel {
    /// What becomes of a step whose process is told that it failed.
    fn hand_over(&self, world: &mut World, fault: Fault, replace: Option<Replace>) {
        match (fault, replace) {
            (Fault::StoreAnswerLost, Some(replace)) => self.replace(world, replace),
            (Fault::StoreLate, Some(replace)) => world.late.push(replace),
            _ => {}
        }
    }
}

pub(crate) fn tick(world: &mut World) {
    world.now += 1;
    for process in &mut world.processes {
        process.pace = match process.pace {
            Pace::Paused | Pace::Stalled => Pace::Stalled,
            Pace::Waiting | Pace::Going => Pace::Going,
        };
    }
}

fn crash(world: &mut World, process: usize) {
    let unsaved = world.processes[process].unsaved();
    world.processes[process] = Process::NEW;
    if let Some((_, grant)) = unsaved {
        let elsewhere = |it: &Process| it.unsaved().is_some_and(|(_, other)| other == grant);
        let stored = world.record.as_ref().is_some_and(|it| it.grants().any(|other| other == grant));
        if !stored && !world.processes.iter().any(elsewhere) {
            world.received &= !(1 << grant);
        }
    }
    world.remembered[process] = None;
    for journal in world.records_mut().filter_map(|it| it.attempt.as_mut()) {
        if usize::from(journal.owner) == process {
            journal.owner = GONE;
        }
    }
}
