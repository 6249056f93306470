//! The sessions, attempts, tokens, times and operations that the scenarios speak of.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rampauth_core::{ClockDifference, Expiry};

use crate::digest::TokenDigest;
use crate::history::CredentialHistory;
use crate::protocol::{AttemptRef, Conclusion, Operation, Resealed};
use crate::record::{Attempt, AttemptId, LastError, Lease, Orphan, OwnerId, Record, SessionId, State, StoredTokens};

// Sessions differ in the lowest bits alone and attempts in the highest: a store that cuts an id short confuses them.
pub(super) const S1: SessionId = session(1);
pub(super) const S2: SessionId = session(2);
pub(super) const S3: SessionId = session(3);

const fn session(n: u128) -> SessionId {
    SessionId::from_random(0xfedc_ba98_7654_3210_0123_4567_89ab_cd00 | n)
}

pub(super) const A: AttemptId = attempt(0xa);
pub(super) const B: AttemptId = attempt(0xb);
pub(super) const C: AttemptId = attempt(0xc);
pub(super) const D: AttemptId = attempt(0xd);

pub(super) const fn attempt(n: u8) -> AttemptId {
    AttemptId::from_random((n as u128) << 120 | 0x0011_2233_4455_6677)
}

/// The process that an attempt belongs to.
pub(super) const fn owner(attempt: AttemptId) -> OwnerId {
    OwnerId::from_random(!attempt.get())
}

/// Stands for the store's now in what is expected: times of the first year count from there.
pub(super) const STORE_NOW: SystemTime = UNIX_EPOCH;
/// A claim that outlives the suite.
pub(super) const HELD: Duration = Duration::from_secs(3600);
/// A claim that is over at once.
pub(super) const LAPSED: Duration = Duration::ZERO;

/// A time that is past.
pub(super) fn past(day: u32) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(978_307_200) + day * DAY
}

/// A time that is still to come.
pub(super) fn future(day: u32) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(4_102_444_800) + day * DAY
}

const DAY: Duration = Duration::from_secs(86_400);

/// The tokens of this number: no two have anything in common. Those of generation `n` have number `n`, unless a scenario says
/// otherwise.
pub(super) fn tokens(n: u32) -> StoredTokens {
    StoredTokens {
        payload: format!("the tokens {n}").into(),
        sealed_with: None,
        presents: presented(n),
        access: Some(access(n)),
        access_expiry: Expiry::At(future(200 + n)),
        presented_expiry: Expiry::Unknown,
        granted_at: past(n),
        next_due: Some(future(100 + n)),
        presented_since: None,
        clock_difference: None,
    }
}

/// The same, presentable until this time.
pub(super) fn tokens_until(n: u32, presented_expiry: Expiry) -> StoredTokens {
    StoredTokens { presented_expiry, ..tokens(n) }
}

/// Tokens of number `n` that present what those of number `presents` do: their provider does not rotate.
pub(super) fn tokens_presenting(presents: u32, n: u32) -> StoredTokens {
    StoredTokens { presents: presented(presents), ..tokens(n) }
}

pub(super) fn presented(n: u32) -> TokenDigest {
    TokenDigest::of(&format!("presented {n}"))
}

pub(super) fn access(n: u32) -> TokenDigest {
    TokenDigest::of(&format!("access {n}"))
}

/// When an attempt that brought nothing says to try again.
pub(super) fn retry() -> SystemTime {
    future(10)
}

/// What an attempt that brought nothing leaves to be remembered.
pub(super) fn failure(kind: &str) -> LastError {
    LastError {
        kind: kind.to_owned(),
        outcome: "refused".to_owned(),
        status: Some(429),
        code: Some("E-1.2_x".to_owned()),
        at: past(7),
        clock_difference: Some(ClockDifference::from_milliseconds(-61_000)),
        paused_until: Some(future(20)),
    }
}

pub(super) fn put(session: SessionId, expect: Option<SessionId>, n: u32) -> Operation {
    Operation::Put { session, expect, tokens: tokens(n) }
}

/// Begins with the tokens that have the generation's number.
pub(super) fn begin(generation: u64, attempt: AttemptId) -> Operation {
    begin_with(generation, u32::try_from(generation).expect("generations are small in scenarios"), attempt)
}

/// Begins with the tokens of number `n`.
pub(super) fn begin_with(generation: u64, n: u32, attempt: AttemptId) -> Operation {
    let presents = presented(n);
    Operation::Begin { generation, presents, attempt, owner: owner(attempt), lease: HELD, settle: false }
}

/// [`begin`], even where an earlier presentation has no answer.
pub(super) fn settle(generation: u64, attempt: AttemptId) -> Operation {
    edited(begin(generation, attempt), |_, settle| *settle = true)
}

/// The same with a claim that is over at once.
pub(super) fn lapsing(begin: Operation) -> Operation {
    edited(begin, |lease, _| *lease = LAPSED)
}

/// Claims because a person asked, although a login is needed, with the tokens that have the generation's number.
pub(super) fn manual(generation: u64, attempt: AttemptId) -> Operation {
    manual_with(generation, u32::try_from(generation).expect("generations are small in scenarios"), attempt)
}

/// The same with the tokens of number `n`.
pub(super) fn manual_with(generation: u64, n: u32, attempt: AttemptId) -> Operation {
    let presents = presented(n);
    Operation::ClaimManually { generation, presents, attempt, owner: owner(attempt), lease: HELD }
}

fn edited(mut begin: Operation, edit: impl FnOnce(&mut Duration, &mut bool)) -> Operation {
    match &mut begin {
        Operation::Begin { lease, settle, .. } => edit(lease, settle),
        Operation::ClaimManually { lease, .. } => edit(lease, &mut false),
        _ => {}
    }
    begin
}

pub(super) fn commit(attempt: AttemptId, generation: u64, n: u32) -> Operation {
    commit_tokens(attempt, generation, tokens(n))
}

pub(super) fn commit_tokens(id: AttemptId, generation: u64, tokens: StoredTokens) -> Operation {
    Operation::Commit { attempt: AttemptRef { id, session: S1, generation }, tokens }
}

pub(super) fn not_sent(attempt: AttemptId, generation: u64) -> Operation {
    conclude(attempt, generation, Conclusion::NotSent, "rate_limited")
}

pub(super) fn unknown(attempt: AttemptId, generation: u64) -> Operation {
    conclude(attempt, generation, Conclusion::Unknown, "timeout")
}

pub(super) fn refused(attempt: AttemptId, generation: u64) -> Operation {
    conclude(attempt, generation, Conclusion::Refused, "refused")
}

pub(super) fn dead(attempt: AttemptId, generation: u64) -> Operation {
    conclude(attempt, generation, Conclusion::Dead, "login_needed")
}

fn conclude(id: AttemptId, generation: u64, conclusion: Conclusion, kind: &str) -> Operation {
    Operation::Conclude {
        attempt: AttemptRef { id, session: S1, generation },
        conclusion,
        next_due: Some(retry()),
        error: Some(failure(kind)),
    }
}

pub(super) fn give_up(generation: u64) -> Operation {
    Operation::GiveUp { session: S1, generation }
}

/// Rejects the access token of number `n`.
pub(super) fn reject(generation: u64, n: u32) -> Operation {
    Operation::Reject { session: S1, generation, access: access(n) }
}

pub(super) fn remove(session: SessionId, expect: SessionId) -> Operation {
    Operation::Remove { session, expect }
}

/// Seals the payloads of these numbers anew: the first of each pair gives way to the second.
pub(super) fn reseal(payloads: &[(u32, u32)]) -> Operation {
    let resealed = |&(was, now): &(u32, u32)| Resealed {
        was: TokenDigest::of(tokens(was).payload.expose_secret()),
        payload: tokens(now).payload,
        sealed_with: Some(format!("key {now}")),
    };
    Operation::Reseal { payloads: payloads.iter().map(resealed).collect() }
}

/// What that leaves of these tokens.
pub(super) fn resealed(stored: &mut StoredTokens, now: u32) {
    (stored.payload, stored.sealed_with) = (tokens(now).payload, Some(format!("key {now}")));
}

/// The record that a login leaves.
pub(super) fn login(session: SessionId, generation: u64, tokens: StoredTokens) -> Record {
    Record {
        session,
        generation,
        base: 0,
        history: CredentialHistory::from_digests(vec![tokens.presents], Vec::new()),
        next_due: tokens.next_due,
        tokens: Some(tokens),
        state: State::Ready,
        attempt: None,
        orphans: Vec::new(),
        last_commit: None,
        rejected: None,
        last_error: None,
        refusals: 0,
        updated_at: STORE_NOW,
    }
}

/// What a logout leaves.
pub(super) fn logout(record: &mut Record, session: SessionId) {
    *record = Record {
        tokens: None,
        next_due: None,
        state: State::Tombstone,
        ..login(session, record.generation, tokens(0))
    };
}

/// What the answer of `attempt` leaves: tokens of number `n`, got with those of generation `base`.
pub(super) fn refreshed(record: &mut Record, generation: u64, base: u64, attempt: AttemptId, n: u32) {
    *record = Record {
        base,
        last_commit: Some(attempt),
        orphans: std::mem::take(&mut record.orphans),
        ..login(record.session, generation, tokens(n))
    };
}

/// What an attempt leaves that brought nothing.
pub(super) fn failed(record: &mut Record, kind: &str) {
    (record.next_due, record.last_error) = (Some(retry()), Some(failure(kind)));
    record.refusals += u32::from(kind == "refused");
}

/// What a token's death leaves.
pub(super) fn condemned(record: &mut Record) {
    failed(record, "login_needed");
    (record.state, record.attempt, record.next_due) = (State::LoginNeeded, None, None);
}

/// The journal of tokens `n` presented by these attempts, whose last one holds the claim for an hour.
pub(super) fn held(n: u32, by: &[AttemptId]) -> Option<Attempt> {
    journal(n, by, Some(HELD))
}

/// The same with a claim that is over.
pub(super) fn lapsed(n: u32, by: &[AttemptId]) -> Option<Attempt> {
    journal(n, by, Some(LAPSED))
}

/// The same with a claim that was given back.
pub(super) fn free(n: u32, by: &[AttemptId]) -> Option<Attempt> {
    journal(n, by, None)
}

fn journal(n: u32, by: &[AttemptId], lease: Option<Duration>) -> Option<Attempt> {
    let id = *by.last().expect("a journal in a scenario names who presents");
    Some(Attempt {
        id,
        owner: owner(id),
        presents: presented(n),
        presented_by: by.to_vec(),
        more: 0,
        first_sent: STORE_NOW,
        lease: lease.map(|length| Lease { until: STORE_NOW + length, boot: None }),
    })
}

/// Attempt `id` presented generation `presented` and got the tokens of number `n`, too late.
pub(super) fn orphan(id: AttemptId, presented: u64, n: u32) -> Orphan {
    Orphan { attempt: id, presented, tokens: tokens(n) }
}
