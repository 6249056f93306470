//! A claim of this process on a session, for one attempt.

use std::time::SystemTime;

use rampauth_store::{AttemptId, AttemptRef, Operation, Record};

use crate::clock::steady::Mark;
use crate::look::Look;
use crate::plan::next_step::Plan;
use crate::plan::pause::PauseLimits;
use crate::state::session::SessionState;

/// A presentation that is this process's to make.
#[derive(Clone, Copy)]
pub(crate) struct Claim {
    pub(crate) attempt: AttemptRef,
    /// Whether the token may have been presented before.
    pub(crate) doubtful: bool,
    /// Whether a login is needed, and a person asked all the same.
    pub(crate) condemned: bool,
    /// When the refresh was due; a doubt is due whenever it is presented.
    pub(crate) due: Option<SystemTime>,
    /// When the token may have been presented first.
    pub(crate) since: SystemTime,
    /// What no pause outlasts.
    pub(crate) limits: PauseLimits,
}

/// A claim that was just made.
#[derive(Clone, Copy)]
pub(crate) struct Claimed<'a> {
    pub(crate) record: &'a Record,
    /// The record as the claim left it, for the steps that follow.
    pub(crate) after: &'a Look,
    pub(crate) attempt: AttemptId,
    /// From before the question, for the claim's age.
    pub(crate) asked: Mark,
    /// Whether the token may have been sent before.
    pub(crate) doubtful: bool,
}

impl SessionState {
    /// The step that claims the session for what is planned.
    pub(crate) fn claim(&self, record: &Record, attempt: AttemptId, plan: Plan) -> Operation {
        let presents = record.tokens.as_ref().map(|tokens| tokens.presents);
        let presents = presents.expect("only a record with tokens is presented");
        let (generation, owner, lease) = (record.generation, self.context.owner, self.context.options.lease);
        match plan {
            Plan::SendManually => Operation::ClaimManually { generation, presents, attempt, owner, lease },
            _ => {
                let settle = plan == Plan::Present { settle: true };
                Operation::Begin { generation, presents, attempt, owner, lease, settle }
            }
        }
    }
}

/// When a record is due again of which this presentation is taken back: a doubt that is left does not wait for the tokens' own
/// time.
pub(crate) fn due_after(record: &Record, doubtful: bool, now: SystemTime) -> Option<SystemTime> {
    match record.next_due {
        Some(due) if due <= now => Some(due),
        _ if doubtful => Some(now),
        due => due,
    }
}
