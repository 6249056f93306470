//! `rampauth reseal`: seals every session of the store anew with the present key.

use std::path::Path;

use rampauth_core::{Error, Outcome};
use rampauth_keeper::{ResealReport, SealingKeys, SessionKey};
use rampauth_store_sqlite::SqliteStore;
use serde::Serialize;

use crate::config::Config;
use crate::{output, stored};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Resealed<'a> {
    /// The id of the key that all of them are sealed with now.
    sealing_key: &'a str,
    resealed: Vec<&'a str>,
    /// Those that were so already.
    current: Vec<&'a str>,
}

/// Neither the provider nor the profiles' secrets are needed for it, and sessions of other configurations are sealed as well.
pub(crate) async fn run(path: &Path, json: bool) -> Result<(), Error> {
    let config = Config::load(path)?;
    let keys = config.sealing_keys()?;
    let report = match stored::find(&config)? {
        Some(store) => reseal(&store, &keys).await?,
        None => ResealReport::default(),
    };
    let ResealReport { resealed, current, failed, .. } = report;
    if let Some(error) = left_over(&config, failed, resealed.len() + current.len()) {
        return Err(error);
    }
    let id = keys.sealing().id();
    if json {
        let document = Resealed { sealing_key: id, resealed: names(&resealed), current: names(&current) };
        return output::json(&document, Outcome::NotSent);
    }
    let said = format!("sealed anew with key {id}: {}; sealed with it already: {}", resealed.len(), current.len());
    output::line(&said, Outcome::NotSent)
}

async fn reseal(store: &SqliteStore, keys: &SealingKeys) -> Result<ResealReport, Error> {
    let report = rampauth_keeper::reseal(store, keys).await;
    let report = report.map_err(stored::said_by_the_store)?;
    // What was sealed with an older key, or not at all, is not to be found in the log either.
    if !store.empty_log().await.map_err(|error| stored::unusable(&error))? {
        tracing::warn!(
            "another process reads the store: its log may hold older bytes until `rampauth reseal` is run again"
        );
    }
    Ok(report)
}

fn names(keys: &[SessionKey]) -> Vec<&str> {
    keys.iter().map(SessionKey::as_str).collect()
}

/// Names each session that was left as it was, a line of the log each, and says how many there are.
fn left_over(config: &Config, failed: Vec<(SessionKey, Error)>, done: usize) -> Option<Error> {
    let left = failed.len();
    let mut first = None;
    for (key, error) in failed {
        let profile = config.profiles().find(|profile| profile.key == key);
        let name = profile.map_or("PROFILE", |profile| &profile.name);
        let error = stored::in_words_of_the_command(stored::said_by_the_store(error), name);
        let (text, help) = (error.to_string(), error.help());
        tracing::error!(%key, error = text, help, "left as it was");
        first.get_or_insert(error);
    }
    let first = first?;
    let sessions = if left == 1 { "1 session was" } else { &format!("{left} sessions were") };
    let reason = format!("{sessions} left unchanged, named above; {done} are sealed with the present key");
    Some(Error::new(first.kind(), Outcome::NotSent, "seal the tokens anew", reason).with_help(first.help().to_owned()))
}
