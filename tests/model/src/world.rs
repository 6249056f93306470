//! One state of the model: the store's record, the provider, the processes, the people, and what the checker remembers.

use std::hash::{Hash, Hasher};

use rampauth_keeper::AttemptRef;
use rampauth_keeper::next_step::{Shown, Stage};

use crate::ids::{GrantId, OUTDATED, Revision, attempt, session};
use crate::provider::Provider;
use crate::replace::{Memory, Replace};
use crate::rule::Broken;
use crate::stored::Stored;

/// A presentation as its process knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Presentation {
    /// The attempt.
    pub id: u8,
    /// The login.
    pub session: u8,
    /// The generation presented.
    pub generation: u8,
    /// The grant presented.
    pub grant: GrantId,
    /// Whether the record said, when it was begun, that an earlier one has no answer.
    pub doubtful: bool,
    /// Whether a person asked for it.
    pub by_hand: bool,
    /// Whether a login was needed when it was planned.
    pub condemned: bool,
}

impl Presentation {
    /// Its name in the store.
    pub(crate) fn reference(self) -> AttemptRef {
        AttemptRef { id: attempt(self.id), session: session(self.session), generation: self.generation.into() }
    }
}

/// What came of a presentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Tokens.
    Granted(GrantId),
    /// A refusal of the token.
    Refused,
    /// A refusal that has nothing to do with the token.
    Forbidden,
    /// It did not leave.
    NotSent,
    /// It was turned away, and nothing is to be sent for a while.
    TurnedAway,
    /// Nobody knows.
    Unknown,
}

/// The times of a record that was seen, for the step that is computed upon it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct View {
    /// The store's time when it was read.
    pub read: u8,
    /// The store's time as the process takes it to be: the step runs at it.
    pub at: u8,
    /// From when the age of a claim counts.
    pub mark: u8,
}

/// Where a process is in a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Nowhere.
    Idle,
    /// It asked for the record at this tick, and the store has not read it yet.
    Asking(u8),
    /// About to claim, and whether a doubt is to be settled; whether the presentation is doubtful is not known yet.
    Opening(Presentation, bool, View),
    /// About to give up the doubt about this login and generation.
    GivingUp(u8, u8, View),
    /// The journal is written, and the claim's age counts from this tick; about to send.
    Claimed(Presentation, u8),
    /// The request is on its way.
    Sent(Presentation),
    /// The outcome is known to the process; about to save or conclude.
    Answered(Presentation, Outcome),
    /// With the flaw of condemning in two steps: whether an orphan was there at the first.
    Condemning(Presentation, bool),
}

impl Step {
    /// The presentation that it is about.
    pub fn presentation(&self) -> Option<Presentation> {
        match self {
            Self::Idle | Self::Asking(_) | Self::GivingUp(..) => None,
            Self::Opening(presentation, ..)
            | Self::Claimed(presentation, _)
            | Self::Sent(presentation)
            | Self::Answered(presentation, _)
            | Self::Condemning(presentation, _) => Some(*presentation),
        }
    }
}

/// Whether a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pace {
    /// It takes its next step within the tick.
    Going,
    /// It waits for the next tick, to try the store again or to see what came of another's claim.
    Waiting,
    /// It stands still, at least until the next tick.
    Paused,
    /// It stood still for a tick or more, and may go on.
    Stalled,
}

/// One process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Process {
    /// Where it is.
    pub step: Step,
    /// Whether it runs.
    pub pace: Pace,
    /// Upon which version of the record its next step in the store is computed.
    pub upon: Revision,
    /// What its readers see.
    pub shown: Option<Seen>,
}

/// What the readers of a process see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seen {
    /// The login, or the logout that ended it.
    pub session: u8,
    /// The generation.
    pub generation: u8,
    /// The grant; `None` after a logout.
    pub grant: Option<GrantId>,
    /// Whether the store holds it.
    pub saved: bool,
}

impl Seen {
    /// The same in the keeper's words.
    pub fn shown(self) -> Shown {
        let stage = match (self.grant, self.saved) {
            (None, _) => Stage::Removed,
            (Some(_), true) => Stage::Saved,
            (Some(_), false) => Stage::Unsaved,
        };
        Shown { session: session(self.session), generation: self.generation.into(), stage }
    }
}

impl Process {
    /// A process that has just started.
    pub const NEW: Self = Self { step: Step::Idle, pace: Pace::Going, upon: OUTDATED, shown: None };

    /// Its refresh is over.
    pub fn rest(&mut self) {
        (self.step, self.upon) = (Step::Idle, OUTDATED);
    }

    /// The grant that it holds and has not saved.
    pub fn unsaved(&self) -> Option<(Presentation, GrantId)> {
        match self.step {
            Step::Answered(presentation, Outcome::Granted(grant)) => Some((presentation, grant)),
            _ => None,
        }
    }
}

/// What a person is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Person {
    /// The login or tombstone to be written.
    pub session: u8,
    /// The login that it takes the place of.
    pub expect: u8,
    /// What the login was granted; `None` for a logout.
    pub grant: Option<GrantId>,
}

/// A state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    /// The tick.
    pub now: u8,
    /// What the store holds.
    pub record: Option<Stored>,
    /// Which version that is.
    pub revision: Revision,
    /// What it held before its last write, where it may come back to that.
    pub copy: Option<(Stored, Revision)>,
    /// What may still be written after its process was told that it failed.
    pub late: Vec<Replace>,
    /// The provider.
    pub provider: Provider,
    /// The processes.
    pub processes: Vec<Process>,
    /// What each of them remembers of its last write.
    pub remembered: Vec<Option<Memory>>,
    /// People with something to do.
    pub people: Vec<Person>,
    /// The highest login or tombstone so far.
    pub sessions: u8,
    /// Faults that may still happen.
    pub faults: u8,
    /// Fresh refreshes that may still begin.
    pub refreshes: u8,
    /// Attempts of the record's generation that nobody has proven unsent.
    pub perhaps_sent: Vec<u8>,
    /// Grants whose answer a process received and did not take to its grave.
    pub received: u16,
    /// Grants whose token the store was told is dead.
    pub condemned: u16,
    /// Properties that a step has broken.
    pub broken: Broken,
    /// Whether nothing more happens.
    pub ended: bool,
}

/// The owner of a journal whose process is gone.
pub const GONE: u8 = u8::MAX;

impl World {
    /// An attempt's number that nothing refers to.
    pub fn free_attempt(&self) -> u8 {
        let late = self.late.iter().map(|late| &late.record);
        let seen = self.remembered.iter().flatten().map(|memory| &memory.record);
        let stored = self.record.iter().chain(self.copied()).chain(late).chain(seen).flat_map(Stored::attempts);
        let held = self.processes.iter().filter_map(|it| it.step.presentation()).map(|it| it.id);
        let used: Vec<_> = stored.chain(held).chain(self.perhaps_sent.iter().copied()).collect();
        (1..).find(|id| !used.contains(id)).expect("there are few attempts")
    }

    fn copied(&self) -> Option<&Stored> {
        self.copy.as_ref().map(|(record, _)| record)
    }

    /// Every record that is, was or may be in the store.
    pub fn records_mut(&mut self) -> impl Iterator<Item = &mut Stored> {
        let late = self.late.iter_mut().map(|late| &mut late.record);
        let seen = self.remembered.iter_mut().flatten().map(|memory| &mut memory.record);
        self.record.iter_mut().chain(self.copy.iter_mut().map(|(record, _)| record)).chain(late).chain(seen)
    }

    /// The same state with the processes in order: which of two is called the first makes no difference.
    fn in_order(&self) -> Self {
        let mut order: Vec<usize> = (0..self.processes.len()).collect();
        order.sort_by_key(|index| self.processes[*index]);
        let mut world = self.clone();
        world.processes = order.iter().map(|index| self.processes[*index]).collect();
        world.remembered = order.iter().map(|index| self.remembered[*index].clone()).collect();
        for journal in world.records_mut().filter_map(|record| record.attempt.as_mut()) {
            let place = order.iter().position(|index| *index == usize::from(journal.owner));
            journal.owner = place.map_or(journal.owner, |place| u8::try_from(place).expect("few processes"));
        }
        world
    }
}

impl Hash for World {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        fn fields<H: Hasher>(world: &World, hasher: &mut H) {
            let World { now, record, provider, processes, people, sessions, faults, refreshes, .. } = world;
            (now, record, provider, processes, people, sessions, faults, refreshes).hash(hasher);
            (world.revision, &world.copy, &world.late, &world.remembered).hash(hasher);
            (&world.perhaps_sent, world.received, world.condemned, world.broken, world.ended).hash(hasher);
        }
        if self.processes.is_sorted() {
            fields(self, hasher);
        } else {
            fields(&self.in_order(), hasher);
        }
    }
}
