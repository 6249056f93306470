//! The ways in which a protocol like this one loses tokens, each as a store that does: the suite finds every one.
//!
//! The numbers are those of the documentation of `protocol`. The fourth, a paused holder that sends after its claim was taken over, is no step of a
//! store's: only a keeper can make it, or not. Of the eighth, unsaved tokens that yield to older stored ones, a store has one
//! half: whether it takes what is ahead of it.

mod common;

use common::{Mutant, is_caught, with_record};
use rampauth_store::protocol::{Step, apply};
use rampauth_store::{Answer, Attempt, AttemptId, Conclusion, Operation, Record, State, StoreTime};

async fn caught(flaw: &str, step: Step, by: &str) {
    is_caught(flaw, Mutant::stepping(step), by).await;
}

/// The steps of the protocol, and then something is done to what they left.
fn afterwards(
    slot: &mut Option<Record>,
    operation: Operation,
    now: &StoreTime,
    change: impl FnOnce(&mut Record),
) -> Answer {
    let answer = apply(slot, operation, now);
    if let Some(record) = slot {
        change(record);
    }
    with_record(answer, slot)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_flaw_nothing_is_found() {
    let failed = common::failed(Mutant::sound()).await;
    assert!(failed.is_empty(), "{failed:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn flaw_1_an_answer_is_refused_because_its_claim_was_lost() {
    let step: Step = |slot, operation, now| match (&*slot, &operation) {
        (Some(record), Operation::Commit { attempt, .. })
            if record.generation == attempt.generation
                && record.attempt.as_ref().is_some_and(|journal| journal.id != attempt.id) =>
        {
            Answer::Superseded(record.clone())
        }
        _ => apply(slot, operation, now),
    };
    let by = "commit: an answer is saved after its claim was taken over, and the one who took over loses it";
    caught("flaw 1", step, by).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flaw_2_a_token_is_condemned_past_an_orphan_that_came_meanwhile() {
    let step: Step = |slot, operation, now| {
        let dead = matches!(operation, Operation::Conclude { conclusion: Conclusion::Dead, .. });
        let unseen = slot.as_mut().filter(|_| dead).map(|record| std::mem::take(&mut record.orphans));
        afterwards(slot, operation, now, |record| record.orphans.extend(unseen.into_iter().flatten()))
    };
    caught("flaw 2", step, "conclude dead: an orphan that waits is adopted, however late it came").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flaw_3_a_doubtful_token_is_presented_though_its_successor_is_stored() {
    let step: Step = |slot, mut operation, now| {
        if let (Some(record), Operation::Begin { generation, presents, .. }) = (&*slot, &mut operation) {
            *generation = record.generation;
            *presents = record.tokens.as_ref().map_or(*presents, |tokens| tokens.presents);
        }
        apply(slot, operation, now)
    };
    caught("flaw 3", step, "begin: a doubtful token is not presented once its successor is stored").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flaw_5_an_answer_is_dropped_because_the_generation_moved() {
    let step: Step = |slot, operation, now| match (&*slot, &operation) {
        (Some(record), Operation::Commit { attempt, .. })
            if record.session == attempt.session
                && record.generation > attempt.generation
                && record.last_commit != Some(attempt.id) =>
        {
            Answer::Stale
        }
        _ => apply(slot, operation, now),
    };
    caught("flaw 5", step, "commit: two answers to one token: the second waits as an orphan").await;
    caught("flaw 5", step, "commit: in login needed an orphan's worth is saved at once").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flaw_6_one_orphan_overwrites_another() {
    let step: Step = |slot, operation, now| {
        afterwards(slot, operation, now, |record| {
            let all_but_the_last = record.orphans.len().saturating_sub(1);
            record.orphans.drain(..all_but_the_last);
        })
    };
    caught("flaw 6", step, "commit: every attempt's late answer is kept, none overwrites another").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flaw_7_not_sent_wipes_a_doubt_that_was_taken_over() {
    let step: Step = |slot, operation, now| {
        let not_sent = matches!(operation, Operation::Conclude { conclusion: Conclusion::NotSent, .. });
        afterwards(slot, operation, now, |record| {
            if not_sent && record.state == State::Doubtful {
                (record.state, record.attempt) = (State::Ready, None);
            }
        })
    };
    caught("flaw 7", step, "conclude not sent: after a take-over the doubt stays that was taken over").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flaw_8_a_store_that_came_back_older_refuses_what_is_ahead_of_it() {
    let step: Step = |slot, operation, now| match (&*slot, &operation) {
        (Some(record), Operation::Commit { attempt, .. })
            if record.session == attempt.session && attempt.generation > record.generation =>
        {
            Answer::Stale
        }
        _ => apply(slot, operation, now),
    };
    caught("flaw 8", step, "commit: a store that came back older than the answer takes it").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flaw_9_a_doubt_is_settled_once_and_then_doubtful_for_ever() {
    let step: Step = |slot, operation, now| match (&*slot, &operation) {
        (Some(record), Operation::Begin { settle: true, attempt, .. })
            if record.attempt.as_ref().is_some_and(|journal| {
                journal.id != *attempt && journal.lease.is_none() && journal.presented_by.len() > 1
            }) =>
        {
            Answer::Doubtful(record.clone())
        }
        _ => apply(slot, operation, now),
    };
    caught("flaw 9", step, "begin: a doubt may be settled again and again, one claim at a time").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flaw_10_no_operation_ends_a_doubt_that_may_not_be_settled() {
    let step: Step = |slot, operation, now| match operation {
        Operation::GiveUp { .. } => Answer::Moved(slot.clone()),
        operation => apply(slot, operation, now),
    };
    caught("flaw 10", step, "give up: a doubt whose claim is free ends in login needed, and its journal stays").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flaw_11_what_was_given_up_stays_so_though_nothing_was_sent() {
    let deaf: Step = |slot, operation, now| match (&*slot, &operation) {
        (Some(record), Operation::Conclude { conclusion: Conclusion::NotSent, .. })
            if record.state == State::LoginNeeded =>
        {
            Answer::Done(record.clone())
        }
        _ => apply(slot, operation, now),
    };
    let forgetful: Step = |slot, operation, now| {
        let gives_up = matches!(operation, Operation::GiveUp { .. });
        afterwards(slot, operation, now, |record| {
            if gives_up && record.state == State::LoginNeeded {
                record.attempt = None;
            }
        })
    };
    let by = "conclude not sent: it withdraws what was given up, if nobody else presented the token";
    caught("flaw 11", deaf, by).await;
    caught("flaw 11, the journal thrown away", forgetful, by).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flaw_12_a_repeated_commit_becomes_its_own_orphan() {
    let step: Step = |slot, operation, now| {
        let repeated = match (&*slot, &operation) {
            (Some(record), Operation::Commit { attempt, .. }) => record.last_commit == Some(attempt.id),
            _ => false,
        };
        if !repeated {
            return apply(slot, operation, now);
        }
        // The protocol makes an orphan of it once it takes the attempt for another and the stored tokens for others.
        let record = slot.as_mut().expect("the record of the commit");
        let (mine, tokens, generation) = (record.last_commit.take(), record.tokens.take(), record.generation);
        let answer = apply(slot, operation, now);
        let record = slot.as_mut().expect("the record of the commit");
        (record.last_commit, record.tokens, record.generation) = (mine, tokens, generation);
        with_record(answer, slot)
    };
    caught("flaw 12", step, "commit: its own repetition is recognised, also with an orphan beside it").await;
    caught("flaw 12", step, "commit: an answer under its own claim is saved and clears the claim").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flaw_13_a_rejection_is_kept_in_memory_alone() {
    let step: Step = |slot, operation, now| {
        let rejects = matches!(operation, Operation::Reject { .. });
        let answer = apply(slot, operation, now);
        if let Some(record) = slot.as_mut().filter(|_| rejects) {
            record.rejected = None;
        }
        answer
    };
    caught("flaw 13", step, "reject: the current token's rejection is written, and the session is due at once").await;
    caught("flaw 13", step, "reject: a session in doubt keeps the rejection for its last moment").await;
}

/// The try that holds or held the claim, where a person asked for one in *login needed*.
fn tried(record: &Record) -> Option<&Attempt> {
    record.attempt.as_ref().filter(|attempt| record.state == State::LoginNeeded && attempt.more > 0)
}

fn concludes(operation: &Operation) -> Option<(AttemptId, Conclusion)> {
    match operation {
        Operation::Conclude { attempt, conclusion, .. } => Some((attempt.id, *conclusion)),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_token_is_sent_although_no_person_asked() {
    let step: Step = |slot, operation, now| match (&*slot, operation) {
        (Some(record), Operation::Begin { generation, presents, attempt, owner, lease, .. })
            if record.state == State::LoginNeeded =>
        {
            apply(slot, Operation::ClaimManually { generation, presents, attempt, owner, lease }, now)
        }
        (_, operation) => apply(slot, operation, now),
    };
    let by = "claim manually: who did not see that a login is needed claims nothing, however the try ends";
    caught("claimed without a person", step, by).await;
    let step: Step = |slot, operation, now| match (&*slot, operation) {
        (Some(record), Operation::ClaimManually { generation, presents, attempt, owner, lease })
            if record.state != State::LoginNeeded =>
        {
            apply(slot, Operation::Begin { generation, presents, attempt, owner, lease, settle: true }, now)
        }
        (_, operation) => apply(slot, operation, now),
    };
    let by = "claim manually: nowhere but in login needed, claimed or not, in doubt or over";
    caught("claimed by who saw another state", step, by).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_try_by_hand_claims_what_it_did_not_look_at() {
    let generation: Step = |slot, mut operation, now| {
        if let (Some(record), Operation::ClaimManually { generation, .. }) = (&*slot, &mut operation) {
            *generation = record.generation;
        }
        apply(slot, operation, now)
    };
    caught("any generation", generation, "claim manually: another generation of the same token is not sent").await;
    let token: Step = |slot, mut operation, now| {
        if let (Some(record), Operation::ClaimManually { presents, .. }) = (&*slot, &mut operation) {
            *presents = record.tokens.as_ref().map_or(*presents, |tokens| tokens.presents);
        }
        apply(slot, operation, now)
    };
    caught("any token", token, "claim manually: another token of the same generation is not sent").await;
    let claim: Step = |slot, operation, now| {
        if let (Some(record), Operation::ClaimManually { attempt, .. }) = (slot.as_mut(), &operation) {
            let others = record.attempt.as_mut().filter(|held| held.id != *attempt);
            others.into_iter().for_each(|held| held.lease = None);
        }
        apply(slot, operation, now)
    };
    caught("beside another's claim", claim, "claim manually: nobody else while the claim holds").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_try_by_hand_that_changes_the_state_without_a_grant() {
    let by_the_claim: Step = |slot, operation, now| {
        let claims = matches!(operation, Operation::ClaimManually { .. });
        afterwards(slot, operation, now, |record| {
            if claims && tried(record).is_some_and(|it| it.lease.is_some()) {
                record.state = State::Doubtful;
            }
        })
    };
    let by = "claim manually: in login needed it writes the journal and the claim, and a login stays needed";
    caught("by the claim", by_the_claim, by).await;
    for (which, by) in [
        (Conclusion::NotSent, "claim manually: one that was not sent leaves a login needed, and nothing due"),
        (Conclusion::Unknown, "claim manually: one without an answer leaves a login needed, and nothing due"),
        (Conclusion::Refused, "claim manually: one that was refused leaves a login needed"),
    ] {
        let step: Step = match which {
            Conclusion::NotSent => |slot, operation, now| ready_after(slot, operation, now, Conclusion::NotSent),
            Conclusion::Unknown => |slot, operation, now| ready_after(slot, operation, now, Conclusion::Unknown),
            _ => |slot, operation, now| ready_after(slot, operation, now, Conclusion::Refused),
        };
        caught("by a conclusion", step, by).await;
    }
}

/// The holder's own conclusion of this kind makes the session ready.
fn ready_after(slot: &mut Option<Record>, operation: Operation, now: &StoreTime, which: Conclusion) -> Answer {
    let holds = slot.as_ref().and_then(tried).is_some_and(|it| concludes(&operation) == Some((it.id, which)));
    afterwards(slot, operation, now, |record| {
        if holds && record.state == State::LoginNeeded {
            record.state = State::Ready;
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_try_by_hand_that_is_taken_back_makes_the_session_ready() {
    // Nothing unlisted stands before it.
    let step: Step = |slot, operation, now| {
        let claims = matches!(operation, Operation::ClaimManually { .. });
        afterwards(slot, operation, now, |record| {
            if let Some(attempt) = record.attempt.as_mut().filter(|_| claims && record.state == State::LoginNeeded) {
                attempt.more = 0;
            }
        })
    };
    caught("its own", step, "claim manually: one that was not sent leaves a login needed, and nothing due").await;
    let by = "claim manually: the earlier attempt that is taken back last does not make the session ready either";
    caught("an earlier one", step, by).await;
}
