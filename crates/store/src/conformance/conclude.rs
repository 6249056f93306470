//! Answers that grant nothing: a presentation that did not happen, one in doubt, and a token's death.

use rampauth_core::Expiry;

use super::commit::{superseded, taken_over};
use super::kind::Kind;
use super::names::{
    A, B, C, D, S1, S2, STORE_NOW, access, begin, begin_with, commit, commit_tokens, condemned, dead, failed, failure,
    free, future, give_up, held, lapsed, lapsing, not_sent, orphan, past, put, refreshed, refused, reject, retry,
    settle, tokens, tokens_presenting, tokens_until, unknown,
};
use super::script::{Scenario, Script, steps};
use crate::record::{AttemptId, Orphan, Record, State, StoredTokens};

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all = taken_back();
    all.extend(doubted());
    all.extend(died());
    all
}

fn taken_back() -> Vec<Scenario> {
    use Kind::{Begun, Done, Moved};
    vec![
        steps(
            "conclude not sent: the only presentation is taken back, and the token is as good as ever",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(not_sent(A, 1), Done, |r| {
                    failed(r, "rate_limited");
                    r.attempt = None;
                })
                .step(begin(1, B), Begun, |r| r.attempt = held(1, &[B])),
        ),
        steps(
            "conclude not sent: a claim that lapsed is taken back as well",
            Script::logged_in().step(lapsing(begin(1, A)), Begun, |r| r.attempt = lapsed(1, &[A])).step(
                not_sent(A, 1),
                Done,
                |r| {
                    failed(r, "rate_limited");
                    r.attempt = None;
                },
            ),
        ),
        steps(
            "conclude not sent: after a take-over the doubt stays that was taken over",
            taken_over()
                .step(not_sent(B, 1), Done, |r| {
                    failed(r, "rate_limited");
                    give_back(r, &[A], B);
                })
                .same(begin(1, C), Kind::Doubtful)
                .step(settle(1, C), Begun, |r| r.attempt = held(1, &[A, C])),
        ),
        steps(
            "conclude not sent: the earlier of two takes back its own, and the other presents the token for the first time",
            taken_over()
                .step(not_sent(A, 1), Done, |r| {
                    (r.attempt, r.state) = (held(1, &[B]), State::Ready);
                })
                .same(settle(1, C), Kind::Busy)
                .step(unknown(B, 1), Done, |r| {
                    failed(r, "timeout");
                    (r.attempt, r.state) = (free(1, &[B]), State::Doubtful);
                })
                .same(not_sent(A, 1), Done),
        ),
        steps(
            "conclude not sent: each of two takes back its own, and nothing is left of either",
            taken_over()
                .step(not_sent(A, 1), Done, |r| {
                    (r.attempt, r.state) = (held(1, &[B]), State::Ready);
                })
                .step(not_sent(B, 1), Done, |r| {
                    failed(r, "rate_limited");
                    r.attempt = None;
                }),
        ),
        steps(
            "conclude not sent: the doubt of two others stays",
            Script::logged_in()
                .step(lapsing(begin(1, A)), Begun, |r| r.attempt = lapsed(1, &[A]))
                .step(lapsing(settle(1, B)), Begun, |r| {
                    (r.attempt, r.state) = (lapsed(1, &[A, B]), State::Doubtful);
                })
                .step(settle(1, C), Begun, |r| r.attempt = held(1, &[A, B, C]))
                .step(not_sent(A, 1), Done, |r| r.attempt = held(1, &[B, C]))
                .step(not_sent(C, 1), Done, |r| {
                    failed(r, "rate_limited");
                    give_back(r, &[B], C);
                })
                .same(begin(1, D), Kind::Doubtful),
        ),
        steps(
            "conclude not sent: when the last presentation is taken back the session is ready and due again",
            taken_over()
                .step(not_sent(B, 1), Done, |r| {
                    failed(r, "rate_limited");
                    give_back(r, &[A], B);
                })
                .step(not_sent(A, 1), Done, |r| (r.attempt, r.state) = (None, State::Ready)),
        ),
        steps(
            "conclude not sent: it withdraws what was given up, if nobody else presented the token",
            Script::logged_in()
                .step(lapsing(begin(1, A)), Begun, |r| r.attempt = lapsed(1, &[A]))
                .step(give_up(1), Done, |r| given_up(r, &[A]))
                .step(not_sent(A, 1), Done, |r| {
                    failed(r, "rate_limited");
                    (r.attempt, r.state) = (None, State::Ready);
                })
                .step(begin(1, B), Begun, |r| r.attempt = held(1, &[B])),
        ),
        steps(
            "conclude not sent: of two presentations given up both have to be taken back, in any order",
            Script::logged_in()
                .step(lapsing(begin(1, A)), Begun, |r| r.attempt = lapsed(1, &[A]))
                .step(lapsing(settle(1, B)), Begun, |r| {
                    (r.attempt, r.state) = (lapsed(1, &[A, B]), State::Doubtful);
                })
                .step(give_up(1), Done, |r| given_up(r, &[A, B]))
                .step(not_sent(A, 1), Done, |r| r.attempt.as_mut().expect("a journal").presented_by = vec![B])
                .same(settle(1, C), Moved)
                .step(not_sent(B, 1), Done, |r| {
                    failed(r, "rate_limited");
                    (r.attempt, r.state) = (None, State::Ready);
                }),
        ),
        steps(
            "conclude not sent: a session whose giving up is withdrawn by an earlier attempt is due again",
            taken_over()
                .step(not_sent(B, 1), Done, |r| {
                    failed(r, "rate_limited");
                    give_back(r, &[A], B);
                })
                .step(give_up(1), Done, |r| (r.state, r.next_due) = (State::LoginNeeded, None))
                .step(not_sent(A, 1), Done, |r| {
                    (r.attempt, r.state, r.next_due) = (None, State::Ready, Some(retry()));
                }),
        ),
        steps(
            "conclude not sent: a late repetition touches nobody else's refresh",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(not_sent(A, 1), Done, |r| {
                    failed(r, "rate_limited");
                    r.attempt = None;
                })
                .step(begin(1, B), Begun, |r| r.attempt = held(1, &[B]))
                .same(not_sent(A, 1), Done)
                .same(begin(1, C), Kind::Busy),
        ),
        steps(
            "conclude not sent: a token that is dead stays dead",
            taken_over().step(dead(B, 1), Done, condemned).same(not_sent(A, 1), Done).same(not_sent(B, 1), Done),
        ),
        steps(
            "conclude not sent: a rejection stays",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(reject(1, 1), Done, |r| (r.rejected, r.next_due) = (Some(access(1)), Some(STORE_NOW)))
                .step(not_sent(A, 1), Done, |r| {
                    failed(r, "rate_limited");
                    r.attempt = None;
                }),
        ),
        steps(
            "conclude: what was never begun changes nothing",
            Script::logged_in().same(not_sent(A, 1), Done).same(unknown(A, 1), Done).same(dead(A, 1), Moved),
        ),
    ]
}

fn doubted() -> Vec<Scenario> {
    use Kind::{Begun, Done, Moved, Saved};
    vec![
        steps(
            "conclude unknown: the session is in doubt and the claim free",
            Script::logged_in().step(begin(1, A), Begun, |r| r.attempt = held(1, &[A])).step(
                unknown(A, 1),
                Done,
                |r| {
                    failed(r, "timeout");
                    (r.attempt, r.state) = (free(1, &[A]), State::Doubtful);
                },
            ),
        ),
        steps(
            "conclude unknown: after the claim lapsed it is the same",
            Script::logged_in().step(lapsing(begin(1, A)), Begun, |r| r.attempt = lapsed(1, &[A])).step(
                unknown(A, 1),
                Done,
                |r| {
                    failed(r, "timeout");
                    (r.attempt, r.state) = (free(1, &[A]), State::Doubtful);
                },
            ),
        ),
        steps(
            "conclude unknown: after giving up it stays login needed, and nothing is due",
            Script::logged_in()
                .step(lapsing(begin(1, A)), Begun, |r| r.attempt = lapsed(1, &[A]))
                .step(give_up(1), Done, |r| given_up(r, &[A]))
                .step(unknown(A, 1), Done, |r| r.last_error = Some(failure("timeout"))),
        ),
        steps(
            "conclude: only the attempt that holds or held the claim last may say unknown or dead",
            taken_over().same(unknown(A, 1), Moved).same(dead(A, 1), Moved).same(unknown(C, 1), Moved),
        ),
        steps(
            "conclude: what comes after the generation moved changes nothing",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(commit(A, 1, 2), Saved, |r| refreshed(r, 2, 1, A, 2))
                .step(begin(2, B), Begun, |r| r.attempt = held(2, &[B]))
                .same(not_sent(A, 1), Moved)
                .same(unknown(A, 1), Moved)
                .same(dead(A, 1), Moved)
                .same(refused(A, 1), Moved)
                // Whoever holds the claim, at another generation than the one that it is on.
                .same(not_sent(B, 1), Moved)
                .same(unknown(B, 1), Moved)
                .same(refused(B, 1), Moved)
                .same(dead(B, 1), Moved)
                .same(not_sent(B, 3), Moved)
                .same(unknown(B, 3), Moved)
                .same(refused(B, 3), Moved)
                .same(dead(B, 3), Moved),
        ),
        steps(
            "conclude: what comes after another login changes nothing, at its generation neither",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .put(S2, Some(S1), 2, tokens(2))
                .step(begin(2, B), Begun, |r| r.attempt = held(2, &[B]))
                .same(not_sent(B, 2), Moved)
                .same(unknown(B, 2), Moved)
                .same(refused(B, 2), Moved)
                .same(dead(B, 2), Moved)
                .same(put(S1, None, 1), Moved),
        ),
    ]
}

fn died() -> Vec<Scenario> {
    use Kind::{Adopted, Begun, Done, Moved};
    vec![
        steps(
            "conclude dead: a login is needed",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(dead(A, 1), Done, condemned)
                .same(dead(A, 1), Moved),
        ),
        steps(
            "conclude dead: in doubt a login is needed as well",
            taken_over().step(dead(B, 1), Done, condemned).same(give_up(1), Done),
        ),
        steps(
            "conclude dead: an orphan that waits is adopted, however late it came",
            superseded().step(begin(2, C), Begun, |r| r.attempt = held(2, &[C])).step(dead(C, 2), Adopted, |r| {
                refreshed(r, 3, 1, B, 3);
                r.orphans.clear();
            }),
        ),
        steps("conclude dead: orphans are adopted one after the other, the latest first", {
            superseded()
                .step(commit(C, 1, 4), Kind::Superseded, |r| r.orphans.push(orphan(C, 1, 4)))
                .step(begin(2, D), Begun, |r| r.attempt = held(2, &[D]))
                .step(dead(D, 2), Adopted, |r| {
                    refreshed(r, 3, 1, C, 4);
                    r.orphans = vec![orphan(B, 1, 3)];
                })
                .step(begin_with(3, 4, D), Begun, |r| r.attempt = held(4, &[D]))
                .step(dead(D, 3), Adopted, |r| {
                    refreshed(r, 4, 1, B, 3);
                    r.orphans.clear();
                })
                .step(begin_with(4, 3, A), Begun, |r| r.attempt = held(3, &[A]))
                .step(dead(A, 4), Done, condemned)
        }),
        steps("conclude dead: an orphan that has expired is passed over", {
            let expired = tokens_until(4, Expiry::At(past(1)));
            waiting(expired).step(dead(D, 2), Adopted, |r| {
                refreshed(r, 3, 1, B, 3);
                r.orphans.clear();
            })
        }),
        steps("conclude dead: an orphan that presents the refused credential is passed over", {
            waiting(tokens_presenting(2, 4)).step(dead(D, 2), Adopted, |r| {
                refreshed(r, 3, 1, B, 3);
                r.orphans.clear();
            })
        }),
        steps("conclude dead: expired orphans alone do not stand in", {
            let expired = tokens_until(3, Expiry::At(past(1)));
            taken_over()
                .step(commit(A, 1, 2), Kind::Saved, |r| refreshed(r, 2, 1, A, 2))
                .step(commit_tokens(B, 1, expired.clone()), Kind::Superseded, |r| r.orphans.push(of(B, expired)))
                .step(begin(2, C), Begun, |r| r.attempt = held(2, &[C]))
                .step(dead(C, 2), Done, |r| {
                    condemned(r);
                    r.orphans.clear();
                })
        }),
        steps("conclude dead: an expiry that is only assumed passes no orphan over", {
            let assumed = tokens_until(4, Expiry::Assumed(past(1)));
            waiting(assumed.clone()).step(dead(D, 2), Adopted, |r| {
                refreshed(r, 3, 1, C, 4);
                r.tokens = Some(assumed);
                r.orphans.truncate(1);
            })
        }),
        steps("conclude dead: an expiry still to come passes no orphan over", {
            let live = tokens_until(4, Expiry::At(future(1)));
            waiting(live.clone()).step(dead(D, 2), Adopted, |r| {
                refreshed(r, 3, 1, C, 4);
                r.tokens = Some(live);
                r.orphans.truncate(1);
            })
        }),
        steps(
            "conclude dead: by an attempt that is no longer the current one it condemns nothing",
            superseded()
                .step(lapsing(begin(2, C)), Begun, |r| r.attempt = lapsed(2, &[C]))
                .step(settle(2, D), Begun, |r| (r.attempt, r.state) = (held(2, &[C, D]), State::Doubtful))
                .same(dead(C, 2), Moved)
                .same(dead(A, 1), Moved),
        ),
        steps(
            "conclude dead: after giving up it stays login needed",
            Script::logged_in()
                .step(lapsing(begin(1, A)), Begun, |r| r.attempt = lapsed(1, &[A]))
                .step(give_up(1), Done, |r| given_up(r, &[A]))
                .step(dead(A, 1), Done, condemned),
        ),
    ]
}

/// Two orphans wait, `B`'s and after it `C`'s, and `D` presents tokens 2.
fn waiting(latest: StoredTokens) -> Script {
    superseded().step(commit_tokens(C, 1, latest.clone()), Kind::Superseded, |r| r.orphans.push(of(C, latest))).step(
        begin(2, D),
        Kind::Begun,
        |r| r.attempt = held(2, &[D]),
    )
}

fn of(attempt: AttemptId, tokens: StoredTokens) -> Orphan {
    Orphan { attempt, presented: 1, tokens }
}

/// The claim of `last` is free, and only these have presented tokens 1.
fn give_back(r: &mut Record, by: &[AttemptId], last: AttemptId) {
    let journal = r.attempt.as_mut().expect("a journal");
    assert_eq!(journal.id, last, "the scenario's own journal");
    (journal.presented_by, journal.lease) = (by.to_vec(), None);
}

pub(super) fn given_up(r: &mut Record, by: &[AttemptId]) {
    (r.state, r.next_due, r.attempt) = (State::LoginNeeded, None, free(1, by));
}
