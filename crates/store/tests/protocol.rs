//! What holds after any operations in any order: nothing granted is lost, no doubt is forgotten, no claim is given twice.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use rampauth_core::{Expiry, SecretString};
use rampauth_store::protocol::apply;
use rampauth_store::{
    Answer, AttemptId, AttemptRef, Conclusion, Operation, OwnerId, Record, Resealed, SessionId, State, StoreTime,
    StoredTokens, TokenDigest,
};

/// What happens next. What it is about is taken from what is there, unless it is `astray`.
#[derive(Clone, Debug)]
struct Event {
    kind: u8,
    attempt: u8,
    after: u64,
    lease: u64,
    settle: bool,
    astray: u8,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    // Begins and commits are most of what happens; a login or a logout is rare.
    let kinds = proptest::sample::select(vec![0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 4, 4, 5, 6, 7, 8, 9, 9, 10, 10]);
    let event = (kinds, 1_u8..12, 0_u64..40, prop_oneof![Just(0_u64), Just(30)], any::<bool>(), 0_u8..12);
    let event = event.prop_map(|(kind, attempt, after, lease, settle, astray)| Event {
        kind,
        attempt,
        after,
        lease,
        settle,
        astray,
    });
    proptest::collection::vec(event, 1..60)
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
}

/// What the provider answers an attempt, always the same. Two are answered alike, two with the same credential to present and
/// another access token, and of some the credential expires.
fn granted(attempt: AttemptId) -> StoredTokens {
    let number = if attempt == id(8) { 7 } else { attempt.get() };
    let presents = if attempt == id(11) { 10 } else { number };
    let mut tokens =
        StoredTokens::new(format!("tokens {number}").into(), TokenDigest::of(&format!("presented {presents}")), at(0));
    tokens.access = Some(TokenDigest::of(&format!("access {number}")));
    if number % 3 == 0 {
        tokens.presented_expiry = Expiry::At(at(300));
    }
    tokens
}

fn id(n: u8) -> AttemptId {
    AttemptId::from_random(u128::from(n))
}

fn holds(record: &Record, now: &StoreTime) -> bool {
    record.attempt.as_ref().and_then(|attempt| attempt.lease).is_some_and(|lease| lease.holds_at(now))
}

/// The store, and what its callers know.
#[derive(Default)]
struct World {
    slot: Option<Record>,
    seconds: u64,
    drawn: u128,
    /// What each attempt presented.
    presented: BTreeMap<AttemptId, AttemptRef>,
    /// Who may have presented the current token and did not take it back.
    unanswered: BTreeSet<AttemptId>,
}

impl World {
    fn operation(&mut self, event: &Event) -> Operation {
        let lost = Record::from_json(NOTHING).expect("a tombstone");
        let record = self.slot.as_ref().unwrap_or(&lost);
        let astray = event.astray == 0;
        let generation = if astray { record.generation.wrapping_sub(1).min(9) } else { record.generation };
        let attempt = id(event.attempt);
        let known = self.presented.get(&attempt).copied();
        let known = known.unwrap_or(AttemptRef { id: attempt, session: record.session, generation });
        let session = record.session;
        let access = record.tokens.as_ref().and_then(|tokens| tokens.access).filter(|_| !astray);
        let presents = record.tokens.as_ref().map(|tokens| tokens.presents).filter(|_| !astray);
        let conclude = |conclusion| Operation::Conclude {
            attempt: known,
            conclusion,
            next_due: Some(at(self.seconds + 5)),
            error: None,
        };
        match event.kind {
            0 => Operation::Begin {
                generation,
                presents: presents.unwrap_or(TokenDigest::of("another")),
                attempt,
                owner: OwnerId::from_random(1),
                lease: Duration::from_secs(event.lease),
                settle: event.settle,
            },
            // Now and then the store is an older copy of itself.
            1 if event.astray == 1 => {
                let attempt = AttemptRef { generation: record.generation + 2, ..known };
                Operation::Commit { attempt, tokens: granted(attempt.id) }
            }
            1 => Operation::Commit { attempt: known, tokens: granted(attempt) },
            2 => conclude(if event.settle { Conclusion::Refused } else { Conclusion::NotSent }),
            3 => conclude(Conclusion::Unknown),
            4 => conclude(Conclusion::Dead),
            5 => Operation::GiveUp { session, generation },
            6 => Operation::Reject { session, generation, access: access.unwrap_or(TokenDigest::of("another")) },
            9 => self.reseal(record, event),
            10 => Operation::ClaimManually {
                generation,
                presents: presents.unwrap_or(TokenDigest::of("another")),
                attempt,
                owner: OwnerId::from_random(2),
                lease: Duration::from_secs(event.lease),
            },
            kind => {
                self.drawn += 1;
                let drawn = SessionId::from_random(1000 + self.drawn);
                let expect = if astray { SessionId::from_random(7) } else { session };
                if kind == 7 {
                    Operation::Put { session: drawn, expect: Some(expect), tokens: granted(attempt) }
                } else {
                    Operation::Remove { session: drawn, expect }
                }
            }
        }
    }

    /// Some of what is stored sealed anew; astray, together with what is stored nowhere.
    fn reseal(&self, record: &Record, event: &Event) -> Operation {
        let stored = record.tokens.iter().chain(record.orphans.iter().map(|orphan| &orphan.tokens));
        let resealed = |payload: &str| Resealed {
            was: TokenDigest::of(payload),
            payload: format!("{payload} again").into(),
            sealed_with: Some("key".to_owned()),
        };
        let mut payloads: Vec<_> = stored.map(|tokens| resealed(tokens.payload.expose_secret())).collect();
        payloads.truncate(usize::from(event.attempt));
        payloads.extend((event.astray == 0).then(|| resealed("nowhere")));
        Operation::Reseal { payloads }
    }

    fn happens(&mut self, event: &Event) -> Result<(), TestCaseError> {
        self.seconds += event.after;
        let now = StoreTime::wall(at(self.seconds));
        let operation = self.operation(event);
        let before = self.slot.clone();
        let answer = apply(&mut self.slot, operation.clone(), &now);
        let Some(record) = self.slot.clone() else {
            prop_assert!(before.is_none() && matches!(answer, Answer::Moved(None) | Answer::Gone));
            return Ok(());
        };
        self.remember(&operation, &answer, before.as_ref(), &record);
        self.holds_of_the_record(&record, &now)?;
        holds_of_the_step(before.as_ref(), &operation, &answer, &record, &now)?;
        // After a lost answer the same once more changes nothing.
        apply(&mut self.slot, operation, &now);
        prop_assert_eq!(text(self.slot.as_ref()), text(Some(&record)), "its repetition");
        Ok(())
    }

    fn remember(&mut self, operation: &Operation, answer: &Answer, before: Option<&Record>, record: &Record) {
        if before.is_none_or(|before| before.generation != record.generation || before.session != record.session) {
            self.unanswered.clear();
        }
        match (operation, answer) {
            (
                Operation::Begin { attempt, generation, .. } | Operation::ClaimManually { attempt, generation, .. },
                Answer::Begun(record),
            ) => {
                let known = AttemptRef { id: *attempt, session: record.session, generation: *generation };
                self.presented.insert(*attempt, known);
                self.unanswered.insert(*attempt);
            }
            (
                Operation::Conclude { attempt, conclusion: Conclusion::NotSent | Conclusion::Refused, .. },
                Answer::Done(_),
            ) => {
                self.unanswered.remove(&attempt.id);
            }
            _ => {}
        }
    }

    fn holds_of_the_record(&self, record: &Record, now: &StoreTime) -> Result<(), TestCaseError> {
        prop_assert!(record.base < record.generation);
        match record.state {
            State::Ready => prop_assert!(record.tokens.is_some()),
            State::Doubtful => prop_assert!(record.tokens.is_some() && record.attempt.is_some()),
            State::LoginNeeded => {
                let waiting = |tokens: &StoredTokens| !tokens.presented_expiry.is_known_past(now.wall);
                prop_assert!(!record.orphans.iter().any(|orphan| waiting(&orphan.tokens)), "an orphan waits");
                prop_assert!(record.due().is_none(), "what nobody but a person may send is due");
                let manual = record.attempt.as_ref().is_none_or(|attempt| attempt.more > 0);
                prop_assert!(manual || !holds(record, now));
            }
            _ => prop_assert!(record.tokens.is_none() && record.attempt.is_none() && record.orphans.is_empty()),
        }
        let by: BTreeSet<_> = record.orphans.iter().map(|orphan| orphan.attempt).collect();
        prop_assert_eq!(by.len(), record.orphans.len(), "one orphan per attempt");
        for orphan in &record.orphans {
            prop_assert!((record.base..record.generation).contains(&orphan.presented));
            prop_assert_eq!(orphan.tokens.presents, granted(orphan.attempt).presents);
        }
        if let (Some(attempt), Some(tokens)) = (record.last_commit, &record.tokens) {
            prop_assert_eq!(tokens.presents, granted(attempt).presents);
        }
        if let Some(rejected) = record.rejected {
            prop_assert_eq!(record.tokens.as_ref().and_then(|tokens| tokens.access), Some(rejected));
        }
        match &record.attempt {
            Some(journal) => {
                prop_assert!(journal.presented_by.len() <= 8);
                prop_assert_eq!(Some(journal.presents), record.tokens.as_ref().map(|tokens| tokens.presents));
                let named = self.unanswered.iter().filter(|id| journal.presented_by.contains(id)).count();
                // Where a login is needed, one that is not listed stands for all that came before the verdict.
                let counted = record.state == State::LoginNeeded && journal.more > 0;
                let all = named + journal.more as usize >= self.unanswered.len();
                prop_assert!(counted || all, "a presentation is forgotten");
            }
            None if record.state == State::Ready => prop_assert!(self.unanswered.is_empty(), "a doubt is forgotten"),
            None => {}
        }
        let again = Record::from_json(record.to_json().expose_secret());
        prop_assert_eq!(again.map(|again| text(Some(&again))), Ok(text(Some(record))));
        Ok(())
    }
}

fn holds_of_the_step(
    before: Option<&Record>,
    operation: &Operation,
    answer: &Answer,
    record: &Record,
    now: &StoreTime,
) -> Result<(), TestCaseError> {
    // A person's try makes a session ready by a grant alone.
    if let (Some(before), Operation::Conclude { .. } | Operation::ClaimManually { .. }) = (before, operation) {
        let tried = before.attempt.as_ref().is_some_and(|attempt| attempt.more > 0);
        if before.state == State::LoginNeeded && (tried || matches!(operation, Operation::ClaimManually { .. })) {
            prop_assert_eq!(record.state, State::LoginNeeded);
        }
    }
    let logs_in_or_out = matches!(operation, Operation::Put { .. } | Operation::Remove { .. });
    if let Some(before) = before {
        prop_assert!(record.generation >= before.generation, "generations go on");
        prop_assert!(record.base >= before.base || record.session != before.session);
        prop_assert!(record.session == before.session || logs_in_or_out);
        for orphan in before.orphans.iter().filter(|_| record.session == before.session) {
            let kept = record.orphans.iter().any(|kept| kept.attempt == orphan.attempt);
            let outdated = orphan.presented < record.base || orphan.tokens.presented_expiry.is_known_past(now.wall);
            let refused = before.tokens.as_ref().is_some_and(|dead| dead.presents == orphan.tokens.presents);
            let adopted = record.last_commit == Some(orphan.attempt);
            prop_assert!(kept || outdated || refused || adopted, "an orphan is lost");
        }
        if holds(before, now) && before.attempt.as_ref().map(|journal| journal.id) != begins(operation) {
            prop_assert!(!matches!(answer, Answer::Begun(_)), "a claim is given twice");
        }
    }
    if let (Operation::Reseal { payloads }, Some(before)) = (operation, before) {
        let astray = payloads.iter().any(|it| it.was == TokenDigest::of("nowhere"));
        prop_assert_eq!(matches!(answer, Answer::Done(_)), !astray);
        if !astray {
            let mut unsealed = record.clone();
            unsealed.updated_at = before.updated_at;
            let orphans = unsealed.orphans.iter_mut().map(|orphan| &mut orphan.tokens);
            let old = before.tokens.iter().chain(before.orphans.iter().map(|orphan| &orphan.tokens));
            for (tokens, old) in unsealed.tokens.iter_mut().chain(orphans).zip(old) {
                let again = format!("{} again", old.payload.expose_secret());
                let is_new = payloads.iter().any(|it| it.was == TokenDigest::of(old.payload.expose_secret()));
                let expected = if is_new { &again } else { old.payload.expose_secret() };
                prop_assert_eq!(tokens.payload.expose_secret(), expected);
                (tokens.payload, tokens.sealed_with) = (old.payload.clone(), old.sealed_with.clone());
            }
            prop_assert_eq!(text(Some(&unsealed)), text(Some(before)), "nothing but payloads changes");
        }
    }
    match answer {
        Answer::Busy { .. } | Answer::Doubtful(_) | Answer::Moved(_) | Answer::Stale | Answer::Gone => {
            prop_assert_eq!(text(before), text(Some(record)), "nothing is written");
        }
        Answer::Saved(copy)
        | Answer::Begun(copy)
        | Answer::Superseded(copy)
        | Answer::Adopted(copy)
        | Answer::Done(copy) => {
            prop_assert_eq!(text(Some(copy)), text(Some(record)), "the answer shows what is stored");
        }
        _ => prop_assert!(false, "{:?} is an answer that this test does not know", answer),
    }
    if let Operation::Commit { attempt, tokens } = operation {
        let stored = record.tokens.as_ref().is_some_and(|stored| stored.presents == tokens.presents);
        let waits = record.orphans.iter().any(|orphan| orphan.tokens.presents == tokens.presents);
        match answer {
            Answer::Saved(_) => prop_assert!(stored),
            Answer::Superseded(_) => prop_assert!(waits),
            // Too old, or it presents what was refused.
            Answer::Stale => {
                prop_assert!(attempt.generation < record.base || (record.state == State::LoginNeeded && stored));
            }
            Answer::Gone => prop_assert!(attempt.session != record.session || record.state == State::Tombstone),
            other => prop_assert!(false, "a commit is answered {:?}", other),
        }
    }
    Ok(())
}

fn begins(operation: &Operation) -> Option<AttemptId> {
    match operation {
        Operation::Begin { attempt, .. } | Operation::ClaimManually { attempt, .. } => Some(*attempt),
        _ => None,
    }
}

fn text(record: Option<&Record>) -> Option<String> {
    record.map(|record| record.to_json().expose_secret().to_owned())
}

/// What a caller takes for the record where there is none.
const NOTHING: &str = r#"{"version":1,"session":"00000000000000000000000000000007","generation":0,"base":0,
    "state":"tombstone","tokens":null,"attempt":null,"orphans":[],"last_commit":null,"rejected":null,"next_due":null,
    "last_error":null,"updated_at":"2026-01-01T00:00:00Z"}"#;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn any_operations_in_any_order_lose_nothing(events in events()) {
        let mut world = World::default();
        let first = Event { kind: 7, attempt: 1, after: 0, lease: 0, settle: false, astray: 5 };
        for event in std::iter::once(&first).chain(&events) {
            world.happens(event)?;
        }
    }
}

#[test]
fn a_step_that_writes_notes_when_it_did() {
    let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
    let tokens = |text: &str| StoredTokens::new(SecretString::new(text.to_owned()), TokenDigest::of(text), at(1));
    let (session, id) = (SessionId::from_random(1), AttemptId::from_random(1));
    let mut slot = None;
    let mut step = |operation, seconds| {
        let answer = apply(&mut slot, operation, &StoreTime::wall(at(seconds)));
        (answer, slot.as_ref().expect("a record").updated_at)
    };
    let login = Operation::Put { session, expect: None, tokens: tokens("first") };
    let (Answer::Saved(record), stored) = step(login, 10) else { panic!("not saved") };
    assert_eq!((record.updated_at, stored), (at(10), at(10)));
    let begin = |attempt| Operation::Begin {
        generation: record.generation,
        presents: TokenDigest::of("first"),
        attempt: AttemptId::from_random(attempt),
        owner: OwnerId::from_random(1),
        lease: Duration::from_secs(35),
        settle: false,
    };
    let (Answer::Begun(begun), stored) = step(begin(1), 20) else { panic!("not begun") };
    assert_eq!((begun.updated_at, stored), (at(20), at(20)));
    let (Answer::Busy { .. }, stored) = step(begin(2), 25) else { panic!("not busy") };
    assert_eq!(stored, at(20), "nothing was written");
    let attempt = AttemptRef { id, session, generation: record.generation };
    let (Answer::Saved(saved), stored) = step(Operation::Commit { attempt, tokens: tokens("second") }, 30) else {
        panic!("not saved")
    };
    assert_eq!((saved.updated_at, stored), (at(30), at(30)));
}
