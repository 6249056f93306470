//! What a process does next, by tables: the keeper and the model run the same functions.

use std::time::{Duration, SystemTime};

use rampauth_core::{Expiry, Presents, RefreshPolicy, SecretString, WhenUnknown};
use rampauth_keeper::next_step::{
    Need, Opened, Plan, Shown, Stage, held_back, held_until, leave_alone, may_send, opened, plan, still_claimed,
};
use rampauth_keeper::protocol::apply;
use rampauth_keeper::{
    Answer, AttemptId, AttemptRef, Conclusion, Operation, OwnerId, Record, SessionId, State, StoreTime, StoredTokens,
    TokenDigest,
};

const LEASE: Duration = Duration::from_secs(20);
const SESSION: SessionId = SessionId::from_random(1);
const MINE: AttemptId = AttemptId::from_random(7);
const OTHERS: AttemptId = AttemptId::from_random(8);

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

fn tokens(expiry: Expiry) -> StoredTokens {
    let mut tokens = StoredTokens::new(SecretString::new("payload"), TokenDigest::of("refresh"), at(0));
    (tokens.access, tokens.access_expiry) = (Some(TokenDigest::of("access")), expiry);
    tokens.next_due = expiry.time().map(|_| at(800));
    tokens
}

fn begin(attempt: AttemptId, settle: bool) -> Operation {
    let (owner, presents) = (OwnerId::from_random(1), TokenDigest::of("refresh"));
    Operation::Begin { generation: 1, presents, attempt, owner, lease: LEASE, settle }
}

fn manually(attempt: AttemptId) -> Operation {
    let (owner, presents) = (OwnerId::from_random(1), TokenDigest::of("refresh"));
    Operation::ClaimManually { generation: 1, presents, attempt, owner, lease: LEASE }
}

fn mine() -> AttemptRef {
    AttemptRef { id: MINE, session: SESSION, generation: 1 }
}

/// A login at second 0, then these steps, all at second 100.
fn after(expiry: Expiry, operations: impl IntoIterator<Item = Operation>) -> (Record, Option<Answer>) {
    let mut slot = None;
    apply(
        &mut slot,
        Operation::Put { session: SESSION, expect: None, tokens: tokens(expiry) },
        &StoreTime::wall(at(0)),
    );
    let answer = operations.into_iter().map(|it| apply(&mut slot, it, &StoreTime::wall(at(100)))).last();
    (slot.expect("a login leaves a record"), answer)
}

fn lost() -> Operation {
    let next_due = Some(at(101));
    Operation::Conclude { attempt: mine(), conclusion: Conclusion::Unknown, next_due, error: None }
}

#[test]
fn nothing_is_sent_while_the_provider_asked_to_be_left_alone_unless_a_person_says_so() {
    let failed = |until: Option<u64>| {
        let error =
            r#"{"kind":"rate_limited","outcome":"refused","status":429,"code":null,"at":"2026-11-20T09:30:00Z"}"#;
        let (record, _) = after(Expiry::At(at(1_000)), [begin(MINE, false), lost()]);
        let text = record.to_json().expose_secret().replace("\"last_error\":null", &format!("\"last_error\":{error}"));
        let mut record = Record::from_json(&text).expect("a record");
        record.last_error.as_mut().expect("an error").paused_until = until.map(at);
        record
    };
    let policy = RefreshPolicy::new(Presents::RefreshToken)
        .with_when_unknown(WhenUnknown::Promptly { within: Duration::from_secs(60) });
    let usable = Need::UsableAt(at(5_000));
    let again = Plan::Present { settle: true };
    for (until, need, now, expected) in [
        (None, usable, 110, again),
        (Some(120), usable, 110, Plan::Wait(at(120))),
        (Some(120), Need::Ahead, 110, Plan::Wait(at(120))),
        (Some(120), Need::ByHand, 110, again),
        (Some(120), Need::Certainty, 110, again),
        (Some(120), usable, 120, again),
    ] {
        assert_eq!(plan(&failed(until), need, &policy, LEASE, at(now)), expected, "{until:?} {need:?} {now}");
    }
    // Giving up sends nothing, and what is fresh needs nothing.
    let stop = policy.with_when_unknown(WhenUnknown::Stop);
    assert_eq!(plan(&failed(Some(2_000)), Need::Ahead, &stop, LEASE, at(999)), Plan::GiveUp);
    assert_eq!(plan(&failed(Some(2_000)), Need::UsableAt(at(110)), &policy, LEASE, at(110)), Plan::Rest);
}

#[test]
fn a_plan_follows_from_the_need() {
    let known = Expiry::At(at(1_000));
    let (ready, _) = after(known, []);
    let (doubtful, _) = after(known, [begin(MINE, false), lost()]);
    let (unknown, _) = after(Expiry::Unknown, []);
    let access = TokenDigest::of("access");
    let (rejected, _) = after(Expiry::Unknown, [Operation::Reject { session: SESSION, generation: 1, access }]);
    let (fresh, again) = (Plan::Present { settle: false }, Plan::Present { settle: true });
    let usable = |seconds| Need::UsableAt(at(seconds));
    let rows = [
        // Outside doubt: when it is due, when a caller could not be served, when a person asks.
        (&ready, Need::Ahead, 799, Plan::Wait(at(800))),
        (&ready, Need::Ahead, 800, fresh),
        (&ready, usable(939), 939, Plan::Rest),
        (&ready, usable(940), 940, fresh),
        (&ready, usable(999), 100, Plan::Rest),
        (&ready, usable(1_000), 100, fresh),
        (&ready, Need::ByHand, 100, fresh),
        (&ready, Need::Certainty, 100, Plan::Rest),
        // In doubt the policy says, and a person's word stands above it.
        (&doubtful, Need::Ahead, 100, Plan::Wait(at(101))),
        (&doubtful, Need::Ahead, 101, Plan::Wait(at(940))),
        (&doubtful, Need::Ahead, 940, again),
        (&doubtful, usable(101), 101, Plan::Rest),
        (&doubtful, usable(1_000), 101, Plan::Wait(at(940))),
        (&doubtful, usable(940), 940, again),
        (&doubtful, Need::ByHand, 101, again),
        (&doubtful, Need::Certainty, 101, again),
        // Of an expiry that nobody knows only a rejection tells.
        (&unknown, Need::Ahead, 9_999, Plan::Rest),
        (&unknown, usable(9_999), 9_999, Plan::Rest),
        (&unknown, Need::ByHand, 100, fresh),
        (&rejected, Need::Ahead, 100, fresh),
        (&rejected, usable(100), 100, fresh),
    ];
    let policy = RefreshPolicy::new(Presents::RefreshToken).with_when_unknown(WhenUnknown::AtLastMoment);
    for (row, (record, need, now, expected)) in rows.into_iter().enumerate() {
        assert_eq!(plan(record, need, &policy, LEASE, at(now)), expected, "row {row}: {need:?} at {now}");
    }
    let stop = policy.with_when_unknown(WhenUnknown::Stop);
    assert_eq!(plan(&doubtful, Need::Ahead, &stop, LEASE, at(940)), Plan::GiveUp);
    assert_eq!(plan(&doubtful, Need::Ahead, &stop, LEASE, at(939)), Plan::Wait(at(940)));
}

#[test]
fn a_provider_that_may_not_be_called_unasked_is_left_alone_only_while_its_token_may_live_for_ever() {
    let policy = RefreshPolicy::new(Presents::RefreshToken);
    let asked_for = policy.with_unknown_expiry(false);
    let (for_good, _) = after(Expiry::Unknown, []);
    let changed = |change: fn(&mut Record)| {
        let mut record = for_good.clone();
        // A refresh that a person asked for failed, and was put off until then.
        record.next_due = Some(at(200));
        change(&mut record);
        record
    };
    let send = Plan::Present { settle: false };
    fn tokens_of(record: &mut Record) -> &mut StoredTokens {
        record.tokens.as_mut().expect("tokens")
    }
    for (case, record, expected) in [
        ("it may live for ever", changed(|_| ()), Plan::Rest),
        ("its expiry is known", changed(|it| tokens_of(it).access_expiry = Expiry::At(at(1_000))), send),
        ("it is to be refreshed so often", changed(|it| tokens_of(it).next_due = Some(at(200))), send),
        ("it was rejected", changed(|it| it.rejected = Some(TokenDigest::of("access"))), send),
        ("there is none", changed(|it| tokens_of(it).access = None), send),
    ] {
        assert_eq!(plan(&record, Need::Ahead, &asked_for, LEASE, at(200)), expected, "{case}");
        assert_eq!(plan(&record, Need::ByHand, &asked_for, LEASE, at(200)), send, "{case}, and a person asks");
        assert_eq!(plan(&record, Need::Ahead, &policy, LEASE, at(200)), send, "{case}, and it may be called");
    }
}

#[test]
fn where_a_login_is_needed_only_a_person_who_refreshes_sends_and_only_what_has_not_expired() {
    let policy = RefreshPolicy::new(Presents::RefreshToken);
    let (mut dead, _) = after(Expiry::At(at(1_000)), []);
    dead.state = State::LoginNeeded;
    let planned = |record: &Record, need, now| plan(record, need, &policy, LEASE, at(now));
    assert_eq!(planned(&dead, Need::ByHand, 100), Plan::SendManually);
    for need in [Need::Ahead, Need::UsableAt(at(100)), Need::UsableAt(at(9_999)), Need::Certainty] {
        assert_eq!(planned(&dead, need, 100), Plan::LogIn, "{need:?}");
    }
    let presented = |expiry| {
        let mut record = dead.clone();
        record.tokens.as_mut().expect("tokens").presented_expiry = expiry;
        record
    };
    // To the second: what expires at this very time has expired. What is only assumed stops nobody.
    assert_eq!(planned(&presented(Expiry::At(at(500))), Need::ByHand, 499), Plan::SendManually);
    assert_eq!(planned(&presented(Expiry::At(at(500))), Need::ByHand, 500), Plan::LogIn);
    assert_eq!(planned(&presented(Expiry::Assumed(at(500))), Need::ByHand, 500), Plan::SendManually);
    let mut removed = dead.clone();
    removed.state = State::Tombstone;
    assert_eq!(planned(&removed, Need::ByHand, 100), Plan::LogIn);
    dead.tokens = None;
    assert_eq!(planned(&dead, Need::ByHand, 100), Plan::LogIn);
}

#[test]
fn where_an_unknown_expiry_is_left_alone_only_a_rejection_or_a_person_refreshes() {
    let policy = RefreshPolicy::new(Presents::RefreshToken).with_unknown_expiry(false);
    // Somebody asked by hand and died: the access token is as good as before.
    let (mut record, _) = after(Expiry::Unknown, [begin(MINE, false), lost()]);
    assert_eq!(plan(&record, Need::Ahead, &policy, LEASE, at(200)), Plan::Rest);
    assert_eq!(plan(&record, Need::Certainty, &policy, LEASE, at(200)), Plan::Present { settle: true });
    let allowed = policy.with_unknown_expiry(true).with_when_unknown(WhenUnknown::Promptly { within: LEASE });
    assert_eq!(plan(&record, Need::Ahead, &allowed, LEASE, at(110)), Plan::Present { settle: true });
    record.rejected = Some(TokenDigest::of("access"));
    assert_ne!(plan(&record, Need::Ahead, &policy, LEASE, at(200)), Plan::Rest);
}

#[test]
fn a_failing_session_sends_nothing_for_a_caller_before_its_pause_is_over() {
    let policy = RefreshPolicy::new(Presents::RefreshToken).with_when_unknown(WhenUnknown::Promptly { within: LEASE });
    let (mut failing, _) = after(Expiry::At(at(50)), []);
    (failing.refusals, failing.next_due) = (10, Some(at(500)));
    let until = |record: &Record, need, now| held_back(record, need, &policy, 10, at(now));
    let caller = Need::UsableAt(at(499));
    assert_eq!(until(&failing, caller, 499), Some(at(500)));
    assert_eq!(until(&failing, caller, 500), None);
    for need in [Need::Ahead, Need::ByHand, Need::Certainty] {
        assert_eq!(until(&failing, need, 499), None, "{need:?}");
    }
    let changed = |change: fn(&mut Record)| {
        let mut record = failing.clone();
        change(&mut record);
        record
    };
    assert_eq!(until(&changed(|it| it.refusals = 9), caller, 499), None);
    assert_eq!(until(&changed(|it| it.next_due = None), caller, 499), None);
    assert_eq!(until(&failing, caller, 49), None, "its access token lives");
    // A doubt is settled in its time all the same: up to and with the end of it.
    let (mut doubtful, _) = after(Expiry::At(at(50)), [begin(MINE, false), lost()]);
    (doubtful.refusals, doubtful.next_due) = (10, Some(at(500)));
    assert_eq!(until(&doubtful, caller, 120), None);
    assert_eq!(until(&doubtful, caller, 121), Some(at(500)));
}

#[test]
fn the_answer_to_a_begin_says_how_to_go_on() {
    let known = Expiry::At(at(1_000));
    let answer = |steps: Vec<Operation>| after(known, steps).1;
    let claimed = |answer| matches!(opened(answer), Opened::Claimed { doubtful: false, .. });
    assert!(claimed(answer(vec![begin(MINE, false)]).as_ref()));
    let settled = answer(vec![begin(MINE, false), lost(), begin(OTHERS, true)]);
    assert!(matches!(opened(settled.as_ref()), Opened::Claimed { doubtful: true, .. }));
    let given_up = vec![
        begin(OTHERS, false),
        Operation::Conclude {
            attempt: AttemptRef { id: OTHERS, ..mine() },
            conclusion: Conclusion::Dead,
            next_due: None,
            error: None,
        },
    ];
    // Where a login is needed the token was sent before, so that the record is looked at once more before it is sent.
    let manual = answer([given_up, vec![manually(MINE)]].concat());
    assert!(matches!(opened(manual.as_ref()), Opened::Claimed { doubtful: true, .. }));
    assert!(matches!(opened(answer(vec![manually(MINE)]).as_ref()), Opened::LookAgain));
    let busy = answer(vec![begin(OTHERS, false), begin(MINE, true)]);
    assert!(matches!(opened(busy.as_ref()), Opened::Wait { until } if until == at(100) + LEASE));
    let doubtful = answer(vec![begin(OTHERS, false), begin(MINE, false), lost()]);
    assert!(matches!(doubtful, Some(Answer::Moved(_))));
    assert!(matches!(opened(doubtful.as_ref()), Opened::LookAgain));
    let unasked = answer(vec![begin(MINE, false), lost(), begin(OTHERS, false)]);
    assert!(matches!(unasked, Some(Answer::Doubtful(_))));
    assert!(matches!(opened(unasked.as_ref()), Opened::LookAgain));
    assert!(matches!(opened(None), Opened::TakeBack));
    assert!(matches!(opened(Some(&Answer::Gone)), Opened::Foreign));
}

#[test]
fn a_give_up_that_found_a_claim_is_tried_again_after_a_while() {
    let give_up = |session| Operation::GiveUp { session, generation: 1 };
    let known = Expiry::At(at(1_000));
    let answer = |steps: Vec<Operation>| after(known, steps).1.expect("a step");
    assert_eq!(held_until(&answer(vec![begin(OTHERS, false), give_up(SESSION)]), SESSION, 1), Some(at(100) + LEASE));
    // Nothing is in doubt any more, it is done, or the record is another one.
    assert_eq!(held_until(&answer(vec![give_up(SESSION)]), SESSION, 1), None);
    assert_eq!(held_until(&answer(vec![begin(MINE, false), lost(), give_up(SESSION)]), SESSION, 1), None);
    let another = SessionId::from_random(2);
    assert_eq!(held_until(&answer(vec![begin(OTHERS, false), give_up(another)]), another, 1), None);
    assert_eq!(held_until(&answer(vec![begin(OTHERS, false), give_up(SESSION)]), SESSION, 0), None);
}

#[test]
fn what_somebody_else_claims_is_left_alone_until_the_claim_lapses_and_no_longer_than_a_claim_of_ones_own_lasts() {
    let seconds = Duration::from_secs;
    for (until, wait) in [(110, 10), (120, 20), (300, 20), (100, 1), (7, 1)] {
        assert_eq!(leave_alone(at(until), LEASE, at(100)), seconds(wait), "until {until}");
    }
    assert_eq!(leave_alone(at(300), Duration::from_millis(10), at(100)), Duration::from_millis(10));
}

#[test]
fn a_claim_that_was_made_ahead_of_time_is_due_when_it_lapses() {
    let promptly = RefreshPolicy::new(Presents::RefreshToken);
    let lapses = at(100) + LEASE;
    for expiry in [Expiry::At(at(1_000)), Expiry::Unknown] {
        // Somebody asked by hand for what is due in 700 seconds, or never, and died.
        let (record, _) = after(expiry, [begin(MINE, false)]);
        assert_eq!(record.due(), Some(lapses), "{expiry:?}");
        assert_eq!(plan(&record, Need::Ahead, &promptly, LEASE, at(119)), Plan::Wait(lapses), "{expiry:?}");
        assert_eq!(plan(&record, Need::Ahead, &promptly, LEASE, at(120)), Plan::Present { settle: true }, "{expiry:?}");
    }
    // One that is made when a refresh is due anyway changes nothing, and what is closed is never due.
    let (mut record, _) = after(Expiry::At(at(1_000)), [begin(MINE, false)]);
    record.next_due = Some(at(90));
    assert_eq!(record.due(), Some(at(90)));
    for state in [State::LoginNeeded, State::Tombstone] {
        record.state = state;
        assert_eq!(record.due(), None, "{state:?}");
    }
}

#[test]
fn a_claim_is_sent_under_only_while_request_and_save_fit_into_it() {
    let seconds = Duration::from_secs;
    assert!(may_send(seconds(5), seconds(15), LEASE));
    assert!(!may_send(seconds(6), seconds(15), LEASE));
    assert!(!may_send(seconds(5) + Duration::from_nanos(1), seconds(15), LEASE));
    assert!(!may_send(Duration::MAX, seconds(15), LEASE));
}

#[test]
fn a_doubtful_token_is_presented_only_while_the_record_waits_for_this_very_attempt() {
    let (record, _) = after(Expiry::Unknown, [begin(MINE, false)]);
    assert!(still_claimed(Some(&record), &mine()));
    assert!(!still_claimed(None, &mine()));
    for other in [
        AttemptRef { id: OTHERS, ..mine() },
        AttemptRef { generation: 2, ..mine() },
        AttemptRef { session: SessionId::from_random(2), ..mine() },
    ] {
        assert!(!still_claimed(Some(&record), &other), "{other:?}");
    }
    let (unclaimed, _) = after(Expiry::Unknown, []);
    assert!(!still_claimed(Some(&unclaimed), &mine()));
}

#[test]
fn readers_only_go_forwards() {
    let shown = |session, generation, stage| Shown { session: SessionId::from_random(session), generation, stage };
    // Each replaces itself and what stands before it, and nothing that stands after it.
    let order = [
        shown(1, 1, Stage::Saved),
        // Presented for the first, and not saved yet.
        shown(1, 2, Stage::Unsaved),
        // A logout that found the first; it ends the second too.
        shown(2, 1, Stage::Removed),
        // A login after it, or the second saved before it.
        shown(3, 2, Stage::Saved),
        shown(3, 3, Stage::Unsaved),
        shown(3, 3, Stage::Saved),
        shown(4, 3, Stage::Removed),
    ];
    for (newer, this) in order.iter().enumerate() {
        for (older, other) in order.iter().enumerate() {
            assert_eq!(this.replaces(other), newer >= older, "{this:?} for {other:?}");
        }
    }
    let (record, _) = after(Expiry::Unknown, []);
    assert_eq!(Shown::of(&record), shown(1, 1, Stage::Saved));
    let remove = Operation::Remove { session: SessionId::from_random(2), expect: SESSION };
    assert_eq!(Shown::of(&after(Expiry::Unknown, [remove]).0), shown(2, 1, Stage::Removed));
    assert_eq!(Shown::unsaved(&mine()), shown(1, 2, Stage::Unsaved));
}
