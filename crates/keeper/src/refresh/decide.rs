//! What a refresh does next with a record, by this session's policy, options and clock.

use std::time::{Duration, SystemTime};

use rampauth_core::{Error, ErrorKind, Outcome, WhenUnknown};
use rampauth_store::Record;

use crate::generic::permits::Urgency;
use crate::plan::next_step::{self, Need, Plan};
use crate::plan::pause::last_use;
use crate::refresh::error::ACTION;
use crate::state::session::SessionState;

impl SessionState {
    /// The plan for a record, whose times are read as they were when this process saw it first.
    pub(crate) fn next_step(&self, record: &Record, need: Need) -> Plan {
        let ahead = self.ahead();
        let read = |time: SystemTime| time.checked_sub(ahead).unwrap_or(SystemTime::UNIX_EPOCH);
        let need = if let Need::UsableAt(time) = need { Need::UsableAt(read(time)) } else { need };
        let (policy, lease) = (self.provider.policy(), self.context.options.lease);
        match next_step::plan(record, need, policy, lease, read(self.context.clock.now())) {
            Plan::Wait(time) => Plan::Wait(time.checked_add(ahead).unwrap_or(time)),
            plan => plan,
        }
    }

    /// Why nothing is sent for a caller, where the session is failing and its pause is not over.
    pub(crate) fn held_back(&self, record: &Record, need: Need) -> Option<Error> {
        let (policy, after, now) = (self.provider.policy(), self.context.options.failing_after, self.read_now());
        let until = next_step::held_back(record, need, policy, after, now)?;
        let refusals = record.refusals;
        let reason = format!(
            "the provider has refused the token {refusals} times in a row, so that it is probably dead, and nothing was sent"
        );
        let error = Error::new(ErrorKind::Refused, Outcome::NotSent, ACTION, reason).with_help(LOG_IN);
        let difference = record.clock_difference().map(|(difference, _)| difference);
        Some(error.with_retry_after(until.duration_since(now).ok()).with_clock_difference(difference))
    }

    /// How urgent an attempt with this record's credential is.
    pub(crate) fn urgency(&self, record: &Record, need: Need) -> Urgency {
        const NEVER: Duration = Duration::from_secs(400 * 365 * 24 * 60 * 60);
        let options = self.context.options;
        let last_use = record.tokens.as_ref().and_then(|tokens| last_use(tokens, self.provider.policy()));
        let access = record.tokens.as_ref().and_then(|tokens| tokens.access_expiry.time());
        let now = self.read_now();
        let resolved_until = match (&record.attempt, self.provider.policy().when_unknown) {
            (Some(attempt), WhenUnknown::Promptly { within }) => attempt.first_sent.checked_add(within),
            _ => None,
        };
        let ends = last_use.into_iter().chain(resolved_until).min();
        if ends.is_some_and(|end| end.duration_since(now).unwrap_or_default() <= options.lease) {
            return Urgency::Dying;
        }
        let death = last_use.into_iter().chain(access).min();
        match need {
            Need::Ahead => Urgency::Scheduled(death.unwrap_or(SystemTime::UNIX_EPOCH + NEVER)),
            Need::UsableAt(_) => Urgency::Caller,
            Need::ByHand | Need::Certainty => Urgency::Manual,
        }
    }
}

/// What to do about a session that is failing.
pub(crate) const LOG_IN: &str =
    "have the person log in again and store the new tokens; a refresh by hand sends the stored one at once";
