//! A keeper's open sessions: one per key, whoever asks for it, and those that may not go yet because they hold unsaved tokens.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use hashbrown::HashTable;
use rampauth_store::SessionKey;

/// What is registered under its key.
pub(crate) trait Keyed {
    fn key(&self) -> &SessionKey;
}

pub(crate) struct Registry<S> {
    hasher: RandomState,
    /// By their keys, which they hold themselves: nine bytes a place.
    open: Mutex<HashTable<Weak<S>>>,
    /// Held here, so that what they were granted outlives the handles on them.
    unsaved: Mutex<HashMap<SessionKey, Arc<S>>>,
}

impl<S: Keyed> Registry<S> {
    /// The open session of this key; where there is none, a new one that is open from now on.
    pub(crate) fn open(&self, key: SessionKey, new: impl FnOnce(SessionKey) -> Arc<S>) -> Arc<S> {
        let hash = self.hash(&key);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        find_in(&open, hash, &key).unwrap_or_else(|| {
            if open.len() == open.capacity() {
                open.retain(|session| session.strong_count() > 0);
            }
            let session = new(key);
            // One that has gone meanwhile is found by nobody, wherever it stands.
            let hash_of = |session: &Weak<S>| session.upgrade().map_or(0, |session| self.hash(session.key()));
            open.insert_unique(hash, Arc::downgrade(&session), hash_of);
            session
        })
    }

    /// The session of this key, if it is open.
    pub(crate) fn find(&self, key: &SessionKey) -> Option<Arc<S>> {
        find_in(&self.open.lock().unwrap_or_else(PoisonError::into_inner), self.hash(key), key)
    }

    /// The open sessions.
    pub(crate) fn all(&self) -> Vec<Arc<S>> {
        // Given back without the lock: one of them may be the last.
        self.open.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade).collect()
    }

    /// Whether no session is open.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// The last handle is gone.
    pub(crate) fn close(&self, session: &S) {
        // Where that would have to be waited for, even by whoever holds the lock and lets go of it just now, its place is
        // cleared before the table grows.
        let Ok(mut open) = self.open.try_lock() else { return };
        if let Ok(place) = open.find_entry(self.hash(session.key()), |it| ptr::eq(it.as_ptr(), session)) {
            place.remove();
        }
    }

    /// Keeps a session open that holds unsaved tokens.
    pub(crate) fn hold(&self, session: &Arc<S>) {
        self.unsaved().insert(session.key().clone(), Arc::clone(session));
    }

    /// Nothing of it is unsaved any more.
    pub(crate) fn release(&self, session: &S) {
        let released = self.unsaved().remove(session.key());
        // It may be the last one, and without the lock by now.
        drop(released);
    }

    /// The sessions that hold unsaved tokens.
    pub(crate) fn held(&self) -> Vec<Arc<S>> {
        self.unsaved().values().cloned().collect()
    }

    fn unsaved(&self) -> MutexGuard<'_, HashMap<SessionKey, Arc<S>>> {
        self.unsaved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hash(&self, key: &SessionKey) -> u64 {
        self.hasher.hash_one(key.as_str())
    }
}

fn find_in<S: Keyed>(open: &HashTable<Weak<S>>, hash: u64, key: &SessionKey) -> Option<Arc<S>> {
    let mut found = None;
    open.find(hash, |session| {
        found = session.upgrade().filter(|session| session.key() == key);
        found.is_some()
    });
    found
}

impl<S> Default for Registry<S> {
    fn default() -> Self {
        Self { hasher: RandomState::default(), open: Mutex::default(), unsaved: Mutex::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Open {
        key: SessionKey,
        registry: Arc<Registry<Self>>,
    }

    impl Keyed for Open {
        fn key(&self) -> &SessionKey {
            &self.key
        }
    }

    impl Drop for Open {
        fn drop(&mut self) {
            self.registry.close(self);
        }
    }

    fn key(number: usize) -> SessionKey {
        SessionKey::parse(format!("fake/test/account/{number}")).expect("a key")
    }

    fn open(registry: &Arc<Registry<Open>>, number: usize) -> Arc<Open> {
        registry.open(key(number), |key| Arc::new(Open { key, registry: Arc::clone(registry) }))
    }

    #[test]
    fn a_session_that_is_gone_takes_no_place_and_one_takes_little() {
        let registry = Arc::new(Registry::default());
        let places = || registry.open.lock().expect("no panic");
        let mut sessions: Vec<_> = (0..200).map(|number| open(&registry, number)).collect();
        assert_eq!(places().len(), 200);
        let bytes = places().allocation_size() / 200;
        assert!(bytes <= 20, "{bytes} bytes a session");
        sessions.truncate(100);
        assert_eq!(places().len(), 100);
        // Gone while somebody else looks: cleared away before the table grows.
        let looking = places();
        drop(sessions);
        drop(looking);
        assert_eq!(places().len(), 100);
        let capacity = places().capacity();
        let _sessions: Vec<_> = (200..200 + capacity).map(|number| open(&registry, number)).collect();
        assert_eq!(places().len(), capacity);
    }

    #[test]
    fn one_key_has_one_session_while_somebody_holds_it() {
        let registry = Arc::new(Registry::default());
        assert!(registry.is_empty() && registry.find(&key(1)).is_none());
        let (one, same, other) = (open(&registry, 1), open(&registry, 1), open(&registry, 2));
        assert!(Arc::ptr_eq(&one, &same) && !Arc::ptr_eq(&one, &other));
        assert_eq!(registry.all().len(), 2);
        registry.hold(&one);
        drop((one, same));
        assert!(registry.find(&key(1)).is_some(), "it is held");
        for held in registry.held() {
            registry.release(&held);
        }
        assert!(registry.find(&key(1)).is_none() && registry.find(&key(2)).is_some());
        drop(other);
        assert!(registry.is_empty());
    }
}
