//! What readers see of a session: one immutable picture at a time, swapped as a whole, read without a lock.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::{ArcSwapOption, Guard};
use rampauth_core::{AccessToken, Presents, RefreshToken, SecretString, TokenSet};
use rampauth_store::{AttemptRef, Record, SessionId, State, StoredTokens, TokenDigest};
use zeroize::Zeroizing;

use crate::clock::moment::{Known, Moment, Second};
use crate::clock::steady::Steady;
use crate::clock::wall::nanoseconds;
use crate::generic::publish::{Place, publish};
use crate::plan::next_step::{Shown, Stage};
use crate::plan::policy;
use crate::tokens::encoding;
use crate::tokens::sealing::{Seal, Unreadable};

/// One generation of one login, as it is handed out. There is one per session, so it is kept small.
#[derive(Clone)]
pub(crate) struct Snapshot {
    /// The access token and behind it the refresh token: wiped with the last of those who hold a part.
    text: Zeroizing<Box<str>>,
    /// Where the refresh token begins. A token is never empty.
    access_end: u32,
    /// How far the keeper's clock was ahead of the wall clock when the process saw these tokens first, in seconds. `fresh_until`
    /// and `due` are by the keeper's clock.
    ahead: u32,
    /// When they were asked for.
    pub(crate) granted_at: Second,
    /// Since when what is presented is known to expire when it does.
    presented_since: Second,
    pub(crate) state: State,
    stage: Stage,
    access_known: Known,
    refresh_known: Known,
    pub(crate) session: SessionId,
    pub(crate) generation: u64,
    /// From here on callers wait for a better access token: nanoseconds since 1970, all that a reader has to look at.
    /// [`UNUSABLE`] where this one may not be handed out at all.
    fresh_until: i64,
    access_expiry: Moment,
    refresh_expiry: Moment,
    due: Moment,
}

const UNUSABLE: i64 = i64::MIN;

/// What a picture shows beside the tokens.
struct About {
    shown: Shown,
    state: State,
    rejected: bool,
    due: Option<SystemTime>,
}

impl Snapshot {
    /// The picture of a record.
    pub(crate) fn of(record: &Record, seal: Seal<'_>) -> Result<Self, Unreadable> {
        let stored = record.tokens.as_ref();
        let tokens = match stored {
            Some(stored) => encoding::open(stored, seal)?,
            None => TokenSet::new(),
        };
        let rejected = record.rejected.is_some() && stored.is_some_and(|stored| stored.access == record.rejected);
        let about = About { shown: Shown::of(record), state: record.state, rejected, due: record.due() };
        Ok(Self::new(&tokens, stored, &about))
    }

    /// The picture of tokens that the store has not taken yet.
    pub(crate) fn held(attempt: AttemptRef, stored: &StoredTokens, seal: Seal<'_>) -> Result<Self, Unreadable> {
        let tokens = encoding::open(stored, seal)?;
        let shown = Shown::unsaved(&attempt);
        let about = About { shown, state: State::Ready, rejected: false, due: stored.next_due };
        Ok(Self::new(&tokens, Some(stored), &about))
    }

    fn new(tokens: &TokenSet, stored: Option<&StoredTokens>, about: &About) -> Self {
        let access = tokens.access_token.as_ref().map_or("", AccessToken::expose_secret);
        let refresh = tokens.refresh_token.as_ref().map_or("", RefreshToken::expose_secret);
        // Exactly sized from the start: growing would leave copies behind that nobody wipes.
        let mut text = String::with_capacity(access.len() + refresh.len());
        text.push_str(access);
        text.push_str(refresh);
        let mandatory = stored.map(policy::mandatory).unwrap_or_default();
        let usable = !access.is_empty() && !about.rejected && about.state != State::Tombstone;
        let fresh_until = match tokens.access_expiry.time() {
            _ if !usable => UNUSABLE,
            Some(expiry) => nanoseconds(expiry.checked_sub(mandatory).unwrap_or(SystemTime::UNIX_EPOCH)),
            None => i64::MAX,
        };
        let (access_expiry, access_known) = Moment::of(tokens.access_expiry);
        let (refresh_expiry, refresh_known) = Moment::of(tokens.refresh_expiry);
        Self {
            access_end: u32::try_from(access.len()).expect("tokens under 4 GiB"),
            text: Zeroizing::new(text.into_boxed_str()),
            ahead: 0,
            granted_at: Second::not_after(stored.map(|stored| stored.granted_at)),
            presented_since: Second::not_after(
                stored.map(|stored| stored.presented_since.unwrap_or(stored.granted_at)),
            ),
            state: about.state,
            stage: about.shown.stage,
            access_known,
            refresh_known,
            session: about.shown.session,
            generation: about.shown.generation,
            fresh_until,
            access_expiry,
            refresh_expiry,
            due: Moment::not_before(about.due),
        }
    }

    /// The same, due at this time.
    pub(crate) fn due_at(mut self, due: SystemTime) -> Self {
        self.due = Moment::not_before(Some(due));
        self
    }

    /// The same by the keeper's clock, as the tokens' times are read from now on: what was shown before under this name goes on
    /// as it was read then.
    pub(crate) fn read_by(mut self, clock: &Steady, shown: Option<&Self>) -> Self {
        let known = shown.filter(|it| it.session == self.session && it.generation == self.generation);
        self.ahead = known.map_or_else(|| clock.behind(), |it| it.ahead);
        if self.fresh_until != UNUSABLE {
            self.fresh_until = self.fresh_until.saturating_add(i64::from(self.ahead) * 1_000_000_000);
        }
        self.due = self.due.later(self.ahead);
        self
    }

    /// Which login and generation.
    pub(crate) fn shown(&self) -> Shown {
        Shown { session: self.session, generation: self.generation, stage: self.stage }
    }

    /// How far the keeper's clock was ahead of the wall clock when the process saw these tokens first.
    pub(crate) fn ahead(&self) -> Duration {
        Duration::from_secs(self.ahead.into())
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

    /// Whether this is its access token.
    pub(crate) fn holds(&self, access: TokenDigest) -> bool {
        let token = &self.text[..self.access_end as usize];
        !token.is_empty() && TokenDigest::of(token) == access
    }

    /// Whether the provider rejected its access token.
    pub(crate) fn is_rejected(&self) -> bool {
        self.fresh_until == UNUSABLE && self.access_end > 0 && self.state != State::Tombstone
    }

    /// Its access token was rejected: it is not handed out, and a refresh is due if one may help.
    pub(crate) fn reject(&mut self, now: SystemTime) {
        self.fresh_until = UNUSABLE;
        if matches!(self.state, State::Ready | State::Doubtful) {
            self.due = Moment::not_after(Some(self.due().map_or(now, |due| due.min(now))));
        }
    }

    /// The access token, if it may be handed out and lives past `time`.
    pub(crate) fn usable_at(self: &Arc<Self>, time: SystemTime) -> Option<AccessToken> {
        let end = self.access_expiry.later(self.ahead).time();
        let lives = self.fresh_until != UNUSABLE && end.is_none_or(|end| time < end);
        if lives { self.access_token() } else { None }
    }

    /// How long the access token lives in all, if anybody knows.
    pub(crate) fn lifetime(&self) -> Option<Duration> {
        self.access_expiry.time()?.duration_since(self.granted_at.time()?).ok()
    }

    /// Whether nobody needs to wait for a better access token at `now`.
    pub(crate) fn is_fresh_at(&self, now: SystemTime) -> bool {
        nanoseconds(now) < self.fresh_until
    }

    /// When to look after it without anybody waiting.
    pub(crate) fn due(&self) -> Option<SystemTime> {
        self.due.time()
    }

    /// When this session's tokens die, as far as is known: the access token and what a refresh presents, by the keeper's clock.
    pub(crate) fn expiries(&self) -> impl Iterator<Item = SystemTime> {
        let refresh = Some(self.refresh_expiry).filter(|_| self.refresh_known == Known::At);
        [Some(self.access_expiry), refresh].into_iter().flatten().filter_map(|it| it.later(self.ahead).time())
    }

    /// When its tokens were asked for, by the keeper's clock.
    pub(crate) fn asked_for(&self) -> Option<SystemTime> {
        self.granted_at.time()?.checked_add(self.ahead())
    }

    /// When what a refresh presents dies, by the keeper's clock, and how long it lives in all, while it may still be presented.
    pub(crate) fn credential_life(&self, presents: Presents) -> Option<(SystemTime, Duration)> {
        let alive = matches!(self.state, State::Ready | State::Doubtful);
        let expiry = self.presented_expiry(presents).filter(|_| alive)?;
        let since = self.presented_since.time()?.checked_add(self.ahead())?;
        Some((expiry, expiry.duration_since(since).unwrap_or_default()))
    }

    /// When what a refresh presents dies, by the keeper's clock.
    pub(crate) fn presented_expiry(&self, presents: Presents) -> Option<SystemTime> {
        let expiry = match presents {
            Presents::AccessToken => self.access_expiry,
            _ => self.refresh_expiry,
        };
        expiry.later(self.ahead).time()
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
        publish(&self.0, snapshot, |new, current| new.shown().replaces(&current.shown()));
    }

    /// The access token without a copy, if it is fresh now; in nanoseconds since 1970.
    #[inline]
    pub(crate) fn read(&self, now: i64) -> Option<TokenRef<'_>> {
        let guard = self.0.load();
        guard.as_ref().filter(|snapshot| now < snapshot.fresh_until)?;
        Some(TokenRef { guard, slot: PhantomData })
    }
}

impl<T> Place<T> for ArcSwapOption<T> {
    fn load(&self) -> Option<Arc<T>> {
        self.load_full()
    }

    fn swap(&self, current: &Option<Arc<T>>, new: &Arc<T>) -> Result<(), Option<Arc<T>>> {
        let found = Guard::into_inner(self.compare_and_swap(current, Some(Arc::clone(new))));
        let swapped = found.as_ref().map(Arc::as_ptr) == current.as_ref().map(Arc::as_ptr);
        if swapped { Ok(()) } else { Err(found) }
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
