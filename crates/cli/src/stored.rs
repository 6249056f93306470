//! Sessions in the store: opened with the keeper that refreshes them, and what is said when the store fails.

mod end;
mod held;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rampauth_core::{ClockDifference, Error, ErrorKind, Outcome, TokenSet};
use rampauth_keeper::{
    EventKind, Events, Keeper, KeeperBuilder, OwnerId, Record, Session, State, Store, StoreError, StoreErrorKind,
    StoreExt as _, StoredTokens,
};
use rampauth_store_sqlite::SqliteStore;

use crate::config::{Config, Profile, printable};
use crate::provider::Deferred;
use crate::rescue::Places;
pub(crate) use end::{Failed, is_rotated};
use held::Held;

const ACTION: &str = "open the store";
/// The most that the keeper's own limit on a request is longer than the client's, which says more when it is the first to end.
const SLACK: Duration = Duration::from_secs(5);

/// The store, made where there is none.
pub(crate) fn create(config: &Config) -> Result<SqliteStore, Error> {
    open(config, &config.sqlite()?)
}

fn open(config: &Config, path: &Path) -> Result<SqliteStore, Error> {
    // The store knows why it takes so long, so it is the first to end.
    let busy_timeout = config.store_timeout * 4 / 5;
    SqliteStore::builder().busy_timeout(busy_timeout).open(path).map_err(|error| unusable(&error))
}

/// The store; `None` where there is none yet, and none is made.
pub(crate) fn find(config: &Config) -> Result<Option<SqliteStore>, Error> {
    let path = config.sqlite()?;
    // What cannot be looked at is for the store to say.
    if path.try_exists().is_ok_and(|exists| !exists) {
        return Ok(None);
    }
    open(config, &path).map(Some)
}

/// A keeper on this store with the configuration's limits, which seals tokens as the configuration says. A claim lasts for a
/// request and two steps in the store, so that the limits are what a session waits for after a crash.
pub(crate) fn keeper(config: &Config, store: &SqliteStore, timeout: Duration) -> Result<KeeperBuilder, Error> {
    keeper_on(config, store.clone(), timeout)
}

fn keeper_on(config: &Config, store: impl Store + 'static, timeout: Duration) -> Result<KeeperBuilder, Error> {
    let builder =
        Keeper::builder(store).request_deadline(request_deadline(timeout)).save_deadline(config.store_timeout);
    Ok(match config.sealing()? {
        Some(keys) => builder.sealing(keys),
        // Said where it begins, by `warn_unsealed`, and not by every command.
        None => builder.accept_unsealed(),
    })
}

fn request_deadline(timeout: Duration) -> Duration {
    timeout + timeout.min(SLACK)
}

/// How long a claim on this profile's session lasts.
pub(crate) fn claim(config: &Config, profile: &Profile) -> Duration {
    request_deadline(profile.timeout) + 2 * config.store_timeout
}

/// The id that a process drew when it started, as `status` and the log of `keep` have it.
pub(crate) fn owner(id: OwnerId) -> String {
    format!("{:032x}", id.get())
}

/// Says that tokens are not sealed, if they are not.
pub(crate) fn warn_unsealed(config: &Config) -> Result<(), Error> {
    if config.sealing()?.is_none() {
        tracing::warn!(
            "tokens are stored unsealed, guarded by the permissions of the store's file alone; `sealing_key` seals them"
        );
    }
    Ok(())
}

/// Says that this machine's clock is more than a minute off the provider's, if it is.
pub(crate) fn warn_of_clock(difference: Option<ClockDifference>) {
    if let Some(difference) = difference.filter(|difference| difference.is_notable()) {
        tracing::warn!("{difference}: set the clock; lives are counted by the provider's meanwhile");
    }
}

/// What the store holds of this profile, a removed session included.
pub(crate) async fn record(store: &SqliteStore, profile: &Profile) -> Result<Option<Record>, Error> {
    store.load(&profile.key).await.map_err(|error| unusable(&error))
}

/// Whether the access token is what a refresh sends.
pub(crate) fn renews_itself(tokens: &StoredTokens) -> bool {
    tokens.access == Some(tokens.presents)
}

/// That there is nothing to work with: exit code 4, for a login is what helps.
pub(crate) fn no_session(profile: &Profile, record: Option<&Record>) -> Error {
    match record {
        Some(_) => removed(profile, Outcome::NotSent),
        None => no_login(profile, Outcome::NotSent, "there is no session", "in the store yet"),
    }
}

/// That the session is not there any more. `outcome` says how far a refresh of it may have got.
pub(crate) fn removed(profile: &Profile, outcome: Outcome) -> Error {
    no_login(profile, outcome, "the session", "was removed")
}

/// That the session's token is known to be dead, and nothing was sent.
pub(crate) fn dead(action: &'static str, profile: &Profile) -> Error {
    let name = printable(&profile.name);
    Error::new(ErrorKind::LoginNeeded, Outcome::NotSent, action, "the session's token is dead, so nothing was sent")
        .with_help(format!("have the person log in again, then: rampauth import {name} < tokens.json"))
}

fn no_login(profile: &Profile, outcome: Outcome, what: &str, why: &str) -> Error {
    let name = printable(&profile.name);
    Error::new(ErrorKind::LoginNeeded, outcome, "find the session", format!("{what} of `{name}` {why}"))
        .with_help(format!("log in, then store the tokens: rampauth import {name} < tokens.json"))
}

/// A store that cannot be used, found out before anything was sent.
pub(crate) fn unusable(error: &StoreError) -> Error {
    let kind = match error.kind() {
        StoreErrorKind::Unavailable => ErrorKind::Internal,
        _ => ErrorKind::Config,
    };
    failed(kind, Outcome::NotSent, error)
}

fn failed(kind: ErrorKind, outcome: Outcome, error: &StoreError) -> Error {
    // "failed to load x: FILE is read-only": the store says what failed, and why.
    let text = error.to_string();
    let (action, reason) = match text.strip_prefix("failed to ").and_then(|said| said.split_once(": ")) {
        Some((action, why)) => (action.to_owned(), why.to_owned()),
        None => (ACTION.to_owned(), text),
    };
    let help = match error.kind() {
        StoreErrorKind::Unavailable => "try again",
        StoreErrorKind::Damaged => {
            "nothing in the file was changed: restore a copy, or set a damaged record aside with `rampauth forget PROFILE`, log in \
             and import"
        }
        StoreErrorKind::NotWritable => "put that right and try again; nothing in the file was changed",
        _ => "nothing in the file was changed: put it in order, or name another one under `store`",
    };
    Error::new(kind, outcome, action, reason).with_help(help)
}

/// One profile's session, with a keeper that refreshes it when it is asked to and at no other time.
pub(crate) struct Stored {
    pub(crate) session: Session,
    pub(crate) store: SqliteStore,
    client: Arc<Deferred>,
    places: Places,
    keeper: Keeper,
    events: Events,
    /// What the session had before, where tokens that the store does not take are printed.
    prints: Option<TokenSet>,
}

impl Stored {
    /// Opens the session of a store that there is. Nothing can be sent before [`prepare`](Self::prepare).
    pub(crate) async fn open(config: &Config, store: SqliteStore, profile: &Profile) -> Result<Self, Error> {
        let client = Arc::new(Deferred::new(profile));
        let keeper = keeper_on(config, Held(store.clone()), profile.timeout)?.on_demand().spawn()?;
        tracing::debug!(owner = owner(keeper.owner()), pid = std::process::id(), "opened the store");
        let events = keeper.events();
        let session = keeper.session_with(profile.key.clone(), Arc::clone(&client), profile.options).await;
        let session = session.map_err(|error| in_words_of_the_command(said_by_the_store(error), &profile.name))?;
        Ok(Self { session, store, client, places: Places::of(config), keeper, events, prints: None })
    }

    /// Loads what sending takes: secrets, keys, TLS, and room for a rescue file. To be done before anything is asked for that may
    /// send, so that what is missing is said before anything is written down.
    ///
    /// # Errors
    ///
    /// As [`Profile::client`] and [`Places::take_room`].
    pub(crate) fn prepare(&self, profile: &Profile) -> Result<(), Error> {
        self.client.load(profile)?;
        self.places.take_room()
    }

    /// Has tokens that the store does not take printed as well, as the command prints others: `before` is what it had.
    pub(crate) fn printing(self, before: TokenSet) -> Self {
        Self { prints: Some(before), ..self }
    }

    /// The same for a session that has to be there, and what the store held of it before.
    pub(crate) async fn expect(config: &Config, profile: &Profile) -> Result<(Self, Record), Error> {
        let Some(store) = find(config)? else { return Err(no_session(profile, None)) };
        match record(&store, profile).await? {
            Some(record) if record.state != State::Tombstone => Ok((Self::open(config, store, profile).await?, record)),
            record => Err(no_session(profile, record.as_ref())),
        }
    }
}

/// An error about tokens that cannot be opened, with what to do about it here.
pub(crate) fn in_words_of_the_command(error: Error, profile: &str) -> Error {
    if !error.help().contains("`Keeper::remove`") {
        return error;
    }
    let name = printable(profile);
    let anew = format!("rampauth forget {name}, have the person log in, then: rampauth import {name} < tokens.json");
    let help = match error.kind() {
        ErrorKind::Config => format!("give the key of this id under `readable_keys`; if it is lost: {anew}"),
        _ => format!("restore a copy of the store, or: {anew}"),
    };
    error.with_help(help)
}

/// Whether there is nothing unsaved of a session any more once this has happened.
pub(crate) fn is_saved(kind: &EventKind) -> bool {
    use EventKind::{Adopted, Orphaned, Refreshed, Removed, Settled, Unclaimed};
    matches!(kind, Refreshed | Settled | Adopted | Orphaned | Removed | Unclaimed(_))
}

/// An error of the keeper in the store's own words, where it is the store that failed.
pub(crate) fn said_by_the_store(error: Error) -> Error {
    use std::error::Error as _;
    let Some(cause) = error.source().and_then(|cause| cause.downcast_ref::<StoreError>()) else { return error };
    match error.outcome() {
        Outcome::NotSent => unusable(cause),
        outcome => failed(ErrorKind::Internal, outcome, cause),
    }
}
