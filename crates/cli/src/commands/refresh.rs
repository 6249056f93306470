//! `rampauth refresh`: one call now; tokens in, tokens out, or with the stored session.

use std::path::Path;

use rampauth_core::{Error, Outcome};

use crate::config::{Config, Profile};
use crate::rescue::{self, Places};
use crate::stored::{Stored, is_rotated};
use crate::tokens::{self, Tokens};
use crate::{input, output, signals};

/// Where the tokens are taken from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// Standard input if anything is there, else the stored session.
    Either,
    Stdin,
    Stored,
}

impl Source {
    pub(crate) fn new(stdin: bool, stored: bool) -> Self {
        match (stdin, stored) {
            (true, _) => Self::Stdin,
            (_, true) => Self::Stored,
            _ => Self::Either,
        }
    }
}

pub(crate) async fn run(path: &Path, profile: &str, source: Source) -> Result<(), Error> {
    let config = Config::load(path)?;
    let profile = config.profile(profile)?;
    let given = match source {
        Source::Either => input::offered()?,
        Source::Stdin => Some(input::demanded()?.ok_or_else(|| {
            Error::input("read standard input", "it is empty").with_help("give the tokens on standard input as JSON")
        })?),
        Source::Stored => None,
    };
    let Some(given) = given else { return stored(&config, profile).await };
    let client = profile.client()?;
    let presents = client.policy().presents;
    let before = tokens::read(&given, presents)?;
    let places = Places::of(&config);
    // Standard output stays empty on failure, and no token may be lost for it.
    let rescue = |error, set: &_| rescue::keep(error, &places, &profile.name, set);
    signals::hold();
    let after = client.refresh(&before).await.map_err(|error| match error.salvage().cloned() {
        Some(set) => rescue(error, &set),
        None => rescue::keep_signed_answer(error, &places, &profile.name),
    })?;
    let rotated = tokens::rotated(presents, &before, &after);
    tracing::debug!(profile = %profile.name, rotated, "refreshed");
    output::deliver_json(&Tokens::refreshed(&after, rotated), Outcome::Unknown).map_err(|error| rescue(error, &after))
}

/// The session in the store; its new tokens are there before they are printed.
async fn stored(config: &Config, profile: &Profile) -> Result<(), Error> {
    let (stored, record) = Stored::expect(config, profile).await?;
    stored.prepare(profile)?;
    let before = stored.session.tokens().unwrap_or_default();
    let stored = stored.printing(before.clone());
    let refreshed = stored.session.refresh().await;
    let end = stored.finish(refreshed, &record, config, profile).await?;
    let Some(after) = &end.newer else { return Err(end.nothing_newer("refresh the tokens", profile)) };
    let rotated = is_rotated(&before, after);
    tracing::debug!(profile = %profile.name, rotated, "refreshed");
    output::deliver_json(&Tokens::refreshed(after, rotated), Outcome::Unknown)
        .map_err(|error| error.with_help("the new tokens are in the store: see where standard output goes"))
}
