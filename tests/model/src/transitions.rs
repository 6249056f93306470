//! The model as the checker takes it: where it starts, and which steps there are in a state.

use rampauth_keeper::State;
use stateright::{Model, Property};

use crate::model::{Action, KeeperModel};
use crate::property;
use crate::provider::Provider;
use crate::rule::Broken;
use crate::setup::Fault;
use crate::store::FIRST;
use crate::stored::{Stored, Tokens};
use crate::world::{Pace, Process, Seen, Step, World};

/// How long a run may go on settling after the horizon: more than every fault's own floor and lease.
const PATIENCE: u8 = 12;

impl Model for KeeperModel {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let (session, generation) = (1, 1);
        let mut provider = Provider::default();
        let grant = provider.login(session, 0);
        let token = provider.presents(self.setup.kind, grant);
        let tokens = Tokens::granted(&self.setup, &provider, grant, generation);
        let record = Stored {
            session,
            generation,
            base: 0,
            next_due: tokens.next_due.filter(|_| !self.setup.condemned),
            tokens: Some(tokens),
            state: if self.setup.condemned { State::LoginNeeded } else { State::Ready },
            attempt: None,
            orphans: Vec::new(),
            last_commit: None,
            rejected: None,
            paused: None,
            refused: false,
        };
        let seen = Seen { session, generation, grant: Some(grant), saved: true };
        let process = Process { shown: Some(seen), ..Process::NEW };
        vec![World {
            now: self.start,
            record: Some(record),
            revision: FIRST,
            copy: None,
            late: Vec::new(),
            provider,
            processes: vec![process; self.setup.processes],
            remembered: vec![None; self.setup.processes],
            people: Vec::new(),
            sessions: session,
            faults: self.setup.fault_budget,
            refreshes: self.setup.refreshes,
            perhaps_sent: Vec::new(),
            received: 0,
            condemned: u16::from(self.setup.condemned) << token,
            broken: Broken::default(),
            ended: false,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.ended {
            return;
        }
        self.fair(world, actions);
        self.time(world, actions);
        if world.faults > 0 {
            self.faults(world, actions);
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        self.step(&mut next, action);
        (next != *world).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        property::all()
    }
}

impl KeeperModel {
    /// What every process can do by itself, whether or not it changes anything.
    fn fair(&self, world: &World, actions: &mut Vec<Action>) {
        for (process, it) in world.processes.iter().enumerate() {
            match (it.pace, &it.step) {
                (Pace::Stalled, step) => {
                    actions.push(Action::Resume(process));
                    if matches!(step, Step::Opening(..) | Step::GivingUp(..)) {
                        actions.push(Action::ResumeToCompute(process));
                    }
                }
                (Pace::Paused | Pace::Waiting, _) => {}
                (Pace::Going, Step::Idle) => {
                    actions.push(Action::Look(process));
                    if self.setup.unknown_expiry {
                        actions.push(Action::Use(process));
                    }
                }
                (Pace::Going, Step::Asking(_)) => actions.push(Action::Look(process)),
                (Pace::Going, Step::Opening(..)) => actions.push(Action::Open(process)),
                (Pace::Going, Step::Claimed(..)) => actions.push(Action::Send(process)),
                (Pace::Going, Step::Sent(_)) => actions.push(Action::Answer(process)),
                (Pace::Going, Step::Answered(..) | Step::Condemning(..)) => {
                    actions.push(Action::Finish(process));
                }
                (Pace::Going, Step::GivingUp(..)) => actions.push(Action::GiveUp(process)),
            }
        }
        actions.extend((0..world.people.len()).map(Action::Act));
        actions.extend((0..world.late.len()).map(Action::Arrive));
    }

    fn time(&self, world: &World, actions: &mut Vec<Action>) {
        let busy = |it: &Process| it.pace == Pace::Going && it.step != Step::Idle;
        if world.processes.iter().any(busy) {
            return;
        }
        let horizon = self.start + self.setup.horizon;
        if world.now < horizon {
            actions.push(Action::Tick);
            return;
        }
        if actions.iter().any(|action| self.next_state(world, *action).is_some()) {
            return;
        }
        let open = |it: &Stored| matches!(it.state, State::Ready | State::Doubtful) && it.attempt.is_some();
        let pending =
            world.processes.iter().any(|it| it.pace != Pace::Going) || world.record.as_ref().is_some_and(open);
        actions.push(if pending && world.now < horizon + PATIENCE { Action::Tick } else { Action::End });
    }

    fn faults(&self, world: &World, actions: &mut Vec<Action>) {
        for fault in self.setup.faults {
            match fault {
                Fault::Login | Fault::Logout => actions.push(Action::Starts(*fault)),
                Fault::Restored if is_harmless(world) => actions.push(Action::Fault(*fault, 0)),
                _ => {
                    let can = |it: &Process| can_happen(*fault, it);
                    let hit = world.processes.iter().enumerate().filter(|(_, it)| can(it));
                    actions.extend(hit.map(|(process, _)| Action::Fault(*fault, process)));
                    if *fault == Fault::StoreAnswerLost {
                        actions.extend((0..world.people.len()).map(Action::ActUnheard));
                    }
                }
            }
        }
    }
}

/// Whether the store would lose a rejection and nothing else by coming back as it was before: a token or a claim that it
/// forgets cannot be made up for by what processes do.
fn is_harmless(world: &World) -> bool {
    let (Some(record), Some((copy, _))) = (&world.record, &world.copy) else { return false };
    let Stored { rejected, next_due, .. } = *copy;
    *copy == Stored { rejected, next_due, ..record.clone() }
}

fn can_happen(fault: Fault, process: &Process) -> bool {
    let going = process.pace == Pace::Going;
    match fault {
        Fault::Crash => process.step != Step::Idle,
        Fault::Pause => going && !matches!(process.step, Step::Asking(_) | Step::Sent(_)),
        Fault::LoseRequest | Fault::LoseAnswer | Fault::NotSent | Fault::Forbidden | Fault::TurnedAway => {
            going && matches!(process.step, Step::Sent(_))
        }
        Fault::StoreFails | Fault::StoreAnswerLost => {
            going && matches!(process.step, Step::Answered(..) | Step::Opening(..))
        }
        Fault::StoreLate => {
            going && matches!(process.step, Step::Answered(..) | Step::Opening(..) | Step::GivingUp(..))
        }
        Fault::Reject => going && process.step == Step::Idle && process.shown.is_some_and(|seen| seen.grant.is_some()),
        Fault::Ask | Fault::ByHand => going && process.step == Step::Idle,
        Fault::Login | Fault::Logout | Fault::Restored => false,
    }
}
