//! What readers see of a session: one immutable picture at a time, swapped as a whole, read without a lock.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::{ArcSwapOption, Guard};
use rampauth_core::{AccessToken, Presents, TokenSet};

use crate::process::Shown;
use crate::protocol::AttemptRef;
use crate::record::{Record, State, StoredTokens};
use crate::sealing::{Seal, Unreadable};
use crate::steady::Steady;
use crate::{decision, payload};

/// One generation of one login, as it is handed out.
pub(crate) struct Snapshot {
    /// Which login and generation.
    pub(crate) shown: Shown,
    pub(crate) state: State,
    pub(crate) tokens: TokenSet,
    /// When they were asked for.
    pub(crate) granted_at: Option<SystemTime>,
    /// How far the keeper's clock was ahead of the wall clock when the process saw these tokens first. The two times below are
    /// by the keeper's clock.
    pub(crate) ahead: Duration,
    /// From here on the access token is not handed out; `None`: until the provider rejects it.
    usable_until: Option<SystemTime>,
    /// How long before that callers wait for a refresh.
    mandatory: Duration,
    rejected: bool,
    /// When a refresh should start without anybody waiting.
    pub(crate) due: Option<SystemTime>,
}

impl Snapshot {
    /// The picture of a record.
    pub(crate) fn of(record: &Record, seal: Seal<'_>) -> Result<Self, Unreadable> {
        let stored = record.tokens.as_ref();
        let tokens = match stored {
            Some(stored) => payload::open(stored, seal)?,
            None => TokenSet::new(),
        };
        Ok(Self {
            shown: Shown::of(record),
            state: record.state,
            granted_at: stored.map(|stored| stored.granted_at),
            ahead: Duration::ZERO,
            usable_until: tokens.access_expiry.time(),
            mandatory: stored.map_or(Duration::ZERO, decision::mandatory),
            rejected: record.rejected.is_some() && stored.is_some_and(|stored| stored.access == record.rejected),
            due: record.next_due,
            tokens,
        })
    }

    /// The picture of tokens that the store has not taken yet.
    pub(crate) fn held(attempt: AttemptRef, stored: &StoredTokens, seal: Seal<'_>) -> Result<Self, Unreadable> {
        let tokens = payload::open(stored, seal)?;
        Ok(Self {
            shown: Shown::unsaved(&attempt),
            state: State::Ready,
            granted_at: Some(stored.granted_at),
            ahead: Duration::ZERO,
            usable_until: tokens.access_expiry.time(),
            mandatory: decision::mandatory(stored),
            rejected: false,
            due: stored.next_due,
            tokens,
        })
    }

    /// The same by the keeper's clock, as the tokens' times are read from now on: what was shown before under this name goes on
    /// as it was read then.
    pub(crate) fn read_by(mut self, clock: &Steady, shown: Option<&Self>) -> Self {
        let known =
            shown.filter(|it| it.shown.session == self.shown.session && it.shown.generation == self.shown.generation);
        self.ahead = known.map_or_else(|| clock.behind(), |it| it.ahead);
        let read = |time: SystemTime| time.checked_add(self.ahead).unwrap_or(time);
        (self.usable_until, self.due) = (self.usable_until.map(read), self.due.map(read));
        self
    }

    /// The access token, if it may be handed out and lives past `time`.
    pub(crate) fn usable_at(&self, time: SystemTime) -> Option<&AccessToken> {
        let lives = !self.rejected && self.usable_until.is_none_or(|end| time < end);
        self.tokens.access_token.as_ref().filter(|_| lives && self.state != State::Tombstone)
    }

    /// When what a refresh presents dies.
    pub(crate) fn presented_expiry(&self, presents: Presents) -> Option<SystemTime> {
        match presents {
            Presents::AccessToken => self.tokens.access_expiry.time(),
            _ => self.tokens.refresh_expiry.time(),
        }
    }

    /// The access token, if nobody needs to wait for a better one at `now`.
    pub(crate) fn fresh_at(&self, now: SystemTime) -> Option<&AccessToken> {
        self.usable_at(now + self.mandatory)
    }
}

/// Where a session's picture hangs.
#[derive(Default)]
pub(crate) struct Slot(ArcSwapOption<Snapshot>);

impl Slot {
    pub(crate) fn load(&self) -> Option<Arc<Snapshot>> {
        self.0.load_full()
    }

    /// Hangs up a newer picture; an older one is let go.
    pub(crate) fn publish(&self, snapshot: &Arc<Snapshot>) {
        self.0.rcu(|current| match current {
            Some(current) if !snapshot.shown.replaces(&current.shown) => Some(Arc::clone(current)),
            _ => Some(Arc::clone(snapshot)),
        });
    }

    /// The access token without a copy, if it is fresh at `now`.
    pub(crate) fn read(&self, now: SystemTime) -> Option<TokenRef<'_>> {
        let guard = self.0.load();
        guard.as_ref()?.fresh_at(now)?;
        Some(TokenRef { guard, slot: PhantomData })
    }
}

/// An access token that is fresh now, without a copy. Not to be held across an `await`: `to_owned` clones it.
pub struct TokenRef<'a> {
    guard: Guard<Option<Arc<Snapshot>>>,
    // Neither `Send` nor beyond the session's life.
    slot: PhantomData<(&'a Slot, *const ())>,
}

impl TokenRef<'_> {
    /// The token, to be kept.
    pub fn to_owned(&self) -> AccessToken {
        AccessToken::clone(self)
    }
}

impl Deref for TokenRef<'_> {
    type Target = AccessToken;

    fn deref(&self) -> &AccessToken {
        let snapshot = self.guard.as_ref().expect("it was there when the reference was made");
        snapshot.tokens.access_token.as_ref().expect("it was there when the reference was made")
    }
}

impl fmt::Debug for TokenRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenRef(***)")
    }
}
