//! The store protocol: what each operation does to a record. Pure, so that every store, every test and the model run the same
//! steps.
//!
//! They know nothing of where records are: [`apply`](crate::apply) carries them out on a store. All of them are safe to repeat
//! after a lost answer.
//!
#![doc = include_str!("protocol/rules.md")]

mod operation;
mod steps;

use crate::record::{Record, StoreTime};
pub use operation::{Answer, AttemptRef, Conclusion, Operation, Resealed};
use steps::{Claim, begin, claim_manually, commit, conclude, give_up, put, reject, remove, reseal};

/// What carries out one step at a time read from the store's clock.
pub type Step = fn(&mut Option<Record>, Operation, &StoreTime) -> Answer;

/// Carries out one step at a time read from the store's clock. What is left in `slot` is what the store holds from then on.
pub fn apply(slot: &mut Option<Record>, operation: Operation, now: &StoreTime) -> Answer {
    match operation {
        Operation::Put { session, expect, tokens } => put(slot, session, expect, tokens, now),
        Operation::Begin { generation, presents, attempt, owner, lease, settle } => {
            let claim = Claim { id: attempt, owner, lease, settle };
            with(slot, now, |record| begin(record, generation, presents, &claim, now))
        }
        Operation::ClaimManually { generation, presents, attempt, owner, lease } => {
            let claim = Claim { id: attempt, owner, lease, settle: true };
            with(slot, now, |record| claim_manually(record, generation, presents, &claim, now))
        }
        Operation::Commit { attempt, tokens } => match slot {
            Some(record) => touch(record, now, |record| commit(record, attempt, tokens)),
            None => Answer::Gone,
        },
        Operation::Conclude { attempt, conclusion, next_due, error } => with(slot, now, |record| {
            if record.session != attempt.session || record.generation != attempt.generation {
                return Answer::Moved(Some(record.clone()));
            }
            conclude(record, attempt.id, conclusion, next_due, error, now)
        }),
        Operation::GiveUp { session, generation } => {
            with(slot, now, |record| give_up(record, session, generation, now))
        }
        Operation::Reject { session, generation, access } => {
            with(slot, now, |record| reject(record, session, generation, access, now))
        }
        Operation::Remove { session, expect } => with(slot, now, |record| remove(record, session, expect)),
        Operation::Reseal { payloads } => with(slot, now, |record| reseal(record, &payloads)),
    }
}

fn with(slot: &mut Option<Record>, now: &StoreTime, step: impl FnOnce(&mut Record) -> Answer) -> Answer {
    match slot {
        Some(record) => touch(record, now, step),
        None => Answer::Moved(None),
    }
}

/// Notes when the record changed, in the answer's copy too.
fn touch(record: &mut Record, now: &StoreTime, step: impl FnOnce(&mut Record) -> Answer) -> Answer {
    let mut answer = step(record);
    if let Some(copy) = answer.written() {
        record.updated_at = now.wall;
        copy.updated_at = now.wall;
    }
    answer
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::digest::TokenDigest;
    use crate::history::CredentialHistory;
    use crate::record::{AttemptId, OwnerId, SessionId, State, StoredTokens};

    /// A record that was stored before there was a history has none, also where a login is needed.
    #[test]
    fn a_token_that_a_person_has_sent_is_in_the_history_of_a_record_that_had_none() {
        let presents = TokenDigest::of("first");
        let mut record = Record::tombstone(SessionId::from_random(1), 1, SystemTime::UNIX_EPOCH);
        record.tokens = Some(StoredTokens::new("first".into(), presents, SystemTime::UNIX_EPOCH));
        (record.state, record.history) = (State::LoginNeeded, CredentialHistory::default());
        let (attempt, owner) = (AttemptId::from_random(1), OwnerId::from_random(1));
        let claim =
            Operation::ClaimManually { generation: 1, presents, attempt, owner, lease: Duration::from_secs(35) };
        let answer = apply(&mut Some(record), claim, &StoreTime::wall(SystemTime::UNIX_EPOCH));
        let Answer::Begun(claimed) = answer else { panic!("{answer:?}") };
        assert!(claimed.history.contains(presents));
    }
}
