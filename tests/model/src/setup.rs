//! What one run of the checker is about: the provider, the policy, the faults and how much of each.

use std::fmt;
use std::time::Duration;

use rampauth_core::{Presents, RefreshPolicy, RefreshTime, WhenUnknown};

use crate::flaw::Flaw;
use crate::time::TICK;

/// How a provider treats a token that is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Replaced every time; a spent one is refused.
    Rotates,
    /// A token spent a short while ago, whose successor is unspent, brings the same answer again.
    GraceSame,
    /// A token spent a short while ago, whose successors are unspent, brings another successor; only the newest is live.
    GraceNew,
    /// As [`Rotates`](Self::Rotates), and a spent one kills every token of its login.
    RevokesFamily,
    /// Never replaced; each answer brings a new access token.
    Keeps,
    /// Never replaced, nor is the access token while it lives.
    KeepsBoth,
    /// The access token is presented, and only before its expiry.
    BeforeExpiry,
}

/// What may go wrong, or happen from outside, at any step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// A process dies; another takes its place.
    Crash,
    /// A process stands still for longer than its lease.
    Pause,
    /// A request is lost on its way, and nobody knows.
    LoseRequest,
    /// The answer is lost on its way.
    LoseAnswer,
    /// A request is known not to have left, or was turned away for the time being.
    NotSent,
    /// The provider refuses for a reason that has nothing to do with the token.
    Forbidden,
    /// The store does not carry out a step; it is tried again later.
    StoreFails,
    /// The store carries out a step and its answer is lost; it is tried again.
    StoreAnswerLost,
    /// What a step is to write in the store is late: the process is told that it failed, and it may be written afterwards, if
    /// nothing else was written meanwhile.
    StoreLate,
    /// The provider turns a request away and asks to be left alone for a while.
    TurnedAway,
    /// The store comes back as it was before its last write, where that was a rejection.
    Restored,
    /// A person logs in.
    Login,
    /// A person logs out.
    Logout,
    /// A caller says that the access token which its process shows was rejected, however old that is by now.
    Reject,
    /// A caller asks for a token that is usable now.
    Ask,
    /// A person refreshes by hand, whatever expiry and policy say.
    ByHand,
}

/// People who ask, and what may become of their process and its requests.
pub const ASKED: &[Fault] = &[
    Fault::Ask,
    Fault::ByHand,
    Fault::Crash,
    Fault::Pause,
    Fault::LoseRequest,
    Fault::LoseAnswer,
    Fault::NotSent,
    Fault::Forbidden,
];

/// What may happen where a login is needed and a person refreshes all the same.
pub const CONDEMNED: &[Fault] = &[
    Fault::ByHand,
    Fault::Crash,
    Fault::Pause,
    Fault::LoseRequest,
    Fault::LoseAnswer,
    Fault::NotSent,
    Fault::Forbidden,
    Fault::StoreFails,
    Fault::StoreAnswerLost,
    Fault::StoreLate,
    Fault::Login,
    Fault::Logout,
    Fault::Reject,
];

/// Every fault that takes nobody who asks.
pub const ALL: &[Fault] = &[
    Fault::Crash,
    Fault::Pause,
    Fault::LoseRequest,
    Fault::LoseAnswer,
    Fault::NotSent,
    Fault::Forbidden,
    Fault::StoreFails,
    Fault::StoreAnswerLost,
    Fault::StoreLate,
    Fault::Login,
    Fault::Logout,
    Fault::Reject,
];

/// What may happen to processes that claim upon what they remember, beside one that is turned away and callers who ask.
pub const REMEMBERED: &[Fault] = &[
    Fault::Ask,
    Fault::TurnedAway,
    Fault::Crash,
    Fault::Pause,
    Fault::LoseAnswer,
    Fault::NotSent,
    Fault::Forbidden,
    Fault::StoreAnswerLost,
    Fault::StoreLate,
    Fault::Login,
    Fault::Reject,
];

/// One run. Times are in ticks: a lease is one tick, an access token lives for four.
#[derive(Clone, Debug)]
pub struct Setup {
    /// How many processes share the store.
    pub processes: usize,
    /// The provider.
    pub kind: Kind,
    /// Whether nobody knows when the access token expires.
    pub unknown_expiry: bool,
    /// Whether the provider names dead tokens.
    pub names_dead: bool,
    /// How long a refresh token lives, if that is known.
    pub presented_life: Option<u8>,
    /// What to do about a doubt.
    pub when_unknown: WhenUnknown,
    /// Whether an access token of which nobody knows when it expires is left alone until it is rejected.
    pub left_alone: bool,
    /// Whether a login is needed from the start, although the token is live: the verdict was wrong.
    pub condemned: bool,
    /// Whether a process remembers what it wrote last, and claims upon that without reading it again.
    pub remembers: bool,
    /// Which faults there are.
    pub faults: &'static [Fault],
    /// How many of them may happen, all kinds together.
    pub fault_budget: u8,
    /// How many refreshes of tokens that are not in doubt may be begun.
    pub refreshes: u8,
    /// For how many ticks the processes may be idle although there is something to do.
    pub horizon: u8,
    /// The flaw that is put in, if any.
    pub flaw: Option<Flaw>,
    /// Whether each record is compared, as text, with what the model keeps of it.
    pub compared: bool,
}

/// For how long after its first sending a doubtful token is presented promptly.
const WITHIN: Duration = TICK.saturating_mul(2);

/// Presented again promptly, for two ticks.
pub const PROMPTLY: WhenUnknown = WhenUnknown::Promptly { within: WITHIN };

impl Setup {
    /// Two processes, every fault, and a policy that presents again promptly.
    pub fn new(kind: Kind) -> Self {
        Self {
            processes: 2,
            kind,
            unknown_expiry: false,
            names_dead: true,
            presented_life: None,
            when_unknown: PROMPTLY,
            left_alone: false,
            condemned: false,
            remembers: false,
            faults: ALL,
            fault_budget: 2,
            refreshes: 2,
            horizon: 4,
            flaw: None,
            compared: false,
        }
    }

    /// Whether people ask for refreshes.
    pub fn is_asked(&self) -> bool {
        self.faults.contains(&Fault::ByHand)
    }

    /// Whether the store may come back as it was before.
    pub fn is_restored(&self) -> bool {
        self.faults.contains(&Fault::Restored)
    }

    /// The policy as the keeper is given it.
    pub fn policy(&self) -> RefreshPolicy {
        let presents = match self.kind {
            Kind::BeforeExpiry => Presents::AccessToken,
            _ => Presents::RefreshToken,
        };
        let time = match self.kind {
            Kind::BeforeExpiry => RefreshTime::BeforeExpiry,
            _ => RefreshTime::AnyTime,
        };
        let policy = RefreshPolicy::new(presents).with_time(time).with_when_unknown(self.when_unknown).with_ahead(0.5);
        let policy = policy.with_unknown_expiry(!self.left_alone);
        if self.names_dead { policy.with_named_dead_tokens() } else { policy }
    }
}

impl fmt::Display for Setup {
    /// One line that tells it from the others.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = match self.when_unknown {
            WhenUnknown::Promptly { .. } => "promptly",
            WhenUnknown::AtLastMoment => "at the last moment",
            _ => "stop",
        };
        write!(f, "{:?}, {policy}", self.kind)?;
        for (holds, words) in [
            (self.unknown_expiry, ", expiry unknown"),
            (self.left_alone, " and left alone"),
            (self.condemned, ", wrongly condemned"),
            (!self.names_dead, ", dead tokens unnamed"),
            (self.presented_life.is_some(), ", refresh token expires"),
            (self.remembers, ", remembered"),
            (self.is_asked(), ", asked by hand"),
        ] {
            f.write_str(if holds { words } else { "" })?;
        }
        write!(f, "; {} processes, {} faults, {} refreshes", self.processes, self.fault_budget, self.refreshes)
    }
}
