//! `rampauth forget`: removes a session from the store, and sets a damaged record aside.

use std::path::Path;

use rampauth_core::{Error, ErrorKind, Outcome};
use rampauth_keeper::{Answer, Operation, Record, SessionId, State, StoreExt as _};
use rampauth_store_sqlite::SqliteStore;
use serde::Serialize;

use crate::config::{Config, Profile, printable};
use crate::{output, signals, stored};

const ACTION: &str = "forget the session";

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Forgotten<'a> {
    key: &'a str,
    /// False where there was none.
    forgotten: bool,
    /// Whether its record was damaged, and is kept beside the others in the store.
    set_aside: bool,
}

/// Neither the provider nor the profile's secrets are needed for it.
pub(crate) async fn run(path: &Path, profile: &str, json: bool) -> Result<(), Error> {
    let config = Config::load(path)?;
    let profile = config.profile(profile)?;
    let forgotten = match stored::find(&config)? {
        Some(store) => {
            signals::hold();
            tracing::debug!(key = %profile.key, "forgetting the session");
            forget(&store, profile).await?
        }
        None => Forgotten { key: profile.key.as_str(), ..Forgotten::default() },
    };
    if json {
        return output::json(&forgotten, Outcome::NotSent);
    }
    let name = printable(&profile.name);
    let said = match forgotten {
        Forgotten { set_aside: true, .. } => format!(
            "set the damaged record of `{name}` aside, into the table `damaged` of the store; log in, then: \
             rampauth import {name} < tokens.json"
        ),
        Forgotten { forgotten: true, .. } => format!("forgot the session of `{name}`; the provider was not told"),
        _ => format!("there is no session of `{name}`"),
    };
    output::line(&said, Outcome::NotSent)
}

async fn forget<'a>(store: &SqliteStore, profile: &'a Profile) -> Result<Forgotten<'a>, Error> {
    let key = &profile.key;
    let unusable = |error| stored::unusable(&error);
    let session = SessionId::from_random(random()?);
    // A record that cannot be read is no reason to lose what can still be read of it.
    let set_aside = store.set_aside(key, session).await.map_err(unusable)?.is_some();
    let record = store.load(key).await.map_err(unusable)?.filter(|record| record.state != State::Tombstone);
    if let Some(Record { session: expect, .. }) = record {
        let answer = store.apply(key, Operation::Remove { session, expect }).await.map_err(unusable)?;
        if !matches!(answer, Answer::Done(_)) {
            return Err(Error::input(ACTION, "a login came in between").with_help("ask again to forget that one"));
        }
        return Ok(Forgotten { key: key.as_str(), forgotten: true, set_aside });
    }
    Ok(Forgotten { key: key.as_str(), forgotten: set_aside, set_aside })
}

#[expect(clippy::disallowed_methods, reason = "an id that no other process uses")]
fn random() -> Result<u128, Error> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits)
        .map_err(|_| Error::new(ErrorKind::Internal, Outcome::NotSent, ACTION, "the system gives no random numbers"))?;
    Ok(u128::from_ne_bytes(bits))
}
