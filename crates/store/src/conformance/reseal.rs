//! Sealing anew: payloads change and nothing else does, and what moved meanwhile is left alone.

use super::kind::Kind;
use super::names::{
    A, B, C, S1, S2, STORE_NOW, access, begin, commit, condemned, dead, failed, free, held, lapsed, lapsing, logout,
    orphan, put, refreshed, reject, remove, reseal, resealed, settle, tokens, unknown,
};
use super::script::{Scenario, Script, steps};
use crate::record::{Record, State, StoredTokens};

pub(super) fn scenarios() -> Vec<Scenario> {
    use Kind::{Begun, Done, Gone, Moved, Saved};
    vec![
        steps(
            "reseal: the payload and its key change, and nothing else",
            Script::logged_in().step(reseal(&[(1, 11)]), Done, |r| resealed(own(r), 11)),
        ),
        steps(
            "reseal: doubt, rejection, error and every orphan stay what they are",
            with_two_orphans()
                .step(lapsing(begin(2, C)), Begun, |r| r.attempt = lapsed(2, &[C]))
                .step(reject(2, 2), Done, |r| (r.rejected, r.next_due) = (Some(access(2)), Some(STORE_NOW)))
                .step(unknown(C, 2), Done, |r| {
                    failed(r, "timeout");
                    (r.attempt, r.state) = (free(2, &[C]), State::Doubtful);
                })
                .step(reseal(&[(3, 13), (2, 12), (4, 14)]), Done, |r| {
                    resealed(own(r), 12);
                    resealed(&mut r.orphans[0].tokens, 13);
                    resealed(&mut r.orphans[1].tokens, 14);
                }),
        ),
        steps(
            "reseal: a claim holds on, and its answer is saved",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(reseal(&[(1, 11)]), Done, |r| resealed(own(r), 11))
                .same(begin(1, B), Kind::Busy)
                .step(commit(A, 1, 2), Saved, |r| refreshed(r, 2, 1, A, 2)),
        ),
        steps(
            "reseal: tokens that were refreshed meanwhile are not touched",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(commit(A, 1, 2), Saved, |r| refreshed(r, 2, 1, A, 2))
                .same(reseal(&[(1, 11)]), Moved),
        ),
        steps(
            "reseal: one payload that is gone stops all",
            Script::logged_in().same(reseal(&[(1, 11), (3, 13)]), Moved).same(reseal(&[(3, 13), (1, 11)]), Moved),
        ),
        steps(
            "reseal: an orphan that came meanwhile stays as it is",
            with_two_orphans().step(reseal(&[(2, 12), (3, 13)]), Done, |r| {
                resealed(own(r), 12);
                resealed(&mut r.orphans[0].tokens, 13);
            }),
        ),
        steps(
            "reseal: an orphan that was adopted meanwhile is still the one that was sealed anew",
            with_two_orphans()
                .step(begin(2, C), Begun, |r| r.attempt = held(2, &[C]))
                .step(dead(C, 2), Kind::Adopted, |r| {
                    let latest = r.orphans.pop().expect("two orphans");
                    refreshed(r, 3, 1, latest.attempt, 4);
                })
                .step(reseal(&[(4, 14)]), Done, |r| resealed(own(r), 14))
                .same(reseal(&[(2, 12), (3, 13)]), Moved),
        ),
        steps(
            "reseal: a late repetition brings no older seal back",
            Script::logged_in()
                .step(reseal(&[(1, 11)]), Done, |r| resealed(own(r), 11))
                .step(reseal(&[(11, 21)]), Done, |r| resealed(own(r), 21))
                .same(reseal(&[(1, 11)]), Moved),
        ),
        steps(
            "reseal: tokens that are dead are sealed anew, and stay dead",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(dead(A, 1), Done, condemned)
                .step(reseal(&[(1, 11)]), Done, |r| resealed(own(r), 11)),
        ),
        steps(
            "reseal: another login or a logout came first",
            Script::logged_in()
                .put(S2, Some(S1), 2, tokens(2))
                .same(reseal(&[(1, 11)]), Moved)
                .step(remove(S1, S2), Done, |r| logout(r, S1))
                .same(reseal(&[(2, 12)]), Moved)
                .same(commit(A, 1, 2), Gone),
        ),
        steps(
            "reseal: a login repeated after it is known, and the seal stays",
            Script::logged_in().step(reseal(&[(1, 11)]), Done, |r| resealed(own(r), 11)).same(put(S1, None, 1), Saved),
        ),
    ]
}

/// A session at generation 2 with tokens 2, and tokens 3 and 4 as orphans.
fn with_two_orphans() -> Script {
    use Kind::{Begun, Saved, Superseded};
    Script::logged_in()
        .step(lapsing(begin(1, A)), Begun, |r| r.attempt = lapsed(1, &[A]))
        .step(lapsing(settle(1, B)), Begun, |r| (r.attempt, r.state) = (lapsed(1, &[A, B]), State::Doubtful))
        .step(settle(1, C), Begun, |r| r.attempt = held(1, &[A, B, C]))
        .step(commit(A, 1, 2), Saved, |r| refreshed(r, 2, 1, A, 2))
        .step(commit(B, 1, 3), Superseded, |r| r.orphans.push(orphan(B, 1, 3)))
        .step(commit(C, 1, 4), Superseded, |r| r.orphans.push(orphan(C, 1, 4)))
}

fn own(record: &mut Record) -> &mut StoredTokens {
    record.tokens.as_mut().expect("a session with tokens")
}
