//! What is stored comes back as it was, whatever it is, and under its own key alone.

use std::time::Duration;

use rampauth_core::{ClockDifference, Expiry};

use super::difference::{self, Times};
use super::kind::Kind;
use super::names::{
    A, B, C, LAPSED, S1, S2, attempt, begin, begin_with, commit, commit_tokens, dead, failure, free, future, held,
    lapsing, login, orphan, past, put, refreshed, remove, settle, tokens, unknown,
};
use super::script::{Course, Scenario, Script, Stage, code, steps};
use crate::key::SessionKey;
use crate::protocol::Operation;
use crate::record::{LastError, Orphan, State, StoredTokens};

/// Quotes, escapes, line ends, scripts, a combining character, a line separator, and characters beyond 16 bits.
const TEXT: &str = "{\"a\": 'b'} \\ \\u0041 %s ?1 $1 :x -- \r\n\t \u{e9} e\u{301} \u{df} \u{6f22}\u{5b57} \u{2028} \u{5d0} \u{fffd} \u{1f511} \u{7f} ";
/// Beyond what two tokens of the longest accepted kind make.
const LONG: usize = 200 * 1024;

pub(super) fn scenarios() -> Vec<Scenario> {
    use Kind::{Begun, Saved};
    vec![
        steps("content: a text of 200 KiB in every script comes back to the byte", {
            let long = text(&TEXT.repeat(LONG / TEXT.len() + 1));
            let (first, second) = (long.clone(), StoredTokens { payload: long.payload, ..tokens(2) });
            Script::default().put(S1, None, 1, first).step(begin(1, A), Begun, |r| r.attempt = held(1, &[A])).step(
                commit_tokens(A, 1, second.clone()),
                Saved,
                |r| {
                    refreshed(r, 2, 1, A, 2);
                    r.tokens = Some(second);
                },
            )
        }),
        steps("content: an empty text comes back empty", Script::default().put(S1, None, 1, text(""))),
        steps("content: spaces at the ends stay", Script::default().put(S1, None, 1, text(" \n x \n "))),
        steps(
            "content: every field of the tokens comes back",
            Script::default()
                .put(S1, None, 1, {
                    let mut tokens = tokens(1);
                    tokens.sealed_with = Some("key-2 é".to_owned());
                    (tokens.access_expiry, tokens.presented_expiry) =
                        (Expiry::Assumed(future(3)), Expiry::At(future(4)));
                    tokens
                })
                .put(S2, Some(S1), 2, {
                    let mut tokens = tokens(2);
                    (tokens.access, tokens.next_due, tokens.granted_at) = (None, None, past(0));
                    (tokens.presented_since, tokens.clock_difference) =
                        (Some(past(5)), Some(ClockDifference::from_milliseconds(1_200_000)));
                    (tokens.access_expiry, tokens.presented_expiry) = (Expiry::Unknown, Expiry::Assumed(past(2)));
                    tokens
                }),
        ),
        steps("content: eight orphans come back, in order", many_orphans()),
        steps(
            "content: generations go beyond 32 bits",
            Script::logged_in()
                .step(commit(A, 1 << 40, 2), Saved, |r| refreshed(r, (1 << 40) + 1, 1 << 40, A, 2))
                .step(begin_with((1 << 40) + 1, 2, B), Begun, |r| r.attempt = held(2, &[B]))
                .step(commit(C, 1 << 40, 3), Kind::Superseded, |r| r.orphans.push(orphan(C, 1 << 40, 3))),
        ),
        steps("content: a failure without status and code comes back, and so does none", {
            let bare = LastError { status: None, code: None, clock_difference: None, ..failure("timeout") };
            let mut lost = unknown(A, 1);
            if let Operation::Conclude { error, next_due, .. } = &mut lost {
                (*error, *next_due) = (Some(bare.clone()), None);
            }
            // A grant leaves none.
            Script::logged_in()
                .step(begin(1, A), Begun, |r| r.attempt = held(1, &[A]))
                .step(lost, Kind::Done, |r| {
                    (r.attempt, r.state) = (free(1, &[A]), State::Doubtful);
                    (r.last_error, r.next_due) = (Some(bare), None);
                })
                .step(settle(1, B), Begun, |r| r.attempt = held(1, &[A, B]))
                .step(commit(B, 1, 2), Saved, |r| refreshed(r, 2, 1, B, 2))
        }),
        code("content: keys that look alike are different sessions", |stage| Box::pin(alike(stage))),
        code("content: a claim lapses by itself, by the store's own clock", lapses),
    ]
}

fn text(payload: &str) -> StoredTokens {
    StoredTokens { payload: payload.into(), ..tokens(1) }
}

fn many_orphans() -> Script {
    let ids: Vec<_> = (1..=9).map(attempt).collect();
    let mut script = Script::logged_in().step(commit(ids[0], 1, 2), Kind::Saved, |r| refreshed(r, 2, 1, ids[0], 2));
    for (n, id) in (10..).zip(&ids[1..]) {
        let tokens = StoredTokens { payload: format!("{TEXT}{n}").into(), ..tokens(n) };
        script = script.step(commit_tokens(*id, 1, tokens.clone()), Kind::Superseded, |r| {
            r.orphans.push(Orphan { attempt: *id, presented: 1, tokens });
        });
    }
    script
}

/// Keys that a pattern, a collation or a cut would take for one another.
async fn alike(stage: Stage) -> Result<(), String> {
    let ends = ["x_y", "x-y", "x.y", "xzy", "X_Y", "x_y.", "x_y/s", "x_y/S", "x_y/s0", "x_y/s:"];
    let base = stage.key("");
    let key = |end: &str| SessionKey::parse(format!("{}.{end}", base.as_str())).map_err(|error| error.to_string());
    for (n, end) in (1..).zip(ends) {
        stage.given(&key(end)?, &[(put(S1, None, n), Kind::Saved)]).await?;
    }
    // What happens to one happens to none of the others.
    let steps = [(begin(1, A), Kind::Begun), (dead(A, 1), Kind::Done), (remove(S2, S1), Kind::Done)];
    stage.given(&key(ends[0])?, &steps).await?;
    for (n, end) in (2..).zip(&ends[1..]) {
        let expected = login(S1, 1, tokens(n));
        let found = stage.load(&key(end)?).await?;
        let differences = difference::records(Some(&expected), found.as_ref(), Times::StoreNow(stage.now()));
        if !differences.is_empty() {
            return Err(format!("the session whose key ends in {end}:\n{}", differences.join("\n")));
        }
    }
    Ok(())
}

/// A real, short claim: nobody has to give it back.
fn lapses(stage: Stage) -> Course {
    const LEASE: Duration = Duration::from_millis(80);
    const PATIENCE: Duration = Duration::from_secs(5);
    Box::pin(async move {
        let key = stage.key("");
        let mut begun = begin(1, A);
        if let Operation::Begin { lease, .. } = &mut begun {
            *lease = LEASE;
        }
        stage.given(&key, &[(put(S1, None, 1), Kind::Saved), (begun, Kind::Begun)]).await?;
        let from = stage.now();
        while stage.now().duration_since(from).unwrap_or(LAPSED) < PATIENCE {
            match Kind::of(&stage.apply(&key, lapsing(settle(1, B))).await?) {
                Kind::Busy => tokio::time::sleep(LEASE / 4).await,
                Kind::Begun => return Ok(()),
                other => return Err(format!("begin to settle answered {other:?}")),
            }
        }
        Err(format!("a claim of {LEASE:?} still held after {PATIENCE:?}"))
    })
}
