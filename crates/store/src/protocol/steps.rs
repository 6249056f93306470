//! The steps of the protocol, one function each: what it does to a record, and what it answers.

use std::time::{Duration, SystemTime};

use rampauth_core::SecretString;

use super::operation::{Answer, AttemptRef, Conclusion, Resealed};
use crate::digest::TokenDigest;
use crate::history::CredentialHistory;
use crate::record::{
    Attempt, AttemptId, LastError, Lease, Orphan, OwnerId, Record, SessionId, State, StoreTime, StoredTokens,
};

/// How many attempts a journal lists by name. Beyond that they are counted, and cannot be taken back.
const LISTED_ATTEMPTS: usize = 8;

pub(super) fn put(
    slot: &mut Option<Record>,
    session: SessionId,
    expect: Option<SessionId>,
    tokens: StoredTokens,
    now: &StoreTime,
) -> Answer {
    let mut history = slot.as_ref().map(had).unwrap_or_default();
    let generation = match slot {
        Some(record) if record.session == session => return Answer::Saved(record.clone()),
        // A refresh beside it changes no session: the login wins. Another login or a logout is not to be undone.
        Some(record) if Some(record.session) != expect => return Answer::Moved(Some(record.clone())),
        Some(record) => record.generation,
        None => 0,
    };
    history.note_login(tokens.presents);
    let record = Record {
        session,
        generation: generation + 1,
        base: 0,
        next_due: tokens.next_due,
        tokens: Some(tokens),
        state: State::Ready,
        attempt: None,
        orphans: Vec::new(),
        last_commit: None,
        rejected: None,
        last_error: None,
        refusals: 0,
        history,
        updated_at: now.wall,
    };
    Answer::Saved(slot.insert(record).clone())
}

/// The credentials that a session has had, the one included that it has not sent yet.
fn had(record: &Record) -> CredentialHistory {
    let mut history = record.history.clone();
    if let Some(tokens) = &record.tokens {
        history.note_sent(tokens.presents);
    }
    history
}

/// Who claims a session, for how long, and whether in doubt too.
pub(super) struct Claim {
    pub(super) id: AttemptId,
    pub(super) owner: OwnerId,
    pub(super) lease: Duration,
    pub(super) settle: bool,
}

pub(super) fn begin(
    record: &mut Record,
    generation: u64,
    presents: TokenDigest,
    claim: &Claim,
    now: &StoreTime,
) -> Answer {
    let current = record.tokens.as_ref().is_some_and(|tokens| tokens.presents == presents);
    let open = matches!(record.state, State::Ready | State::Doubtful);
    if record.generation != generation || !current || !open {
        return Answer::Moved(Some(record.clone()));
    }
    let lease = Some(now.lease(claim.lease));
    match &mut record.attempt {
        None => {
            record.attempt = Some(Attempt {
                id: claim.id,
                owner: claim.owner,
                presents,
                presented_by: vec![claim.id],
                more: 0,
                first_sent: now.wall,
                lease,
            });
        }
        // Its own repetition: the journal is there, and the lease is counted from before the first try.
        Some(attempt) if attempt.id == claim.id && attempt.lease.is_some() => {}
        Some(attempt) => {
            if let Some(held) = attempt.lease.filter(|held| held.holds_at(now)) {
                return Answer::Busy { until: held.until };
            }
            if !claim.settle {
                return Answer::Doubtful(record.clone());
            }
            attempt.hand_over(claim, lease);
            record.state = State::Doubtful;
        }
    }
    record.history.note_sent(presents);
    Answer::Begun(record.clone())
}

/// Nothing but a grant changes the state. One attempt that is not listed stands in the journal before this one: whoever takes an
/// attempt back from now on, that does not make the session ready.
pub(super) fn claim_manually(
    record: &mut Record,
    generation: u64,
    presents: TokenDigest,
    claim: &Claim,
    now: &StoreTime,
) -> Answer {
    let current = record.tokens.as_ref().is_some_and(|tokens| tokens.presents == presents);
    if record.generation != generation || !current || record.state != State::LoginNeeded {
        return Answer::Moved(Some(record.clone()));
    }
    let attempt = record.attempt.get_or_insert_with(|| Attempt {
        id: claim.id,
        owner: claim.owner,
        presents,
        presented_by: Vec::new(),
        more: 1,
        first_sent: now.wall,
        lease: None,
    });
    let repeated = attempt.id == claim.id && attempt.lease.is_some();
    if let Some(held) = attempt.lease.filter(|held| !repeated && held.holds_at(now)) {
        return Answer::Busy { until: held.until };
    }
    if !repeated {
        attempt.more = attempt.more.max(1);
        attempt.hand_over(claim, Some(now.lease(claim.lease)));
    }
    record.history.note_sent(presents);
    Answer::Begun(record.clone())
}

/// Compares session and generation, never the claim: an answer is worth the same whoever holds the claim by now.
pub(super) fn commit(record: &mut Record, attempt: AttemptRef, tokens: StoredTokens) -> Answer {
    if record.session != attempt.session || record.state == State::Tombstone {
        return Answer::Gone;
    }
    if record.last_commit == Some(attempt.id) {
        return Answer::Saved(record.clone());
    }
    if record.orphans.iter().any(|orphan| orphan.attempt == attempt.id) {
        return Answer::Superseded(record.clone());
    }
    if attempt.generation >= record.generation {
        // Ahead of the record: the store came back from an older copy of itself.
        record.base = attempt.generation;
        save(record, attempt, tokens);
        let base = record.base;
        record.orphans.retain(|orphan| orphan.presented >= base);
        return Answer::Saved(record.clone());
    }
    let same = |stored: &StoredTokens| stored.presents == tokens.presents && stored.access == tokens.access;
    if record.tokens.as_ref().is_some_and(same) {
        // Two presentations of one token were answered alike: nothing is lost that would have to wait as an orphan.
        return Answer::Saved(record.clone());
    }
    if attempt.generation < record.base {
        return Answer::Stale;
    }
    if record.state == State::LoginNeeded {
        let condemned = record.tokens.as_ref().map(|tokens| tokens.presents);
        if condemned == Some(tokens.presents) {
            // It presents what was refused or given up since: older tokens of a provider that does not rotate.
            return Answer::Stale;
        }
        save(record, attempt, tokens);
        return Answer::Saved(record.clone());
    }
    record.orphans.push(Orphan { attempt: attempt.id, presented: attempt.generation, tokens });
    Answer::Superseded(record.clone())
}

/// Makes these the session's tokens. Whoever holds the claim loses it: what it claims is no longer there.
fn save(record: &mut Record, attempt: AttemptRef, tokens: StoredTokens) {
    record.generation = record.generation.max(attempt.generation) + 1;
    record.next_due = tokens.next_due;
    // A provider may answer with the access token that it rejected: that one stays rejected.
    record.rejected = record.rejected.filter(|rejected| tokens.access == Some(*rejected));
    record.tokens = Some(tokens);
    record.state = State::Ready;
    record.attempt = None;
    record.last_commit = Some(attempt.id);
    record.last_error = None;
    record.refusals = 0;
}

pub(super) fn conclude(
    record: &mut Record,
    id: AttemptId,
    conclusion: Conclusion,
    next_due: Option<SystemTime>,
    error: Option<LastError>,
    now: &StoreTime,
) -> Answer {
    // No failure that follows shortens what the provider asked for.
    let paused_until = record.paused_until(now.wall);
    let Some(attempt) = &mut record.attempt else {
        // Its own repetition, or it was never begun: nothing of it is left to conclude.
        return if conclusion == Conclusion::Dead {
            Answer::Moved(Some(record.clone()))
        } else {
            Answer::Done(record.clone())
        };
    };
    let holds = attempt.id == id;
    if !holds && !matches!(conclusion, Conclusion::NotSent | Conclusion::Refused) {
        // Another presentation goes on: it is for that one to say.
        return Answer::Moved(Some(record.clone()));
    }
    if holds {
        attempt.lease = None;
        // Its own repetition is not listed any more, and counts once.
        let taken_back = matches!(conclusion, Conclusion::NotSent | Conclusion::Refused);
        if taken_back && attempt.presented_by.contains(&id) && error.as_ref().is_some_and(LastError::is_refusal) {
            record.refusals = record.refusals.saturating_add(1);
        }
        // An attempt that is only taken back says nothing of the provider: what was noted before stands.
        if let Some(error) = error {
            let paused_until = error.paused_until.max(paused_until);
            record.last_error = Some(LastError { paused_until, ..error });
        }
        if record.state != State::LoginNeeded {
            record.next_due = next_due;
        }
    }
    match conclusion {
        Conclusion::NotSent | Conclusion::Refused => {
            attempt.presented_by.retain(|presenter| *presenter != id);
            if attempt.presented_by.is_empty() && attempt.more == 0 {
                // Nobody presented the token: it is as good as ever, even where it was given up meanwhile.
                record.attempt = None;
                record.state = State::Ready;
                record.next_due = next_due;
            } else if record.state == State::Doubtful && attempt.is_the_only_one() {
                // Whoever holds the claim presents it for the first time after all.
                record.state = State::Ready;
            } else if conclusion == Conclusion::Refused && holds {
                // In doubt a refusal means that another presentation was carried out. The journal stays: should all of them turn
                // out never to have been sent, the token is as good as ever.
                if adopt(record, now) {
                    return Answer::Adopted(record.clone());
                }
                record.state = State::LoginNeeded;
                record.next_due = None;
            }
        }
        Conclusion::Unknown => {
            if record.state == State::Ready {
                record.state = State::Doubtful;
            }
        }
        Conclusion::Dead => {
            if adopt(record, now) {
                return Answer::Adopted(record.clone());
            }
            record.attempt = None;
            record.next_due = None;
            record.state = State::LoginNeeded;
        }
    }
    Answer::Done(record.clone())
}

impl Attempt {
    /// Lists another attempt, which holds the claim from now on.
    fn hand_over(&mut self, claim: &Claim, lease: Option<Lease>) {
        if self.presented_by.len() == LISTED_ATTEMPTS {
            self.presented_by.remove(0);
            self.more = self.more.saturating_add(1);
        }
        self.presented_by.push(claim.id);
        (self.id, self.owner, self.lease) = (claim.id, claim.owner, lease);
    }

    /// Whether nobody but the one that holds the claim now may have presented the token.
    fn is_the_only_one(&self) -> bool {
        self.more == 0 && self.presented_by == [self.id] && self.lease.is_some()
    }
}

pub(super) fn give_up(record: &mut Record, session: SessionId, generation: u64, now: &StoreTime) -> Answer {
    if record.session != session || record.generation != generation {
        return Answer::Moved(Some(record.clone()));
    }
    if record.state == State::LoginNeeded {
        return Answer::Done(record.clone());
    }
    match &mut record.attempt {
        Some(attempt) if !attempt.lease.is_some_and(|lease| lease.holds_at(now)) => attempt.lease = None,
        _ => return Answer::Moved(Some(record.clone())),
    }
    if adopt(record, now) {
        return Answer::Adopted(record.clone());
    }
    // The attempt stays: should it turn out never to have been sent, the token is as good as ever.
    record.state = State::LoginNeeded;
    record.next_due = None;
    Answer::Done(record.clone())
}

/// Puts the latest orphan that can still be presented in the place of tokens that are dead.
fn adopt(record: &mut Record, now: &StoreTime) -> bool {
    let condemned = record.tokens.as_ref().map(|tokens| tokens.presents);
    while let Some(orphan) = record.orphans.pop() {
        // One that presents what is dead, or in a doubt that may not be settled, is no help.
        if orphan.tokens.presented_expiry.is_known_past(now.wall) || condemned == Some(orphan.tokens.presents) {
            continue;
        }
        let attempt = AttemptRef { id: orphan.attempt, session: record.session, generation: record.generation };
        save(record, attempt, orphan.tokens);
        return true;
    }
    false
}

pub(super) fn reject(
    record: &mut Record,
    session: SessionId,
    generation: u64,
    access: TokenDigest,
    now: &StoreTime,
) -> Answer {
    let current = record.tokens.as_ref().is_some_and(|tokens| tokens.access == Some(access));
    if record.session != session || record.generation != generation || !current {
        return Answer::Moved(Some(record.clone()));
    }
    if record.rejected != Some(access) {
        record.rejected = Some(access);
        if record.state != State::LoginNeeded {
            record.next_due = Some(record.next_due.map_or(now.wall, |due| due.min(now.wall)));
        }
    }
    Answer::Done(record.clone())
}

pub(super) fn remove(record: &mut Record, session: SessionId, expect: SessionId) -> Answer {
    if record.session == session {
        return Answer::Done(record.clone());
    }
    if record.session != expect {
        return Answer::Moved(Some(record.clone()));
    }
    let history = had(record);
    *record = Record { history, ..Record::tombstone(session, record.generation, record.updated_at) };
    Answer::Done(record.clone())
}

pub(super) fn reseal(record: &mut Record, resealed: &[Resealed]) -> Answer {
    let orphans = record.orphans.iter_mut().map(|orphan| &mut orphan.tokens);
    let digest = |payload: &SecretString| TokenDigest::of(payload.expose_secret());
    let mut held: Vec<_> =
        record.tokens.iter_mut().chain(orphans).map(|tokens| (digest(&tokens.payload), tokens)).collect();
    // A seal is never the same twice: what is found under its digest is what was sealed anew, whatever else moved.
    let is_there = |it: &Resealed| held.iter().any(|(held, _)| *held == it.was || *held == digest(&it.payload));
    if !resealed.iter().all(is_there) {
        return Answer::Moved(Some(record.clone()));
    }
    for (held, tokens) in &mut held {
        if let Some(it) = resealed.iter().find(|it| it.was == *held) {
            (tokens.payload, tokens.sealed_with) = (it.payload.clone(), it.sealed_with.clone());
        }
    }
    Answer::Done(record.clone())
}
