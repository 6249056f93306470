//! The answer to a request: the provider's own, or the failure that a test asked for in its place.

use axum::http::StatusCode;
use serde_json::json;

use crate::event::Verdict;
use crate::message::{Answer, Incoming};
use crate::route::Route;
use crate::state::State;
use crate::{Call, Failure, onboard, payby, transak};

/// The route's own answer, or the failure that was asked for in its place.
pub(crate) fn answer(state: &State, route: &Route, request: Incoming<'_>) -> Answer {
    let Some((call, failure)) = route.call.and_then(|call| Some((call, state.failures.take(call)?))) else {
        return (route.answer)(state, request);
    };
    let reason = match failure {
        Failure::ServerErrorAfterExchange => {
            let answer = (route.answer)(state, request);
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
        Call::PayBy => payby::failed(state, status, reason),
        Call::TransakUser => transak::failed(status, reason),
        // `add` refused it.
        Call::AlixCard | Call::AlixOnOffRamp => Answer::failed(status, &json!({}), reason),
    }
}
