//! Claims and the journal: who may present a token, and what is known of those who did.

use super::kind::Kind;
use super::names::{
    A, B, C, D, S1, S2, attempt, begin, begin_with, commit, condemned, dead, failed, free, give_up, held, lapsed,
    lapsing, logout, not_sent, owner, refreshed, remove, settle, tokens, unknown,
};
use super::script::{Scenario, Script, steps};
use crate::record::{Attempt, AttemptId, Record, State};

/// How many attempts a journal lists by name.
const LISTED: usize = 8;

pub(super) fn scenarios() -> Vec<Scenario> {
    use Kind::{Begun, Busy, Done, Doubtful, Moved, Saved};
    vec![
        steps(
            "begin: it writes the journal and the claim",
            Script::logged_in().step(begin(1, A), Begun, |r| r.attempt = held(1, &[A])),
        ),
        steps(
            "begin: to settle where nothing is in doubt is a plain begin",
            Script::logged_in().step(settle(1, A), Begun, |r| r.attempt = held(1, &[A])),
        ),
        steps(
            "begin: nobody else while the claim holds, to settle or not",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .same(begin(1, B), Busy)
                .same(settle(1, B), Busy),
        ),
        steps(
            "begin: nobody else while a claim taken over holds",
            Script::logged_in()
                .step(lapsing(begin(1, A)), Begun, |r| r.attempt = lapsed(1, &[A]))
                .step(settle(1, B), Begun, |r| (r.attempt, r.state) = (held(1, &[A, B]), State::Doubtful))
                .same(settle(1, C), Busy)
                .same(settle(1, A), Busy)
                .same(begin(1, A), Busy),
        ),
        steps(
            "begin: its own repetition is recognised and lengthens no claim",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .same(lapsing(begin(1, A)), Begun),
        ),
        steps(
            "begin: its own repetition is recognised after its claim lapsed",
            Script::logged_in()
                .step(lapsing(begin(1, A)), Begun, |r| r.attempt = lapsed(1, &[A]))
                .same(begin(1, A), Begun)
                .same(settle(1, A), Begun),
        ),
        steps(
            "begin: what repeats it after its outcome was called unknown is no repetition, and claims nothing",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(unknown(A, 1), Done, |r| {
                    failed(r, "timeout");
                    (r.attempt, r.state) = (free(1, &[A]), State::Doubtful);
                })
                .same(begin(1, A), Doubtful),
        ),
        steps(
            "begin: a claim that lapsed is a doubt, and without settling nothing is written",
            Script::logged_in()
                .step(lapsing(begin(1, A)), Begun, |r| r.attempt = lapsed(1, &[A]))
                .same(begin(1, B), Doubtful),
        ),
        steps(
            "begin: to settle takes a claim over that lapsed, and the first sending stays the first",
            Script::logged_in().step(lapsing(begin(1, A)), Begun, |r| r.attempt = lapsed(1, &[A])).step(
                settle(1, B),
                Begun,
                |r| (r.attempt, r.state) = (held(1, &[A, B]), State::Doubtful),
            ),
        ),
        steps(
            "begin: an unknown outcome is presented again only to settle",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(unknown(A, 1), Done, |r| {
                    failed(r, "timeout");
                    (r.attempt, r.state) = (free(1, &[A]), State::Doubtful);
                })
                .same(begin(1, B), Doubtful)
                .step(settle(1, B), Begun, |r| r.attempt = held(1, &[A, B])),
        ),
        steps("begin: a doubt may be settled again and again, one claim at a time", settled_again_and_again()),
        steps("begin: the journal names the last eight who presented, and counts the others", many_attempts()),
        steps(
            "begin: another generation or token is not presented",
            Script::logged_in()
                .same(begin_with(0, 1, A), Moved)
                .same(begin_with(2, 1, A), Moved)
                .same(begin_with(1, 2, A), Moved)
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A])),
        ),
        steps(
            "begin: a doubtful token is not presented once its successor is stored",
            Script::logged_in()
                .step(lapsing(begin(1, A)), Begun, |r| r.attempt = lapsed(1, &[A]))
                .step(commit(A, 1, 2), Saved, |r| refreshed(r, 2, 1, A, 2))
                .same(settle(1, B), Moved)
                .same(begin(1, B), Moved)
                // Of the two that are checked, one alone is out of date.
                .same(begin_with(1, 2, B), Moved)
                .same(begin_with(2, 1, B), Moved),
        ),
        steps(
            "begin: a token in doubt is presented under its own digest and generation alone",
            Script::logged_in()
                .step(lapsing(begin(1, A)), Begun, |r| r.attempt = lapsed(1, &[A]))
                .same(begin_with(1, 2, B), Moved)
                .same(begin_with(2, 1, B), Moved),
        ),
        steps(
            "begin: nothing is presented of a session that is over or in need of a login",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(dead(A, 1), Done, condemned)
                .same(begin(1, A), Moved)
                .same(begin(1, B), Moved)
                .same(settle(1, B), Moved)
                .step(remove(S2, S1), Done, |r| logout(r, S2))
                .same(begin(1, B), Moved),
        ),
        steps(
            "begin: a doubt that was given up is not presented",
            Script::logged_in()
                .step(lapsing(begin(1, A)), Begun, |r| r.attempt = lapsed(1, &[A]))
                .step(give_up(1), Done, |r| {
                    (r.state, r.next_due, r.attempt) = (State::LoginNeeded, None, free(1, &[A]));
                })
                .same(settle(1, B), Moved)
                .same(begin(1, A), Moved),
        ),
        steps(
            "begin: the login before gives nothing to present",
            Script::logged_in()
                .put(S2, Some(S1), 2, tokens(2))
                .same(begin(1, A), Moved)
                .same(begin_with(1, 2, A), Moved)
                .same(begin_with(2, 1, A), Moved)
                .step(begin(2, A), Begun, |r| r.attempt = held(2, &[A])),
        ),
    ]
}

/// No second lost request, nor a third, leaves a record doubtful for ever.
fn settled_again_and_again() -> Script {
    use Kind::{Begun, Busy, Done, Saved};
    let lost = |r: &mut Record| failed(r, "timeout");
    Script::logged_in()
        .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
        .step(unknown(A, 1), Done, |r| {
            lost(r);
            (r.attempt, r.state) = (free(1, &[A]), State::Doubtful);
        })
        .step(settle(1, B), Begun, |r| r.attempt = held(1, &[A, B]))
        .step(unknown(B, 1), Done, |r| r.attempt = free(1, &[A, B]))
        .step(settle(1, C), Begun, |r| r.attempt = held(1, &[A, B, C]))
        .same(settle(1, D), Busy)
        .step(unknown(C, 1), Done, |r| r.attempt = free(1, &[A, B, C]))
        .step(settle(1, D), Begun, |r| r.attempt = held(1, &[A, B, C, D]))
        .step(commit(D, 1, 2), Saved, |r| refreshed(r, 2, 1, D, 2))
}

fn many_attempts() -> Script {
    use Kind::{Begun, Done};
    let all: Vec<AttemptId> = (1..=12).map(attempt).collect();
    let mut script = Script::logged_in();
    for (index, id) in all.iter().enumerate() {
        let (named, counted) = (&all[(index + 1).saturating_sub(LISTED)..=index], (index + 1).saturating_sub(LISTED));
        script = script.step(lapsing(settle(1, *id)), Begun, |r| {
            r.attempt = lapsed(1, named)
                .map(|journal| Attempt { more: u32::try_from(counted).expect("twelve attempts"), ..journal });
            if index > 0 {
                r.state = State::Doubtful;
            }
        });
    }
    // Those that are no longer named cannot take their presentation back, so the doubt stays.
    for (index, id) in all.iter().enumerate() {
        script = script.step(not_sent(*id, 1), Done, |r| {
            if index + 1 == all.len() {
                failed(r, "rate_limited");
            }
            let journal = r.attempt.as_mut().expect("the journal stays");
            journal.presented_by.retain(|presenter| presenter != id);
            if index + 1 == all.len() {
                journal.lease = None;
            }
        });
    }
    let (another, last) = (attempt(13), all.len() - LISTED);
    script.step(settle(1, another), Begun, |r| {
        r.attempt = held(1, &[another]).map(|journal| Attempt {
            more: u32::try_from(last).expect("four attempts"),
            owner: owner(another),
            ..journal
        });
    })
}
