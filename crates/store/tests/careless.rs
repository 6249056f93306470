//! The ordinary mistakes of a store that keeps its records elsewhere: the suite finds every one, and no scenario of it passes
//! on a store that does nothing.

mod common;

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use common::{Kept, Mutant, Records, failed_by, is_caught, with_record};
use rampauth_core::{Clock as _, SecretString, SystemClock};
use rampauth_store::protocol::{Step, apply};
use rampauth_store::{
    Answer, AttemptId, Conclusion, Due, DueQuery, Operation, Record, Replaced, Replacement, Revision, SessionKey,
    State, Store, StoreError, StoreErrorKind, StoreTime, Stored, conformance,
};

#[tokio::test(flavor = "multi_thread")]
async fn records_that_come_back_changed() {
    fn each_payload(record: &mut Record, change: impl Fn(&str) -> String) {
        let orphans = record.orphans.iter_mut().map(|orphan| &mut orphan.tokens);
        for tokens in record.tokens.iter_mut().chain(orphans) {
            tokens.payload = SecretString::new(change(tokens.payload.expose_secret()));
        }
    }
    let cut: Kept = |_, (revision, mut record)| {
        each_payload(&mut record, |text| text.chars().take(65_535).collect());
        Some((revision, record))
    };
    let ascii: Kept = |_, (revision, mut record)| {
        each_payload(&mut record, |text| text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect());
        Some((revision, record))
    };
    let trimmed: Kept = |_, (revision, mut record)| {
        each_payload(&mut record, |text| text.trim().to_owned());
        Some((revision, record))
    };
    let short_ids: Kept = |_, (revision, mut record)| {
        if let Some(attempt) = &mut record.attempt {
            attempt.id = AttemptId::from_random(attempt.id.get() & u128::from(u64::MAX));
        }
        Some((revision, record))
    };
    let small_numbers: Kept = |_, (revision, mut record)| {
        record.generation &= u64::from(u32::MAX);
        Some((revision, record))
    };
    let few_orphans: Kept = |_, (revision, mut record)| {
        record.orphans.truncate(7);
        Some((revision, record))
    };
    let no_error: Kept = |_, (revision, mut record)| {
        record.last_error = None;
        Some((revision, record))
    };
    let long = "content: a text of 200 KiB in every script comes back to the byte";
    for (mistake, kept, by) in [
        ("payloads are cut", cut, long),
        ("payloads are ASCII", ascii, long),
        ("payloads are trimmed", trimmed, "content: spaces at the ends stay"),
        ("ids have 64 bits", short_ids, "begin: it writes the journal and the claim"),
        ("generations have 32 bits", small_numbers, "content: generations go beyond 32 bits"),
        ("seven orphans at most", few_orphans, "content: eight orphans come back, in order"),
        ("no last error", no_error, "content: a failure without status and code comes back, and so does none"),
    ] {
        is_caught(mistake, Mutant::keeping(kept), by).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_and_records_that_disagree() {
    let as_before: Step = |slot, operation, now| {
        let before = slot.clone();
        with_record(apply(slot, operation, now), &before)
    };
    for (mistake, step, by) in [("answers show what was", as_before, "begin: it writes the journal and the claim")] {
        is_caught(mistake, Mutant::stepping(step), by).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_that_hold_for_ever_or_not_at_all() {
    let for_ever: Step = |slot, operation, now| {
        let lease = slot.as_ref().and_then(|record| record.attempt.as_ref()).map(|attempt| (attempt.id, attempt.lease));
        match (&operation, lease) {
            (Operation::Begin { attempt, .. }, Some((id, Some(lease)))) if *attempt != id => {
                Answer::Busy { until: lease.until }
            }
            _ => apply(slot, operation, now),
        }
    };
    let never: Step = |slot, operation, now| {
        if let (Some(Record { attempt: Some(held), .. }), Operation::Begin { attempt, .. }) = (&mut *slot, &operation)
            && held.id != *attempt
        {
            held.lease = None;
        }
        apply(slot, operation, now)
    };
    is_caught("for ever", Mutant::stepping(for_ever), "content: a claim lapses by itself, by the store's own clock")
        .await;
    is_caught("never", Mutant::stepping(never), "begin: nobody else while the claim holds, to settle or not").await;
    let ahead = Mutant { clock: || SystemClock.now() + Duration::from_secs(3600), ..Mutant::sound() };
    is_caught("a local time for the world's", ahead, "put: the first login is generation one").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn repetitions_that_count() {
    let restarts: Step = |slot, operation, now| {
        let restarts = slot.as_ref().is_some_and(|record| record.state == State::Tombstone);
        let answer = apply(slot, operation, now);
        if let (Some(record), true, Answer::Saved(_)) = (&mut *slot, restarts, &answer) {
            record.generation = 1;
        }
        with_record(answer, slot)
    };
    let others_doubt: Step = |slot, operation, now| {
        let late = match (&*slot, &operation) {
            (Some(record), Operation::Conclude { attempt, conclusion: Conclusion::NotSent, .. }) => {
                record.attempt.as_ref().is_some_and(|journal| !journal.presented_by.contains(&attempt.id))
            }
            _ => false,
        };
        let answer = apply(slot, operation, now);
        if let Some(record) = slot.as_mut().filter(|_| late) {
            record.state = State::Doubtful;
        }
        with_record(answer, slot)
    };
    let undue: Step = |slot, operation, now| {
        let given_up = slot.as_ref().is_some_and(|record| record.state == State::LoginNeeded);
        let answer = apply(slot, operation, now);
        if let Some(record) = slot.as_mut().filter(|record| given_up && record.state == State::Ready) {
            record.next_due = None;
        }
        with_record(answer, slot)
    };
    let same_is_nothing: Step = |slot, operation, now| match (&*slot, &operation) {
        (Some(Record { tokens: Some(stored), .. }), Operation::Commit { tokens, .. })
            if stored.presents == tokens.presents && stored.access == tokens.access =>
        {
            Answer::Saved(slot.clone().expect("a record with tokens"))
        }
        _ => apply(slot, operation, now),
    };
    let served_again: Step = |slot, operation, now| {
        let commits = matches!(operation, Operation::Commit { .. });
        let answer = apply(slot, operation, now);
        if let Some(record) = slot.as_mut().filter(|_| commits) {
            record.rejected = None;
        }
        with_record(answer, slot)
    };
    for (mistake, step, by) in [
        ("generations start again", restarts, "remove: generations go on after it"),
        (
            "a late repetition puts another's refresh in doubt",
            others_doubt,
            "conclude not sent: a late repetition touches nobody else's refresh",
        ),
        (
            "a session that is ready again is never due",
            undue,
            "conclude not sent: a session whose giving up is withdrawn by an earlier attempt is due again",
        ),
        (
            "an answer with the same tokens is none",
            same_is_nothing,
            "commit: an answer that repeats the tokens presented is an answer, and ends the doubt",
        ),
        (
            "a rejected access token is served again",
            served_again,
            "commit: an access token that comes again after its rejection stays rejected",
        ),
    ] {
        is_caught(mistake, Mutant::stepping(step), by).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sealing_anew_that_does_harm() {
    // Whatever is there now, the session's own payload takes the first of the new ones.
    let blind: Step = |slot, operation, now| match (&mut *slot, &operation) {
        (Some(Record { tokens: Some(tokens), .. }), Operation::Reseal { payloads }) => {
            tokens.payload = payloads[0].payload.clone();
            tokens.sealed_with = payloads[0].sealed_with.clone();
            Answer::Done(slot.clone().expect("a record with tokens"))
        }
        _ => apply(slot, operation, now),
    };
    let part_of_it: Step = |slot, operation, now| match operation {
        Operation::Reseal { payloads } => {
            let mut answers = payloads.into_iter().map(|it| apply(slot, Operation::Reseal { payloads: vec![it] }, now));
            answers.find(|answer| matches!(answer, Answer::Moved(_))).unwrap_or_else(|| {
                let none = Operation::Reseal { payloads: Vec::new() };
                apply(slot, none, now)
            })
        }
        _ => apply(slot, operation, now),
    };
    let own_alone: Step = |slot, operation, now| {
        let seals = matches!(operation, Operation::Reseal { .. });
        let orphans = slot.as_ref().map(|record| record.orphans.clone());
        let answer = apply(slot, operation, now);
        if let (Some(record), Some(orphans), true) = (slot.as_mut(), orphans, seals) {
            record.orphans = orphans;
        }
        with_record(answer, slot)
    };
    let as_a_login: Step = |slot, operation, now| {
        let seals = matches!(operation, Operation::Reseal { .. });
        let answer = apply(slot, operation, now);
        if let (Some(record), true, Answer::Done(_)) = (slot.as_mut(), seals, &answer) {
            record.attempt = None;
        }
        with_record(answer, slot)
    };
    for (mistake, step, by) in [
        ("in the place of newer tokens", blind, "reseal: tokens that were refreshed meanwhile are not touched"),
        ("one by one", part_of_it, "reseal: one payload that is gone stops all"),
        ("orphans left out", own_alone, "reseal: doubt, rejection, error and every orphan stay what they are"),
        ("the claim let go", as_a_login, "reseal: a claim holds on, and its answer is saved"),
    ] {
        is_caught(mistake, Mutant::stepping(step), by).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_that_mislead() {
    type IsDue = fn(&Record, SystemTime, &StoreTime) -> Option<SystemTime>;
    let claimed_too: IsDue = |record, before, _| record.due().filter(|due| *due < before);
    let too_late: IsDue = |record, before, now| common::is_due(record, before + Duration::from_nanos(1), now);
    let tokens_alone: IsDue =
        |record, before, now| common::is_due(record, before, now).and(record.next_due).filter(|due| *due < before);
    for (mistake, is_due, by) in [
        ("by the tokens' time alone", tokens_alone, "due: a claim that was made ahead of time is in it once it lapses"),
        ("claimed ones too", claimed_too, "due: what is claimed is left out until the claim lapses"),
        ("those of that very time too", too_late, "due: the earliest first, and only what is due before then"),
    ] {
        is_caught(mistake, Mutant { is_due, ..Mutant::sound() }, by).await;
    }
    type Listed = fn(&mut Vec<(SystemTime, SessionKey)>, &DueQuery);
    let by_key: Listed = |due, query| due.truncate(query.limit);
    let all: Listed = |due, _| due.sort();
    let cut_first: Listed = |due, query| {
        due.sort_by_key(|(_, key)| std::cmp::Reverse(key.clone()));
        due.truncate(query.limit);
        due.sort();
    };
    // What follows is looked for by its time alone.
    let later_ones: Listed = |due, query| {
        let after = query.after.as_ref().map(|(at, _)| *at);
        due.retain(|it| after.is_none_or(|after| after < it.0));
        due.sort();
        due.truncate(query.limit);
    };
    let from_there: Listed = |due, query| {
        due.retain(|it| query.after.as_ref().is_none_or(|after| after <= it));
        due.sort();
        due.truncate(query.limit);
    };
    let any_character: Listed = |due, query| {
        let alike = |(key, text): (char, char)| key == text || text == '_';
        let begins = |key: &str, text: &str| key.len() >= text.len() && key.chars().zip(text.chars()).all(alike);
        due.retain(|(_, key)| !query.except.iter().any(|text| begins(key.as_str(), text)));
        due.sort();
        due.truncate(query.limit);
    };
    let in_parts = "due: in several parts it is the same list";
    for (mistake, listed, by) in [
        ("in the keys' order", by_key, "due: the earliest first, and only what is due before then"),
        ("without a limit", all, "due: no more than asked for, the earliest of all"),
        ("limited before it is ordered", cut_first, "due: no more than asked for, the earliest of all"),
        ("those of one time are lost between two parts", later_ones, in_parts),
        ("the last of a part is the first of the next", from_there, in_parts),
        ("a `_` stands for any character", any_character, "due: keys are left out by how they begin"),
        ("nothing is left out", all, "due: keys are left out by how they begin"),
    ] {
        is_caught(mistake, Mutant { listed, ..Mutant::sound() }, by).await;
    }
    type Keys = fn(&Records, Option<&SessionKey>, usize) -> Vec<SessionKey>;
    let living: Keys = |records, _, _| {
        records.iter().filter(|(_, (_, it))| it.state != State::Tombstone).map(|(key, _)| key.clone()).collect()
    };
    let any_case: Keys = |records, _, _| {
        let mut keys: Vec<_> = records.keys().cloned().collect();
        keys.sort_by_key(|key| key.as_str().to_lowercase());
        keys
    };
    let twice: Keys = |records, _, _| records.keys().flat_map(|key| [key.clone(), key.clone()]).collect();
    let from_there: Keys = |records, after, limit| {
        records.keys().filter(|key| after.is_none_or(|after| after <= *key)).take(limit).cloned().collect()
    };
    let unbounded: Keys =
        |records, after, _| records.keys().filter(|key| after.is_none_or(|after| after < *key)).cloned().collect();
    let (all, in_parts) =
        ("keys: every key once, in order, tombstones too", "keys: in several parts it is the same list");
    for (mistake, keys, by) in [
        ("no tombstones", living, all),
        ("by another alphabet", any_case, all),
        ("twice", twice, all),
        ("the last of a part is the first of the next", from_there, in_parts),
        ("more than asked for", unbounded, in_parts),
    ] {
        is_caught(mistake, Mutant { keys, ..Mutant::sound() }, by).await;
    }
    let folded = |key: &SessionKey| SessionKey::parse(key.as_str().to_lowercase()).expect("a key in small letters");
    let store = Mutant { stored_under: folded, ..Mutant::sound() };
    is_caught("keys in any case", store, "content: keys that look alike are different sessions").await;
}

/// Keeps nothing, fails or panics.
struct Useless(fn() -> Result<(), StoreError>);

#[async_trait]
impl Store for Useless {
    async fn read(&self, _: &SessionKey) -> Result<Stored, StoreError> {
        let time = StoreTime::wall(SystemClock.now());
        (self.0)().map(|()| Stored { record: None, revision: Revision::ABSENT, time })
    }

    async fn replace(&self, _: &SessionKey, _: Replacement<'_>) -> Result<Replaced, StoreError> {
        (self.0)().map(|()| Replaced::Written { time: StoreTime::wall(SystemClock.now()) })
    }

    async fn due(&self, _: &DueQuery) -> Result<Vec<Due>, StoreError> {
        (self.0)().map(|()| Vec::new())
    }

    async fn keys(&self, _: Option<&SessionKey>, _: usize) -> Result<Vec<SessionKey>, StoreError> {
        (self.0)().map(|()| Vec::new())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_can_fail() {
    let unreachable = || Err(StoreError::new(StoreErrorKind::Unavailable, "failed to reach the store: no route"));
    let all = conformance::scenarios();
    assert_eq!(failed_by(Useless(unreachable), apply).await.len(), all.len());
    assert_eq!(failed_by(Useless(|| panic!("a store that breaks")), apply).await.len(), all.len());
    let passed_on_nothing = failed_by(Useless(|| Ok(())), apply).await;
    let passed: Vec<_> = all.into_iter().filter(|name| !passed_on_nothing.contains(name)).collect();
    assert_eq!(passed, ["nothing stored: nothing is begun, saved, given up, rejected, removed or sealed anew"]);
}

#[tokio::test(flavor = "multi_thread")]
#[should_panic(expected = "conclude dead: a login is needed\n    step 3, conclude dead, which is to answer Done:")]
async fn check_names_scenario_and_step() {
    let step: Step = |slot, operation, now| match operation {
        Operation::Conclude { conclusion: Conclusion::Dead, .. } => Answer::Gone,
        operation => apply(slot, operation, now),
    };
    let report = conformance::run_with(Mutant::sound(), step).await;
    panic!("{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_shows_no_token() {
    let step: Step = |slot, operation, now| {
        let answer = apply(slot, operation, now);
        if let Some(tokens) = slot.as_mut().and_then(|record| record.tokens.as_mut()) {
            tokens.payload = format!("needle {}", tokens.payload.expose_secret()).into();
        }
        answer
    };
    let report = conformance::run_with(Mutant::sound(), step).await;
    let shown = format!("{report}\n{report:?}\n{report:#?}");
    assert!(shown.contains("payload: another text of"), "{shown}");
    assert!(!shown.contains("needle") && !shown.contains("the tokens 1"), "{shown}");
}
