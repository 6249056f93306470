//! How often in a row a token was refused: counted by the provider's answers alone, and forgotten with a grant or a login.

use super::kind::Kind;
use super::names::{
    A, B, C, S1, S2, begin, commit, failed, failure, held, lapsed, lapsing, logout, not_sent, refused, remove, retry,
    settle, tokens, unknown,
};
use super::script::{Scenario, Script, steps};
use crate::protocol::{AttemptRef, Conclusion, Operation};
use crate::record::{AttemptId, LastError, Record, State};

pub(super) fn scenarios() -> Vec<Scenario> {
    use Kind::{Begun, Done, Saved};
    vec![
        steps("refusals: each one counts, and once however often it is said", refused_three_times()),
        steps(
            "refusals: one that says nothing about the token counts as well",
            Script::logged_in().step(begin(1, A), Begun, |r| r.attempt = held(1, &[A])).step(
                turned_away(A, "unauthorized", "refused"),
                Done,
                |r| after(r, "unauthorized", "refused", 1),
            ),
        ),
        steps(
            "refusals: what was not sent, too many or lost is none, and a count that began goes on after it",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(refused(A, 1), Done, |r| after(r, "refused", "refused", 1))
                .step(begin(1, B), Begun, |r| r.attempt = held(1, &[B]))
                .step(turned_away(B, "unreachable", "not_sent"), Done, |r| after(r, "unreachable", "not_sent", 1))
                .step(begin(1, B), Begun, |r| r.attempt = held(1, &[B]))
                .step(not_sent(B, 1), Done, |r| after(r, "rate_limited", "refused", 1))
                .step(begin(1, B), Begun, |r| r.attempt = held(1, &[B]))
                .step(taken_back(B), Done, |r| r.attempt = None)
                .step(begin(1, C), Begun, |r| r.attempt = held(1, &[C]))
                .step(unknown(C, 1), Done, |r| {
                    failed(r, "timeout");
                    (r.attempt, r.state) = (super::names::free(1, &[C]), State::Doubtful);
                })
                .step(settle(1, A), Begun, |r| r.attempt = held(1, &[C, A])),
        ),
        steps(
            "refusals: who no longer holds the claim counts none",
            Script::logged_in()
                .step(lapsing(begin(1, A)), Begun, |r| r.attempt = lapsed(1, &[A]))
                .step(settle(1, B), Begun, |r| (r.attempt, r.state) = (held(1, &[A, B]), State::Doubtful))
                .step(refused(A, 1), Done, |r| (r.attempt, r.state) = (held(1, &[B]), State::Ready)),
        ),
        steps(
            "refusals: a grant forgets them",
            refused_three_times().step(begin(1, A), Begun, |r| r.attempt = held(1, &[A])).step(
                commit(A, 1, 2),
                Saved,
                |r| super::names::refreshed(r, 2, 1, A, 2),
            ),
        ),
        steps("refusals: a login forgets them", refused_three_times().put(S2, Some(S1), 2, tokens(2))),
        steps("refusals: a logout forgets them", refused_three_times().step(remove(S2, S1), Done, |r| logout(r, S2))),
    ]
}

fn refused_three_times() -> Script {
    [A, B, C].into_iter().zip(1..).fold(Script::logged_in(), |script, (attempt, times)| {
        script.step(begin(1, attempt), Kind::Begun, |r| r.attempt = held(1, &[attempt])).step(
            refused(attempt, 1),
            Kind::Done,
            |r| after(r, "refused", "refused", times),
        )
    })
}

/// What is left of an attempt that was the only one.
fn after(r: &mut Record, kind: &str, outcome: &str, refusals: u32) {
    failed(r, kind);
    r.last_error = Some(error(kind, outcome));
    (r.attempt, r.refusals) = (None, refusals);
}

fn error(kind: &str, outcome: &str) -> LastError {
    LastError { outcome: outcome.to_owned(), ..failure(kind) }
}

fn turned_away(id: AttemptId, kind: &str, outcome: &str) -> Operation {
    Operation::Conclude {
        attempt: AttemptRef { id, session: S1, generation: 1 },
        conclusion: Conclusion::NotSent,
        next_due: Some(retry()),
        error: Some(error(kind, outcome)),
    }
}

fn taken_back(id: AttemptId) -> Operation {
    let attempt = AttemptRef { id, session: S1, generation: 1 };
    Operation::Conclude { attempt, conclusion: Conclusion::NotSent, next_due: Some(retry()), error: None }
}
