//! What is told of one session: facts of its record, with times that do not move while nothing happens.

use std::time::SystemTime;

use rampauth_core::{ClockDifference, Expiry};
use rampauth_keeper::{Record, SessionKey, State, StoreError, StoreErrorKind, policy};
use serde::Serialize;

use crate::config::{Config, Profile, printable};
use crate::stored;
use crate::time::{rfc3339, told};

use super::advice;

/// One session. Times are UTC, without a fraction; null where nothing is known.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    pub(crate) key: String,
    /// Null where no profile of the configuration has this key.
    pub(crate) profile: Option<String>,
    /// `ready`, `refreshing`, `failing`, `in_doubt`, `login_needed`, `removed` or `unreadable`.
    pub(crate) state: &'static str,
    pub(crate) generation: Option<u64>,
    access_token_expires_at: Option<String>,
    /// Null for a session without a refresh token too.
    refresh_token_expires_at: Option<String>,
    next_refresh_at: Option<String>,
    pub(crate) last_error: Option<LastError>,
    /// How often in a row the provider has refused the stored token.
    pub(crate) refusals: Option<u32>,
    /// How far this machine's clock was off the provider's; null where that was a minute or less, or no answer told.
    pub(crate) clock_difference: Option<Clock>,
    /// The journal: a token that was presented, and has no answer.
    pub(crate) attempt: Option<Attempt>,
    /// Which process may refresh it alone, by the id that it drew when it started; null when the claim is free.
    pub(crate) claimed_by: Option<String>,
    /// Until when.
    claimed_until: Option<String>,
    pub(crate) advice: String,
    /// Whether it has an access token that can be handed out.
    #[serde(skip)]
    pub(crate) has_usable_token: bool,
    #[serde(skip)]
    pub(crate) times: Times,
}

/// The same times, to be told in words.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) access: Option<Expiry>,
    pub(crate) refresh: Option<Expiry>,
    /// Of the token that a refresh presents, whichever that is.
    pub(crate) presented: Option<Expiry>,
    pub(crate) next: Option<SystemTime>,
    pub(crate) claim: Option<SystemTime>,
}

impl Times {
    fn of(record: &Record, now: SystemTime) -> Self {
        let tokens = record.tokens.as_ref();
        let lease = record.attempt.as_ref().and_then(|attempt| attempt.lease);
        Self {
            access: tokens.map(|tokens| tokens.access_expiry),
            // What is presented is the access token there.
            refresh: tokens.filter(|tokens| !stored::renews_itself(tokens)).map(|tokens| tokens.presented_expiry),
            presented: tokens.map(|tokens| tokens.presented_expiry),
            next: record.next_due,
            // The store's own clock decides about a claim; on one machine the wall clock says the same.
            claim: lease.map(|lease| lease.until).filter(|until| now < *until),
        }
    }
}

/// How the last refresh failed.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LastError {
    pub(crate) kind: String,
    outcome: String,
    pub(crate) status: Option<u16>,
    pub(crate) code: Option<String>,
    at: Option<String>,
    /// Until when the provider asked to be left alone.
    paused_until: Option<String>,
    #[serde(skip)]
    pub(crate) time: SystemTime,
    #[serde(skip)]
    pub(crate) pause: Option<SystemTime>,
}

/// How far this machine's clock was off the provider's.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Clock {
    seconds: u64,
    /// `ahead` or `behind`: this machine's clock.
    direction: &'static str,
    seen_at: Option<String>,
    #[serde(skip)]
    pub(crate) difference: ClockDifference,
    #[serde(skip)]
    pub(crate) time: SystemTime,
}

impl Clock {
    fn of(record: &Record) -> Option<Self> {
        let (difference, time) = record.clock_difference().filter(|(difference, _)| difference.is_notable())?;
        let direction = if difference.is_ahead() { "ahead" } else { "behind" };
        Some(Self { seconds: difference.by().as_secs(), direction, seen_at: rfc3339(time), difference, time })
    }
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Attempt {
    since: Option<String>,
    pub(crate) presentations: u64,
    #[serde(skip)]
    pub(crate) time: SystemTime,
}

impl Row {
    pub(crate) fn new(
        key: &SessionKey,
        config: &Config,
        profile: Option<&Profile>,
        record: &Record,
        now: SystemTime,
    ) -> Self {
        let (attempt, times) = (record.attempt.as_ref(), Times::of(record, now));
        let state = match record.state {
            State::Tombstone => "removed",
            State::LoginNeeded => "login_needed",
            _ if times.claim.is_some() => "refreshing",
            _ if policy::is_failing(record, policy::FAILING_AFTER, now) => "failing",
            _ if attempt.is_some() => "in_doubt",
            _ => "ready",
        };
        let claim = attempt.zip(times.claim);
        Self {
            key: key.to_string(),
            profile: profile.map(|profile| profile.name.clone()),
            state,
            generation: Some(record.generation),
            access_token_expires_at: times.access.and_then(told),
            refresh_token_expires_at: times.refresh.and_then(told),
            next_refresh_at: times.next.and_then(rfc3339),
            last_error: record.last_error.as_ref().map(|error| LastError {
                kind: error.kind.clone(),
                outcome: error.outcome.clone(),
                status: error.status,
                code: error.code.clone(),
                at: rfc3339(error.at),
                paused_until: error.paused_until.and_then(rfc3339),
                time: error.at,
                pause: error.paused_until,
            }),
            refusals: Some(record.refusals),
            clock_difference: Clock::of(record),
            // Where a login is needed, what is not listed alone stands for what the verdict was about.
            attempt: attempt.filter(|it| state != "login_needed" || !it.presented_by.is_empty()).map(|attempt| {
                Attempt {
                    since: rfc3339(attempt.first_sent),
                    presentations: attempt.presented_by.len() as u64 + u64::from(attempt.more),
                    time: attempt.first_sent,
                }
            }),
            claimed_by: claim.map(|(attempt, _)| stored::owner(attempt.owner)),
            claimed_until: claim.and_then(|(_, until)| rfc3339(until)),
            advice: advice::of(state, config, profile, record, now),
            has_usable_token: record.tokens.as_ref().is_some_and(|tokens| {
                let lives = tokens.access_expiry.time().is_none_or(|expiry| now < expiry);
                lives && tokens.access.is_some() && record.rejected != tokens.access
            }),
            times,
        }
    }

    pub(crate) fn unreadable(key: &SessionKey, profile: Option<&Profile>, error: &StoreError) -> Self {
        Self {
            key: key.to_string(),
            profile: profile.map(|profile| profile.name.clone()),
            state: "unreadable",
            generation: None,
            access_token_expires_at: None,
            refresh_token_expires_at: None,
            next_refresh_at: None,
            last_error: None,
            refusals: None,
            clock_difference: None,
            attempt: None,
            claimed_by: None,
            claimed_until: None,
            advice: match (error.kind(), profile) {
                (StoreErrorKind::Damaged, Some(profile)) => {
                    let name = printable(&profile.name);
                    format!("{error}: `rampauth forget {name}`, have the person log in, then `rampauth import {name}`")
                }
                _ => error.to_string(),
            },
            has_usable_token: false,
            times: Times::default(),
        }
    }
}
