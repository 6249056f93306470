//! What a keeper counts and measures, with the feature `metrics`: through the facade of the [`metrics`] crate, to whatever
//! recorder the program installs. Without the feature nothing is recorded.
//!
//! Every metric has the labels [`PROVIDER`] and [`ENVIRONMENT`], the first two parts of the session's key, and no other
//! ([`REFRESHES`] has [`OUTCOME`] too, [`EVENTS_MISSED`] has none): a million sessions make as many series as there are providers. What is known of each
//! session is told by events and by its record.
//!
//! Every metric is described when a keeper starts, and the counters of a provider and environment are there, at zero, from its
//! first session on: an alert on the rate of one that never moved finds it.
//!
//! [`metrics`]: https://docs.rs/metrics

use std::time::Duration;

use rampauth_core::Outcome;
use rampauth_store::SessionKey;

/// Counter: presentations of a token to the provider, by [`OUTCOME`].
pub const REFRESHES: &str = "rampauth_keeper_refreshes_total";
/// Counter: tokens that came from elsewhere, another process's or an orphan's.
pub const ADOPTED: &str = "rampauth_keeper_adopted_total";
/// Counter: granted tokens that came after newer ones and wait in the store.
pub const ORPHANED: &str = "rampauth_keeper_orphaned_total";
/// Counter: granted tokens that came after a logout or another login.
pub const UNCLAIMED: &str = "rampauth_keeper_unclaimed_total";
/// Counter: sessions that this process found to need a login.
pub const LOGIN_NEEDED: &str = "rampauth_keeper_login_needed_total";
/// Counter: sessions that this process found to be refused again and again, so that a login is probably needed.
pub const FAILING: &str = "rampauth_keeper_failing_total";
/// Counter: refreshes that succeeded after some that failed.
pub const RECOVERED: &str = "rampauth_keeper_recovered_total";
/// Counter: tries to save granted tokens that the store did not take.
pub const SAVE_FAILURES: &str = "rampauth_keeper_save_failures_total";
/// Counter: refreshes that found the claim in another process's hands; each counts once, however long it waits.
pub const CLAIM_WAITS: &str = "rampauth_keeper_claim_waits_total";
/// Counter: claims that were taken over, or too old to send under, when the request should have left.
pub const CLAIMS_LOST: &str = "rampauth_keeper_claims_lost_total";
/// Counter: credentials of which it was told that they die soon.
pub const EXPIRES_SOON: &str = "rampauth_keeper_credentials_expire_soon_total";
/// Counter: differences of more than a minute between this machine's clock and a provider's that were told.
pub const CLOCKS_DIFFER: &str = "rampauth_keeper_clocks_differ_total";
/// Counter, without labels: events that readers lost because they fell behind.
pub const EVENTS_MISSED: &str = "rampauth_keeper_events_missed_total";
/// The upper bounds that are recommended for [`CALLERS`], in callers.
pub const CALLERS_BUCKETS: [f64; 7] = [0.0, 1.0, 2.0, 5.0, 10.0, 100.0, 1_000.0];
/// The upper bounds that are recommended for [`SECONDS_LEFT`], in seconds: dead, a minute, an hour, a day, a week, a month, a year.
pub const SECONDS_LEFT_BUCKETS: [f64; 7] = [0.0, 60.0, 3_600.0, 86_400.0, 604_800.0, 2_592_000.0, 31_536_000.0];
/// Histogram, callers: how many shared one refresh; 0 for one that was made ahead of need and that nobody waited for.
pub const CALLERS: &str = "rampauth_keeper_refresh_callers";
/// Histogram, seconds: how long what the next refresh presents still lives at the end of each refresh, one that failed
/// included; 0 once it is dead. Where nobody knows, nothing is recorded.
pub const SECONDS_LEFT: &str = "rampauth_keeper_refresh_token_seconds_left";

/// Label: the key's first part.
pub const PROVIDER: &str = "provider";
/// Label: the key's second part.
pub const ENVIRONMENT: &str = "environment";
/// Label of [`REFRESHES`]: `granted`, or the outcome of the error: `not_sent`, `refused` or `unknown`.
pub const OUTCOME: &str = "outcome";

/// The outcome of a presentation that brought tokens.
pub(crate) const GRANTED: &str = "granted";

/// The counters of a provider and environment, with what they count.
const COUNTERS: [(&str, &str); 12] = [
    (REFRESHES, "Tokens that were sent to the provider, by outcome"),
    (ADOPTED, "Tokens that came from another process or from a late answer"),
    (ORPHANED, "Granted tokens that came after newer ones and wait in the store"),
    (UNCLAIMED, "Granted tokens that came after a logout or another login"),
    (LOGIN_NEEDED, "Sessions that this process found to need a login"),
    (FAILING, "Sessions that this process found to be refused again and again"),
    (RECOVERED, "Refreshes that succeeded after some that failed"),
    (SAVE_FAILURES, "Tries to save granted tokens that the store did not take"),
    (CLAIM_WAITS, "Refreshes that found the claim in another process's hands"),
    (CLAIMS_LOST, "Claims that were taken over, or too old to send under"),
    (EXPIRES_SOON, "Credentials of which it was told that they die soon"),
    (CLOCKS_DIFFER, "Differences of more than a minute between this machine's clock and the provider's"),
];

/// A keeper starts.
pub(crate) fn describe() {
    for (name, what) in COUNTERS {
        recorder::describe_counter(name, what);
    }
    recorder::describe_counter(EVENTS_MISSED, "Events that readers lost because they fell behind");
    recorder::add(EVENTS_MISSED, 0);
    recorder::describe_histogram(CALLERS, false, "Callers that shared one refresh");
    recorder::describe_histogram(SECONDS_LEFT, true, "How long what the next refresh sends still lives");
}

/// The first session of a provider and environment is opened.
pub(crate) fn begin(key: &SessionKey) {
    for (name, _) in COUNTERS {
        match name {
            REFRESHES => {
                let outcomes = [Outcome::NotSent, Outcome::Refused, Outcome::Unknown].map(Outcome::as_str);
                for outcome in outcomes.into_iter().chain([GRANTED]) {
                    recorder::count(name, key, Some(outcome), 0);
                }
            }
            _ => recorder::count(name, key, None, 0),
        }
    }
}

/// Something happened that the counter of this name counts.
pub(crate) fn happened(key: &SessionKey, counter: &'static str) {
    recorder::count(counter, key, None, 1);
}

/// A presentation came to an end.
pub(crate) fn refreshed(key: &SessionKey, outcome: &'static str) {
    recorder::count(REFRESHES, key, Some(outcome), 1);
}

/// A reader fell behind.
pub(crate) fn events_missed(number: u64) {
    recorder::add(EVENTS_MISSED, number);
}

/// The claim is in another process's hands.
pub(crate) fn claim_waits(key: &SessionKey) {
    recorder::count(CLAIM_WAITS, key, None, 1);
}

/// The claim is not worth anything any more.
pub(crate) fn claim_lost(key: &SessionKey) {
    recorder::count(CLAIMS_LOST, key, None, 1);
}

/// A refresh has landed.
pub(crate) fn landed(key: &SessionKey, callers: u32, left: Option<Duration>) {
    recorder::measure(CALLERS, key, f64::from(callers));
    if let Some(left) = left {
        recorder::measure(SECONDS_LEFT, key, left.as_secs_f64());
    }
}

#[cfg(feature = "metrics")]
mod recorder {
    use metrics::{Label, Unit};

    use super::{ENVIRONMENT, OUTCOME, PROVIDER};
    use rampauth_store::SessionKey;

    pub(super) fn describe_counter(name: &'static str, what: &'static str) {
        metrics::describe_counter!(name, Unit::Count, what);
    }

    pub(super) fn describe_histogram(name: &'static str, seconds: bool, what: &'static str) {
        metrics::describe_histogram!(name, if seconds { Unit::Seconds } else { Unit::Count }, what);
    }

    pub(super) fn count(name: &'static str, key: &SessionKey, outcome: Option<&'static str>, number: u64) {
        let mut labels = labels(key);
        labels.extend(outcome.map(|outcome| Label::from_static_parts(OUTCOME, outcome)));
        metrics::counter!(name, labels).increment(number);
    }

    pub(super) fn add(name: &'static str, number: u64) {
        metrics::counter!(name).increment(number);
    }

    pub(super) fn measure(name: &'static str, key: &SessionKey, value: f64) {
        metrics::histogram!(name, labels(key)).record(value);
    }

    fn labels(key: &SessionKey) -> Vec<Label> {
        let parts = [PROVIDER, ENVIRONMENT].into_iter().zip(key.as_str().split('/'));
        parts.map(|(label, part)| Label::new(label, part.to_owned())).collect()
    }
}

#[cfg(not(feature = "metrics"))]
mod recorder {
    use rampauth_store::SessionKey;

    pub(super) fn describe_counter(_: &'static str, _: &'static str) {}

    pub(super) fn describe_histogram(_: &'static str, _: bool, _: &'static str) {}

    pub(super) fn count(_: &'static str, _: &SessionKey, _: Option<&'static str>, _: u64) {}

    pub(super) fn add(_: &'static str, _: u64) {}

    pub(super) fn measure(_: &'static str, _: &SessionKey, _: f64) {}
}
