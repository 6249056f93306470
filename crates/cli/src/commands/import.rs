//! `rampauth import`: the tokens of a login into the store.

use std::path::Path;

use rampauth_core::{AccessToken, Clock as _, Error, Expiry, Outcome, Presents, RefreshToken, SystemClock, TokenSet};
use rampauth_keeper::{Record, State, StoreExt as _, TokenDigest};
use rampauth_store_sqlite::SqliteStore;
use serde::Serialize;

use crate::config::{Config, Profile, printable};
use crate::stored::{self, Stored};
use crate::tokens::{self, Given};
use crate::{input, output, signals};

const ACTION: &str = "import the tokens";

/// What to do where there is something already.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Existing {
    /// A session that is alive is left as it is.
    pub(crate) if_none: bool,
    /// Tokens that the session has had before are stored all the same.
    pub(crate) replace: bool,
}

#[derive(Serialize)]
struct Imported<'a> {
    key: &'a str,
    generation: u64,
    /// False where a session that is alive was left as it is.
    imported: bool,
}

pub(crate) async fn run(path: &Path, profile: &str, existing: Existing, json: bool) -> Result<(), Error> {
    let config = Config::load(path)?;
    let profile = config.profile(profile)?;
    // Everything is looked at before the tokens are, which nobody likes to paste twice.
    let fresh = config.sqlite()?.try_exists().is_ok_and(|exists| !exists);
    config.sealing()?;
    profile.check()?;
    let presents = profile.policy().presents;
    // Read in any case: what writes them must not fail because nobody does.
    let given = input::offered()?;
    if existing.if_none
        && let Some(record) = alive(&config, profile).await?
    {
        return leave(profile, &record, json);
    }
    let given = given.ok_or_else(|| {
        Error::input("read standard input", "there are no tokens on it")
            .with_help("give the tokens on standard input as JSON")
    })?;
    let given = read(&given, profile, presents)?;
    if let Some(store) = stored::find(&config)? {
        check_unused(&config, &store, profile, &given.set, presents, existing).await?;
    }
    let unknown = given.set.access_token.is_some() && given.set.access_expiry == Expiry::Unknown;
    signals::hold();
    let stored = Stored::open(&config, stored::create(&config)?, profile).await?;
    if let Err(error) = stored.session.put(given.set).await {
        // Another process that does the same may have come first.
        return match alive(&config, profile).await? {
            Some(record) if existing.if_none => leave(profile, &record, json),
            _ => Err(stored::said_by_the_store(error)),
        };
    }
    // Not before: an error is one line.
    tokens::warn_of(&given.doubts);
    if unknown {
        tracing::warn!(
            "nobody knows when the access token expires, so that nothing refreshes it ahead of time; `accessTokenExpiresAt` \
             says so, for example 2026-11-20T09:30:00Z"
        );
    }
    if fresh {
        stored::warn_unsealed(&config)?;
    }
    let record = stored::record(&stored.store, profile).await?;
    let generation = record.map_or(0, |record| record.generation);
    tracing::debug!(key = %profile.key, generation, "imported");
    if json {
        let imported = Imported { key: profile.key.as_str(), generation, imported: true };
        return output::json(&imported, Outcome::NotSent);
    }
    Ok(())
}

/// The tokens, which sending would not refuse.
fn read(given: &[u8], profile: &Profile, presents: Presents) -> Result<Given, Error> {
    let now = SystemClock.now();
    let given = tokens::read(given, presents, now)?;
    given.check_user(profile.user_id())?;
    tokens::check_alive(&given.set, presents, now)?;
    Ok(given)
}

/// The session of the profile, unless there is none, it was removed or its token is dead.
async fn alive(config: &Config, profile: &Profile) -> Result<Option<Record>, Error> {
    let Some(store) = stored::find(config)? else { return Ok(None) };
    let record = stored::record(&store, profile).await?;
    Ok(record.filter(|record| !matches!(record.state, State::Tombstone | State::LoginNeeded)))
}

fn leave(profile: &Profile, record: &Record, json: bool) -> Result<(), Error> {
    if json {
        let left = Imported { key: profile.key.as_str(), generation: record.generation, imported: false };
        return output::json(&left, Outcome::NotSent);
    }
    let name = printable(&profile.name);
    output::line(&format!("`{name}` has a session that is alive: it was left as it is"), Outcome::NotSent)
}

/// Refuses a token that this session has had before, which is spent where it works once, and one that another profile's session
/// has: two that refresh one token take it from each other.
async fn check_unused(
    config: &Config,
    store: &SqliteStore,
    profile: &Profile,
    set: &TokenSet,
    presents: Presents,
    existing: Existing,
) -> Result<(), Error> {
    let (text, which) = match presents {
        Presents::AccessToken => (set.access_token.as_ref().map(AccessToken::expose_secret), "access token"),
        _ => (set.refresh_token.as_ref().map(RefreshToken::expose_secret), "refresh token"),
    };
    let Some(digest) = text.map(TokenDigest::of) else { return Ok(()) };
    let has = |record: &Record| record.tokens.as_ref().is_some_and(|tokens| tokens.presents == digest);
    let name = printable(&profile.name);
    if let Some(record) = stored::record(store, profile).await?.filter(|_| !existing.replace)
        && (has(&record) || record.history.contains(digest))
    {
        let reason = format!("this {which} was imported or sent for `{name}` before, and is probably spent");
        return Err(Error::input(ACTION, reason).with_help(
                "give the tokens of a new login; --if-none leaves a session alone that is alive, and --replace takes the tokens \
                 all the same",
            ));
    }
    let keys = store.all_keys().await.map_err(|error| stored::unusable(&error))?;
    let others = config.profiles().filter(|other| other.key != profile.key && is_of_one_provider(other, profile));
    for other in others.filter(|other| keys.binary_search(&other.key).is_ok()) {
        // What cannot be read is for its own commands to say.
        let Ok(Some(record)) = store.load(&other.key).await else { continue };
        if record.state != State::Tombstone && (has(&record) || record.history.contains(digest)) {
            let other = printable(&other.name);
            let reason = format!("this {which} belongs to the session of `{other}`");
            return Err(Error::input(ACTION, reason).with_help(format!(
                "one token has one session: use `{other}`, or log in for `{name}` too; after a change of names, first: rampauth \
                 forget {other}"
            )));
        }
    }
    Ok(())
}

/// Whether both have a session at the same provider, wherever it is: a test's tokens may be the same at two.
fn is_of_one_provider(one: &Profile, other: &Profile) -> bool {
    std::mem::discriminant(&one.provider) == std::mem::discriminant(&other.provider)
}
