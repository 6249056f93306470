//! `rampauth refresh`: one call now, tokens in, tokens out.

use std::path::Path;

use rampauth_core::{Error, Outcome};

use crate::config::Config;
use crate::tokens::{self, Tokens};
use crate::{input, output, rescue};

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
    let given = given.ok_or_else(|| {
        Error::input("refresh the tokens", "there is no stored session yet, so the tokens must be given")
            .with_help(format!("give them on standard input: rampauth refresh {} < tokens.json", profile.name))
    })?;
    let client = profile.client()?;
    let presents = client.policy().presents;
    let before = tokens::read(&given, presents)?;
    // Standard output stays empty on failure, and no token may be lost for it.
    let rescue = |error, set: &_| rescue::keep(error, path, &profile.name, set);
    let after = client.refresh(&before).await.map_err(|error| match error.salvage().cloned() {
        Some(set) => rescue(error, &set),
        None => error,
    })?;
    let rotated = tokens::rotated(presents, &before, &after);
    tracing::debug!(profile = %profile.name, rotated, "refreshed");
    output::json(&Tokens::refreshed(&after, rotated), Outcome::Unknown).map_err(|error| rescue(error, &after))
}
