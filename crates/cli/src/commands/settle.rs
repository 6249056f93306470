//! `rampauth settle`: ends a doubt now, by presenting the token once more.

use std::path::Path;

use rampauth_core::{Clock as _, Error, ErrorKind, Expiry, Outcome, SystemClock};
use rampauth_keeper::{Record, State};
use serde::Serialize;

use crate::config::{Config, Profile, printable};
use crate::output;
use crate::stored::{self, Failed, Stored};
use crate::time::in_words;

const ACTION: &str = "settle the doubt";

#[derive(Serialize)]
struct Settled<'a> {
    key: &'a str,
    /// Whether a doubt has ended with new tokens; where not, nothing is in doubt and nothing was sent.
    settled: bool,
}

pub(crate) async fn run(path: &Path, profile: &str, json: bool) -> Result<(), Error> {
    let config = Config::load(path)?;
    let profile = config.profile(profile)?;
    let Some(store) = stored::find(&config)? else { return Err(stored::no_session(profile, None)) };
    let record = match stored::record(&store, profile).await? {
        Some(record) if record.state != State::Tombstone => record,
        record => return Err(stored::no_session(profile, record.as_ref())),
    };
    // What was in doubt is known to be spent, or was given up.
    if record.state == State::LoginNeeded {
        return Err(stored::dead(ACTION, profile));
    }
    let name = printable(&profile.name);
    let (settled, said) = match record.attempt {
        None => (false, format!("`{name}` is not in doubt, and nothing was sent")),
        Some(_) => {
            tracing::debug!(profile = %name, "in doubt");
            let stored = Stored::open(&config, store, profile).await?;
            stored.prepare(profile)?;
            match settle(stored, &record, profile).await? {
                Some(expiry) => {
                    let expires = in_words(expiry, SystemClock.now());
                    (true, format!("settled: `{name}` has new tokens; the access token's expiry: {expires}"))
                }
                None => {
                    let why = "another process's refresh came to nothing, and nothing was sent";
                    (false, format!("`{name}` is not in doubt any more: {why}"))
                }
            }
        }
    };
    if json {
        return output::json(&Settled { key: profile.key.as_str(), settled }, Outcome::Unknown);
    }
    output::line(&said, Outcome::Unknown)
}

/// The expiry of the new access token; `None` where the doubt ended without one, because whoever claimed the token took its
/// presentation back.
async fn settle(stored: Stored, before: &Record, profile: &Profile) -> Result<Option<Expiry>, Error> {
    let result = stored.session.settle().await;
    let end = match stored.finish(result, before, profile).await {
        Ok(end) => end,
        // Where something was rescued, nothing is more urgent.
        Err(Failed { error, rescued: true, .. }) => return Err(error),
        Err(Failed { error, record, .. }) => return Err(what_is_left(error, record.as_ref(), profile)),
    };
    match (&end.newer, &end.record) {
        (Some(tokens), _) => Ok(Some(tokens.access_expiry)),
        (None, Some(Record { state: State::Ready, attempt: None, .. })) => Ok(None),
        (None, record) => Err(what_is_left(end.nothing_newer(ACTION, profile), record.as_ref(), profile)),
    }
}

/// A failure told by what it left behind.
fn what_is_left(error: Error, record: Option<&Record>, profile: &Profile) -> Error {
    let name = printable(&profile.name);
    match record {
        Some(record) if record.state == State::LoginNeeded => {
            let help = format!("have the person log in again, then: rampauth import {name} < tokens.json");
            if error.kind() == ErrorKind::LoginNeeded {
                return error.with_help(help);
            }
            let reason = "the provider refused the token that was in doubt, so it is spent";
            Error::new(ErrorKind::LoginNeeded, error.outcome(), ACTION, reason).with_help(help).with_source(error)
        }
        // What is to be put in order first is said already.
        Some(record) if record.attempt.is_some() && !matches!(error.kind(), ErrorKind::Config | ErrorKind::Input) => {
            error.with_help(format!("`{name}` is still in doubt: run `rampauth settle {name}` again later"))
        }
        _ => error,
    }
}
