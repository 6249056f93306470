//! `rampauth keep`: keeps every session of the configuration fresh until it is stopped.

mod keepers;
mod log;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rampauth_core::{Error, Refresh};
use rampauth_keeper::{AttemptId, Lease, Record, Session, SessionId, State};
use rampauth_store_sqlite::SqliteStore;

use crate::config::{Config, Profile, printable};
use crate::rescue::Places;
use crate::{signals, stored};
use keepers::Keepers;
use log::Log;

/// How often the store is asked for sessions that came, went or were changed by others.
const PACE: Duration = Duration::from_secs(2);

/// A profile that is kept.
struct Kept<'a> {
    profile: &'a Profile,
    client: Arc<dyn Refresh>,
    /// Its session, and the record as it was when that was opened or looked at last.
    open: Option<(Session, Seen)>,
    /// Whether the store could be read the last time: what lasts is said once.
    readable: bool,
}

/// What of a record tells that somebody changed it.
#[derive(PartialEq)]
struct Seen {
    session: SessionId,
    generation: u64,
    state: State,
    next_due: Option<SystemTime>,
    attempt: Option<(AttemptId, Option<Lease>)>,
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
    let store = stored::create(&config)?;
    let keepers = Keepers::spawn(&config, &store)?;
    stored::warn_unsealed(&config)?;
    for (owner, timeout) in keepers.owners() {
        let (owner, pid, timeout_seconds) = (stored::owner(owner), std::process::id(), timeout.as_secs());
        tracing::info!(owner, pid, timeout_seconds, "keeping; `status` tells a claim by its owner");
    }
    let mut log = Log::new(keepers.events(), Places::of(&config), &kept);
    for kept in &mut kept {
        kept.look(&keepers, &store).await;
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
                Some(event) => log.tell(event, &kept),
                None => break,
            },
            _ = looks.tick() => for kept in &mut kept {
                kept.look(&keepers, &store).await;
            },
        }
    }
    tracing::info!("stopping: refreshes under way are finished");
    keepers.shutdown().await;
    while let Some(event) = log.events.try_next() {
        log.tell(event, &kept);
    }
    log.rescue(&kept)
}

impl Kept<'_> {
    /// Opens the session where there is one, lets go of one that was removed, and has the keeper read one again that changed:
    /// of what another process did it hears in its own time only.
    async fn look(&mut self, keepers: &Keepers, store: &SqliteStore) {
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
        let seen = Seen::of(&record);
        let before = self.open.as_ref().map(|(_, before)| before);
        if before == Some(&seen) {
            self.readable = true;
            return;
        }
        let another = before.is_none_or(|before| before.session != seen.session);
        match keepers.with(self.profile.timeout).session(self.profile.key.clone(), Arc::clone(&self.client)).await {
            Ok(session) => {
                self.readable = true;
                self.open = Some((session, seen));
                if !another {
                    return;
                }
                let key = &self.profile.key;
                let generation = record.generation;
                match record.state {
                    State::LoginNeeded => {
                        tracing::warn!(profile = %name, %key, generation, "the session needs a login: rampauth import {name}");
                    }
                    _ => tracing::info!(profile = %name, %key, generation, "keeping the session"),
                }
            }
            Err(error) => self.cannot_be_read(&stored::said_by_the_store(error)),
        }
    }

    fn cannot_be_read(&mut self, error: &Error) {
        if std::mem::replace(&mut self.readable, false) {
            let (profile, error, help) = (printable(&self.profile.name), crate::failure::message(error), error.help());
            tracing::error!(%profile, error, help, "the session cannot be read");
        }
    }
}

impl Seen {
    fn of(record: &Record) -> Self {
        let Record { session, generation, state, next_due, ref attempt, .. } = *record;
        let attempt = attempt.as_ref().map(|attempt| (attempt.id, attempt.lease));
        Self { session, generation, state, next_due, attempt }
    }
}
