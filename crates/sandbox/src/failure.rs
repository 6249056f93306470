//! Answers that a provider documents and that no request causes by itself: a test asks for them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use axum::http::StatusCode;
use serde_json::json;

use crate::Call;
use crate::event::Verdict;
use crate::message::{Answer, Incoming};
use crate::route::Route;
use crate::world::World;
use crate::{onboard, payby, transak};

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

    fn take(&self, call: Call) -> Option<Failure> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&call)?.pop_front()
    }
}

/// The route's own answer, or the failure that was asked for in its place.
pub(crate) fn answer(world: &World, route: &Route, request: Incoming<'_>) -> Answer {
    let Some((call, failure)) = route.call.and_then(|call| Some((call, world.failures.take(call)?))) else {
        return (route.answer)(world, request);
    };
    let reason = match failure {
        Failure::ServerErrorAfterExchange => {
            let answer = (route.answer)(world, request);
            // A request that is refused exchanges nothing, so there is nothing to lose.
            if answer.verdict != Verdict::Granted {
                return answer;
            }
            "as arranged: the tokens were exchanged, and the answer with the new ones is lost"
        }
        Failure::Forbidden | Failure::ServerError => "as arranged: nothing was looked at",
    };
    let status = match failure {
        Failure::Forbidden => StatusCode::FORBIDDEN,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    match call {
        Call::Onboard => onboard::failed(status, reason),
        Call::PayBy => payby::failed(world, status, reason),
        Call::TransakUser => transak::failed(status, reason),
        // `add` refused it.
        Call::AlixCard | Call::AlixOnOffRamp => Answer::failed(status, &json!({}), reason),
    }
}
