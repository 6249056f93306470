//! One session: what callers read of it, and the one refresh at a time that they share.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rampauth_core::{AccessToken, Error, ErrorKind, Outcome, Refresh, TokenSet};
use rampauth_store::{Operation, SessionId, SessionKey, State, TokenDigest};

use crate::clock::moment::Second;
use crate::context::{random, unexpected_reply};
use crate::login;
use crate::plan::next_step::Need;
use crate::session_options::SessionOptions;
use crate::state::session::{SessionState, Sessions};
use crate::visible::snapshot::{Snapshot, TokenRef};

const READ: &str = "give an access token";

/// A handle on one session. Cheap to clone; all clones share one refresh.
#[derive(Clone)]
pub struct Session {
    state: Arc<SessionState>,
}

impl Session {
    pub(crate) async fn open(
        sessions: &Sessions,
        key: SessionKey,
        provider: Arc<dyn Refresh>,
        options: SessionOptions,
    ) -> Result<Self, Error> {
        let state = sessions.open(key, provider, options);
        let before = state.slot.load();
        if let Some(record) = state.load().await? {
            match &before {
                Some(_) => state.adopt_newer(&record)?,
                None => state.adopt(&record)?,
            }
        }
        let after = state.slot.load();
        let login = |it: &Option<Arc<Snapshot>>| it.as_ref().map(|it| it.session);
        if login(&before) != login(&after) {
            state.flight().forget_failures();
        }
        let due = |it: &Option<Arc<Snapshot>>| it.as_ref().map(|it| (it.shown(), it.due()));
        if due(&before) != due(&after) {
            // What was due while no process was there is due now.
            state.plan(Some(state.context.clock.now()));
        }
        Ok(Self { state })
    }

    /// The session's key.
    pub fn key(&self) -> &SessionKey {
        &self.state.key
    }

    /// The access token if it is fresh, without waiting and without a copy: the path for every call. `None` when a refresh
    /// has to be waited for; [`access_token`](Self::access_token) does that.
    pub fn try_access_token(&self) -> Option<TokenRef<'_>> {
        self.state.slot.read(self.state.context.clock.nanoseconds())
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
        let state = &self.state;
        let needed = |now: SystemTime| now.checked_add(lifetime).unwrap_or(now);
        let now = state.context.clock.now();
        let fresh = |snapshot: &Arc<Snapshot>| snapshot.is_fresh_at(now).then(|| snapshot.usable_at(needed(now)))?;
        let token = state.slot.peek().as_ref().and_then(fresh);
        if let Some(token) = token {
            return Ok(token);
        }
        // What did not help the last time is not asked for again.
        let granted = || state.slot.peek().as_ref().and_then(|snapshot| snapshot.lifetime());
        let fresh = state.slot.peek().as_ref().is_some_and(|snapshot| snapshot.is_fresh_at(now));
        if fresh && state.flight().was_in_vain(lifetime, granted()) {
            return Err(no_token(state.slot.load().as_deref()));
        }
        // A refresh that was under way for another reason may land without what this caller needs.
        for _ in 0..3 {
            let asked = Second::not_after(Some(state.context.clock.wall()));
            let landed = state.fly(Need::UsableAt(needed(state.context.clock.now()))).await;
            let now = state.context.clock.now();
            // A failure makes nothing worse: what can be used is handed out.
            let token = state.slot.peek().as_ref().and_then(|snapshot| snapshot.usable_at(needed(now)));
            if let Some(token) = token {
                return Ok(token);
            }
            landed?;
            if state.slot.peek().as_ref().is_some_and(|snapshot| snapshot.granted_at >= asked) {
                // What was granted for this caller does not live that long, and another grant would not either.
                state.flight().note_in_vain(lifetime, granted());
                break;
            }
        }
        Err(no_token(state.slot.load().as_deref()))
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
        self.state.fly(Need::ByHand).await
    }

    /// Presents a token that is in doubt once more now, whatever the provider's policy says of it; without a doubt nothing is
    /// sent. Where a refresh is under way already, its result is this one's.
    ///
    /// # Errors
    ///
    /// The error of the presentation.
    pub async fn settle(&self) -> Result<(), Error> {
        self.state.fly(Need::Certainty).await
    }

    /// The tokens as they were seen last, the refresh token among them, whatever became of them; `None` before the first login
    /// and after a logout.
    pub fn tokens(&self) -> Option<TokenSet> {
        let snapshot = self.state.slot.load()?;
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
        let state = &self.state;
        let now = state.context.clock.wall();
        let expect = state.slot.load();
        let generation = expect.as_ref().map_or(0, |snapshot| snapshot.generation) + 1;
        let stored = state.stored(&tokens, generation, now).ok_or_else(|| {
            Error::input("store the tokens", "they lack the token that this provider's refresh presents")
        })?;
        let session = SessionId::from_random(random()?);
        let expect = expect.map(|snapshot| snapshot.session);
        let put = Operation::Put { session, expect, tokens: stored.clone() };
        match login::begin_anew(&state.context, &state.key, session, put, "store the tokens").await? {
            Some(record) if record.session == session || login::is_stored(&stored, &record) => {
                state.flight().forget_failures();
                state.adopt(&record)?;
                // What is due already is due now.
                state.plan(Some(state.context.clock.now()));
                Ok(())
            }
            Some(record) => {
                state.adopt(&record)?;
                Err(Error::input("store the tokens", "another login or a logout came first; ask again to replace it"))
            }
            None => Err(unexpected_reply(Outcome::NotSent, "store the tokens")),
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
        let state = &self.state;
        // Without a login of this process's knowledge: whatever is there.
        let expect = match state.slot.load() {
            Some(snapshot) => Some(snapshot.session),
            None => state.load().await?.map(|record| record.session),
        };
        let Some(expect) = expect else { return Ok(()) };
        login::remove(&state.context, &state.registry, &state.key, expect).await
    }

    /// Says that the provider rejected this access token. If it is the current one, it is not handed out any more and a refresh
    /// starts; a late word about an older one changes nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] when the store cannot be reached. This process does not hand the token out any more all the same,
    /// and tells the record before it refreshes next; other processes do not know of it until then.
    pub async fn reject(&self, token: &AccessToken) -> Result<(), Error> {
        let state = &self.state;
        let access = TokenDigest::of(token.expose_secret());
        state.refuse(access);
        let noted = state.note_rejection(access).await;
        if state.shows_rejected(access) {
            state.plan(Some(state.context.clock.now()));
        }
        noted
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

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("key", &self.state.key).finish_non_exhaustive()
    }
}
