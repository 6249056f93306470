//! The keepers of one process: one for each limit on a request that a profile has, so that a slow provider makes no other's
//! claims longer.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use rampauth_core::{Error, TokenSet};
use rampauth_keeper::{Event, Events, Keeper, SealingKeys, SessionKey};
use rampauth_store_sqlite::SqliteStore;

use crate::config::Config;
use crate::stored;

#[derive(Default)]
pub(super) struct Keepers(BTreeMap<Duration, Keeper>);

/// What happens to the sessions of all of them.
#[derive(Default)]
pub(super) struct AllEvents {
    each: Vec<Events>,
    /// How many were missed, as far as that was said.
    missed: u64,
}

impl Keepers {
    /// Starts those that the profiles need and that are not there yet, and listens to them.
    pub(super) fn spawn_missing(&mut self, config: &Config, store: &SqliteStore) -> Result<AllEvents, Error> {
        let mut new = BTreeMap::new();
        for profile in config.profiles() {
            let timeout = profile.timeout;
            if !self.0.contains_key(&timeout) && !new.contains_key(&timeout) {
                new.insert(timeout, stored::keeper(config, store, timeout)?.spawn()?);
            }
        }
        let events = new.values().map(Keeper::events).collect();
        for (timeout, keeper) in &new {
            let (owner, pid, timeout_seconds) = (stored::owner(keeper.owner()), std::process::id(), timeout.as_secs());
            tracing::info!(owner, pid, timeout_seconds, "keeping; `status` tells a claim by its owner");
        }
        self.0.extend(new);
        Ok(AllEvents { each: events, missed: 0 })
    }

    /// The keeper of the profiles with this limit.
    pub(super) fn with(&self, timeout: Duration) -> &Keeper {
        self.0.get(&timeout).expect("there is one for each profile")
    }

    /// Whether one of them has this session, its refresh under way or tokens of it that are not saved.
    pub(super) fn hold(&self, key: &SessionKey) -> bool {
        self.0.values().any(|keeper| keeper.holds(key))
    }

    /// Granted tokens that the store has not taken.
    pub(super) fn unsaved(&self) -> Vec<(SessionKey, TokenSet)> {
        self.0.values().flat_map(Keeper::unsaved).collect()
    }

    /// Has all of them seal with these keys. They all seal with the same, so that the first one refuses for all.
    pub(super) fn seal_with(&self, keys: &SealingKeys) -> Result<(), Error> {
        self.0.values().try_for_each(|keeper| keeper.seal_with(keys.clone()))
    }

    /// All at once: each finishes what it has under way.
    pub(super) fn shutdown(&self) -> impl Future<Output = ()> + 'static {
        let shutdown = |keeper: Keeper| tokio::spawn(async move { keeper.shutdown().await });
        let ends: Vec<_> = self.0.values().cloned().map(shutdown).collect();
        async move {
            for end in ends {
                end.await.expect("a shutdown does not panic");
            }
        }
    }
}

impl AllEvents {
    pub(super) fn extend(&mut self, others: Self) {
        self.each.extend(others.each);
    }

    /// The next one; `None` when one of the keepers is gone.
    pub(super) async fn next(&mut self) -> Option<Event> {
        let mut each: Vec<_> = self.each.iter_mut().map(|events| Box::pin(events.next())).collect();
        let next = poll_fn(|context| {
            let mut polled = each.iter_mut().map(|next| next.as_mut().poll(context));
            polled.find(Poll::is_ready).unwrap_or(Poll::Pending)
        });
        let next = next.await;
        drop(each);
        self.say_missed();
        next
    }

    /// Says how many events were lost since it was said last, because they were not read in time.
    fn say_missed(&mut self) {
        let missed = self.each.iter().map(Events::missed).sum();
        let number = missed - std::mem::replace(&mut self.missed, missed);
        if number > 0 {
            tracing::warn!(number, "this log fell behind, and as many events are not in it: see `rampauth status`");
        }
    }

    /// One that has happened already.
    pub(super) fn try_next(&mut self) -> Option<Event> {
        let next = self.each.iter_mut().find_map(Events::try_next);
        self.say_missed();
        next
    }
}
