//! `rampauth settle`: ends a doubt now, by presenting the token once more.

use std::path::Path;

use rampauth_core::{Clock as _, Error, ErrorKind, Outcome, SystemClock};
use rampauth_keeper::{Record, State};
use serde::Serialize;

use crate::config::{Config, Profile, printable};
use crate::output;
use crate::stored::{self, Stored};
use crate::time::in_words;

#[derive(Serialize)]
struct Settled<'a> {
    key: &'a str,
    /// False where nothing was in doubt, and nothing was sent.
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
    let settled = record.attempt.is_some();
    let mut expiry = None;
    if settled {
        let stored = Stored::open(&config, store.clone(), profile).await?;
        let result = stored.session.settle().await;
        expiry = stored.session.tokens().map(|tokens| tokens.access_expiry);
        if let Err(error) = stored.finish(result, path, profile).await {
            return Err(what_is_left(error, stored::record(&store, profile).await?.as_ref(), profile));
        }
    }
    if json {
        return output::json(&Settled { key: profile.key.as_str(), settled }, Outcome::Unknown);
    }
    let name = printable(&profile.name);
    let said = match expiry {
        Some(expiry) => {
            let expires = in_words(expiry, SystemClock.now());
            format!("settled: `{name}` has new tokens; the access token's expiry: {expires}")
        }
        None if record.state == State::LoginNeeded => {
            format!("`{name}` is not in doubt, and nothing was sent: its token is dead, and a login is needed")
        }
        None => format!("`{name}` is not in doubt, and nothing was sent"),
    };
    output::line(&said, Outcome::Unknown)
}

/// A failure told by what it left behind.
fn what_is_left(error: Error, record: Option<&Record>, profile: &Profile) -> Error {
    let name = printable(&profile.name);
    match record {
        Some(record) if record.state == State::LoginNeeded && error.kind() != ErrorKind::LoginNeeded => {
            let reason = "the provider refused the token that was in doubt, so it is spent";
            Error::new(ErrorKind::LoginNeeded, error.outcome(), "settle the doubt", reason)
                .with_help(format!("have the person log in again, then: rampauth import {name} < tokens.json"))
                .with_source(error)
        }
        Some(record) if record.attempt.is_some() => {
            error.with_help(format!("`{name}` is still in doubt: run `rampauth settle {name}` again later"))
        }
        _ => error,
    }
}
