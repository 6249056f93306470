//! Failures that a provider documents and that no request causes by itself: which there are, and those that a test asked for.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::Call;

/// A failure of the provider's own that its documentation names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failure {
    /// The call is forbidden; nothing is exchanged. Onboard: status 403. PayBy: code 403.
    Forbidden,
    /// The provider failed before it did anything: the presented token is untouched. Onboard and Transak: status 500. PayBy:
    /// code 500.
    ServerError,
    /// The provider exchanged the tokens and then failed: the presented token is spent, and the new tokens are lost with the
    /// answer. Its answer is that of [`ServerError`](Self::ServerError), so that no client can tell the two apart.
    ServerErrorAfterExchange,
}

/// The provider documents no such answer for this call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to arrange a failure: {call} documents no answer for {failure:?}")]
#[non_exhaustive]
pub struct NotDocumented {
    /// The call.
    pub call: Call,
    /// What it was to answer.
    pub failure: Failure,
}

impl Failure {
    /// Every failure.
    pub const ALL: [Self; 3] = [Self::Forbidden, Self::ServerError, Self::ServerErrorAfterExchange];

    /// The failure's name in lower case with hyphens, such as `server-error`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forbidden => "forbidden",
            Self::ServerError => "server-error",
            Self::ServerErrorAfterExchange => "server-error-after-exchange",
        }
    }

    /// Whether the call's provider documents it. Alix documents neither, Transak no 403 for this call.
    pub const fn is_documented_for(self, call: Call) -> bool {
        match call {
            Call::Onboard | Call::PayBy => true,
            Call::TransakUser => !matches!(self, Self::Forbidden),
            Call::AlixCard | Call::AlixOnOffRamp => false,
        }
    }
}

/// The failures that were asked for and did not happen yet, in order.
#[derive(Default)]
pub(crate) struct Failures(Mutex<HashMap<Call, VecDeque<Failure>>>);

impl Failures {
    pub(crate) fn add(&self, call: Call, failure: Failure) -> Result<(), NotDocumented> {
        if !failure.is_documented_for(call) {
            return Err(NotDocumented { call, failure });
        }
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.entry(call).or_default().push_back(failure);
        Ok(())
    }

    pub(crate) fn take(&self, call: Call) -> Option<Failure> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&call)?.pop_front()
    }
}
