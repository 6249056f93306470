//! A keeper's open sessions: one per key, whoever asks for it, and those that may not go yet because they hold unsaved tokens.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use hashbrown::HashTable;
use rampauth_store::SessionKey;

use crate::session::Inner;

#[derive(Default)]
pub(crate) struct Registry {
    hasher: RandomState,
    /// By their keys, which they hold themselves: nine bytes a place.
    open: Mutex<HashTable<Weak<Inner>>>,
    /// Held here, so that what they were granted outlives the handles on them.
    unsaved: Mutex<HashMap<SessionKey, Arc<Inner>>>,
}

impl Registry {
    /// The open session of this key; where there is none, a new one that is open from now on.
    pub(crate) fn open(&self, key: SessionKey, new: impl FnOnce(SessionKey) -> Arc<Inner>) -> Arc<Inner> {
        let hash = self.hash(&key);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        find_in(&open, hash, &key).unwrap_or_else(|| {
            if open.len() == open.capacity() {
                open.retain(|session| session.strong_count() > 0);
            }
            let session = new(key);
            // One that has gone meanwhile is found by nobody, wherever it stands.
            let hash_of = |session: &Weak<Inner>| session.upgrade().map_or(0, |session| self.hash(&session.key));
            open.insert_unique(hash, Arc::downgrade(&session), hash_of);
            session
        })
    }

    /// The session of this key, if it is open.
    pub(crate) fn find(&self, key: &SessionKey) -> Option<Arc<Inner>> {
        find_in(&self.open.lock().unwrap_or_else(PoisonError::into_inner), self.hash(key), key)
    }

    /// The open sessions.
    pub(crate) fn all(&self) -> Vec<Arc<Inner>> {
        // Given back without the lock: one of them may be the last.
        self.open.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade).collect()
    }

    /// Whether no session is open.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// The last handle is gone.
    pub(crate) fn close(&self, session: &Inner) {
        // Where that would have to be waited for, even by whoever holds the lock and lets go of it just now, its place is
        // cleared before the table grows.
        let Ok(mut open) = self.open.try_lock() else { return };
        if let Ok(place) = open.find_entry(self.hash(&session.key), |it| ptr::eq(it.as_ptr(), session)) {
            place.remove();
        }
    }

    /// Keeps a session open that holds unsaved tokens.
    pub(crate) fn hold(&self, session: &Arc<Inner>) {
        self.unsaved().insert(session.key.clone(), Arc::clone(session));
    }

    /// Nothing of it is unsaved any more.
    pub(crate) fn release(&self, session: &Inner) {
        let released = self.unsaved().remove(&session.key);
        // It may be the last one, and without the lock by now.
        drop(released);
    }

    /// The sessions that hold unsaved tokens.
    pub(crate) fn held(&self) -> Vec<Arc<Inner>> {
        self.unsaved().values().cloned().collect()
    }

    fn unsaved(&self) -> MutexGuard<'_, HashMap<SessionKey, Arc<Inner>>> {
        self.unsaved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hash(&self, key: &SessionKey) -> u64 {
        self.hasher.hash_one(key.as_str())
    }
}

fn find_in(open: &HashTable<Weak<Inner>>, hash: u64, key: &SessionKey) -> Option<Arc<Inner>> {
    let mut found = None;
    open.find(hash, |session| {
        found = session.upgrade().filter(|session| session.key == *key);
        found.is_some()
    });
    found
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use rampauth_core::{Error, ErrorKind, Outcome, Presents, Refresh, RefreshPolicy, TokenSet};

    use super::*;
    use crate::keeper::Keeper;
    use crate::session::Session;
    use rampauth_store::MemoryStore;

    struct Nothing(RefreshPolicy);

    #[async_trait]
    impl Refresh for Nothing {
        fn policy(&self) -> &RefreshPolicy {
            &self.0
        }

        async fn refresh(&self, _: &TokenSet) -> Result<TokenSet, Error> {
            Err(Error::new(ErrorKind::Unreachable, Outcome::NotSent, "refresh", "there is nobody"))
        }
    }

    async fn session(keeper: &Keeper, number: usize) -> Session {
        let key = SessionKey::parse(format!("fake/test/account/{number}")).expect("a key");
        let provider = Nothing(RefreshPolicy::new(Presents::RefreshToken));
        keeper.session(key, provider).await.expect("a session")
    }

    #[tokio::test]
    async fn a_session_that_is_gone_takes_no_place_and_one_takes_little() {
        let keeper = Keeper::builder(MemoryStore::new()).spawn().expect("a keeper");
        let open = || keeper.shared.sessions.open.lock().expect("no panic");
        let mut sessions = Vec::new();
        for number in 0..200 {
            sessions.push(session(&keeper, number).await);
        }
        assert_eq!(open().len(), 200);
        let bytes = open().allocation_size() / 200;
        assert!(bytes <= 20, "{bytes} bytes a session");
        sessions.truncate(100);
        assert_eq!(open().len(), 100);
        // Gone while somebody else looks: cleared away before the table grows.
        let looking = open();
        drop(sessions);
        drop(looking);
        assert_eq!(open().len(), 100);
        let capacity = open().capacity();
        let mut sessions = Vec::new();
        for number in 200..200 + capacity {
            sessions.push(session(&keeper, number).await);
        }
        assert_eq!(open().len(), capacity);
    }
}
