//! What a process does next: pure functions over what it was told and what it shows, so that the keeper and the model that
//! checks it take the same steps.

use std::time::{Duration, SystemTime};

use rampauth_core::RefreshPolicy;
use rampauth_store::{Answer, AttemptRef, Record, SessionId, State};

use crate::plan::policy::{self, Settle};

/// Why a refresh is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It is time, and nobody waits.
    Ahead,
    /// A caller waits for a token that is usable at this time.
    UsableAt(SystemTime),
    /// A person asked, whatever the expiry says.
    ByHand,
    /// A person asked for the end of a doubt, if there is one.
    Certainty,
}

impl Need {
    /// A person's word stands above policies and pauses.
    pub fn is_a_persons(self) -> bool {
        matches!(self, Self::ByHand | Self::Certainty)
    }
}

/// What a look at the record leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Nothing: readers have what they need, and only a rejection or a login brings something new.
    Rest,
    /// Nothing before this time.
    Wait(SystemTime),
    /// Present the record's token; for the second time or more if `settle`.
    Present {
        /// Whether an earlier presentation may be without an answer.
        settle: bool,
    },
    /// Send the record's token once more although a login is needed, because a person asked.
    SendManually,
    /// Nothing may be presented any more: an orphan stands in, or a login is needed.
    GiveUp,
    /// The token is dead or the session removed: only a login helps, or a person who asks for one more try.
    LogIn,
}

/// Plans the next step for a record that was just loaded. `lease` is the length of a claim.
///
/// Whether somebody holds a claim is not asked here: leases are counted on the store's clock, and its answer to the step that
/// is planned says so.
pub fn plan(record: &Record, need: Need, policy: &RefreshPolicy, lease: Duration, now: SystemTime) -> Plan {
    match record.state {
        State::Ready | State::Doubtful => {}
        State::LoginNeeded if need == Need::ByHand && !has_expired(record, now) => return Plan::SendManually,
        _ => return Plan::LogIn,
    }
    let wanted = match need {
        Need::ByHand => true,
        Need::Certainty => record.attempt.is_some(),
        Need::UsableAt(time) => !policy::is_usable(record, time) || !policy::is_fresh(record, now),
        // Fresh tokens are not due yet, or a failure put it off; a claim that was made ahead of time may be at work.
        Need::Ahead => match record.due() {
            Some(due) if now < due => return Plan::Wait(due),
            due => due.is_some(),
        },
    };
    if !wanted || (in_use_for_good(record) && !policy.with_unknown_expiry && !need.is_a_persons()) {
        return Plan::Rest;
    }
    if need.is_a_persons() {
        return Plan::Present { settle: record.attempt.is_some() };
    }
    // What has to be waited for before anything is sent.
    let send = |settle| record.paused_until(now).map_or(Plan::Present { settle }, Plan::Wait);
    if record.attempt.is_none() {
        return send(false);
    }
    match policy::settle(record, policy, lease, now) {
        Settle::Now => send(true),
        Settle::NotBefore(time) => Plan::Wait(time),
        Settle::OnRejection => Plan::Rest,
        Settle::GiveUp => Plan::GiveUp,
    }
}

/// Until when a *failing* session sends nothing for a caller: it is tried once for each of the longest pauses. A person's word
/// stands above that, and so does a clock that was set back since the last refusal: nobody can say how long ago that was.
pub fn held_back(
    record: &Record,
    need: Need,
    policy: &RefreshPolicy,
    failing_after: u32,
    now: SystemTime,
) -> Option<SystemTime> {
    let waits = matches!(need, Need::UsableAt(_)) && policy::is_failing(record, failing_after, now);
    let waits = waits && record.last_error.as_ref().is_none_or(|error| error.at <= now);
    record.next_due.filter(|due| waits && now < *due && policy::may_pause(record, policy, now))
}

/// Whether what a refresh presents is known to have expired, or is not there at all.
pub fn has_expired(record: &Record, now: SystemTime) -> bool {
    record.tokens.as_ref().is_none_or(|tokens| tokens.presented_expiry.is_known_past(now))
}

/// Whether there is an access token of which nobody knows when it expires, which was not rejected, and for which nobody said how
/// often it is to be refreshed at least.
fn in_use_for_good(record: &Record) -> bool {
    record.tokens.as_ref().is_some_and(|tokens| {
        tokens.access.is_some()
            && tokens.access_expiry.time().is_none()
            && tokens.next_due.is_none()
            && record.rejected != tokens.access
    })
}

/// What the answer to a begin leads to.
#[derive(Clone, Copy, Debug)]
pub enum Opened<'a> {
    /// The journal is written: present.
    Claimed {
        /// The record with the journal.
        record: &'a Record,
        /// Whether the token may have been presented before: an earlier presentation has no answer, or a login is needed.
        doubtful: bool,
    },
    /// Somebody else is at it: look again after a while, and once this claim has lapsed.
    Wait {
        /// The end of the claim, by the store's wall clock.
        until: SystemTime,
    },
    /// The record has moved: look again.
    LookAgain,
    /// The journal may be written all the same, and nothing was sent: take it back.
    TakeBack,
    /// The answer belongs to another question: the store is broken.
    Foreign,
}

/// Reads the answer to a begin; `None` when it is lost.
pub fn opened(answer: Option<&Answer>) -> Opened<'_> {
    match answer {
        Some(Answer::Begun(record)) => Opened::Claimed { record, doubtful: record.state != State::Ready },
        Some(Answer::Busy { until }) => Opened::Wait { until: *until },
        Some(Answer::Doubtful(_) | Answer::Moved(_)) => Opened::LookAgain,
        Some(_) => Opened::Foreign,
        None => Opened::TakeBack,
    }
}

/// The end of the claim, where the answer to a give-up says that somebody else holds it on this very generation: what comes of
/// that is seen after a while.
pub fn held_until(answer: &Answer, session: SessionId, generation: u64) -> Option<SystemTime> {
    let Answer::Moved(Some(record)) = answer else { return None };
    let attempt = record.attempt.as_ref().filter(|_| record.session == session && record.generation == generation)?;
    attempt.lease.map(|lease| lease.until)
}

/// How long to leave alone what somebody else claims: until the claim lapses, as far as clocks agree about that; a second at
/// least, and never longer than a claim of this process's own lasts.
pub fn leave_alone(until: SystemTime, lease: Duration, now: SystemTime) -> Duration {
    until.duration_since(now).unwrap_or_default().max(Duration::from_secs(1)).min(lease)
}

/// Whether a claim of this age is young enough to send under, with the request and the save still to come.
///
/// The age is counted from before the begin, on a clock that does not stand still while the machine sleeps.
pub fn may_send(age: Duration, needs: Duration, lease: Duration) -> bool {
    age.saturating_add(needs) <= lease
}

/// Whether the record, loaded once more, still waits for this very presentation. Asked before a doubtful token is presented.
pub fn still_claimed(record: Option<&Record>, attempt: &AttemptRef) -> bool {
    record.is_some_and(|record| {
        record.session == attempt.session
            && record.generation == attempt.generation
            && record.attempt.as_ref().is_some_and(|held| held.id == attempt.id)
    })
}

/// What a process shows to its readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shown {
    /// The login, or what ended it.
    pub session: SessionId,
    /// The generation; one more than the presented one for tokens that are not saved yet.
    pub generation: u64,
    /// How far it is.
    pub stage: Stage,
}

/// Of one generation's pictures, which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Tokens that the store holds.
    Saved,
    /// Tokens that the store has not taken yet.
    Unsaved,
    /// None: the session of this generation was ended.
    Removed,
}

impl Shown {
    /// What a record shows.
    pub fn of(record: &Record) -> Self {
        let stage = if record.state == State::Tombstone { Stage::Removed } else { Stage::Saved };
        Self { session: record.session, generation: record.generation, stage }
    }

    /// What tokens show that were granted for this presentation and are not saved yet.
    pub fn unsaved(attempt: &AttemptRef) -> Self {
        Self { session: attempt.session, generation: attempt.generation + 1, stage: Stage::Unsaved }
    }

    /// Whether this may take the place of `other`: generations only go on, across logins too. A logout ends the generation
    /// that it found and whatever came of that without being saved.
    pub fn replaces(&self, other: &Self) -> bool {
        // Unsaved tokens stand between those that were presented for them and a logout of these.
        let rank = |it: &Self| (it.generation - u64::from(it.stage == Stage::Unsaved), it.stage);
        rank(self) >= rank(other)
    }
}
