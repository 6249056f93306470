//! The keepers of one process: one for each limit on a request that a profile has, so that a slow provider makes no other's
//! claims longer.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use rampauth_core::Error;
use rampauth_keeper::{Event, Events, Keeper, OwnerId};
use rampauth_store_sqlite::SqliteStore;

use crate::config::Config;
use crate::stored;

pub(super) struct Keepers(BTreeMap<Duration, Keeper>);

/// What happens to the sessions of all of them.
pub(super) struct AllEvents(Vec<Events>);

impl Keepers {
    pub(super) fn spawn(config: &Config, store: &SqliteStore) -> Result<Self, Error> {
        let mut keepers = BTreeMap::new();
        for profile in config.profiles() {
            if let Entry::Vacant(place) = keepers.entry(profile.timeout) {
                place.insert(stored::keeper(config, store, profile.timeout)?.spawn()?);
            }
        }
        Ok(Self(keepers))
    }

    /// The keeper of the profiles with this limit.
    pub(super) fn with(&self, timeout: Duration) -> &Keeper {
        self.0.get(&timeout).expect("there is one for each profile")
    }

    /// Whose claims each of them makes, and its limit.
    pub(super) fn owners(&self) -> impl Iterator<Item = (OwnerId, Duration)> {
        self.0.iter().map(|(timeout, keeper)| (keeper.owner(), *timeout))
    }

    pub(super) fn events(&self) -> AllEvents {
        AllEvents(self.0.values().map(Keeper::events).collect())
    }

    /// All at once: each finishes what it has under way.
    pub(super) async fn shutdown(&self) {
        let shutdown = |keeper: Keeper| tokio::spawn(async move { keeper.shutdown().await });
        let ends: Vec<_> = self.0.values().cloned().map(shutdown).collect();
        for end in ends {
            end.await.expect("a shutdown does not panic");
        }
    }
}

impl AllEvents {
    /// The next one; `None` when one of the keepers is gone.
    pub(super) async fn next(&mut self) -> Option<Event> {
        let mut each: Vec<_> = self.0.iter_mut().map(|events| Box::pin(events.next())).collect();
        poll_fn(|context| {
            let mut polled = each.iter_mut().map(|next| next.as_mut().poll(context));
            polled.find(Poll::is_ready).unwrap_or(Poll::Pending)
        })
        .await
    }

    /// One that has happened already.
    pub(super) fn try_next(&mut self) -> Option<Event> {
        self.0.iter_mut().find_map(Events::try_next)
    }
}
