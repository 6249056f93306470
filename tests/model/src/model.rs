//! The model of one setup, and its steps.

use rampauth_core::RefreshPolicy;

use crate::setup::{Fault, Kind, Setup};
use crate::time::ACCESS_LIFE;

/// One step. The number is the process's, or the person's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Loads the record and plans.
    Look(usize),
    /// Claims, upon what was seen: writes the journal, or finds that something else was written meanwhile.
    Open(usize),
    /// Looks at claim and record once more, and sends.
    Send(usize),
    /// The provider answers.
    Answer(usize),
    /// Saves or concludes, or reads what that is to be written upon.
    Finish(usize),
    /// Ends a doubt that may not be settled.
    GiveUp(usize),
    /// A reader is told that the current access token, which is past its unknown expiry, was rejected.
    Use(usize),
    /// Goes on after standing still.
    Resume(usize),
    /// The same, where it stood between its look and the computing of its next step upon that.
    ResumeToCompute(usize),
    /// What was late reaches the store.
    Arrive(usize),
    /// A person's login or logout reaches the store.
    Act(usize),
    /// Time passes.
    Tick,
    /// Nothing is left to do.
    End,
    /// Something goes wrong with a process, or happens to its reader.
    Fault(Fault, usize),
    /// A person starts to log in or out.
    Starts(Fault),
    /// A person's login or logout reaches the store, and the answer is lost.
    ActUnheard(usize),
}

/// The model of one setup.
#[derive(Clone, Debug)]
pub struct KeeperModel {
    /// The setup.
    pub setup: Setup,
    /// Its policy.
    pub policy: RefreshPolicy,
    pub(crate) start: u8,
}

impl KeeperModel {
    /// The model of a setup.
    pub fn new(setup: Setup) -> Self {
        let policy = setup.policy();
        // When the first refresh falls due: nothing happens before, unless somebody asks.
        let due = match setup.kind {
            _ if setup.unknown_expiry => ACCESS_LIFE - 1,
            Kind::BeforeExpiry => 1,
            _ => 2,
        };
        let start = due - u8::from(setup.is_asked());
        Self { setup, policy, start }
    }
}
