//! `rampauth forget`: removes a session from the store.

use std::path::Path;

use rampauth_core::{Error, ErrorKind, Outcome};
use rampauth_keeper::{Answer, Operation, SessionId, State, Store as _};
use serde::Serialize;

use crate::config::{Config, printable};
use crate::{output, stored};

const ACTION: &str = "forget the session";

#[derive(Serialize)]
struct Forgotten<'a> {
    key: &'a str,
    /// False where there was none.
    forgotten: bool,
}

/// Neither the provider nor the profile's secrets are needed for it.
pub(crate) async fn run(path: &Path, profile: &str, json: bool) -> Result<(), Error> {
    let config = Config::load(path)?;
    let profile = config.profile(profile)?;
    let mut forgotten = false;
    if let Some(store) = stored::find(&config)? {
        let record = stored::record(&store, profile).await?;
        if let Some(record) = record.filter(|record| record.state != State::Tombstone) {
            let operation = Operation::Remove { session: SessionId::from_random(random()?), expect: record.session };
            let answer = store.apply(&profile.key, operation).await.map_err(|error| stored::unusable(&error))?;
            if !matches!(answer, Answer::Done(_)) {
                return Err(Error::input(ACTION, "a login came in between").with_help("ask again to forget that one"));
            }
            forgotten = true;
        }
    }
    if json {
        return output::json(&Forgotten { key: profile.key.as_str(), forgotten }, Outcome::NotSent);
    }
    let name = printable(&profile.name);
    let said = match forgotten {
        true => format!("forgot the session of `{name}`; the provider was not told"),
        false => format!("there is no session of `{name}`"),
    };
    output::line(&said, Outcome::NotSent)
}

fn random() -> Result<u128, Error> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits)
        .map_err(|_| Error::new(ErrorKind::Internal, Outcome::NotSent, ACTION, "the system gives no random numbers"))?;
    Ok(u128::from_ne_bytes(bits))
}
