//! What two records or answers differ in, field by field, without showing a token.

use std::fmt::Debug;
use std::time::{Duration, SystemTime};

use super::kind::Kind;
use super::names::STORE_NOW;
use crate::protocol::Answer;
use crate::record::{Attempt, LastError, Lease, Orphan, Record, StoreTime, StoredTokens};

/// How far the store's clock may be from this machine's.
const SKEW: Duration = Duration::from_secs(60);
/// Expected times before this one count from the store's now.
const RELATIVE: Duration = Duration::from_secs(366 * 86_400);

/// How times are compared.
#[derive(Clone, Copy)]
pub(super) enum Times {
    /// To the nanosecond: both are the store's.
    Exact,
    /// Those that the store's own clock sets are expected around this time; all others to the nanosecond.
    StoreNow(SystemTime),
}

/// What `actual` differs in from `expected`; empty when in nothing.
pub(super) fn records(expected: Option<&Record>, actual: Option<&Record>, times: Times) -> Vec<String> {
    let mut found = Found { times, path: String::new(), differences: Vec::new() };
    found.option("record", expected, actual, Found::record);
    found.differences
}

/// What an answer differs in from one of this kind that holds this record.
pub(super) fn answers(kind: Kind, record: Option<&Record>, actual: &Answer, times: Times) -> Vec<String> {
    if Kind::of(actual) != kind {
        return vec![format!("answered {:?} instead of {kind:?}", Kind::of(actual))];
    }
    match actual {
        Answer::Busy { until } => {
            let mut found = Found { times, path: String::new(), differences: Vec::new() };
            let lease = record.and_then(|record| record.attempt.as_ref()?.lease);
            let Some(lease) = lease else { return vec!["answered Busy where there is no claim".to_owned()] };
            found.time("the answer's until", lease.until, *until);
            found.differences
        }
        Answer::Stale | Answer::Gone => Vec::new(),
        Answer::Moved(answered) => in_the_answer(records(record, answered.as_ref(), times)),
        Answer::Saved(answered)
        | Answer::Begun(answered)
        | Answer::Doubtful(answered)
        | Answer::Superseded(answered)
        | Answer::Adopted(answered)
        | Answer::Done(answered) => in_the_answer(records(record, Some(answered), times)),
    }
}

/// What is wrong with a store's time, which was read just now.
pub(super) fn clock(time: StoreTime, now: SystemTime) -> Vec<String> {
    let apart = now.duration_since(time.wall).unwrap_or_else(|ahead| ahead.duration());
    let wrong = apart > SKEW;
    wrong.then(|| format!("the store's time is {:?}, {apart:?} from this machine's", time.wall)).into_iter().collect()
}

fn in_the_answer(differences: Vec<String>) -> Vec<String> {
    differences.into_iter().map(|difference| format!("in the answer: {difference}")).collect()
}

struct Found {
    times: Times,
    path: String,
    differences: Vec<String>,
}

impl Found {
    fn record(&mut self, expected: &Record, actual: &Record) {
        // Taken apart in full, so that a new field cannot be forgotten here.
        let Record {
            session,
            generation,
            base,
            tokens,
            state,
            attempt,
            orphans,
            last_commit,
            rejected,
            next_due,
            last_error,
            refusals,
            history,
            updated_at,
        } = expected;
        self.field("session", session, &actual.session);
        self.field("generation", generation, &actual.generation);
        self.field("base", base, &actual.base);
        self.field("state", state, &actual.state);
        self.option("tokens", tokens.as_ref(), actual.tokens.as_ref(), Self::tokens);
        self.option("attempt", attempt.as_ref(), actual.attempt.as_ref(), Self::attempt);
        self.field("orphans.len()", &orphans.len(), &actual.orphans.len());
        for (number, (expected, actual)) in orphans.iter().zip(&actual.orphans).enumerate() {
            self.option(&format!("orphans[{number}]"), Some(expected), Some(actual), Self::orphan);
        }
        self.field("last_commit", last_commit, &actual.last_commit);
        self.field("rejected", rejected, &actual.rejected);
        self.optional_time("next_due", *next_due, actual.next_due);
        self.option("last_error", last_error.as_ref(), actual.last_error.as_ref(), Self::error);
        self.field("refusals", refusals, &actual.refusals);
        self.field("history", history, &actual.history);
        self.time("updated_at", *updated_at, actual.updated_at);
    }

    fn tokens(&mut self, expected: &StoredTokens, actual: &StoredTokens) {
        let StoredTokens {
            payload,
            sealed_with,
            presents,
            access,
            access_expiry,
            presented_expiry,
            granted_at,
            next_due,
            presented_since,
            clock_difference,
        } = expected;
        let (payload, stored) = (payload.expose_secret(), actual.payload.expose_secret());
        if payload != stored {
            let what = format!("another text of {} bytes instead of the one of {}", stored.len(), payload.len());
            self.note("payload", &what);
        }
        self.field("sealed_with", sealed_with, &actual.sealed_with);
        self.field("presents", presents, &actual.presents);
        self.field("access", access, &actual.access);
        self.field("access_expiry", access_expiry, &actual.access_expiry);
        self.field("presented_expiry", presented_expiry, &actual.presented_expiry);
        self.field("granted_at", granted_at, &actual.granted_at);
        self.field("next_due", next_due, &actual.next_due);
        self.field("presented_since", presented_since, &actual.presented_since);
        self.field("clock_difference", clock_difference, &actual.clock_difference);
    }

    fn attempt(&mut self, expected: &Attempt, actual: &Attempt) {
        let Attempt { id, owner, presents, presented_by, more, first_sent, lease } = expected;
        self.field("id", id, &actual.id);
        self.field("owner", owner, &actual.owner);
        self.field("presents", presents, &actual.presents);
        self.field("presented_by", presented_by, &actual.presented_by);
        self.field("more", more, &actual.more);
        self.time("first_sent", *first_sent, actual.first_sent);
        self.option("lease", lease.as_ref(), actual.lease.as_ref(), Self::lease);
    }

    fn lease(&mut self, expected: &Lease, actual: &Lease) {
        self.time("until", expected.until, actual.until);
        // Whether a store has a boot-time clock is its own affair; a lease once written stays what it is.
        if matches!(self.times, Times::Exact) {
            self.field("boot", &expected.boot, &actual.boot);
        }
    }

    fn orphan(&mut self, expected: &Orphan, actual: &Orphan) {
        let Orphan { attempt, presented, tokens } = expected;
        self.field("attempt", attempt, &actual.attempt);
        self.field("presented", presented, &actual.presented);
        self.option("tokens", Some(tokens), Some(&actual.tokens), Self::tokens);
    }

    fn error(&mut self, expected: &LastError, actual: &LastError) {
        if expected != actual {
            self.note("", &format!("{actual:?} instead of {expected:?}"));
        }
    }

    fn field<T: PartialEq + Debug>(&mut self, name: &str, expected: &T, actual: &T) {
        if expected != actual {
            self.note(name, &format!("{actual:?} instead of {expected:?}"));
        }
    }

    fn optional_time(&mut self, name: &str, expected: Option<SystemTime>, actual: Option<SystemTime>) {
        match (expected, actual) {
            (Some(expected), Some(actual)) => self.time(name, expected, actual),
            _ => self.field(name, &expected, &actual),
        }
    }

    fn time(&mut self, name: &str, expected: SystemTime, actual: SystemTime) {
        let relative = expected.duration_since(STORE_NOW).ok().filter(|from_now| *from_now < RELATIVE);
        match (self.times, relative) {
            (Times::StoreNow(now), Some(from_now)) => {
                let around = now + from_now;
                let apart = around.duration_since(actual).unwrap_or_else(|ahead| ahead.duration());
                if apart > SKEW {
                    let what = format!("{actual:?} instead of the store's now plus {from_now:?}, {apart:?} apart");
                    self.note(name, &what);
                }
            }
            _ => self.field(name, &expected, &actual),
        }
    }

    fn option<T>(
        &mut self,
        name: &str,
        expected: Option<&T>,
        actual: Option<&T>,
        compare: impl FnOnce(&mut Self, &T, &T),
    ) {
        match (expected, actual) {
            (Some(expected), Some(actual)) => {
                let outer = self.path.len();
                self.path.push_str(name);
                self.path.push('.');
                compare(self, expected, actual);
                self.path.truncate(outer);
            }
            (None, None) => {}
            (Some(_), None) => self.note(name, "none, where one is expected"),
            (None, Some(_)) => self.note(name, "one, where none is expected"),
        }
    }

    fn note(&mut self, name: &str, what: &str) {
        self.differences.push(format!("{}{name}: {what}", self.path));
    }
}
