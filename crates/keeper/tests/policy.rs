//! The keeper's decisions, each at its boundaries.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use rampauth_core::{Expiry, Presents, RefreshPolicy, RefreshTime, WhenUnknown};
use rampauth_keeper::policy::{Settle, due, due_at_least_every, is_usable, mandatory, next_look, settle};
use rampauth_keeper::protocol::apply;
use rampauth_keeper::{
    AttemptId, AttemptRef, Conclusion, Operation, OwnerId, Record, SessionId, SessionKey, State, StoreTime,
    StoredTokens, TokenDigest,
};

const LEASE: Duration = Duration::from_secs(20);
const SESSION: SessionId = SessionId::from_random(1);

/// So many seconds after the tokens were granted, which is when a doubt about them began, too.
fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
}

fn tokens(access_expiry: Expiry) -> StoredTokens {
    let mut tokens = StoredTokens::new("tokens".into(), TokenDigest::of("presented"), at(0));
    (tokens.access, tokens.access_expiry) = (Some(TokenDigest::of("access")), access_expiry);
    tokens
}

fn stored(tokens: StoredTokens, operations: Vec<Operation>) -> Record {
    let (mut slot, now) = (None, StoreTime::wall(at(0)));
    apply(&mut slot, Operation::Put { session: SESSION, expect: None, tokens }, &now);
    for operation in operations {
        apply(&mut slot, operation, &now);
    }
    slot.expect("a login leaves a record")
}

/// Presented at second 0, without an answer.
fn doubtful(tokens: StoredTokens) -> Record {
    let id = AttemptId::from_random(7);
    let begin = Operation::Begin {
        generation: 1,
        presents: tokens.presents,
        attempt: id,
        owner: OwnerId::from_random(8),
        lease: LEASE,
        settle: false,
    };
    let attempt = AttemptRef { id, session: SESSION, generation: 1 };
    let lost = Operation::Conclude { attempt, conclusion: Conclusion::Unknown, next_due: None, error: None };
    stored(tokens, vec![begin, lost])
}

fn rejected(mut record: Record) -> Record {
    record.rejected = record.tokens.as_ref().and_then(|tokens| tokens.access);
    record
}

fn policy(when_unknown: WhenUnknown) -> RefreshPolicy {
    RefreshPolicy::new(Presents::RefreshToken).with_when_unknown(when_unknown)
}

const PROMPTLY: WhenUnknown = WhenUnknown::Promptly { within: Duration::from_secs(60) };

fn settled(record: &Record, when_unknown: WhenUnknown, seconds: u64) -> Settle {
    settle(record, &policy(when_unknown), LEASE, at(seconds))
}

#[test]
fn promptly_is_now_and_once_it_is_late_the_last_moment() {
    let record = doubtful(tokens(Expiry::At(at(1000))));
    for (second, expected) in [
        (0, Settle::Now),
        (60, Settle::Now),
        (61, Settle::NotBefore(at(940))),
        (939, Settle::NotBefore(at(940))),
        (940, Settle::Now),
        (5000, Settle::Now),
    ] {
        assert_eq!(settled(&record, PROMPTLY, second), expected, "second {second}");
    }
    let unknown = doubtful(tokens(Expiry::Unknown));
    assert_eq!(settled(&unknown, PROMPTLY, 60), Settle::Now);
    assert_eq!(settled(&unknown, PROMPTLY, 61), Settle::OnRejection);
    assert_eq!(settled(&rejected(unknown), PROMPTLY, 61), Settle::Now);
}

#[test]
fn promptly_counts_from_the_first_sending_however_the_clocks_stand() {
    let record = doubtful(tokens(Expiry::At(at(1000))));
    // This machine's clock is behind the store's.
    let before = at(0) - Duration::from_secs(500);
    assert_eq!(settle(&record, &policy(PROMPTLY), LEASE, before), Settle::Now);
    let for_ever = WhenUnknown::Promptly { within: Duration::MAX };
    assert_eq!(settled(&record, for_ever, 900), Settle::Now);
}

#[test]
fn the_last_moment_is_when_callers_would_wait_or_the_token_was_rejected() {
    let at_last = |record: &Record, second| settled(record, WhenUnknown::AtLastMoment, second);
    for expiry in [Expiry::At(at(300)), Expiry::Assumed(at(300))] {
        let record = doubtful(tokens(expiry));
        assert_eq!(at_last(&record, 0), Settle::NotBefore(at(270)));
        assert_eq!(at_last(&record, 269), Settle::NotBefore(at(270)));
        assert_eq!(at_last(&record, 270), Settle::Now);
        assert_eq!(at_last(&record, 301), Settle::Now);
        assert_eq!(at_last(&rejected(record), 0), Settle::Now);
    }
    let unknown = doubtful(tokens(Expiry::Unknown));
    assert_eq!(at_last(&unknown, 1_000_000), Settle::OnRejection);
    assert_eq!(at_last(&rejected(unknown), 0), Settle::Now);
    // Another token's rejection says nothing about this one.
    let mut other = doubtful(tokens(Expiry::Unknown));
    other.rejected = Some(TokenDigest::of("another"));
    assert_eq!(at_last(&other, 0), Settle::OnRejection);
    // Without an access token there is nothing to be careful about.
    let mut bare = tokens(Expiry::Unknown);
    bare.access = None;
    assert_eq!(at_last(&doubtful(bare), 0), Settle::Now);
}

#[test]
fn stop_presents_nothing_and_gives_up_at_the_last_moment() {
    let record = doubtful(tokens(Expiry::At(at(1000))));
    let stop = |record: &Record, second| settled(record, WhenUnknown::Stop, second);
    assert_eq!(stop(&record, 0), Settle::NotBefore(at(940)));
    assert_eq!(stop(&record, 940), Settle::GiveUp);
    assert_eq!(stop(&rejected(record), 0), Settle::GiveUp);
    let unknown = doubtful(tokens(Expiry::Unknown));
    assert_eq!(stop(&unknown, 1_000_000), Settle::OnRejection);
    assert_eq!(stop(&rejected(unknown), 0), Settle::GiveUp);
    let mut bare = tokens(Expiry::Unknown);
    bare.access = None;
    assert_eq!(stop(&doubtful(bare), 0), Settle::GiveUp);
}

#[test]
fn what_may_be_presented_only_before_its_expiry_is_settled_two_leases_before() {
    let record = doubtful(tokens(Expiry::At(at(1000))));
    let before = |lease, second| {
        let policy = policy(WhenUnknown::AtLastMoment).with_time(RefreshTime::BeforeExpiry);
        settle(&record, &policy, Duration::from_secs(lease), at(second))
    };
    assert_eq!(before(45, 0), Settle::NotBefore(at(910)));
    assert_eq!(before(45, 909), Settle::NotBefore(at(910)));
    assert_eq!(before(45, 910), Settle::Now);
    // Two short leases are less than callers would wait.
    assert_eq!(before(10, 0), Settle::NotBefore(at(940)));
    // At any time the lease does not matter.
    let any_time = policy(WhenUnknown::AtLastMoment);
    assert_eq!(settle(&record, &any_time, Duration::from_secs(45), at(0)), Settle::NotBefore(at(940)));
}

#[test]
fn what_has_expired_is_given_up_and_what_is_only_assumed_to_have_is_not() {
    for when_unknown in [PROMPTLY, WhenUnknown::AtLastMoment] {
        let mut said = tokens(Expiry::At(at(1000)));
        said.presented_expiry = Expiry::At(at(300));
        assert_eq!(settled(&doubtful(said.clone()), when_unknown, 299), Settle::Now);
        assert_eq!(settled(&doubtful(said), when_unknown, 300), Settle::GiveUp);
        let mut assumed = tokens(Expiry::At(at(1000)));
        assumed.presented_expiry = Expiry::Assumed(at(300));
        assert_eq!(settled(&doubtful(assumed), when_unknown, 301), Settle::NotBefore(at(940)));
    }
}

#[test]
fn what_is_presented_is_settled_two_leases_before_it_expires_itself() {
    let mut said = tokens(Expiry::At(at(1000)));
    for (presented, last_moment) in [(300, 260), (979, 939), (981, 940), (5000, 940)] {
        said.presented_expiry = Expiry::At(at(presented));
        let record = doubtful(said.clone());
        let at_last = |second| settled(&record, WhenUnknown::AtLastMoment, second);
        assert_eq!(at_last(last_moment - 1), Settle::NotBefore(at(last_moment)));
        assert_eq!(at_last(last_moment), Settle::Now);
        assert_eq!(settled(&record, WhenUnknown::Stop, last_moment - 1), Settle::NotBefore(at(last_moment)));
        assert_eq!(settled(&record, WhenUnknown::Stop, last_moment), Settle::GiveUp);
    }
    // The same where nobody knows when the access token expires.
    let mut unknown = tokens(Expiry::Unknown);
    unknown.presented_expiry = Expiry::At(at(300));
    let record = doubtful(unknown);
    assert_eq!(settled(&record, WhenUnknown::AtLastMoment, 259), Settle::NotBefore(at(260)));
    assert_eq!(settled(&record, WhenUnknown::AtLastMoment, 260), Settle::Now);
}

#[test]
fn where_nothing_is_presented_nothing_is_settled() {
    let login = stored(tokens(Expiry::Unknown), Vec::new());
    let logout = Operation::Remove { session: SessionId::from_random(2), expect: SESSION };
    for record in [login, stored(tokens(Expiry::Unknown), vec![logout])] {
        assert_eq!(settled(&record, PROMPTLY, 0), Settle::GiveUp);
    }
}

#[test]
fn callers_wait_for_a_tenth_of_the_lifetime_and_a_minute_at_most() {
    for (expiry, seconds) in [
        (Expiry::At(at(300)), 30),
        (Expiry::Assumed(at(599)), 59),
        (Expiry::At(at(600)), 60),
        (Expiry::At(at(86_400)), 60),
        (Expiry::At(at(0)), 0),
        (Expiry::Unknown, 0),
    ] {
        assert_eq!(mandatory(&tokens(expiry)).as_secs(), seconds, "{expiry:?}");
    }
    let stale = tokens(Expiry::At(at(0) - Duration::from_secs(1)));
    assert_eq!(mandatory(&stale), Duration::ZERO);
}

fn key(n: u32) -> SessionKey {
    SessionKey::parse(format!("provider/sandbox/account/u-{n}")).expect("a key")
}

#[test]
fn the_longest_lease_is_a_lease() {
    let policy = policy(WhenUnknown::AtLastMoment).with_time(RefreshTime::BeforeExpiry);
    let third = Duration::from_secs(1_000) / 3;
    assert_eq!(due(&key(1), 1, Expiry::At(at(1000)), at(0), &policy, Duration::MAX), Some(at(1000) - third));
    let record = doubtful(tokens(Expiry::At(at(1000))));
    assert_eq!(settle(&record, &policy, Duration::MAX, at(1)), Settle::NotBefore(at(1000) - third));
    assert_eq!(settle(&record, &policy, Duration::MAX, at(667)), Settle::Now);
    let next = next_look(at(0), [], Duration::MAX, Duration::from_secs(1), at(5));
    assert_eq!(next, at(6), "a time that no clock can name is no time to wait for");
}

/// A life of exactly so many leases.
#[test]
fn every_margin_is_a_third_of_a_short_life_at_most() {
    let before = policy(WhenUnknown::AtLastMoment).with_time(RefreshTime::BeforeExpiry);
    for (leases, wanted_due, wanted_settle) in [
        // Lives of less than nine leases are due in their last third, and of less than six settled in it.
        (0.05, 1.0 / 3.0, 1.0 / 3.0),
        (1.0, 1.0 / 3.0, 1.0 / 3.0),
        (2.0, 1.0 / 3.0, 1.0 / 3.0),
        (3.0, 1.0 / 3.0, 1.0 / 3.0),
        (6.0, 1.0 / 3.0, 2.0 / 6.0),
        (9.0, 3.0 / 9.0, 2.0 / 9.0),
        (12.0, 3.0 / 12.0, 2.0 / 12.0),
    ] {
        let life = LEASE.mul_f64(leases);
        let expiry = at(0) + life;
        let close = |time: SystemTime, part: f64| {
            let wanted = expiry - life.mul_f64(part);
            let apart = time.duration_since(wanted).unwrap_or_else(|error| error.duration());
            apart < Duration::from_micros(1)
        };
        // The policy's own part of the life, the jitter included, is less.
        let due = due(&key(1), 1, Expiry::At(expiry), at(0), &before.with_ahead(0.2), LEASE).expect("a time");
        assert!(close(due, wanted_due), "{leases}: {due:?}");
        let Settle::NotBefore(time) = settle(&doubtful(tokens(Expiry::At(expiry))), &before, LEASE, at(0)) else {
            panic!("nothing is settled at once: {leases}");
        };
        assert!(close(time, wanted_settle), "{leases}: {time:?}");
        // What is presented may die first, and its margin is a third of its own life.
        let mut short = tokens(Expiry::At(at(1_000_000)));
        short.presented_expiry = Expiry::At(expiry);
        let any_time = policy(WhenUnknown::AtLastMoment);
        let Settle::NotBefore(time) = settle(&doubtful(short), &any_time, LEASE, at(0)) else {
            panic!("nothing is settled at once: {leases}");
        };
        assert!(close(time, wanted_settle), "{leases}: {time:?}");
    }
}

#[test]
fn the_next_look_comes_with_the_end_of_a_claim_or_in_time_and_never_at_once() {
    let least = Duration::from_secs(1);
    let next = |expiries: &[u64], now| next_look(at(0), expiries.iter().map(|end| at(*end)), LEASE, least, at(now));
    // A claim is 20 s, two of them 40 s.
    for (expiries, now, expected) in [
        (&[][..], 100, 120),
        // Far ends hurry nobody.
        (&[1_000, 5_000], 100, 120),
        // Two claims before the end, or with the last third of a life, whichever is later.
        (&[300], 245, 260),
        (&[30], 15, 20),
        (&[30, 24], 15, 16),
        // Late already: soon, and never at once.
        (&[300], 270, 271),
        (&[30], 25, 26),
        // What is dead is in no hurry.
        (&[30], 30, 50),
        (&[30, 5_000], 31, 51),
    ] {
        assert_eq!(next(expiries, now), at(expected), "{expiries:?} at {now}");
    }
}

#[test]
fn tokens_of_an_unknown_expiry_are_due_at_least_so_often() {
    let hour = Duration::from_secs(3_600);
    let times: Vec<_> = (0..200)
        .map(|user| {
            let due = due_at_least_every(&key(user), 1, at(0), hour).expect("a time");
            due.duration_since(at(0)).expect("after the grant")
        })
        .collect();
    let (first, last) = (times.iter().min().expect("some"), times.iter().max().expect("some"));
    assert!(*first >= hour * 9 / 10 && *last <= hour && *last - *first > hour / 20, "{first:?} to {last:?}");
    assert_eq!(due_at_least_every(&key(1), 1, at(0), Duration::MAX), None, "beyond the calendar there is no time");
}

proptest! {
    #[test]
    fn due_lies_between_grant_and_expiry(
        lifetime in 0_u64..4_000_000_000,
        part in -0.5_f64..1.5,
        lease in 0_u64..100_000,
        generation: u64,
        user: u32,
        before_expiry: bool,
    ) {
        let time = if before_expiry { RefreshTime::BeforeExpiry } else { RefreshTime::AnyTime };
        let policy = RefreshPolicy::new(Presents::RefreshToken).with_ahead(part).with_time(time);
        let (expiry, lease) = (at(lifetime), Duration::from_secs(lease));
        let due = due(&key(user), generation, Expiry::At(expiry), at(0), &policy, lease).expect("a time");
        prop_assert!((at(0)..=expiry).contains(&due));
        if before_expiry {
            prop_assert!(due + (3 * lease).min(Duration::from_secs(lifetime) / 3) <= expiry);
        }
    }

    #[test]
    fn settling_says_now_or_gives_up_once_the_time_that_it_named_has_come(
        lifetime in 0_u64..10_000,
        now in 0_u64..20_000,
        lease in 0_u64..1000,
        before_expiry: bool,
        kind in 0_u8..3,
    ) {
        let when_unknown = [PROMPTLY, WhenUnknown::AtLastMoment, WhenUnknown::Stop][usize::from(kind)];
        let time = if before_expiry { RefreshTime::BeforeExpiry } else { RefreshTime::AnyTime };
        let policy = policy(when_unknown).with_time(time);
        let (record, lease) = (doubtful(tokens(Expiry::At(at(lifetime)))), Duration::from_secs(lease));
        if let Settle::NotBefore(then) = settle(&record, &policy, lease, at(now)) {
            prop_assert!(at(now) < then);
            let expected = if when_unknown == WhenUnknown::Stop { Settle::GiveUp } else { Settle::Now };
            prop_assert_eq!(settle(&record, &policy, lease, then), expected);
        }
    }
}

#[test]
fn a_token_is_usable_until_it_expires_or_is_rejected_in_doubt_too() {
    let now = at(10);
    let login = |expiry| stored(tokens(expiry), Vec::new());
    for (expiry, usable) in [
        (Expiry::At(at(11)), true),
        (Expiry::At(at(10)), false),
        (Expiry::Assumed(at(11)), true),
        (Expiry::Assumed(at(10)), false),
        (Expiry::Unknown, true),
    ] {
        assert_eq!(is_usable(&login(expiry), now), usable, "{expiry:?}");
        assert_eq!(is_usable(&doubtful(tokens(expiry)), now), usable, "in doubt, {expiry:?}");
        let mut dead = doubtful(tokens(expiry));
        dead.state = State::LoginNeeded;
        assert_eq!(is_usable(&dead, now), usable, "login needed, {expiry:?}");
        assert!(!is_usable(&rejected(login(expiry)), now), "rejected, {expiry:?}");
    }
    let mut other = login(Expiry::Unknown);
    other.rejected = Some(TokenDigest::of("another"));
    assert!(is_usable(&other, now));
    let mut bare = tokens(Expiry::Unknown);
    bare.access = None;
    assert!(!is_usable(&stored(bare, Vec::new()), now));
    let logout = Operation::Remove { session: SessionId::from_random(2), expect: SESSION };
    assert!(!is_usable(&stored(tokens(Expiry::Unknown), vec![logout]), now));
}
