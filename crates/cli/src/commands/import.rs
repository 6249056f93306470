//! `rampauth import`: the tokens of a login into the store.

use std::path::Path;

use rampauth_core::{Error, Outcome};
use serde::Serialize;

use crate::config::Config;
use crate::stored::{self, Stored};
use crate::{input, output, signals, tokens};

#[derive(Serialize)]
struct Imported<'a> {
    key: &'a str,
    generation: u64,
}

pub(crate) async fn run(path: &Path, profile: &str, json: bool) -> Result<(), Error> {
    let config = Config::load(path)?;
    let profile = config.profile(profile)?;
    // Everything is looked at before the tokens are, which nobody likes to paste twice.
    let fresh = config.sqlite()?.try_exists().is_ok_and(|exists| !exists);
    config.sealing()?;
    profile.check()?;
    let given = input::offered()?.ok_or_else(|| {
        Error::input("read standard input", "there are no tokens on it")
            .with_help("give the tokens on standard input as JSON")
    })?;
    let tokens = tokens::read(&given, profile.policy().presents)?;
    signals::hold();
    let stored = Stored::open(&config, stored::create(&config)?, profile).await?;
    stored.session.put(tokens).await.map_err(stored::said_by_the_store)?;
    if fresh {
        stored::warn_unsealed(&config)?;
    }
    let record = stored::record(&stored.store, profile).await?;
    let generation = record.map_or(0, |record| record.generation);
    tracing::debug!(key = %profile.key, generation, "imported");
    if json {
        return output::json(&Imported { key: profile.key.as_str(), generation }, Outcome::NotSent);
    }
    Ok(())
}
