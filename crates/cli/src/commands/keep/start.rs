//! How `keep` begins: the configuration with all that it names, the store, the keepers. All that may block is done on threads
//! of its own, so that it can be stopped meanwhile.

use std::path::Path;
use std::sync::Arc;

use rampauth_core::{Error, ErrorKind, Outcome, Refresh};
use rampauth_keeper::SealingKeys;

use super::keepers::{AllEvents, Keepers};
use super::sessions::Sessions;
use crate::config::{Config, Profile, others_may_write};
use crate::provider::Keys;
use crate::rescue::Places;
use crate::stored;

/// A configuration with everything that it names, fetched and checked.
pub(super) struct Loaded {
    pub(super) config: Config,
    pub(super) sealing: Option<SealingKeys>,
    pub(super) clients: Vec<(Arc<Profile>, Box<dyn Refresh>)>,
}

/// Reads it all, so that a missing secret is found now and not at the first login.
pub(super) fn load(path: &Path) -> Result<Loaded, Error> {
    let config = Config::load(path)?;
    config.sqlite()?;
    let (sealing, keys) = (config.sealing()?, Keys::default());
    let client = |profile: &Arc<Profile>| Ok((Arc::clone(profile), profile.client_with(&keys)?));
    let clients = config.profiles().map(client).collect::<Result<_, Error>>()?;
    Ok(Loaded { config, sealing, clients })
}

/// Nothing is open yet when this returns, so that it can be left at any time.
pub(super) async fn start(path: &Path) -> Result<(Sessions, AllEvents), Error> {
    let file = path.to_owned();
    let load = move || {
        let loaded = load(&file)?;
        let store = stored::create(&loaded.config)?;
        Ok((loaded, store))
    };
    let (Loaded { config, clients, .. }, store) = tokio::task::spawn_blocking(load).await.unwrap_or_else(|_| {
        let reason = "a thread of its own ended early";
        Err(Error::new(ErrorKind::Internal, Outcome::NotSent, "start", reason))
    })?;
    stored::warn_unsealed(&config)?;
    let places = warn_of_places(path, &config);
    places.take_room()?;
    let mut keepers = Keepers::default();
    let events = keepers.spawn_missing(&config, &store)?;
    let sessions = Sessions::new(path, config, store, keepers, places, clients).await?;
    Ok((sessions, events))
}

/// Says who else may change where tokens are sent, and where tokens would be written that the store does not take.
pub(super) fn warn_of_places(path: &Path, config: &Config) -> Places {
    for (place, who) in others_may_write(path) {
        let place = place.display();
        tracing::warn!("{place} can be written by {who}, who can have tokens sent elsewhere: chmod go-w {place}");
    }
    let places = Places::of(config);
    match places.first_writable() {
        Some(folder) => tracing::info!("tokens that the store does not take are written to {}", folder.display()),
        None => tracing::warn!(
            "tokens that the store does not take would be lost, for no file can be written beside the configuration, beside the \
             store, or in the user's folder for state"
        ),
    }
    places
}
