//! What an operation is answered, without the record in the answer.

use crate::protocol::{Answer, Conclusion, Operation};

/// What is answered, without the record in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Saved,
    Begun,
    Busy,
    Doubtful,
    Moved,
    Superseded,
    Stale,
    Gone,
    Adopted,
    Done,
}

impl Kind {
    pub(super) fn of(answer: &Answer) -> Self {
        match answer {
            Answer::Saved(_) => Self::Saved,
            Answer::Begun(_) => Self::Begun,
            Answer::Busy { .. } => Self::Busy,
            Answer::Doubtful(_) => Self::Doubtful,
            Answer::Moved(_) => Self::Moved,
            Answer::Superseded(_) => Self::Superseded,
            Answer::Stale => Self::Stale,
            Answer::Gone => Self::Gone,
            Answer::Adopted(_) => Self::Adopted,
            Answer::Done(_) => Self::Done,
        }
    }

    /// Whether nothing may have been written.
    pub(super) fn is_untouched(self) -> bool {
        matches!(self, Self::Busy | Self::Doubtful | Self::Moved | Self::Stale | Self::Gone)
    }

    /// What the repetition of an answered operation is answered. Only what condemned a token may find that it has moved since.
    pub(super) fn again(self, operation: &Operation) -> Self {
        let condemns = matches!(operation, Operation::Conclude { conclusion: Conclusion::Dead, .. });
        match self {
            Self::Adopted => Self::Moved,
            Self::Done if condemns => Self::Moved,
            other => other,
        }
    }
}
