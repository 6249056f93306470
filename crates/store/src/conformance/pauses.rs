//! The provider's wish to be left alone until a time: no failure that follows shortens it.

use std::time::SystemTime;

use super::kind::Kind;
use super::names::{A, B, C, D, S1, begin, failure, future, held, past, retry};
use super::script::{Scenario, Script, steps};
use crate::protocol::{AttemptRef, Conclusion, Operation};
use crate::record::{AttemptId, LastError};

pub(super) fn scenarios() -> Vec<Scenario> {
    let asked = |until| error(past(7), until);
    vec![
        steps("pauses: a failure that follows shortens none, and a longer one takes its place", {
            let script = failing(Script::logged_in(), A, &asked(Some(future(20))), Some(future(20)));
            let script = failing(script, B, &asked(None), Some(future(20)));
            let script = failing(script, C, &asked(Some(future(10))), Some(future(20)));
            failing(script, D, &asked(Some(future(30))), Some(future(30)))
        }),
        steps("pauses: one that is over is forgotten with the next failure", {
            let script = failing(Script::logged_in(), A, &asked(Some(past(8))), Some(past(8)));
            failing(script, B, &asked(None), None)
        }),
        steps("pauses: one that was noted later than now is of a clock that was set back, and is forgotten", {
            let script = failing(Script::logged_in(), A, &error(future(1), Some(future(20))), Some(future(20)));
            failing(script, B, &asked(None), None)
        }),
        steps("pauses: an attempt that is taken back without an error leaves it", {
            let script = failing(Script::logged_in(), A, &asked(Some(future(20))), Some(future(20)));
            let attempt = AttemptRef { id: B, session: S1, generation: 1 };
            let (conclusion, next_due) = (Conclusion::NotSent, Some(retry()));
            let taken_back = Operation::Conclude { attempt, conclusion, next_due, error: None };
            script.step(begin(1, B), Kind::Begun, |r| r.attempt = held(1, &[B])).step(taken_back, Kind::Done, |r| {
                (r.attempt, r.next_due) = (None, next_due);
            })
        }),
    ]
}

/// An attempt that is taken back with this error, and until when the provider is left alone by then.
fn failing(script: Script, id: AttemptId, error: &LastError, paused_until: Option<SystemTime>) -> Script {
    let attempt = AttemptRef { id, session: S1, generation: 1 };
    let (conclusion, next_due) = (Conclusion::NotSent, Some(retry()));
    let taken_back = Operation::Conclude { attempt, conclusion, next_due, error: Some(error.clone()) };
    script.step(begin(1, id), Kind::Begun, |r| r.attempt = held(1, &[id])).step(taken_back, Kind::Done, |r| {
        (r.attempt, r.next_due) = (None, next_due);
        r.last_error = Some(LastError { paused_until, ..error.clone() });
    })
}

fn error(at: SystemTime, paused_until: Option<SystemTime>) -> LastError {
    LastError { at, paused_until, ..failure("rate_limited") }
}
