//! What a process of the keeper does next: pure functions over what it was told, built on the decisions of the keeper.
//!
//! Nothing here knows the model, so that the keeper's own steps can stand on the same functions.

use std::time::{Duration, SystemTime};

use rampauth_core::RefreshPolicy;
use rampauth_keeper::decision::{self, Settle};
use rampauth_keeper::{Answer, AttemptRef, Record, SessionId, State, StoreTime};

/// What a look at the record leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Nothing, until somebody logs in or an access token is rejected.
    Rest,
    /// Nothing before this time.
    Wait(SystemTime),
    /// Present the record's token; for the second time or more if `settle`.
    Present {
        /// Whether an earlier presentation has no answer.
        settle: bool,
    },
    /// Nothing may be presented any more: an orphan stands in, or a login is needed.
    GiveUp,
}

/// Plans the next refresh of a record that was just loaded. `lease` is the length of a claim.
pub fn plan(record: &Record, policy: &RefreshPolicy, lease: Duration, now: &StoreTime) -> Plan {
    if !matches!(record.state, State::Ready | State::Doubtful) {
        return Plan::Rest;
    }
    // The floor between attempts, or the time at which fresh tokens are due.
    let not_before = record.next_due.filter(|due| now.wall < *due);
    let Some(attempt) = &record.attempt else {
        return match (record.next_due, not_before) {
            (None, _) => Plan::Rest,
            (Some(_), None) => Plan::Present { settle: false },
            (Some(_), Some(due)) => Plan::Wait(due),
        };
    };
    if let Some(held) = attempt.lease.filter(|lease| lease.holds_at(now)) {
        return Plan::Wait(held.until);
    }
    match decision::settle(record, policy, lease, now.wall) {
        Settle::Now => not_before.map_or(Plan::Present { settle: true }, Plan::Wait),
        Settle::NotBefore(time) => Plan::Wait(not_before.map_or(time, |due| due.max(time))),
        Settle::OnRejection => Plan::Rest,
        Settle::GiveUp => Plan::GiveUp,
    }
}

/// Whether the presentation that was just claimed is one of several without an answer.
pub fn is_doubtful(begun: &Record) -> bool {
    begun.state == State::Doubtful
}

/// What the answer to a begin leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// The journal is written: present.
    Claimed {
        /// Whether an earlier presentation has no answer.
        doubtful: bool,
    },
    /// Somebody else is at it, or the record has moved: look again.
    LookAgain,
    /// The same, and an earlier try of this begin, whose answer was lost, may have written the journal: take it back.
    TakeBack,
}

/// Reads the answer to a begin; `repeated` when an earlier try of it may have been carried out.
pub fn opened(answer: &Answer, repeated: bool) -> Opened {
    match answer {
        Answer::Begun(record) => Opened::Claimed { doubtful: is_doubtful(record) },
        _ if repeated => Opened::TakeBack,
        _ => Opened::LookAgain,
    }
}

/// Whether a claim is young enough to send under: from `asked`, before the begin, to `now` on this machine's boot-time
/// clock, with the request and the save still to come.
pub fn may_send(asked: Duration, now: Duration, needs: Duration, lease: Duration) -> bool {
    now.saturating_sub(asked).saturating_add(needs) <= lease
}

/// Whether the record, loaded once more, still waits for this very presentation.
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
    /// The login.
    pub session: SessionId,
    /// The generation; one more than the presented one for tokens that are not saved yet.
    pub generation: u64,
}

/// Whether a record takes the place of what is shown: only forwards. `yields` when what is shown is not saved and the store
/// has just said that it holds tokens in its place.
pub fn adopts(shown: Option<Shown>, record: &Record, yields: bool) -> bool {
    shown.is_none_or(|shown| {
        record.session != shown.session
            || record.generation > shown.generation
            || (yields && record.generation == shown.generation)
    })
}
