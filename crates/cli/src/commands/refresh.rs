//! `rampauth refresh`: one call now; tokens in, tokens out, or with the stored session.

use std::path::{Path, PathBuf};

use rampauth_core::{Clock as _, Error, Outcome, Refresh, SystemClock, TokenSet};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::config::{Config, Profile};
use crate::rescue::{self, Places};
use crate::stored::{self, Stored, is_rotated};
use crate::time::told;
use crate::token_file::TokenFile;
use crate::tokens::{self, Given, Tokens};
use crate::{input, output, signals};

/// Where the tokens are taken from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// Standard input if anything is there, else the stored session.
    Either,
    Stdin,
    Stored,
    /// A file that the new ones replace.
    File(PathBuf),
}

const WAITING: &str = "waiting for tokens on standard input; to refresh the stored session instead, use --stored";
const EMPTY_FILE: &str =
    "the file on it is empty, as `refresh PROFILE < FILE > FILE` makes it: a shell empties FILE before it is read";

impl Source {
    pub(crate) fn new(file: Option<PathBuf>, stdin: bool, stored: bool) -> Self {
        match (file, stdin, stored) {
            (Some(file), ..) => Self::File(file),
            (_, true, _) => Self::Stdin,
            (_, _, true) => Self::Stored,
            _ => Self::Either,
        }
    }

    /// The tokens on standard input; `None` where the stored session is meant.
    fn given(&self) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let given = match self {
            Self::Either => input::offered_or(WAITING)?,
            Self::Stdin => input::demanded_or(WAITING)?,
            Self::Stored | Self::File(_) => return Ok(None),
        };
        match (given, self) {
            (None, _) if input::is_regular_file() => Err(Error::input("read standard input", EMPTY_FILE).with_help(
                "name the file with --file FILE, which is replaced once the new tokens are there, or take the stored session with \
                 --stored",
            )),
            (None, Self::Stdin) => Err(Error::input("read standard input", "it is empty")
                .with_help("give the tokens on standard input as JSON")),
            (given, _) => Ok(given),
        }
    }
}

/// What is printed with `--json` when a file was replaced.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Replaced {
    path: String,
    access_token_expires_at: Option<String>,
    refresh_token_expires_at: Option<String>,
    rotated: bool,
}

pub(crate) async fn run(path: &Path, profile: &str, source: Source, json: bool) -> Result<(), Error> {
    let config = Config::load(path)?;
    let profile = config.profile(profile)?;
    if let Source::File(file) = &source {
        return in_file(&config, profile, file, json).await;
    }
    let Some(given) = source.given()? else { return stored(&config, profile).await };
    let client = profile.client()?;
    let before = read(&given, profile, &*client)?;
    let places = Places::of(&config);
    places.take_room()?;
    signals::hold();
    let (after, rotated) = exchange(&places, profile, &*client, &before.set).await?;
    // Not before: an error is one line.
    tokens::warn_of(&before.doubts);
    // Standard output stays empty on failure, and no token may be lost for it.
    output::deliver_json(&Tokens::refreshed(&after, rotated), Outcome::Unknown)
        .map_err(|error| rescue::keep(error, &places, &profile.name, &after))
}

/// The tokens of a file, which the new ones replace. They are not printed.
async fn in_file(config: &Config, profile: &Profile, path: &Path, json: bool) -> Result<(), Error> {
    let file = TokenFile::read(path)?;
    let client = profile.client()?;
    let before = read(&file.text, profile, &*client).map_err(|error| {
        error.with_help(format!(r#"put {{"accessToken": "…", "refreshToken": "…"}} into {}"#, path.display()))
    })?;
    let places = Places::of(config);
    places.take_room()?;
    signals::hold();
    let file = file.prepare()?;
    let (after, rotated) = exchange(&places, profile, &*client, &before.set).await?;
    tokens::warn_of(&before.doubts);
    let text = output::json_text(&Tokens::refreshed(&after, rotated), Outcome::Unknown);
    text.and_then(|text| file.replace(&text)).map_err(|error| rescue::keep(error, &places, &profile.name, &after))?;
    if !json {
        return Ok(());
    }
    let replaced = Replaced {
        path: path.display().to_string(),
        access_token_expires_at: told(after.access_expiry),
        refresh_token_expires_at: told(after.refresh_expiry),
        rotated,
    };
    output::json(&replaced, Outcome::Unknown)
}

/// The tokens that were given: of the profile's person, as far as they say.
fn read(given: &[u8], profile: &Profile, client: &dyn Refresh) -> Result<Given, Error> {
    let given = tokens::read(given, client.policy().presents, SystemClock.now())?;
    given.check_user(profile.user_id())?;
    Ok(given)
}

/// One request; the new tokens, and whether the presented one was replaced. What a broken answer brings all the same goes into a
/// file of its own.
async fn exchange(
    places: &Places,
    profile: &Profile,
    client: &dyn Refresh,
    before: &TokenSet,
) -> Result<(TokenSet, bool), Error> {
    let after = client.refresh(before).await.map_err(|error| match error.salvage().cloned() {
        Some(set) => rescue::keep(error, places, &profile.name, &set),
        None => rescue::keep_answer(error, places, &profile.name),
    })?;
    stored::warn_of_clock(after.clock_difference);
    let rotated = tokens::rotated(client.policy().presents, before, &after);
    tracing::debug!(profile = %profile.name, rotated, "refreshed");
    Ok((after, rotated))
}

/// The session in the store; its new tokens are there before they are printed.
async fn stored(config: &Config, profile: &Profile) -> Result<(), Error> {
    let (stored, record) = Stored::expect(config, profile).await?;
    stored.prepare(profile)?;
    let before = stored.session.tokens().unwrap_or_default();
    let stored = stored.printing(before.clone());
    let refreshed = stored.session.refresh().await;
    let end = stored.finish(refreshed, &record, profile).await?;
    let Some(after) = &end.newer else { return Err(end.nothing_newer("refresh the tokens", profile)) };
    let rotated = is_rotated(&before, after);
    tracing::debug!(profile = %profile.name, rotated, "refreshed");
    output::deliver_json(&Tokens::refreshed(after, rotated), Outcome::Unknown)
        .map_err(|error| error.with_help("the new tokens are in the store: see where standard output goes"))
}
