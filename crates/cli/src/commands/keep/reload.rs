//! SIGHUP: the configuration and all secrets, read again. What is faulty or cannot change while sessions are open changes
//! nothing.

use std::collections::BTreeSet;

use rampauth_core::{Error, ErrorKind, Outcome};
use rampauth_keeper::SessionKey;

use super::keepers::AllEvents;
use super::kept::Kept;
use super::sessions::Sessions;
use super::start::{Loaded, warn_of_places};
use crate::config::{Config, printable};
use crate::failure::message;

const ACTION: &str = "read the configuration again";

impl Sessions {
    /// Goes on with another configuration, where it can; the events of keepers that it needed. What was wrong with it is logged.
    pub(super) fn reload(&mut self, loaded: Result<Loaded, Error>) -> AllEvents {
        loaded.and_then(|loaded| self.take_over(loaded)).unwrap_or_else(|error| {
            let (error, help) = (message(&error), error.help());
            tracing::error!(error, help, "the configuration is not taken over, and everything goes on as before");
            AllEvents::default()
        })
    }

    fn take_over(&mut self, loaded: Loaded) -> Result<AllEvents, Error> {
        let Loaded { config, sealing, clients } = loaded;
        stays_the_same(&self.config, &config)?;
        match (&sealing, self.config.sealing()) {
            (Some(keys), _) => self.keepers.seal_with(keys)?,
            (None, Ok(None)) => {}
            (None, _) => {
                let reason = "`sealing_key` is not there any more, and what it sealed could not be read";
                return Err(Error::config(ACTION, reason).with_help(START_AGAIN));
            }
        }
        let events = self.keepers.spawn_missing(&config, &self.store)?;
        let keys: BTreeSet<SessionKey> = clients.iter().map(|(profile, _)| profile.key.clone()).collect();
        let removed: Vec<SessionKey> = self.kept.keys().filter(|key| !keys.contains(*key)).cloned().collect();
        for key in &removed {
            let Some(kept) = self.kept.remove(key) else { continue };
            let name = printable(&kept.profile.name);
            tracing::info!(profile = %name, %key, "the profile is not in the configuration any more: its session is let go");
            // Dropped with its handle: what is under way is finished by the keeper.
            self.gone.insert(key.clone(), kept.profile);
        }
        let (profiles, mut added) = (clients.len(), 0);
        for (profile, client) in clients {
            let key = profile.key.clone();
            self.claim(&key);
            self.gone.remove(&key);
            if let Some(kept) = self.kept.get_mut(&key) {
                kept.change(profile, client);
            } else {
                added += 1;
                self.kept.insert(key, Kept::new(profile, client));
            }
        }
        self.config = config;
        self.places = warn_of_places(&self.path, &self.config);
        if let Err(error) = self.places.take_room() {
            tracing::warn!(error = message(&error), help = error.help(), "there is no room for a rescue file");
        }
        self.look_again();
        tracing::info!(profiles, added, removed = removed.len(), "the configuration was read again");
        Ok(events)
    }
}

const START_AGAIN: &str = "put it back, or stop `keep` and start it again";

/// What sessions that are open stand on.
fn stays_the_same(before: &Config, after: &Config) -> Result<(), Error> {
    let changed = match (before.sqlite()? == after.sqlite()?, before.store_timeout == after.store_timeout) {
        (false, _) => "store",
        (true, false) => "store_timeout_seconds",
        (true, true) => return Ok(()),
    };
    let reason = format!("`{changed}` cannot change while `keep` runs");
    Err(Error::config(ACTION, reason).with_help(START_AGAIN))
}

pub(super) fn panicked() -> Error {
    Error::new(ErrorKind::Internal, Outcome::NotSent, ACTION, "a thread of its own ended early")
}
