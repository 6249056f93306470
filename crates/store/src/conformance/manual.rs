//! What a person may ask for in *login needed*: one more try of the stored token, which nothing but a grant makes more of.

use super::kind::Kind;
use super::names::{
    A, B, C, S1, S2, attempt, begin, commit, condemned, dead, failed, failure, free, give_up, held, lapsed, lapsing,
    logout, manual, manual_with, not_sent, orphan, refreshed, refused, reject, remove, settle, tokens, unknown,
};
use super::script::{Scenario, Script, steps};
use crate::record::{Attempt, AttemptId, Record, State};

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all = claims();
    all.extend(outcomes());
    all.extend(others());
    all
}

fn claims() -> Vec<Scenario> {
    use Kind::{Begun, Busy, Done, Moved};
    vec![
        steps(
            "claim manually: in login needed it writes the journal and the claim, and a login stays needed",
            dead_token().step(manual(1, B), Begun, |r| r.attempt = one_more(held(1, &[B]))),
        ),
        steps(
            "claim manually: nowhere but in login needed, claimed or not, in doubt or over",
            Script::logged_in()
                .same(manual(1, B), Moved)
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .same(manual(1, B), Moved)
                .step(unknown(A, 1), Done, |r| {
                    failed(r, "timeout");
                    (r.attempt, r.state) = (free(1, &[A]), State::Doubtful);
                })
                .same(manual(1, B), Moved)
                .step(remove(S2, S1), Done, |r| logout(r, S2))
                .same(manual(1, B), Moved),
        ),
        steps(
            "claim manually: who did not see that a login is needed claims nothing, however the try ends",
            claimed()
                .same(begin(1, C), Moved)
                .same(settle(1, C), Moved)
                .step(not_sent(B, 1), Done, |r| left_open(r, &[], "rate_limited"))
                .same(begin(1, C), Moved)
                .same(settle(1, C), Moved),
        ),
        steps(
            "claim manually: another generation of the same token is not sent",
            dead_token().same(manual_with(0, 1, B), Moved).same(manual_with(2, 1, B), Moved).step(
                manual(1, B),
                Begun,
                |r| r.attempt = one_more(held(1, &[B])),
            ),
        ),
        steps(
            "claim manually: another token of the same generation is not sent",
            dead_token()
                .same(manual_with(1, 2, B), Moved)
                .step(manual(1, B), Begun, |r| r.attempt = one_more(held(1, &[B]))),
        ),
        steps("claim manually: nobody else while the claim holds", claimed().same(manual(1, C), Busy)),
        steps(
            "claim manually: a claim that lapsed is taken over, and both stay in the journal",
            dead_token().step(lapsing(manual(1, B)), Begun, |r| r.attempt = one_more(lapsed(1, &[B]))).step(
                manual(1, C),
                Begun,
                |r| r.attempt = one_more(held(1, &[B, C])),
            ),
        ),
        steps(
            "claim manually: its own repetition is recognised and lengthens no claim",
            dead_token()
                .step(lapsing(manual(1, B)), Begun, |r| r.attempt = one_more(lapsed(1, &[B])))
                .same(manual(1, B), Begun),
        ),
        steps(
            "claim manually: after a doubt that was given up its attempts stay in the journal",
            given_up().step(manual(1, B), Begun, |r| r.attempt = one_more(held(1, &[A, B]))),
        ),
        steps("claim manually: the journal names the last eight, and counts the others", many_tries()),
    ]
}

fn outcomes() -> Vec<Scenario> {
    use Kind::{Begun, Done, Saved};
    vec![
        steps(
            "claim manually: one that was not sent leaves a login needed, and nothing due",
            claimed().step(not_sent(B, 1), Done, |r| left_open(r, &[], "rate_limited")).step(
                manual(1, C),
                Begun,
                |r| r.attempt = one_more(held(1, &[C])),
            ),
        ),
        steps(
            "claim manually: one without an answer leaves a login needed, and nothing due",
            claimed().step(unknown(B, 1), Done, |r| left_open(r, &[B], "timeout")),
        ),
        steps(
            "claim manually: one that was refused leaves a login needed",
            claimed().step(refused(B, 1), Done, |r| left_open(r, &[], "refused")),
        ),
        steps(
            "claim manually: a token that is dead indeed leaves no journal",
            claimed().step(dead(B, 1), Done, condemned),
        ),
        steps(
            "claim manually: a grant is saved, and the session is ready",
            claimed()
                .step(commit(B, 1, 2), Saved, |r| refreshed(r, 2, 1, B, 2))
                .step(begin(2, C), Begun, |r| r.attempt = held(2, &[C])),
        ),
        steps(
            "claim manually: a grant that comes after the claim lapsed is saved as well",
            dead_token().step(lapsing(manual(1, B)), Begun, |r| r.attempt = one_more(lapsed(1, &[B]))).step(
                commit(B, 1, 2),
                Saved,
                |r| refreshed(r, 2, 1, B, 2),
            ),
        ),
    ]
}

fn others() -> Vec<Scenario> {
    use Kind::{Begun, Done, Gone, Moved, Saved, Superseded};
    vec![
        steps("claim manually: giving up beside it changes nothing", claimed().same(give_up(1), Done)),
        steps(
            "claim manually: whoever takes an attempt back, before or after it, the session is not ready by that",
            given_up()
                .step(manual(1, B), Begun, |r| r.attempt = one_more(held(1, &[A, B])))
                .step(not_sent(A, 1), Done, |r| r.attempt = one_more(held(1, &[B])))
                .step(not_sent(B, 1), Done, |r| left_open(r, &[], "rate_limited")),
        ),
        steps(
            "claim manually: the earlier attempt that is taken back last does not make the session ready either",
            given_up()
                .step(manual(1, B), Begun, |r| r.attempt = one_more(held(1, &[A, B])))
                .step(not_sent(B, 1), Done, |r| left_open(r, &[A], "rate_limited"))
                .step(not_sent(A, 1), Done, |r| {
                    r.attempt.as_mut().expect("the journal stays").presented_by.clear();
                }),
        ),
        steps(
            "claim manually: a late answer of an earlier attempt is saved, and the try's own waits as an orphan",
            given_up()
                .step(manual(1, B), Begun, |r| r.attempt = one_more(held(1, &[A, B])))
                .step(commit(A, 1, 2), Saved, |r| refreshed(r, 2, 1, A, 2))
                .same(unknown(B, 1), Moved)
                .step(commit(B, 1, 3), Superseded, |r| r.orphans.push(orphan(B, 1, 3))),
        ),
        steps(
            "claim manually: a rejection beside it is written, and nothing is due",
            claimed().step(reject(1, 1), Done, |r| r.rejected = Some(super::names::access(1))),
        ),
        steps(
            "claim manually: a login clears it, and its answer is gone",
            claimed().put(S2, Some(S1), 2, tokens(2)).same(commit(B, 1, 3), Gone).same(not_sent(B, 1), Moved),
        ),
        steps(
            "claim manually: a logout wins over it",
            claimed().step(remove(S2, S1), Done, |r| logout(r, S2)).same(commit(B, 1, 3), Gone),
        ),
    ]
}

/// Attempt `A` was told that tokens 1 are dead.
fn dead_token() -> Script {
    Script::logged_in().step(begin(1, A), Kind::Begun, |r| r.attempt = held(1, &[A])).step(
        dead(A, 1),
        Kind::Done,
        condemned,
    )
}

/// The doubt about attempt `A` was given up.
fn given_up() -> Script {
    Script::logged_in().step(lapsing(begin(1, A)), Kind::Begun, |r| r.attempt = lapsed(1, &[A])).step(
        give_up(1),
        Kind::Done,
        |r| super::conclude::given_up(r, &[A]),
    )
}

/// A person's attempt `B` holds the claim on tokens that are held for dead.
fn claimed() -> Script {
    dead_token().step(manual(1, B), Kind::Begun, |r| r.attempt = one_more(held(1, &[B])))
}

/// The journal with the attempt that is not listed.
fn one_more(journal: Option<Attempt>) -> Option<Attempt> {
    journal.map(|journal| Attempt { more: 1, ..journal })
}

/// The try is over without a grant, and these attempts may have sent the token.
fn left_open(r: &mut Record, by: &[AttemptId], kind: &str) {
    r.last_error = Some(failure(kind));
    r.refusals += u32::from(kind == "refused");
    let journal = r.attempt.as_mut().expect("the journal stays");
    (journal.presented_by, journal.lease) = (by.to_vec(), None);
}

fn many_tries() -> Script {
    let all: Vec<AttemptId> = (21..=30).map(attempt).collect();
    let mut script = dead_token();
    for (index, id) in all.iter().enumerate() {
        let first = (index + 1).saturating_sub(8);
        script = script.step(lapsing(manual(1, *id)), Kind::Begun, |r| {
            let more = 1 + u32::try_from(first).expect("ten attempts");
            r.attempt = lapsed(1, &all[first..=index]).map(|journal| Attempt { more, ..journal });
        });
    }
    script
}
