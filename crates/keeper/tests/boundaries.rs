//! Where one thing ends and the next begins, to the nanosecond.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rampauth_core::{Expiry, Presents, RefreshPolicy, WhenUnknown};
use rampauth_keeper::next_step::{Need, Plan, plan};
use rampauth_keeper::policy::{self, FAILING_AFTER, Settle, due, is_failing, is_fresh, is_usable, settle};
use rampauth_keeper::protocol::apply;
use rampauth_keeper::{
    Answer, AttemptId, AttemptRef, BootTime, Conclusion, Lease, Operation, OwnerId, Record, SessionId, SessionKey,
    State, StoreTime, StoredTokens, TokenDigest,
};

const LEASE: Duration = Duration::from_secs(20);
const NANO: Duration = Duration::from_nanos(1);
const SESSION: SessionId = SessionId::from_random(1);
const FIRST: AttemptId = AttemptId::from_random(7);
const SECOND: AttemptId = AttemptId::from_random(8);

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
}

/// Just before this second.
fn before(seconds: u64) -> SystemTime {
    at(seconds) - NANO
}

fn presented() -> TokenDigest {
    TokenDigest::of("presented")
}

fn tokens() -> StoredTokens {
    let mut tokens = StoredTokens::new("tokens".into(), presented(), at(0));
    (tokens.access, tokens.access_expiry) = (Some(TokenDigest::of("access")), Expiry::At(at(1_000)));
    tokens.next_due = Some(at(800));
    tokens
}

fn put(tokens: StoredTokens) -> Operation {
    Operation::Put { session: SESSION, expect: None, tokens }
}

fn begin(attempt: AttemptId) -> Operation {
    let owner = OwnerId::from_random(9);
    Operation::Begin { generation: 1, presents: presented(), attempt, owner, lease: LEASE, settle: true }
}

fn manually(attempt: AttemptId) -> Operation {
    let owner = OwnerId::from_random(9);
    Operation::ClaimManually { generation: 1, presents: presented(), attempt, owner, lease: LEASE }
}

fn conclude(id: AttemptId, conclusion: Conclusion) -> Operation {
    let attempt = AttemptRef { id, session: SESSION, generation: 1 };
    Operation::Conclude { attempt, conclusion, next_due: Some(at(801)), error: None }
}

/// What these steps leave, all at second 0, and the answer to one more at this time.
fn then(steps: &[Operation], last: Operation, now: SystemTime) -> Answer {
    let mut slot = None;
    for step in steps {
        apply(&mut slot, step.clone(), &StoreTime::wall(at(0)));
    }
    apply(&mut slot, last, &StoreTime::wall(now))
}

fn record(steps: &[Operation]) -> Record {
    let mut slot = None;
    for step in steps {
        apply(&mut slot, step.clone(), &StoreTime::wall(at(0)));
    }
    slot.expect("a login leaves a record")
}

#[test]
fn a_lease_holds_up_to_its_end_and_not_at_it() {
    let by_the_wall = Lease { until: at(20), boot: None };
    assert!(by_the_wall.holds_at(&StoreTime::wall(before(20))));
    assert!(!by_the_wall.holds_at(&StoreTime::wall(at(20))));
    let boot = |boot, since| BootTime { boot, since };
    let lease = Lease { until: at(20), boot: Some(boot(1, LEASE)) };
    let now = |wall, boot| StoreTime { wall, boot: Some(boot) };
    // On one boot of one machine the clock counts that nobody sets.
    assert!(lease.holds_at(&now(at(9_999), boot(1, LEASE - NANO))));
    assert!(!lease.holds_at(&now(at(0), boot(1, LEASE))));
    // On another one, or without that clock, the wall clock does.
    assert!(lease.holds_at(&now(before(20), boot(2, Duration::from_secs(9_999)))));
    assert!(!lease.holds_at(&now(at(20), boot(2, Duration::ZERO))));
    assert!(lease.holds_at(&StoreTime::wall(before(20))) && !lease.holds_at(&StoreTime::wall(at(20))));
}

#[test]
fn a_claim_is_taken_over_at_the_end_of_its_lease_and_not_before() {
    let dead = [put(tokens()), begin(FIRST), conclude(FIRST, Conclusion::Dead)];
    let claimed = [put(tokens()), begin(FIRST)];
    let tried = [&dead[..], &[manually(FIRST)]].concat();
    for (steps, claim) in [(&claimed[..], begin(SECOND)), (&tried, manually(SECOND))] {
        let busy = then(steps, claim.clone(), before(20));
        assert!(matches!(busy, Answer::Busy { until } if until == at(20)), "{claim:?}: {busy:?}");
        let begun = then(steps, claim.clone(), at(20));
        assert!(matches!(begun, Answer::Begun(_)), "{claim:?}: {begun:?}");
    }
    let give_up = Operation::GiveUp { session: SESSION, generation: 1 };
    assert!(matches!(then(&claimed, give_up.clone(), before(20)), Answer::Moved(_)));
    assert!(matches!(then(&claimed, give_up, at(20)), Answer::Done(record) if record.state == State::LoginNeeded));
}

#[test]
fn a_doubt_is_settled_promptly_up_to_and_with_the_end_of_that_time() {
    let within = Duration::from_secs(60);
    let policy = RefreshPolicy::new(Presents::RefreshToken).with_when_unknown(WhenUnknown::Promptly { within });
    let doubtful = record(&[put(tokens()), begin(FIRST), conclude(FIRST, Conclusion::Unknown)]);
    assert_eq!(settle(&doubtful, &policy, LEASE, at(60)), Settle::Now);
    assert_eq!(settle(&doubtful, &policy, LEASE, at(60) + NANO), Settle::NotBefore(at(940)));
    assert_eq!(settle(&doubtful, &policy, LEASE, before(940)), Settle::NotBefore(at(940)));
    assert_eq!(settle(&doubtful, &policy, LEASE, at(940)), Settle::Now);
}

#[test]
fn a_token_is_used_up_to_its_expiry_and_callers_wait_from_its_last_minute_on() {
    let ready = record(&[put(tokens())]);
    assert!(is_usable(&ready, before(1_000)) && !is_usable(&ready, at(1_000)));
    assert!(is_fresh(&ready, before(940)) && !is_fresh(&ready, at(940)));
    let policy = RefreshPolicy::new(Presents::RefreshToken);
    let planned = |need, now| plan(&ready, need, &policy, LEASE, now);
    let fresh = Plan::Present { settle: false };
    assert_eq!(planned(Need::Ahead, before(800)), Plan::Wait(at(800)));
    assert_eq!(planned(Need::Ahead, at(800)), fresh);
    assert_eq!(planned(Need::UsableAt(before(1_000)), at(0)), Plan::Rest);
    assert_eq!(planned(Need::UsableAt(at(1_000)), at(0)), fresh);
}

#[test]
fn what_is_presented_has_expired_at_its_very_expiry() {
    let mut expiring = tokens();
    expiring.presented_expiry = Expiry::At(at(500));
    let policy = RefreshPolicy::new(Presents::RefreshToken);
    let doubtful = record(&[put(expiring.clone()), begin(FIRST), conclude(FIRST, Conclusion::Unknown)]);
    assert_eq!(settle(&doubtful, &policy, LEASE, before(500)), Settle::Now);
    assert_eq!(settle(&doubtful, &policy, LEASE, at(500)), Settle::GiveUp);
    let dead = record(&[put(expiring), begin(FIRST), conclude(FIRST, Conclusion::Dead)]);
    assert_eq!(plan(&dead, Need::ByHand, &policy, LEASE, before(500)), Plan::SendManually);
    assert_eq!(plan(&dead, Need::ByHand, &policy, LEASE, at(500)), Plan::LogIn);
}

#[test]
fn an_orphan_stands_in_up_to_its_expiry_and_not_at_it() {
    // Two answers to one token: the second waits, and its credential expires at second 500.
    let attempt = |id| AttemptRef { id, session: SESSION, generation: 1 };
    let granted = |name: &str, expiry| {
        let mut granted = tokens();
        (granted.presents, granted.presented_expiry) = (TokenDigest::of(name), expiry);
        granted.access = Some(TokenDigest::of(&format!("access of {name}")));
        granted
    };
    let owner = OwnerId::from_random(9);
    let steps = [
        put(tokens()),
        begin(FIRST),
        Operation::Commit { attempt: attempt(FIRST), tokens: granted("second", Expiry::Unknown) },
        Operation::Commit { attempt: attempt(SECOND), tokens: granted("orphan", Expiry::At(at(500))) },
        Operation::Begin {
            generation: 2,
            presents: TokenDigest::of("second"),
            attempt: FIRST,
            owner,
            lease: LEASE,
            settle: false,
        },
    ];
    let dead = Operation::Conclude {
        attempt: AttemptRef { generation: 2, ..attempt(FIRST) },
        conclusion: Conclusion::Dead,
        next_due: None,
        error: None,
    };
    assert!(matches!(then(&steps, dead.clone(), before(500)), Answer::Adopted(_)));
    assert!(matches!(then(&steps, dead, at(500)), Answer::Done(record) if record.state == State::LoginNeeded));
}

#[test]
fn by_how_much_sessions_differ_follows_from_key_and_generation_alone() {
    // The first four bytes of SHA-256("provider/sandbox/account/u-1#N"), as a part of 2^32 - 1 (Python's hashlib).
    let policy = RefreshPolicy::new(Presents::RefreshToken).with_ahead(0.2);
    let key = SessionKey::parse("provider/sandbox/account/u-1").expect("a key");
    for (generation, first_bytes) in [(1, 1_853_580_860_u32), (2, 2_971_170_308)] {
        let spread = f64::from(first_bytes) / f64::from(u32::MAX);
        let expected = 80_000.0 - 5_000.0 * spread;
        let due = due(&key, generation, Expiry::At(at(100_000)), at(0), &policy, LEASE).expect("a time");
        let found = due.duration_since(at(0)).expect("later").as_secs_f64();
        assert!((found - expected).abs() < 0.001, "{generation}: {found} and not {expected}");
    }
    assert_eq!(policy::mandatory(&tokens()), Duration::from_secs(60));
}

#[test]
fn failing_is_refused_often_enough_and_without_a_token_that_can_be_used() {
    let refused = |times, expiry| {
        let mut tokens = tokens();
        tokens.access_expiry = expiry;
        let mut record = record(&[put(tokens)]);
        record.refusals = times;
        record
    };
    let (lives, expired) = (Expiry::At(at(11)), Expiry::At(at(10)));
    for (times, expiry, failing) in
        [(9, expired, false), (10, expired, true), (11, expired, true), (10, lives, false), (99, lives, false)]
    {
        assert_eq!(is_failing(&refused(times, expiry), FAILING_AFTER, at(10)), failing, "{times}, {expiry:?}");
    }
    // What was rejected counts as expired; the threshold is the caller's, and one refusal there is at least.
    let mut rejected = refused(10, lives);
    rejected.rejected = Some(TokenDigest::of("access"));
    assert!(is_failing(&rejected, FAILING_AFTER, at(10)));
    assert!(is_failing(&refused(1, expired), 1, at(10)) && is_failing(&refused(1, expired), 0, at(10)));
    assert!(!is_failing(&refused(0, expired), 0, at(10)));
    // What a verdict has ended is no view any more.
    for (state, failing) in
        [(State::Doubtful, true), (State::LoginNeeded, false), (State::Tombstone, false), (State::Ready, true)]
    {
        let mut record = refused(10, expired);
        record.state = state;
        assert_eq!(is_failing(&record, FAILING_AFTER, at(10)), failing, "{state:?}");
    }
}
