//! Answers that grant: every one that can still matter is kept, as the session's tokens or as an orphan.

use rampauth_core::Expiry;

use super::kind::Kind;
use super::names::{
    A, B, C, D, S1, S2, STORE_NOW, access, begin, begin_with, commit, commit_tokens, condemned, dead, failed, free,
    future, give_up, held, lapsed, lapsing, not_sent, orphan, refreshed, reject, settle, tokens, tokens_presenting,
    unknown,
};
use super::script::{Scenario, Script, steps};
use crate::record::{Orphan, Record, State, StoredTokens};

pub(super) fn scenarios() -> Vec<Scenario> {
    use Kind::{Adopted, Begun, Done, Gone, Moved, Saved, Stale, Superseded};
    vec![
        steps(
            "commit: an answer under its own claim is saved and clears the claim",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(commit(A, 1, 2), Saved, |r| refreshed(r, 2, 1, A, 2))
                .step(begin(2, B), Begun, |r| r.attempt = held(2, &[B])),
        ),
        steps(
            "commit: an answer is saved after its claim lapsed",
            Script::logged_in().step(lapsing(begin(1, A)), Begun, |r| r.attempt = lapsed(1, &[A])).step(
                commit(A, 1, 2),
                Saved,
                |r| refreshed(r, 2, 1, A, 2),
            ),
        ),
        steps(
            "commit: an answer is saved after its claim was taken over, and the one who took over loses it",
            taken_over()
                .step(commit(A, 1, 2), Saved, |r| refreshed(r, 2, 1, A, 2))
                .same(unknown(B, 1), Moved)
                .same(not_sent(B, 1), Moved)
                .same(dead(B, 1), Moved),
        ),
        steps(
            "commit: an answer is saved after its outcome was called unknown",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(unknown(A, 1), Done, |r| {
                    failed(r, "timeout");
                    (r.attempt, r.state) = (free(1, &[A]), State::Doubtful);
                })
                .step(commit(A, 1, 2), Saved, |r| refreshed(r, 2, 1, A, 2)),
        ),
        steps(
            "commit: an answer heals a doubt that was given up",
            Script::logged_in()
                .step(lapsing(begin(1, A)), Begun, |r| r.attempt = lapsed(1, &[A]))
                .step(give_up(1), Done, |r| {
                    (r.state, r.next_due, r.attempt) = (State::LoginNeeded, None, free(1, &[A]));
                })
                .step(commit(A, 1, 2), Saved, |r| refreshed(r, 2, 1, A, 2)),
        ),
        steps(
            "commit: an answer heals a login needed that a later presentation brought about",
            taken_over().step(dead(B, 1), Done, condemned).step(commit(A, 1, 2), Saved, |r| refreshed(r, 2, 1, A, 2)),
        ),
        steps(
            "commit: in login needed an orphan's worth is saved at once",
            taken_over()
                .step(commit(A, 1, 2), Saved, |r| refreshed(r, 2, 1, A, 2))
                .step(begin(2, C), Begun, |r| r.attempt = held(2, &[C]))
                .step(dead(C, 2), Done, condemned)
                .step(commit(B, 1, 3), Saved, |r| refreshed(r, 3, 1, B, 3)),
        ),
        steps(
            "commit: an answer is saved whether or not its begin was",
            Script::logged_in()
                .step(commit(A, 1, 2), Saved, |r| refreshed(r, 2, 1, A, 2))
                .step(begin(2, B), Begun, |r| r.attempt = held(2, &[B]))
                .step(commit(C, 2, 3), Saved, |r| refreshed(r, 3, 2, C, 3)),
        ),
        steps(
            "commit: it clears the rejection and the last error",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(reject(1, 1), Done, |r| (r.rejected, r.next_due) = (Some(access(1)), Some(STORE_NOW)))
                .step(not_sent(A, 1), Done, |r| {
                    failed(r, "rate_limited");
                    r.attempt = None;
                })
                .step(begin(1, B), Begun, |r| r.attempt = held(1, &[B]))
                .step(commit(B, 1, 2), Saved, |r| refreshed(r, 2, 1, B, 2)),
        ),
        steps("commit: an access token that comes again after its rejection stays rejected", {
            let mut again = tokens(2);
            again.access = Some(access(1));
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(reject(1, 1), Done, |r| (r.rejected, r.next_due) = (Some(access(1)), Some(STORE_NOW)))
                .step(commit_tokens(A, 1, again.clone()), Saved, |r| {
                    refreshed(r, 2, 1, A, 2);
                    (r.tokens, r.rejected) = (Some(again), Some(access(1)));
                })
        }),
        steps(
            "commit: two answers to one token: the second waits as an orphan",
            superseded().step(begin(2, C), Begun, |r| r.attempt = held(2, &[C])),
        ),
        steps(
            "commit: every attempt's late answer is kept, none overwrites another",
            superseded()
                .step(commit(C, 1, 4), Superseded, |r| r.orphans.push(orphan(C, 1, 4)))
                .step(commit(D, 1, 5), Superseded, |r| r.orphans.push(orphan(D, 1, 5)))
                .same(commit(B, 1, 3), Superseded)
                .same(commit(C, 1, 4), Superseded),
        ),
        steps(
            "commit: a late answer leaves the refresh that goes on alone",
            taken_over()
                .step(commit(A, 1, 2), Saved, |r| refreshed(r, 2, 1, A, 2))
                .step(begin(2, C), Begun, |r| r.attempt = held(2, &[C]))
                .step(commit(B, 1, 3), Superseded, |r| r.orphans.push(orphan(B, 1, 3)))
                .step(commit(C, 2, 4), Saved, |r| {
                    refreshed(r, 3, 2, C, 4);
                    r.orphans.clear();
                }),
        ),
        steps(
            "commit: a refresh that succeeds drops the orphans of the token before",
            superseded().step(begin(2, C), Begun, |r| r.attempt = held(2, &[C])).step(commit(C, 2, 4), Saved, |r| {
                refreshed(r, 3, 2, C, 4);
                r.orphans.clear();
            }),
        ),
        steps(
            "commit: its own repetition is recognised, also with an orphan beside it",
            superseded().same(commit(A, 1, 2), Saved).same(commit(B, 1, 3), Superseded),
        ),
        steps(
            "commit: its own repetition after the next refresh is stale",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(commit(A, 1, 2), Saved, |r| refreshed(r, 2, 1, A, 2))
                .step(begin(2, B), Begun, |r| r.attempt = held(2, &[B]))
                .step(commit(B, 2, 3), Saved, |r| refreshed(r, 3, 2, B, 3))
                .same(commit(A, 1, 2), Stale),
        ),
        steps(
            "commit: the repetition of an adopted orphan's is recognised",
            superseded()
                .step(begin(2, C), Begun, |r| r.attempt = held(2, &[C]))
                .step(dead(C, 2), Adopted, |r| {
                    refreshed(r, 3, 1, B, 3);
                    r.orphans.clear();
                })
                .same(commit(B, 1, 3), Saved),
        ),
        steps(
            "commit: an answer like the stored one is saved already",
            taken_over()
                .step(commit(A, 1, 2), Saved, |r| refreshed(r, 2, 1, A, 2))
                .same(commit(B, 1, 2), Saved)
                .step(begin(2, C), Begun, |r| r.attempt = held(2, &[C]))
                .same(commit(B, 1, 2), Saved),
        ),
        steps("commit: an answer that repeats the tokens presented is an answer, and ends the doubt", {
            let mut longer = tokens(1);
            (longer.access_expiry, longer.next_due) = (Expiry::At(future(900)), Some(future(800)));
            taken_over().step(commit_tokens(A, 1, longer.clone()), Saved, |r| {
                refreshed(r, 2, 1, A, 1);
                (r.next_due, r.tokens) = (longer.next_due, Some(longer));
            })
        }),
        steps(
            "commit: what is older than the presented one of the stored tokens is stale",
            taken_over()
                .step(commit(A, 1, 2), Saved, |r| refreshed(r, 2, 1, A, 2))
                .step(begin(2, C), Begun, |r| r.attempt = held(2, &[C]))
                .step(commit(C, 2, 3), Saved, |r| refreshed(r, 3, 2, C, 3))
                .same(commit(B, 1, 4), Stale),
        ),
        steps(
            "commit: what is stale is stale in login needed too",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(commit(A, 1, 2), Saved, |r| refreshed(r, 2, 1, A, 2))
                .step(begin(2, B), Begun, |r| r.attempt = held(2, &[B]))
                .step(commit(B, 2, 3), Saved, |r| refreshed(r, 3, 2, B, 3))
                .step(begin(3, C), Begun, |r| r.attempt = held(3, &[C]))
                .step(dead(C, 3), Done, condemned)
                .same(commit(D, 1, 4), Stale),
        ),
        steps("commit: what presents the refused credential again is stale", {
            let older = tokens_presenting(2, 3);
            taken_over()
                .step(commit(A, 1, 2), Saved, |r| refreshed(r, 2, 1, A, 2))
                .step(begin(2, C), Begun, |r| r.attempt = held(2, &[C]))
                .step(dead(C, 2), Done, condemned)
                .same(commit_tokens(B, 1, older), Stale)
        }),
        steps("commit: what presents a credential that was given up since is stale", {
            let older = tokens_presenting(2, 3);
            taken_over()
                .step(commit(A, 1, 2), Saved, |r| refreshed(r, 2, 1, A, 2))
                .step(lapsing(begin(2, C)), Begun, |r| r.attempt = lapsed(2, &[C]))
                .step(give_up(2), Done, |r| {
                    (r.state, r.next_due, r.attempt) = (State::LoginNeeded, None, free(2, &[C]));
                })
                .same(commit_tokens(B, 1, older), Stale)
        }),
        steps("commit: two sets of tokens with one credential to present are kept both", {
            let other = tokens_presenting(2, 3);
            taken_over().step(commit(A, 1, 2), Saved, |r| refreshed(r, 2, 1, A, 2)).step(
                commit_tokens(B, 1, other.clone()),
                Superseded,
                |r| r.orphans.push(Orphan { attempt: B, presented: 1, tokens: other }),
            )
        }),
        steps("commit: two sets of tokens with one access token are kept both", {
            let other = StoredTokens { access: Some(access(2)), ..tokens(3) };
            taken_over().step(commit(A, 1, 2), Saved, |r| refreshed(r, 2, 1, A, 2)).step(
                commit_tokens(B, 1, other.clone()),
                Superseded,
                |r| r.orphans.push(Orphan { attempt: B, presented: 1, tokens: other }),
            )
        }),
        steps(
            "commit: an answer to a session before is gone",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .put(S2, Some(S1), 2, tokens(2))
                .same(commit(A, 1, 3), Gone)
                .same(commit(A, 2, 3), Gone)
                .same(commit(A, 7, 3), Gone),
        ),
        steps(
            "commit: a store that came back older than the answer takes it",
            superseded()
                .step(lapsing(begin(2, C)), Begun, |r| r.attempt = lapsed(2, &[C]))
                .step(commit(D, 5, 6), Saved, |r| {
                    refreshed(r, 6, 5, D, 6);
                    r.orphans.clear();
                })
                .step(begin_with(6, 6, A), Begun, |r| r.attempt = held(6, &[A])),
        ),
        steps(
            "commit: a store that came back older takes the answer in login needed too",
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(dead(A, 1), Done, condemned)
                .step(commit(B, 3, 4), Saved, |r| refreshed(r, 4, 3, B, 4)),
        ),
        steps(
            "commit: orphans of the adopted token's own generation go on waiting",
            superseded()
                .step(commit(C, 1, 4), Superseded, |r| r.orphans.push(orphan(C, 1, 4)))
                .step(begin(2, D), Begun, |r| r.attempt = held(2, &[D]))
                .step(dead(D, 2), Adopted, adopted_c)
                .step(begin_with(3, 4, A), Begun, |r| r.attempt = held(4, &[A]))
                .step(commit(A, 3, 5), Saved, |r| {
                    refreshed(r, 4, 3, A, 5);
                    r.orphans.clear();
                }),
        ),
    ]
}

/// `A`'s claim lapsed and `B` took it over.
pub(super) fn taken_over() -> Script {
    Script::logged_in().step(lapsing(begin(1, A)), Kind::Begun, |r| r.attempt = lapsed(1, &[A])).step(
        settle(1, B),
        Kind::Begun,
        |r| (r.attempt, r.state) = (held(1, &[A, B]), State::Doubtful),
    )
}

/// Both presented tokens 1: `A` got tokens 2, which are stored, and `B` tokens 3, an orphan.
pub(super) fn superseded() -> Script {
    taken_over().step(commit(A, 1, 2), Kind::Saved, |r| refreshed(r, 2, 1, A, 2)).step(
        commit(B, 1, 3),
        Kind::Superseded,
        |r| r.orphans.push(orphan(B, 1, 3)),
    )
}

/// `C`'s orphan, the latest, has taken the place of tokens 2.
fn adopted_c(r: &mut Record) {
    refreshed(r, 3, 1, C, 4);
    r.orphans.truncate(1);
}
