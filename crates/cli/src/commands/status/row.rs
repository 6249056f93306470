//! What is told of one session: facts of its record, with times that do not move while nothing happens.

use std::time::SystemTime;

use rampauth_core::Expiry;
use rampauth_keeper::{Record, SessionKey, State, StoreError, StoreErrorKind};
use serde::Serialize;

use crate::config::{Profile, printable};
use crate::time::{rfc3339, told};

/// One session. Times are UTC, without a fraction; null where nothing is known.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    pub(crate) key: String,
    /// Null where no profile of the configuration has this key.
    pub(crate) profile: Option<String>,
    /// `ready`, `refreshing`, `in_doubt`, `login_needed`, `removed` or `unreadable`.
    pub(crate) state: &'static str,
    pub(crate) generation: Option<u64>,
    access_token_expires_at: Option<String>,
    /// Null for a session without a refresh token too.
    refresh_token_expires_at: Option<String>,
    next_refresh_at: Option<String>,
    pub(crate) last_error: Option<LastError>,
    /// The journal: a token that was presented, and has no answer.
    pub(crate) attempt: Option<Attempt>,
    /// Until when one process alone may refresh it; null when the claim is free.
    claimed_until: Option<String>,
    pub(crate) advice: String,
    #[serde(skip)]
    pub(crate) times: Times,
}

/// The same times, to be told in words.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) access: Option<Expiry>,
    pub(crate) refresh: Option<Expiry>,
    pub(crate) next: Option<SystemTime>,
    pub(crate) claim: Option<SystemTime>,
}

/// How the last refresh failed.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct LastError {
    pub(crate) kind: String,
    outcome: String,
    pub(crate) status: Option<u16>,
    pub(crate) code: Option<String>,
    at: Option<String>,
    #[serde(skip)]
    pub(crate) time: SystemTime,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Attempt {
    since: Option<String>,
    pub(crate) presentations: u64,
    #[serde(skip)]
    pub(crate) time: SystemTime,
}

impl Row {
    pub(crate) fn new(key: &SessionKey, profile: Option<&Profile>, record: &Record, now: SystemTime) -> Self {
        let attempt = record.attempt.as_ref();
        // The store's own clock decides about a claim; on one machine the wall clock says the same.
        let claim = attempt.and_then(|attempt| attempt.lease).map(|lease| lease.until).filter(|until| now < *until);
        let state = match record.state {
            State::Tombstone => "removed",
            State::LoginNeeded => "login_needed",
            _ if claim.is_some() => "refreshing",
            _ if attempt.is_some() => "in_doubt",
            _ => "ready",
        };
        let tokens = record.tokens.as_ref();
        let times = Times {
            access: tokens.map(|tokens| tokens.access_expiry),
            // What is presented is the access token there.
            refresh: tokens
                .filter(|tokens| tokens.access != Some(tokens.presents))
                .map(|tokens| tokens.presented_expiry),
            next: record.next_due,
            claim,
        };
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
                time: error.at,
            }),
            attempt: attempt.map(|attempt| Attempt {
                since: rfc3339(attempt.first_sent),
                presentations: attempt.presented_by.len() as u64 + u64::from(attempt.more),
                time: attempt.first_sent,
            }),
            claimed_until: claim.and_then(rfc3339),
            advice: advice(state, key, profile, record, &times, now),
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
            attempt: None,
            claimed_until: None,
            advice: match (error.kind(), profile) {
                (StoreErrorKind::Damaged, Some(profile)) => {
                    let name = printable(&profile.name);
                    format!("{error}: `rampauth forget {name}`, have the person log in, then `rampauth import {name}`")
                }
                _ => error.to_string(),
            },
            times: Times::default(),
        }
    }
}

/// One sentence for whoever is on call.
fn advice(
    state: &str,
    key: &SessionKey,
    profile: Option<&Profile>,
    record: &Record,
    times: &Times,
    now: SystemTime,
) -> String {
    let Some(profile) = profile else {
        return "no profile of this configuration has this session: find the configuration that has".to_owned();
    };
    let name = printable(&profile.name);
    match state {
        "refreshing" => "nothing: a refresh is under way".to_owned(),
        "in_doubt" if key.as_str().starts_with("payby/") => format!(
            "its provider publishes nothing on presenting a token again, so that is yours to decide: `rampauth settle {name}`, \
             or log in and `rampauth import {name}`"
        ),
        "in_doubt" => format!(
            "settled by itself while `rampauth keep` runs, within a minute of the first sending or before its access token \
             expires; now: `rampauth settle {name}`"
        ),
        "login_needed" => format!("have the person log in, then `rampauth import {name}`"),
        "removed" => format!("nothing; `rampauth import {name}` begins anew"),
        _ if times.refresh.is_some_and(|expiry| expiry.is_known_past(now)) => {
            format!("its refresh token has expired: have the person log in, then `rampauth import {name}`")
        }
        _ if record.last_error.as_ref().is_some_and(|error| error.outcome == "refused" && error.kind != "rate_limited") => {
            "the provider refused the last refresh, for a reason other than the token: look at the code and at the profile; it \
             is tried again"
                .to_owned()
        }
        _ if times.access.is_some_and(|expiry| expiry.is_known_past(now)) => {
            format!("its access token has expired: `rampauth keep` refreshes it, or the next `rampauth token {name}`")
        }
        _ => "nothing".to_owned(),
    }
}
