//! The steps of the protocol as data: what is asked for, and what is answered.

use std::time::{Duration, SystemTime};

use rampauth_core::SecretString;

use crate::digest::TokenDigest;
use crate::record::{AttemptId, LastError, OwnerId, Record, SessionId, StoredTokens};

/// A presentation, as whoever made it knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AttemptRef {
    /// The attempt.
    pub id: AttemptId,
    /// The login whose token was presented.
    pub session: SessionId,
    /// The generation whose token was presented.
    pub generation: u64,
}

/// What came of a presentation that brought no tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Conclusion {
    /// Nothing was sent, or it was turned away without a word about the token: this presentation did not happen.
    NotSent,
    /// It may have been carried out, and the answer is lost.
    Unknown,
    /// The provider answered and said that the token is dead.
    Dead,
    /// The provider answered and refused, and publishes no word for dead tokens: this presentation was not carried out, and
    /// where another one has no answer, that one probably was.
    Refused,
}

/// A payload that was sealed anew.
#[derive(Clone, Debug)]
pub struct Resealed {
    /// The digest of the payload whose place it takes.
    pub was: TokenDigest,
    /// The same tokens, sealed with another key.
    pub payload: SecretString,
    /// Which key that is; `None` when it is not sealed.
    pub sealed_with: Option<String>,
}

/// One step of the protocol.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Operation {
    /// A login: these tokens become the session, everything before them is cleared.
    Put {
        /// The new login, drawn by the caller.
        session: SessionId,
        /// The login that it takes the place of, as the caller knows it.
        expect: Option<SessionId>,
        /// Its tokens.
        tokens: StoredTokens,
    },
    /// Writes the journal and claims the session, before the request leaves.
    Begin {
        /// The generation whose token is to be presented.
        generation: u64,
        /// The digest of that token.
        presents: TokenDigest,
        /// The attempt, drawn by the caller.
        attempt: AttemptId,
        /// The caller's process.
        owner: OwnerId,
        /// How long nobody else may present it.
        lease: Duration,
        /// Whether an earlier presentation without an answer may be repeated.
        settle: bool,
    },
    /// A person asked for one more try of a token that is held for dead: writes the journal and claims the session, and leaves it
    /// in *login needed* until a grant is saved. Only a caller who saw that state may ask for it.
    ClaimManually {
        /// The generation whose token is to be sent.
        generation: u64,
        /// The digest of that token.
        presents: TokenDigest,
        /// The attempt, drawn by the caller.
        attempt: AttemptId,
        /// The caller's process.
        owner: OwnerId,
        /// How long nobody else may send it.
        lease: Duration,
    },
    /// The answer granted tokens.
    Commit {
        /// The presentation.
        attempt: AttemptRef,
        /// What it brought.
        tokens: StoredTokens,
    },
    /// The answer granted nothing, or there was none.
    Conclude {
        /// The presentation.
        attempt: AttemptRef,
        /// What came of it.
        conclusion: Conclusion,
        /// When it should be tried again.
        next_due: Option<SystemTime>,
        /// What to remember of the failure.
        error: Option<LastError>,
    },
    /// Nobody may settle this doubt: an orphan stands in, or a login is needed.
    GiveUp {
        /// The login.
        session: SessionId,
        /// The generation in doubt.
        generation: u64,
    },
    /// The provider rejected this access token.
    Reject {
        /// The login.
        session: SessionId,
        /// The generation whose access token was rejected.
        generation: u64,
        /// The digest of that token.
        access: TokenDigest,
    },
    /// A logout: leaves a tombstone.
    Remove {
        /// The tombstone's own session, drawn by the caller.
        session: SessionId,
        /// The login that is ended.
        expect: SessionId,
    },
    /// Puts payloads that were sealed anew in the place of those that they were made of, all of them or none: the session's own
    /// and its orphans'. Nothing else of the record changes.
    Reseal {
        /// The new payloads. A payload that came meanwhile stays as it is.
        payloads: Vec<Resealed>,
    },
}

impl Operation {
    /// Whether it rests on more of the record than it compares: on a record that has changed it is to be planned anew.
    pub(crate) fn is_planned(&self) -> bool {
        matches!(self, Self::Begin { .. } | Self::ClaimManually { .. } | Self::GiveUp { .. })
    }
}

/// What a step answers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Answer {
    /// The tokens are the session's now, or were already.
    Saved(Record),
    /// The journal is written and the claim is the caller's.
    Begun(Record),
    /// Somebody else may present it until then.
    Busy {
        /// The end of the claim, by the store's wall clock.
        until: SystemTime,
    },
    /// An earlier presentation has no answer, and settling it was not asked for. Nothing was written.
    Doubtful(Record),
    /// The record is not what the caller thought: here it is. `None` when there is none.
    Moved(Option<Record>),
    /// Newer tokens were saved meanwhile; these wait as an orphan.
    Superseded(Record),
    /// Older than what the present tokens came from, or the credential once more that was refused: dropped.
    Stale,
    /// The login that they belong to is over: dropped.
    Gone,
    /// An orphan stands in for tokens that are dead.
    Adopted(Record),
    /// Done.
    Done(Record),
}

impl Answer {
    /// The record as a step left it that may have changed it.
    pub(crate) fn written(&mut self) -> Option<&mut Record> {
        match self {
            Self::Saved(record)
            | Self::Begun(record)
            | Self::Superseded(record)
            | Self::Adopted(record)
            | Self::Done(record) => Some(record),
            Self::Busy { .. } | Self::Doubtful(_) | Self::Moved(_) | Self::Stale | Self::Gone => None,
        }
    }
}
