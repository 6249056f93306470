//! Giving up a doubt that nobody may settle, and rejections by name.

use rampauth_core::Expiry;

use super::commit::{superseded, taken_over};
use super::conclude::given_up;
use super::kind::Kind;
use super::names::{
    A, B, C, D, S1, S2, STORE_NOW, access, begin, commit, commit_tokens, condemned, dead, failed, free, give_up, held,
    lapsed, lapsing, logout, not_sent, owner, past, put, refreshed, refused, reject, remove, settle, tokens,
    tokens_presenting, tokens_until, unknown,
};
use super::script::{Scenario, Script, steps};
use crate::protocol::Operation;
use crate::record::{Orphan, Record, State};

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all = giving_up();
    all.extend(rejections());
    all
}

fn giving_up() -> Vec<Scenario> {
    use Kind::{Adopted, Begun, Done, Moved, Superseded};
    vec![
        steps(
            "give up: a doubt whose claim is free ends in login needed, and its journal stays",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(unknown(A, 1), Done, |r| {
                    failed(r, "timeout");
                    (r.attempt, r.state) = (free(1, &[A]), State::Doubtful);
                })
                .step(give_up(1), Done, |r| given_up(r, &[A])),
        ),
        steps(
            "give up: a claim that lapsed is free",
            Script::logged_in()
                .step(lapsing(begin(1, A)), Begun, |r| r.attempt = lapsed(1, &[A]))
                .step(give_up(1), Done, |r| given_up(r, &[A]))
                .same(give_up(1), Done),
        ),
        steps(
            "give up: not while somebody holds the claim",
            Script::logged_in().step(begin(1, A), Begun, |r| r.attempt = held(1, &[A])).same(give_up(1), Moved),
        ),
        steps("give up: not while somebody settles", taken_over().same(give_up(1), Moved)),
        steps("give up: where nothing is in doubt there is nothing to give up", {
            Script::logged_in()
                .same(give_up(1), Moved)
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(not_sent(A, 1), Done, |r| {
                    failed(r, "rate_limited");
                    r.attempt = None;
                })
                .same(give_up(1), Moved)
        }),
        steps(
            "conclude refused: outside doubt it was not carried out, and the token is as good as before",
            Script::logged_in().step(begin(1, A), Begun, |r| r.attempt = held(1, &[A])).step(
                refused(A, 1),
                Done,
                |r| {
                    failed(r, "refused");
                    r.attempt = None;
                },
            ),
        ),
        steps("conclude refused: in doubt it condemns, and a late not sent of the others withdraws that", {
            Script::logged_in()
                .step(lapsing(begin(1, A)), Begun, |r| r.attempt = lapsed(1, &[A]))
                .step(settle(1, B), Begun, |r| (r.attempt, r.state) = (held(1, &[A, B]), State::Doubtful))
                .step(refused(B, 1), Done, |r| {
                    failed(r, "refused");
                    given_up(r, &[A]);
                    let journal = r.attempt.as_mut().expect("the journal stays");
                    (journal.id, journal.owner) = (B, owner(B));
                })
                .step(not_sent(A, 1), Done, |r| {
                    (r.attempt, r.state) = (None, State::Ready);
                    r.next_due = Some(super::names::retry());
                })
        }),
        steps("conclude refused: in doubt an orphan that waits is adopted, and what has moved is left alone", {
            superseded()
                .step(lapsing(begin(2, C)), Begun, |r| r.attempt = lapsed(2, &[C]))
                .step(settle(2, D), Begun, |r| (r.attempt, r.state) = (held(2, &[C, D]), State::Doubtful))
                .step(refused(D, 2), Adopted, |r| {
                    refreshed(r, 3, 1, B, 3);
                    r.orphans.clear();
                })
                .same(refused(C, 2), Moved)
        }),
        steps(
            "give up: an orphan that waits is adopted",
            superseded().step(lapsing(begin(2, C)), Begun, |r| r.attempt = lapsed(2, &[C])).step(
                give_up(2),
                Adopted,
                |r| {
                    refreshed(r, 3, 1, B, 3);
                    r.orphans.clear();
                },
            ),
        ),
        steps("give up: an orphan that has expired does not stand in", {
            let expired = tokens_until(3, Expiry::At(past(1)));
            let orphan = Orphan { attempt: B, presented: 1, tokens: expired.clone() };
            taken_over()
                .step(commit(A, 1, 2), Kind::Saved, |r| refreshed(r, 2, 1, A, 2))
                .step(commit_tokens(B, 1, expired), Superseded, |r| r.orphans.push(orphan))
                .step(lapsing(begin(2, C)), Begun, |r| r.attempt = lapsed(2, &[C]))
                .step(give_up(2), Done, |r| {
                    r.orphans.clear();
                    (r.state, r.next_due, r.attempt) = (State::LoginNeeded, None, free(2, &[C]));
                })
        }),
        steps("give up: an orphan that presents the credential given up does not stand in", {
            let same = tokens_presenting(2, 3);
            let orphan = Orphan { attempt: B, presented: 1, tokens: same.clone() };
            taken_over()
                .step(commit(A, 1, 2), Kind::Saved, |r| refreshed(r, 2, 1, A, 2))
                .step(commit_tokens(B, 1, same), Superseded, |r| r.orphans.push(orphan))
                .step(lapsing(begin(2, C)), Begun, |r| r.attempt = lapsed(2, &[C]))
                .step(give_up(2), Done, |r| {
                    r.orphans.clear();
                    (r.state, r.next_due, r.attempt) = (State::LoginNeeded, None, free(2, &[C]));
                })
        }),
        steps(
            "give up: what is login needed already stays it",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(dead(A, 1), Done, condemned)
                .same(give_up(1), Done),
        ),
        steps(
            "give up: another generation or session is left alone",
            Script::logged_in()
                .step(lapsing(begin(1, A)), Begun, |r| r.attempt = lapsed(1, &[A]))
                .same(give_up(0), Moved)
                .same(give_up(2), Moved)
                .same(Operation::GiveUp { session: S2, generation: 1 }, Moved)
                .step(remove(S2, S1), Done, |r| logout(r, S2))
                .same(give_up(1), Moved),
        ),
    ]
}

fn rejections() -> Vec<Scenario> {
    use Kind::{Begun, Done, Moved, Saved};
    vec![
        steps(
            "reject: the current token's rejection is written, and the session is due at once",
            Script::logged_in()
                .step(reject(1, 1), Done, rejected)
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A])),
        ),
        steps("reject: a session that nothing made due is due then", {
            let mut unscheduled = tokens(1);
            unscheduled.next_due = None;
            Script::default().put(S1, None, 1, unscheduled).step(reject(1, 1), Done, rejected)
        }),
        steps("reject: a session that is due already stays due since then", {
            let mut due = tokens(1);
            due.next_due = Some(past(3));
            Script::default().put(S1, None, 1, due).step(reject(1, 1), Done, |r| r.rejected = Some(access(1)))
        }),
        steps(
            "reject: a second rejection of one token does not cut the pause after a failure short",
            Script::logged_in()
                .step(reject(1, 1), Done, rejected)
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(not_sent(A, 1), Done, |r| {
                    failed(r, "rate_limited");
                    r.attempt = None;
                })
                .same(reject(1, 1), Done),
        ),
        steps(
            "reject: a late rejection hurts no newer token",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(commit(A, 1, 2), Saved, |r| refreshed(r, 2, 1, A, 2))
                .same(reject(1, 1), Moved)
                .same(reject(2, 1), Moved)
                .same(reject(1, 2), Moved)
                .same(reject(3, 2), Moved),
        ),
        steps(
            "reject: the token of another session is left alone",
            Script::logged_in()
                .same(Operation::Reject { session: S2, generation: 1, access: access(1) }, Moved)
                .put(S2, Some(S1), 2, tokens(2))
                .same(reject(2, 2), Moved)
                .same(put(S1, None, 1), Moved),
        ),
        steps("reject: where no access token is stored, none is rejected", {
            let mut without = tokens(1);
            without.access = None;
            Script::default().put(S1, None, 1, without).same(reject(1, 1), Moved)
        }),
        steps(
            "reject: a claim and a doubt stay what they are",
            taken_over().step(reject(1, 1), Done, rejected).same(settle(1, C), Kind::Busy),
        ),
        steps(
            "reject: a session in doubt keeps the rejection for its last moment",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(unknown(A, 1), Done, |r| {
                    failed(r, "timeout");
                    (r.attempt, r.state) = (free(1, &[A]), State::Doubtful);
                })
                .step(reject(1, 1), Done, rejected)
                .same(begin(1, B), Kind::Doubtful)
                .step(settle(1, B), Begun, |r| r.attempt = held(1, &[A, B])),
        ),
        steps(
            "reject: in login needed the rejection is written, and nothing is due",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(dead(A, 1), Done, condemned)
                .step(reject(1, 1), Done, |r| r.rejected = Some(access(1))),
        ),
        steps(
            "reject: nothing of a session that is over is rejected",
            Script::logged_in().step(remove(S2, S1), Done, |r| logout(r, S2)).same(reject(1, 1), Moved),
        ),
    ]
}

fn rejected(r: &mut Record) {
    (r.rejected, r.next_due) = (Some(access(1)), Some(STORE_NOW));
}
