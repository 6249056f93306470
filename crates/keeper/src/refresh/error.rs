//! What callers are told of a refresh that sent nothing.

use std::time::{Duration, SystemTime};

use rampauth_core::{Error, ErrorKind, Outcome};
use rampauth_store::{Record, State};

use crate::plan::next_step;

pub(crate) const ACTION: &str = "refresh the tokens";

/// What a caller is told while the provider is left alone for so long.
pub(crate) fn left_alone(left: Duration) -> Error {
    let reason = "the provider asked to be left alone for a while, so nothing was sent";
    Error::new(ErrorKind::RateLimited, Outcome::NotSent, ACTION, reason).with_retry_after(Some(left))
}

/// Not processed: it is for the next call, once the claim is over.
pub(crate) fn claimed(until: SystemTime, left: Duration) -> Error {
    let until = jiff::Timestamp::try_from(until).and_then(|until| until.round(jiff::Unit::Second));
    let until = until.map_or_else(|_| "a time far away".to_owned(), |until| until.to_string());
    let reason = format!("another process holds the session's claim until {until}");
    Error::new(ErrorKind::RateLimited, Outcome::NotSent, ACTION, reason)
        .with_retry_after(Some(left))
        .with_help("try again then: the other process has new tokens by then, or its claim has lapsed")
}

/// That a login is needed, and why.
pub(crate) fn login_needed(record: &Record, now: SystemTime) -> Error {
    let reason = match record.state {
        State::Tombstone => "the session was removed",
        _ if next_step::has_expired(record, now) => "the session's token has expired",
        _ => "the session's token is dead",
    };
    let difference = record.clock_difference().map(|(difference, _)| difference);
    Error::new(ErrorKind::LoginNeeded, Outcome::NotSent, ACTION, reason).with_clock_difference(difference)
}

pub(crate) fn shutting_down() -> Error {
    let reason = "the keeper is shutting down";
    Error::new(ErrorKind::Internal, Outcome::NotSent, ACTION, reason)
}
