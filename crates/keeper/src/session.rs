//! One session: what callers read of it, and the one refresh at a time that they share.

use std::fmt;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use rampauth_core::{AccessToken, Error, ErrorKind, Outcome, Refresh, TokenSet};
use rampauth_store::{Operation, Record, SessionId, SessionKey, State, StoredTokens, TokenDigest};

use crate::clock::moment::Second;
use crate::generic::schedule::{Timed, Timer};
use crate::keeper::{Shared, random};
use crate::login;
use crate::metrics;
use crate::plan::next_step::Need;
use crate::plan::policy;
use crate::session_options::SessionOptions;
use crate::state::refresh::Flight;
use crate::tokens::encoding;
use crate::tokens::sealing::{Seal, SealingKeys};
use crate::visible::snapshot::{Slot, Snapshot, TokenRef};

const READ: &str = "give an access token";

/// A handle on one session. Cheap to clone; all clones share one refresh.
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) keeper: Arc<Shared>,
    pub(crate) key: SessionKey,
    pub(crate) provider: Arc<dyn Refresh>,
    pub(crate) options: SessionOptions,
    /// The end of the credential that was warned of, in minutes since 1970.
    pub(crate) warned: AtomicU32,
    pub(crate) slot: Slot,
    /// `None` while there is nothing to remember, as it is almost always.
    pub(crate) flight: Mutex<Option<Box<Flight>>>,
    pub(crate) timer: Timer,
}

impl Session {
    pub(crate) async fn open(
        keeper: Arc<Shared>,
        key: SessionKey,
        provider: Arc<dyn Refresh>,
        options: SessionOptions,
    ) -> Result<Self, Error> {
        let inner = Inner::enter(&keeper, key, provider, options);
        let before = inner.slot.load();
        if let Some(record) = inner.load().await? {
            match &before {
                Some(_) => inner.adopt_newer(&record)?,
                None => inner.adopt(&record)?,
            }
        }
        let after = inner.slot.load();
        let login = |it: &Option<Arc<Snapshot>>| it.as_ref().map(|it| it.session);
        if login(&before) != login(&after) {
            inner.forget_failures();
        }
        let due = |it: &Option<Arc<Snapshot>>| it.as_ref().map(|it| (it.shown(), it.due()));
        if due(&before) != due(&after) {
            // What was due while no process was there is due now.
            inner.plan(Some(inner.keeper.clock.now()));
        }
        Ok(Self { inner })
    }

    /// The session's key.
    pub fn key(&self) -> &SessionKey {
        &self.inner.key
    }

    /// The access token if it is fresh, without waiting and without a copy: the path for every call. `None` when a refresh
    /// has to be waited for; [`access_token`](Self::access_token) does that.
    pub fn try_access_token(&self) -> Option<TokenRef<'_>> {
        self.inner.slot.read(self.inner.keeper.clock.nanoseconds())
    }

    /// A usable access token, refreshed first if it is about to expire.
    ///
    /// # Errors
    ///
    /// The error of the refresh that was needed and failed, the same for all who waited. While the token in use is usable, a
    /// failing refresh is no error. Where another process presents the token, it is waited for until its claim lapses, for as
    /// long as a claim of this keeper's own and a save take; [`ErrorKind::RateLimited`] with [`Outcome::NotSent`] then.
    pub async fn access_token(&self) -> Result<AccessToken, Error> {
        self.access_token_for(Duration::ZERO).await
    }

    /// An access token that lives for this long at least, refreshed first if it does not.
    ///
    /// # Errors
    ///
    /// As [`access_token`](Self::access_token), and [`ErrorKind::Internal`] when the provider grants none that lives that long.
    /// Once that has shown, it is said without a refresh as long as the token is fresh and no longer-lived one was granted.
    pub async fn access_token_for(&self, lifetime: Duration) -> Result<AccessToken, Error> {
        let inner = &self.inner;
        let needed = |now: SystemTime| now.checked_add(lifetime).unwrap_or(now);
        let now = inner.keeper.clock.now();
        let fresh = |snapshot: &Arc<Snapshot>| snapshot.is_fresh_at(now).then(|| snapshot.usable_at(needed(now)))?;
        let token = inner.slot.peek().as_ref().and_then(fresh);
        if let Some(token) = token {
            return Ok(token);
        }
        // What did not help the last time is not asked for again.
        let granted = || inner.slot.peek().as_ref().and_then(|snapshot| snapshot.lifetime());
        let fresh = inner.slot.peek().as_ref().is_some_and(|snapshot| snapshot.is_fresh_at(now));
        if fresh && inner.flight().was_in_vain(lifetime, granted()) {
            return Err(no_token(inner.slot.load().as_deref()));
        }
        // A refresh that was under way for another reason may land without what this caller needs.
        for _ in 0..3 {
            let asked = Second::not_after(Some(inner.keeper.clock.wall()));
            let landed = inner.fly(Need::UsableAt(needed(inner.keeper.clock.now()))).await;
            let now = inner.keeper.clock.now();
            // A failure makes nothing worse: what can be used is handed out.
            let token = inner.slot.peek().as_ref().and_then(|snapshot| snapshot.usable_at(needed(now)));
            if let Some(token) = token {
                return Ok(token);
            }
            landed?;
            if inner.slot.peek().as_ref().is_some_and(|snapshot| snapshot.granted_at >= asked) {
                // What was granted for this caller does not live that long, and another grant would not either.
                inner.flight().note_in_vain(lifetime, granted());
                break;
            }
        }
        Err(no_token(inner.slot.load().as_deref()))
    }

    /// Refreshes now, whatever the expiry says, or joins the refresh under way.
    ///
    /// Where a login is needed the stored token is sent once all the same, for a person may know better. A grant makes the session
    /// ready again. Any other answer leaves a login needed, and nothing repeats it. Nothing is sent after a logout, nor where the
    /// credential is known to have expired.
    ///
    /// # Errors
    ///
    /// The error of the refresh, and as [`access_token`](Self::access_token) where another process has the claim.
    pub async fn refresh(&self) -> Result<(), Error> {
        self.inner.fly(Need::ByHand).await
    }

    /// Presents a token that is in doubt once more now, whatever the provider's policy says of it; without a doubt nothing is
    /// sent. Where a refresh is under way already, its result is this one's.
    ///
    /// # Errors
    ///
    /// The error of the presentation.
    pub async fn settle(&self) -> Result<(), Error> {
        self.inner.fly(Need::Certainty).await
    }

    /// The tokens as they were seen last, the refresh token among them, whatever became of them; `None` before the first login
    /// and after a logout.
    pub fn tokens(&self) -> Option<TokenSet> {
        let snapshot = self.inner.slot.load()?;
        (snapshot.state != State::Tombstone).then(|| snapshot.tokens())
    }

    /// Stores the tokens of a login, in place of whatever was there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Input`] when they lack what the provider's refresh presents, or when another login or a logout came first
    /// (asking again replaces that one); [`ErrorKind::Internal`] when the store does not take them. It is asked twice, and looked
    /// into after that, so that an answer that is lost is no error; where all of that fails, asking again finds out whether they are stored.
    pub async fn put(&self, tokens: TokenSet) -> Result<(), Error> {
        let inner = &self.inner;
        let now = inner.keeper.clock.wall();
        let expect = inner.slot.load();
        let generation = expect.as_ref().map_or(0, |snapshot| snapshot.generation) + 1;
        let stored = inner.stored(&tokens, generation, now).ok_or_else(|| {
            Error::input("store the tokens", "they lack the token that this provider's refresh presents")
        })?;
        let session = SessionId::from_random(random()?);
        let expect = expect.map(|snapshot| snapshot.session);
        let put = Operation::Put { session, expect, tokens: stored.clone() };
        match inner.keeper.begin_anew(&inner.key, session, put, "store the tokens").await? {
            Some(record) if record.session == session || login::is_stored(&stored, &record) => {
                inner.forget_failures();
                inner.adopt(&record)?;
                // What is due already is due now.
                inner.plan(Some(inner.keeper.clock.now()));
                Ok(())
            }
            Some(record) => {
                inner.adopt(&record)?;
                Err(Error::input("store the tokens", "another login or a logout came first; ask again to replace it"))
            }
            None => Err(out_of_protocol(Outcome::NotSent, "store the tokens")),
        }
    }

    /// Ends the session: a logout. Whatever still arrives for it is told as [`EventKind::Unclaimed`](crate::EventKind::Unclaimed) and
    /// not stored.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Input`] when another login came first; [`ErrorKind::Internal`] when the store does not take it, however often it
    /// is asked, as with [`put`](Self::put).
    pub async fn remove(&self) -> Result<(), Error> {
        let inner = &self.inner;
        // Without a login of this process's knowledge: whatever is there.
        let expect = match inner.slot.load() {
            Some(snapshot) => Some(snapshot.session),
            None => inner.load().await?.map(|record| record.session),
        };
        let Some(expect) = expect else { return Ok(()) };
        inner.keeper.remove(&inner.key, expect).await
    }

    /// Says that the provider rejected this access token. If it is the current one, it is not handed out any more and a refresh
    /// starts; a late word about an older one changes nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] when the store cannot be reached. This process does not hand the token out any more all the same,
    /// and tells the record before it refreshes next; other processes do not know of it until then.
    pub async fn reject(&self, token: &AccessToken) -> Result<(), Error> {
        let inner = &self.inner;
        let access = TokenDigest::of(token.expose_secret());
        inner.refuse(access);
        let noted = inner.note_rejection(access).await;
        if inner.shows_rejected(access) {
            inner.plan(Some(inner.keeper.clock.now()));
        }
        noted
    }
}

impl Inner {
    /// The open session of this key, or a new one of which nothing is known yet.
    pub(crate) fn enter(
        keeper: &Arc<Shared>,
        key: SessionKey,
        provider: Arc<dyn Refresh>,
        options: SessionOptions,
    ) -> Arc<Self> {
        if keeper.permits.is_new(&key) {
            metrics::begin(&key);
        }
        keeper.sessions.open(key, |key| {
            let keeper = Arc::clone(keeper);
            let (slot, flight, timer) = (Slot::default(), Mutex::default(), Timer::new());
            Arc::new(Self { keeper, key, provider, options, warned: AtomicU32::new(0), slot, flight, timer })
        })
    }

    /// Tokens as this session's store holds them.
    pub(crate) fn stored(&self, tokens: &TokenSet, generation: u64, granted_at: SystemTime) -> Option<StoredTokens> {
        let policy = self.provider.policy();
        let lease = self.keeper.options.lease;
        let due = match tokens.access_token {
            Some(_) if tokens.access_expiry.time().is_none() => {
                let every = self.options.refresh_interval();
                every.and_then(|every| policy::due_at_least_every(&self.key, generation, granted_at, every))
            }
            Some(_) => policy::due(&self.key, generation, tokens.access_expiry, granted_at, policy, lease),
            None => policy::due_without_access_token(tokens.refresh_expiry, granted_at, policy),
        };
        self.keeper.warn_of_unsealed_tokens();
        let keys = self.keeper.sealing_keys();
        encoding::stored(tokens, policy, granted_at, due, self.seal(keys.as_deref()))
    }

    /// The record as this session's options read it: tokens of which nobody knows when they expire are due at least so often, also
    /// where they were stored by a process that was not told so.
    pub(crate) fn by_options(&self, mut record: Record) -> Record {
        if let Some(due) = self.due_by_options(&record) {
            record.next_due = Some(due);
            record.tokens.iter_mut().for_each(|tokens| tokens.next_due = Some(due));
        }
        record
    }

    fn due_by_options(&self, record: &Record) -> Option<SystemTime> {
        let every = self.options.refresh_interval()?;
        let at_rest = record.state == State::Ready && record.attempt.is_none() && record.next_due.is_none();
        let unknown = |it: &&StoredTokens| it.access.is_some() && it.access_expiry.time().is_none();
        let tokens = record.tokens.as_ref().filter(unknown).filter(|_| at_rest)?;
        policy::due_at_least_every(&self.key, record.generation, tokens.granted_at, every)
    }

    /// How this session's tokens are sealed and opened with these keys.
    pub(crate) fn seal<'a>(&'a self, keys: Option<&'a SealingKeys>) -> Seal<'a> {
        Seal { session: &self.key, keys }
    }

    /// Shows readers what a record holds, unless they see something newer already.
    pub(crate) fn adopt(&self, record: &Record) -> Result<(), Error> {
        let keys = self.keeper.sealing_keys();
        let snapshot = Snapshot::of(record, self.seal(keys.as_deref()));
        let snapshot = snapshot.map_err(|unreadable| unreadable.into_error("read the session", &self.key))?;
        self.show(match self.due_by_options(record) {
            Some(due) => snapshot.due_at(due),
            None => snapshot,
        });
        Ok(())
    }

    pub(crate) fn show(&self, snapshot: Snapshot) {
        // One at a time, so that none overtakes a rejection.
        let mut flight = self.flight();
        let mut snapshot = snapshot.read_by(&self.keeper.clock, self.slot.load().as_deref());
        let Some(access) = flight.rejected() else { return self.slot.publish(&Arc::new(snapshot)) };
        let known = snapshot.is_rejected() && snapshot.holds(access);
        if !known && snapshot.holds(access) {
            snapshot.reject(self.keeper.clock.now());
        }
        self.slot.publish(&Arc::new(snapshot));
        if known || self.slot.load().is_none_or(|shown| !shown.holds(access)) {
            flight.set_rejected(None);
        }
    }
}

impl Timed for Inner {
    fn timer(&self) -> &Timer {
        &self.timer
    }

    fn wake(self: Arc<Self>, now: SystemTime) {
        self.look(now);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.keeper.schedule.forget(&self.timer);
        self.keeper.sessions.close(self);
    }
}

fn no_token(snapshot: Option<&Snapshot>) -> Error {
    let (kind, reason) = match snapshot.map(|snapshot| snapshot.state) {
        None => (ErrorKind::LoginNeeded, "there is no session yet"),
        Some(State::Tombstone) => (ErrorKind::LoginNeeded, "the session was removed"),
        Some(State::LoginNeeded) => (ErrorKind::LoginNeeded, "the session's token is dead"),
        Some(_) => (ErrorKind::Internal, "no token lives as long as was asked for"),
    };
    Error::new(kind, Outcome::NotSent, READ, reason)
}

pub(crate) fn out_of_protocol(outcome: Outcome, action: &'static str) -> Error {
    let reason = "the store gave an answer that does not belong to the question";
    Error::new(ErrorKind::Internal, outcome, action, reason)
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("key", &self.inner.key).finish_non_exhaustive()
    }
}
