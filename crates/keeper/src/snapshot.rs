//! What readers see of a session: one immutable picture at a time, swapped as a whole, read without a lock.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::{ArcSwapOption, Guard};
use rampauth_core::{AccessToken, RefreshToken, SecretString, TokenSet};
use zeroize::Zeroizing;

use crate::moment::{Known, Moment};
use crate::protocol::AttemptRef;
use crate::record::{Record, SessionId, State, StoredTokens};
use crate::wall::nanoseconds;
use crate::{decision, payload};

/// One generation of one login, as it is handed out. There is one per session, so it is kept small.
pub(crate) struct Snapshot {
    /// The access token and behind it the refresh token: wiped with the last of those who hold a part.
    text: Zeroizing<Box<str>>,
    /// Where the refresh token begins. A token is never empty.
    access_end: u32,
    pub(crate) state: State,
    access_known: Known,
    refresh_known: Known,
    /// Whether the access token may be handed out until it expires.
    usable: bool,
    pub(crate) session: SessionId,
    pub(crate) generation: u64,
    /// From here on callers wait for a better access token: nanoseconds since 1970, all that a reader has to look at.
    fresh_until: i64,
    access_expiry: Moment,
    refresh_expiry: Moment,
    granted_at: Moment,
    due: Moment,
}

/// What a picture shows beside the tokens.
struct Shown {
    session: SessionId,
    generation: u64,
    state: State,
    rejected: bool,
    due: Option<SystemTime>,
}

impl Snapshot {
    /// The picture of a record; `None` when its tokens cannot be read.
    pub(crate) fn of(record: &Record) -> Option<Self> {
        let stored = record.tokens.as_ref();
        let tokens = match stored {
            Some(stored) => payload::open(stored)?,
            None => TokenSet::new(),
        };
        let shown = Shown {
            session: record.session,
            generation: record.generation,
            state: record.state,
            rejected: record.rejected.is_some() && stored.is_some_and(|stored| stored.access == record.rejected),
            due: record.next_due,
        };
        Some(Self::new(&tokens, stored, &shown))
    }

    /// The picture of tokens that the store has not taken yet.
    pub(crate) fn held(attempt: AttemptRef, stored: &StoredTokens) -> Option<Self> {
        let tokens = payload::open(stored)?;
        let shown = Shown {
            session: attempt.session,
            generation: attempt.generation + 1,
            state: State::Ready,
            rejected: false,
            due: stored.next_due,
        };
        Some(Self::new(&tokens, Some(stored), &shown))
    }

    fn new(tokens: &TokenSet, stored: Option<&StoredTokens>, shown: &Shown) -> Self {
        let access = tokens.access_token.as_ref().map_or("", AccessToken::expose_secret);
        let refresh = tokens.refresh_token.as_ref().map_or("", RefreshToken::expose_secret);
        // Exactly sized from the start: growing would leave copies behind that nobody wipes.
        let mut text = String::with_capacity(access.len() + refresh.len());
        text.push_str(access);
        text.push_str(refresh);
        let usable = !access.is_empty() && !shown.rejected && shown.state != State::Tombstone;
        let mandatory = stored.map(decision::mandatory).unwrap_or_default();
        let fresh_until = match tokens.access_expiry.time() {
            _ if !usable => i64::MIN,
            Some(expiry) => nanoseconds(expiry.checked_sub(mandatory).unwrap_or(SystemTime::UNIX_EPOCH)),
            None => i64::MAX,
        };
        let (access_expiry, access_known) = Moment::of(tokens.access_expiry);
        let (refresh_expiry, refresh_known) = Moment::of(tokens.refresh_expiry);
        Self {
            access_end: u32::try_from(access.len()).expect("tokens under 4 GiB"),
            text: Zeroizing::new(text.into_boxed_str()),
            state: shown.state,
            access_known,
            refresh_known,
            usable,
            session: shown.session,
            generation: shown.generation,
            fresh_until,
            access_expiry,
            refresh_expiry,
            granted_at: Moment::not_after(stored.map(|stored| stored.granted_at)),
            due: Moment::not_before(shown.due),
        }
    }

    /// The tokens, without a copy of their text.
    pub(crate) fn tokens(self: &Arc<Self>) -> TokenSet {
        let mut tokens = TokenSet::new();
        if let Some(access) = self.access_token() {
            tokens = tokens.with_access_token(access, self.access_expiry.expiry(self.access_known));
        }
        let refresh = self.access_end as usize..self.text.len();
        if !refresh.is_empty() {
            let refresh = RefreshToken::from_checked(SecretString::part_of(Arc::clone(self) as _, refresh));
            tokens = tokens.with_refresh_token(refresh, self.refresh_expiry.expiry(self.refresh_known));
        }
        tokens
    }

    fn access_token(self: &Arc<Self>) -> Option<AccessToken> {
        let part = 0..self.access_end as usize;
        (!part.is_empty()).then(|| AccessToken::from_checked(SecretString::part_of(Arc::clone(self) as _, part)))
    }

    /// The access token, if it may be handed out and lives past `time`.
    pub(crate) fn usable_at(self: &Arc<Self>, time: SystemTime) -> Option<AccessToken> {
        let lives = self.usable && self.access_expiry.time().is_none_or(|end| time < end);
        if lives { self.access_token() } else { None }
    }

    /// Whether nobody needs to wait for a better access token at `now`.
    pub(crate) fn is_fresh_at(&self, now: SystemTime) -> bool {
        nanoseconds(now) < self.fresh_until
    }

    /// When the tokens were asked for.
    pub(crate) fn granted_at(&self) -> Option<SystemTime> {
        self.granted_at.time()
    }

    /// When a refresh should start without anybody waiting.
    pub(crate) fn due(&self) -> Option<SystemTime> {
        self.due.time()
    }

    /// Whether this picture may take the place of `other`: generations only go on, across logins too. A logout stays at the
    /// generation that it ended, and what it ended may be shown one ahead, as granted and not saved.
    pub(crate) fn replaces(&self, other: &Self) -> bool {
        let ends = self.state == State::Tombstone && self.session != other.session;
        self.generation + u64::from(ends) >= other.generation
    }
}

impl AsRef<str> for Snapshot {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

/// Where a session's picture hangs.
#[derive(Default)]
pub(crate) struct Slot(ArcSwapOption<Snapshot>);

impl Slot {
    pub(crate) fn load(&self) -> Option<Arc<Snapshot>> {
        self.0.load_full()
    }

    /// For a short look, which other readers do not notice.
    pub(crate) fn peek(&self) -> Guard<Option<Arc<Snapshot>>> {
        self.0.load()
    }

    /// Hangs up a newer picture; an older one is let go.
    pub(crate) fn publish(&self, snapshot: &Arc<Snapshot>) {
        self.0.rcu(|current| match current {
            Some(current) if !snapshot.replaces(current) => Some(Arc::clone(current)),
            _ => Some(Arc::clone(snapshot)),
        });
    }

    /// The access token without a copy, if it is fresh now; in nanoseconds since 1970.
    #[inline]
    pub(crate) fn read(&self, now: i64) -> Option<TokenRef<'_>> {
        let guard = self.0.load();
        guard.as_ref().filter(|snapshot| now < snapshot.fresh_until)?;
        Some(TokenRef { guard, slot: PhantomData })
    }
}

/// An access token that is fresh now, without a copy. Not to be held across an `await`: `to_owned` makes one that may be.
pub struct TokenRef<'a> {
    guard: Guard<Option<Arc<Snapshot>>>,
    // Neither `Send` nor beyond the session's life.
    slot: PhantomData<(&'a Slot, *const ())>,
}

impl TokenRef<'_> {
    /// The token itself. Whatever is done with it from here on is the caller's to keep safe.
    pub fn expose_secret(&self) -> &str {
        let snapshot = self.snapshot();
        &snapshot.text[..snapshot.access_end as usize]
    }

    /// The token, to be kept: a share in it, not a copy.
    pub fn to_owned(&self) -> AccessToken {
        self.snapshot().access_token().expect("without one it is not fresh")
    }

    fn snapshot(&self) -> &Arc<Snapshot> {
        self.guard.as_ref().expect("it was there when the reference was made")
    }
}

impl fmt::Debug for TokenRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenRef(***)")
    }
}

#[cfg(test)]
mod tests;
