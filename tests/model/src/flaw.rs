//! The thirteen flaws of an earlier wording of the protocol, three of a person's try in *login needed*, one of the count of
//! refusals, and eight of stores that compare and set, put in one at a time: the checker has to find each.

use rampauth_keeper::next_step::Plan;
use rampauth_keeper::protocol::apply;
use rampauth_keeper::{Answer, Conclusion, Operation, Record, State, StoreTime};

use crate::template::an_orphan;

/// A flaw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// 1: a late commit is refused because the claim was lost, and parked where nobody reads.
    LateCommitParked,
    /// 2: an orphan arrives between the re-read and the condemnation.
    CondemnedInTwoSteps,
    /// 3: a doubtful token is presented although the record holds its successor.
    NoSecondLook,
    /// 4: a paused holder sends after its claim was taken over.
    AgeOfClaimIgnored,
    /// 5: an answer is dropped because the generation moved.
    DroppedWhenMoved,
    /// 6: one orphan takes the place of another.
    OneOrphanSlot,
    /// 7: *not sent* wipes a doubt that was taken over.
    NotSentWipesDoubt,
    /// 8: a process replaces its newer unsaved tokens by the stored older ones.
    UnsavedForgotten,
    /// 9: a doubtful token is presented once more and never again.
    SettledOnce,
    /// 10: nothing ends a doubt that may not be settled.
    NoGivingUp,
    /// 11: giving up forgets the journal, so that a later *not sent* proves nothing.
    GivenUpForGood,
    /// 12: a repeated commit becomes its own orphan.
    OrphanOfItself,
    /// 13: a rejection makes its process refresh and is written nowhere, so that an unknown expiry has no last moment.
    RejectionInMemory,
    /// 14: a token that is held for dead is sent although no person asked.
    SentUnasked,
    /// 15: a refusal of a person's try changes the state.
    RefusalChangesState,
    /// 16: nothing unlisted stands before a person's try, so that taking it back makes the session ready.
    TriedAsIfFirst,
    /// 17: refusals are counted on after a grant.
    RefusalsKept,
    /// 18: what takes a claim back writes nothing where the record does not show that claim.
    TakenBackUnwritten,
    /// 19: a claim's age is counted from when its answer came.
    AgeFromTheAnswer,
    /// 20: another's claim is held for over by what has passed since the record was asked for, and not read again.
    LeaseNotReadAgain,
    /// 21: a step upon a record that was seen a while ago runs at that record's time.
    TimeOfTheRecord,
    /// 22: revisions are numbers alone.
    NumbersAlone,
    /// 23: a claim that meets a changed record is run again upon that, and not planned anew.
    ConflictRunAgain,
    /// 24: what a process remembers is told to callers.
    ToldFromMemory,
    /// 25: an answer that meets a changed record is dropped.
    DroppedAtConflict,
}

impl Flaw {
    /// A step of the store with this flaw.
    pub fn apply(self, slot: &mut Option<Record>, operation: Operation, now: &StoreTime) -> Answer {
        let before = slot.clone();
        match (self, &operation, slot.as_mut()) {
            (Self::LateCommitParked, Operation::Commit { attempt, .. }, Some(record))
                if record.attempt.as_ref().is_none_or(|held| held.id != attempt.id) =>
            {
                return Answer::Stale;
            }
            (Self::DroppedWhenMoved, Operation::Commit { attempt, .. }, Some(record))
                if record.generation != attempt.generation =>
            {
                return Answer::Stale;
            }
            (Self::NotSentWipesDoubt, Operation::Conclude { attempt, conclusion, next_due, .. }, Some(record))
                if *conclusion == Conclusion::NotSent
                    && record.session == attempt.session
                    && record.generation == attempt.generation =>
            {
                (record.attempt, record.state, record.next_due) = (None, State::Ready, *next_due);
                return Answer::Done(record.clone());
            }
            _ => {}
        }
        let repeated = match (&operation, &before) {
            (Operation::Commit { attempt, tokens }, Some(record)) if record.last_commit == Some(attempt.id) => {
                Some((attempt.generation, tokens.clone()))
            }
            _ => None,
        };
        let held_for_dead = slot.as_ref().is_some_and(|it| it.state == State::LoginNeeded);
        let (claims, concludes) = match &operation {
            Operation::ClaimManually { .. } => (true, false),
            Operation::Conclude { .. } => (false, held_for_dead),
            _ => (false, false),
        };
        let gives_up = matches!(operation, Operation::GiveUp { .. });
        let answer = apply(slot, operation, now);
        let Some(record) = slot else { return answer };
        match (self, repeated) {
            (Self::OneOrphanSlot, _) => {
                let older = record.orphans.len().saturating_sub(1);
                record.orphans.drain(..older);
            }
            (Self::OrphanOfItself, Some((presented, tokens))) => {
                let mut itself = an_orphan();
                (itself.presented, itself.tokens) = (presented, tokens);
                record.orphans.push(itself);
            }
            (Self::TriedAsIfFirst, _) if claims && record.state == State::LoginNeeded => {
                record.attempt.iter_mut().for_each(|attempt| attempt.more = 0);
            }
            (Self::RefusalChangesState, _) if concludes && record.state == State::LoginNeeded => {
                (record.state, record.attempt, record.next_due) = (State::Ready, None, Some(now.wall));
            }
            (Self::RefusalsKept, _) => {
                let refused = before.as_ref().map_or(0, |before| before.refusals);
                record.refusals = record.refusals.max(refused);
            }
            (Self::RejectionInMemory, _) => record.rejected = None,
            (Self::GivenUpForGood, _) if gives_up && record.state == State::LoginNeeded => record.attempt = None,
            _ => {}
        }
        answer
    }

    /// A plan with this flaw.
    pub fn plan(self, record: &Record, plan: Plan) -> Plan {
        let presented = record.attempt.as_ref().map_or(0, |attempt| attempt.presented_by.len());
        match plan {
            Plan::Present { settle: true } if self == Self::SettledOnce && presented > 1 => Plan::Rest,
            Plan::GiveUp if self == Self::NoGivingUp => Plan::Rest,
            Plan::LogIn if self == Self::SentUnasked && record.state == State::LoginNeeded => Plan::SendManually,
            plan => plan,
        }
    }
}
