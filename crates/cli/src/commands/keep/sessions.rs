//! All sessions that are kept, and what the store holds beside them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::join_all;
use rampauth_core::{Error, ErrorKind, Refresh};
use rampauth_keeper::{Event, SessionKey, State, StoreExt as _};
use rampauth_store_sqlite::{Changes, Mark, SqliteStore};

use super::keepers::Keepers;
use super::kept::Kept;
use super::log;
use crate::config::{Config, Profile};
use crate::failure::message;
use crate::rescue::Places;
use crate::stored;

/// How many sessions are looked at before signals and events have their turn.
const BATCH: usize = 256;
/// Every so many looks for changes the whole store is looked at, whatever it says of changes.
const THOROUGH: u32 = 15;

pub(super) struct Sessions {
    /// The configuration file.
    pub(super) path: PathBuf,
    pub(super) config: Config,
    pub(super) store: SqliteStore,
    pub(super) keepers: Keepers,
    /// Where what is rescued is written.
    pub(super) places: Places,
    pub(super) kept: BTreeMap<SessionKey, Kept>,
    /// Profiles that are kept no more: what their sessions had under way is still told.
    pub(super) gone: BTreeMap<SessionKey, Arc<Profile>>,
    /// What each record was like when it was looked at last, and of which version of the store that is.
    marks: HashMap<SessionKey, Mark>,
    version: Option<u64>,
    looks: u32,
    /// To be looked at now, and with the next look for changes.
    pending: BTreeSet<SessionKey>,
    again: BTreeSet<SessionKey>,
    /// Stored sessions that no profile claims and that were named.
    named: HashSet<SessionKey>,
    /// Whether the first look at all of them is still to be finished.
    starting: bool,
    /// Whether the store could be read the last time.
    readable: bool,
}

impl Sessions {
    pub(super) async fn new(
        path: &Path,
        config: Config,
        store: SqliteStore,
        keepers: Keepers,
        places: Places,
        clients: Vec<(Arc<Profile>, Box<dyn Refresh>)>,
    ) -> Result<Self, Error> {
        let kept = clients.into_iter().map(|(profile, client)| (profile.key.clone(), Kept::new(profile, client)));
        let mut sessions = Self {
            path: path.to_owned(),
            config,
            store,
            keepers,
            places,
            kept: kept.collect(),
            gone: BTreeMap::new(),
            marks: HashMap::new(),
            version: None,
            looks: 0,
            pending: BTreeSet::new(),
            again: BTreeSet::new(),
            named: HashSet::new(),
            starting: true,
            readable: true,
        };
        let changes = sessions.store.changes(None).await.map_err(|error| stored::unusable(&error))?;
        sessions.note(changes);
        sessions.has_started()?;
        Ok(sessions)
    }

    /// Asks the store what others have changed.
    pub(super) async fn scan(&mut self) {
        self.looks = self.looks.wrapping_add(1);
        let since = self.version.filter(|_| !self.looks.is_multiple_of(THOROUGH));
        match self.store.changes(since).await {
            Ok(changes) => {
                if !std::mem::replace(&mut self.readable, true) {
                    tracing::info!("the store can be read again");
                }
                self.note(changes);
            }
            Err(error) => {
                if std::mem::replace(&mut self.readable, false) {
                    let error = stored::unusable(&error);
                    let (error, help) = (message(&error), error.help());
                    tracing::error!(
                        error,
                        help,
                        "the store cannot be read; sessions go on with the tokens that they have"
                    );
                }
            }
        }
        self.pending.append(&mut self.again);
    }

    fn note(&mut self, changes: Option<Changes>) {
        let Some(Changes { version, marks, .. }) = changes else { return };
        let marks: HashMap<SessionKey, Mark> = marks.into_iter().collect();
        let changed = marks.iter().filter(|(key, mark)| self.marks.get(*key) != Some(*mark)).map(|(key, _)| key);
        self.pending.extend(changed.cloned());
        self.pending.extend(self.marks.keys().filter(|key| !marks.contains_key(*key)).cloned());
        let missing = self.kept.iter_mut().filter(|(key, kept)| !marks.contains_key(*key) && kept.session().is_none());
        let mut missing: Vec<&mut Kept> = missing.map(|(_, kept)| kept).collect();
        missing.sort_by(|one, other| one.profile.name.cmp(&other.profile.name));
        missing.into_iter().for_each(Kept::say_missing);
        (self.version, self.marks) = (Some(version), marks);
    }

    /// Has all of them looked at again.
    pub(super) fn look_again(&mut self) {
        (self.version, self.looks) = (None, 0);
        self.marks.clear();
        self.pending.extend(self.kept.keys().cloned());
    }

    pub(super) fn are_to_be_looked_at(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Looks at a few of those that are to be looked at.
    ///
    /// # Errors
    ///
    /// Once all have been looked at for the first time: when sessions are stored, and none of them can be read for a reason that
    /// lasts.
    pub(super) async fn look_at_some(&mut self) -> Result<(), Error> {
        let batch: BTreeSet<SessionKey> = (0..BATCH).map_while(|_| self.pending.pop_first()).collect();
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else { return Ok(()) };
        let (keepers, store) = (&self.keepers, &self.store);
        let kept = self.kept.range_mut(first..=last).filter(|(key, _)| batch.contains(*key));
        // All at once: the store's thread has the next question when it has answered one.
        let looks = kept.map(|(key, kept)| async move { kept.look(keepers, store).await.then(|| key.clone()) });
        let again = join_all(looks).await;
        self.again.extend(again.into_iter().flatten());
        for key in batch {
            if !self.kept.contains_key(&key) {
                self.name_unclaimed(key).await;
            }
        }
        self.has_started()
    }

    fn has_started(&mut self) -> Result<(), Error> {
        if !self.starting || !self.pending.is_empty() {
            return Ok(());
        }
        self.starting = false;
        let sessions = self.kept.values().filter(|kept| kept.session().is_some()).count();
        let unreadable: Vec<&Error> = self.kept.values().filter_map(Kept::unreadable).collect();
        if let (0, Some(first)) = (sessions, unreadable.first())
            && unreadable.iter().all(|error| error.kind() == ErrorKind::Config)
        {
            let reason = format!("no session can be read, of {}: {}", unreadable.len(), message(first));
            return Err(Error::config("keep the sessions", reason).with_help(first.help().to_owned()));
        }
        tracing::info!(profiles = self.kept.len(), sessions, "started");
        Ok(())
    }

    /// Says once that nobody keeps a stored session.
    async fn name_unclaimed(&mut self, key: SessionKey) {
        if self.named.contains(&key) {
            return;
        }
        // One that cannot be read is for whoever claims it.
        let Ok(Some(record)) = self.store.load(&key).await else { return };
        if record.state != State::Tombstone {
            tracing::warn!(%key, "no profile of the configuration claims this stored session: it is not kept");
            self.named.insert(key);
        }
    }

    /// A profile claims it, so that it may be named again one day.
    pub(super) fn claim(&mut self, key: &SessionKey) {
        self.named.remove(key);
    }

    /// Tells an event. What is not of a session of this configuration has nobody to be told.
    pub(super) fn tell(&self, event: Event) {
        match (self.kept.get(&event.key), self.gone.get(&event.key)) {
            (Some(kept), _) => log::tell(event, &kept.profile, Some(kept), &self.places),
            (None, Some(profile)) => log::tell(event, profile, None, &self.places),
            (None, None) => {}
        }
    }

    /// The profile of this session, whether it is still kept or not.
    pub(super) fn profile(&self, key: &SessionKey) -> Option<&Profile> {
        let kept = self.kept.get(key).map(|kept| &kept.profile);
        kept.or_else(|| self.gone.get(key)).map(AsRef::as_ref)
    }
}
