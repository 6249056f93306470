//! Logins and logouts: what they clear, what stops them, and that a logout wins.

use super::kind::Kind;
use super::names::{
    A, B, C, S1, S2, S3, STORE_NOW, access, begin, begin_with, commit, condemned, dead, failed, free, give_up, held,
    lapsed, lapsing, logout, manual, not_sent, orphan, put, refreshed, refused, reject, remove, reseal, retry, settle,
    tokens, unknown,
};
use super::script::{Scenario, Script, steps};
use crate::record::State;

pub(super) fn scenarios() -> Vec<Scenario> {
    use Kind::{Begun, Done, Gone, Moved, Saved, Superseded};
    vec![
        steps("put: the first login is generation one", Script::logged_in()),
        steps(
            "put: where nothing is stored, a session that is expected stops no login",
            Script::default().put(S1, Some(S3), 1, tokens(1)),
        ),
        steps(
            "nothing stored: nothing is begun, saved, given up, rejected, removed or sealed anew",
            Script::default()
                .same(begin(1, A), Moved)
                .same(settle(1, A), Moved)
                .same(commit(A, 1, 2), Gone)
                .same(not_sent(A, 1), Moved)
                .same(unknown(A, 1), Moved)
                .same(refused(A, 1), Moved)
                .same(dead(A, 1), Moved)
                .same(manual(1, A), Moved)
                .same(give_up(1), Moved)
                .same(reject(1, 1), Moved)
                .same(remove(S2, S1), Moved)
                .same(reseal(&[(1, 11)]), Moved),
        ),
        steps(
            "put: its own repetition is recognised, after a refresh too",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .same(put(S1, None, 1), Saved)
                .step(commit(A, 1, 2), Saved, |r| refreshed(r, 2, 1, A, 2))
                .same(put(S1, None, 1), Saved),
        ),
        steps(
            "put: a login takes the place of the session that it expects",
            Script::logged_in().put(S2, Some(S1), 2, tokens(2)).put(S3, Some(S2), 3, tokens(3)),
        ),
        steps(
            "put: a login wins over a refresh beside it, whose answer is gone",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .put(S2, Some(S1), 2, tokens(5))
                .same(commit(A, 1, 2), Gone)
                .same(not_sent(A, 1), Moved)
                .same(unknown(A, 1), Moved)
                .same(refused(A, 1), Moved)
                .same(dead(A, 1), Moved)
                .same(reject(1, 1), Moved)
                .same(give_up(1), Moved),
        ),
        steps(
            "put: a login wins over a refresh that was saved meanwhile",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(commit(A, 1, 2), Saved, |r| refreshed(r, 2, 1, A, 2))
                .put(S2, Some(S1), 3, tokens(5)),
        ),
        steps(
            "put: it clears doubt, rejection, orphans and the last error",
            Script::logged_in()
                .step(lapsing(begin(1, A)), Begun, |r| r.attempt = lapsed(1, &[A]))
                .step(settle(1, B), Begun, |r| (r.attempt, r.state) = (held(1, &[A, B]), State::Doubtful))
                .step(commit(A, 1, 2), Saved, |r| refreshed(r, 2, 1, A, 2))
                .step(commit(B, 1, 3), Superseded, |r| r.orphans.push(orphan(B, 1, 3)))
                .step(lapsing(begin(2, C)), Begun, |r| r.attempt = lapsed(2, &[C]))
                .step(reject(2, 2), Done, |r| {
                    (r.rejected, r.next_due) = (Some(access(2)), Some(STORE_NOW));
                })
                .step(unknown(C, 2), Done, |r| {
                    failed(r, "timeout");
                    (r.attempt, r.state) = (free(2, &[C]), State::Doubtful);
                })
                .put(S2, Some(S1), 3, tokens(5)),
        ),
        steps(
            "put: a login is the way out of login needed",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(dead(A, 1), Done, condemned)
                .put(S2, Some(S1), 2, tokens(2)),
        ),
        steps(
            "put: a session that the caller does not know of stops it",
            Script::logged_in().same(put(S2, None, 2), Moved).same(put(S2, Some(S3), 2), Moved),
        ),
        steps(
            "put: a late repetition does not undo the login after it",
            Script::logged_in().put(S2, Some(S1), 2, tokens(2)).same(put(S1, None, 1), Moved),
        ),
        steps(
            "put: a logout stops it, unless the caller knows of it",
            Script::logged_in()
                .step(remove(S2, S1), Done, |r| logout(r, S2))
                .same(put(S3, Some(S1), 3), Moved)
                .same(put(S3, None, 3), Moved)
                .same(put(S1, None, 1), Moved)
                .put(S3, Some(S2), 2, tokens(3)),
        ),
        steps(
            "remove: it leaves a tombstone of its own session, without a token",
            Script::logged_in().step(remove(S2, S1), Done, |r| logout(r, S2)),
        ),
        steps(
            "remove: it clears claim, doubt, orphans and the last error",
            Script::logged_in()
                .step(lapsing(begin(1, A)), Begun, |r| r.attempt = lapsed(1, &[A]))
                .step(settle(1, B), Begun, |r| (r.attempt, r.state) = (held(1, &[A, B]), State::Doubtful))
                .step(commit(A, 1, 2), Saved, |r| refreshed(r, 2, 1, A, 2))
                .step(commit(B, 1, 3), Superseded, |r| r.orphans.push(orphan(B, 1, 3)))
                .step(begin(2, C), Begun, |r| r.attempt = held(2, &[C]))
                .step(remove(S2, S1), Done, |r| logout(r, S2)),
        ),
        steps(
            "remove: logout wins over every answer that comes after it",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(remove(S2, S1), Done, |r| logout(r, S2))
                .same(commit(A, 1, 2), Gone)
                .same(not_sent(A, 1), Moved)
                .same(unknown(A, 1), Moved)
                .same(refused(A, 1), Moved)
                .same(dead(A, 1), Moved)
                .same(give_up(1), Moved)
                .same(reject(1, 1), Moved)
                .same(begin(1, B), Moved)
                .same(settle(1, B), Moved),
        ),
        steps("remove: it ends no other session", Script::logged_in().same(remove(S3, S2), Moved)),
        steps(
            "remove: a late repetition does not end the login after it",
            Script::logged_in()
                .step(remove(S2, S1), Done, |r| logout(r, S2))
                .put(S3, Some(S2), 2, tokens(2))
                .same(remove(S2, S1), Moved),
        ),
        steps(
            "remove: generations go on after it",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(commit(A, 1, 2), Saved, |r| refreshed(r, 2, 1, A, 2))
                .step(remove(S2, S1), Done, |r| logout(r, S2))
                .put(S3, Some(S2), 3, tokens(3))
                // Each of the two that are compared is out of date by itself.
                .same(begin_with(1, 3, B), Moved)
                .same(begin_with(3, 1, B), Moved),
        ),
        steps(
            "remove: login needed can be logged out",
            Script::logged_in()
                .step(lapsing(begin(1, A)), Begun, |r| r.attempt = lapsed(1, &[A]))
                .step(give_up(1), Done, |r| {
                    (r.state, r.next_due, r.attempt) = (State::LoginNeeded, None, free(1, &[A]));
                })
                .step(remove(S2, S1), Done, |r| logout(r, S2))
                .same(not_sent(A, 1), Moved),
        ),
        steps(
            "put: what is due follows the tokens",
            Script::default().put(S1, None, 1, {
                let mut tokens = tokens(1);
                tokens.next_due = Some(retry());
                tokens
            }),
        ),
    ]
}
