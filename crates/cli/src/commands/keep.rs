//! `rampauth keep`: keeps every session of the configuration fresh until it is stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rampauth_core::{Error, Outcome, Refresh};
use rampauth_keeper::{Event, EventKind, Events, Keeper, Session, SessionId, State};
use rampauth_store_sqlite::SqliteStore;

use crate::config::{Config, Profile, printable};
use crate::{signals, stored};

/// How often the store is asked for sessions that came, went or began anew.
const PACE: Duration = Duration::from_secs(2);

/// A profile that is kept.
struct Kept<'a> {
    profile: &'a Profile,
    client: Arc<dyn Refresh>,
    /// Its session, and which login that is.
    open: Option<(Session, SessionId)>,
    /// Whether the store could be read the last time: what lasts is said once.
    readable: bool,
}

pub(crate) async fn run(path: &Path) -> Result<(), Error> {
    // Listened to from the start, so that being stopped early is no failure.
    let mut stop = signals::Stop::listen()?;
    let config = Config::load(path)?;
    config.sqlite()?;
    config.sealing()?;
    // All of them, so that a missing secret is found now and not at the first login.
    let mut kept = Vec::new();
    for profile in config.profiles() {
        kept.push(Kept { profile, client: Arc::from(profile.client()?), open: None, readable: true });
    }
    let longest = kept.iter().map(|kept| kept.profile.timeout).max().unwrap_or_default();
    let store = stored::create(&config)?;
    let keeper = stored::keeper(&config, &store, longest)?.spawn()?;
    stored::warn_unsealed(&config)?;
    let mut log = Log { events: keeper.events(), unsaved: BTreeSet::new(), names: names(&config) };
    for kept in &mut kept {
        kept.look(&keeper, &store).await;
        if kept.open.is_none() {
            let name = printable(&kept.profile.name);
            tracing::warn!(profile = %name, "no session yet: rampauth import {name} < tokens.json");
        }
    }
    let mut looks = tokio::time::interval(PACE);
    loop {
        tokio::select! {
            () = stop.wait() => break,
            event = log.events.next() => match event {
                Some(event) => log.tell(event),
                None => break,
            },
            _ = looks.tick() => for kept in &mut kept {
                kept.look(&keeper, &store).await;
            },
        }
    }
    tracing::info!("stopping: refreshes under way are finished");
    keeper.shutdown().await;
    while let Some(event) = log.events.try_next() {
        log.tell(event);
    }
    log.rescue(&kept, path)
}

fn names(config: &Config) -> BTreeMap<String, String> {
    config.profiles().map(|profile| (profile.key.to_string(), printable(&profile.name))).collect()
}

impl Kept<'_> {
    /// Opens the session where there is one, lets go of one that was removed, and takes up one that began anew: the keeper
    /// itself sees another login only when the old one's time comes.
    async fn look(&mut self, keeper: &Keeper, store: &SqliteStore) {
        let name = printable(&self.profile.name);
        let record = match stored::record(store, self.profile).await {
            Ok(record) => record.filter(|record| record.state != State::Tombstone),
            Err(error) => return self.cannot_be_read(&error),
        };
        let Some(record) = record else {
            self.readable = true;
            if self.open.take().is_some() {
                tracing::warn!(profile = %name, "the session was removed: it is not kept any more");
            }
            return;
        };
        if self.open.as_ref().is_some_and(|(_, login)| *login == record.session) {
            self.readable = true;
            return;
        }
        match keeper.session(self.profile.key.clone(), Arc::clone(&self.client)).await {
            Ok(session) => {
                self.readable = true;
                self.open = Some((session, record.session));
                let key = &self.profile.key;
                let generation = record.generation;
                match record.state {
                    State::LoginNeeded => {
                        tracing::warn!(profile = %name, %key, generation, "the session needs a login: rampauth import {name}");
                    }
                    _ => tracing::info!(profile = %name, %key, generation, "keeping the session"),
                }
            }
            Err(error) => self.cannot_be_read(&stored::said_by_the_store(error, Outcome::NotSent)),
        }
    }

    fn cannot_be_read(&mut self, error: &Error) {
        if std::mem::replace(&mut self.readable, false) {
            tracing::error!(profile = %printable(&self.profile.name), %error, "the session cannot be read");
        }
    }
}

/// The keeper's events as one line each. None holds a token.
struct Log {
    events: Events,
    /// The keys whose newest tokens the store has not taken.
    unsaved: BTreeSet<String>,
    /// The profile's name by key.
    names: BTreeMap<String, String>,
}

impl Log {
    fn tell(&mut self, event: Event) {
        let Event { key, generation, kind, .. } = event;
        let profile = self.names.get(key.as_str()).map_or("", String::as_str);
        macro_rules! say {
            ($level:ident, $($what:tt)+) => {{
                tracing::$level!(profile, %key, generation, $($what)+);
            }};
        }
        match &kind {
            EventKind::Refreshed => say!(info, "refreshed"),
            EventKind::Adopted => say!(info, "another process has brought newer tokens"),
            EventKind::RefreshFailed(error) => say!(
                warn, kind = error.kind().as_str(), outcome = error.outcome().as_str(), %error,
                "a refresh failed; the token in use is as good as before"
            ),
            EventKind::Doubtful { .. } => {
                say!(warn, "in doubt: a refresh was sent and its answer is lost");
            }
            EventKind::Settled => say!(info, "the doubt is settled with new tokens"),
            EventKind::LoginNeeded => say!(error, "the token is dead: log in, then rampauth import {profile}"),
            EventKind::SaveFailed(error) => {
                let error = stored::said_by_the_store(error.clone(), Outcome::Unknown);
                self.unsaved.insert(key.to_string());
                say!(error, %error, "new tokens could not be saved; they are held and saved as soon as the store lets them");
                return;
            }
            EventKind::Orphaned => say!(warn, "granted tokens came after newer ones, and wait in the store"),
            EventKind::Unclaimed(_) => {
                say!(warn, "granted tokens came after a logout or another login, and are dropped");
            }
            EventKind::Removed => say!(info, "removed"),
            other => say!(info, "{other:?}"),
        }
        if stored::is_saved(&kind) {
            self.unsaved.remove(key.as_str());
        }
    }

    /// Tokens that the store never took must not end with the process.
    fn rescue(&self, kept: &[Kept<'_>], config: &Path) -> Result<(), Error> {
        let mut result = Ok(());
        for kept in kept.iter().filter(|kept| self.unsaved.contains(kept.profile.key.as_str())) {
            let Some((session, _)) = &kept.open else { continue };
            let reason = format!("the store did not take the newest tokens of `{}`", printable(&kept.profile.name));
            let error = Error::new(rampauth_core::ErrorKind::Internal, Outcome::Unknown, "save the tokens", reason);
            result = Err(stored::unsaved(error, session, config, kept.profile));
        }
        result
    }
}
