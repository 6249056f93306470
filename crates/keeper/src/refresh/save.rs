//! Granted tokens on their way into the store: held until they are there, and given back to a store that forgot them.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rampauth_core::{Error, ErrorKind, Outcome, Presents, TokenSet};
use rampauth_store::{Answer, AttemptId, AttemptRef, Operation, Record, StoredTokens};
use tokio::time::{Instant, sleep};

use crate::context::random;
use crate::context::unexpected_reply;
use crate::event::{EventKind, UnclaimedTokens};
use crate::look::Look;
use crate::plan::next_step::Shown;
use crate::plan::policy;
use crate::state::refresh::Unsaved;
use crate::state::session::SessionState;
use crate::tokens::encoding;
use crate::visible::snapshot::Snapshot;

const ACTION: &str = "save the tokens";

/// A presentation under way: what is known of the tokens that it is made with.
pub(crate) struct Presented<'a> {
    pub(crate) record: &'a Record,
    pub(crate) tokens: &'a TokenSet,
    pub(crate) sent_at: SystemTime,
    /// The record as the claim left it.
    pub(crate) claimed: &'a Look,
}

impl Presented<'_> {
    /// Since when the end of what was granted is known, where these tokens do not push it out: a provider may give new refresh tokens
    /// and keep the end of the first. Where the clocks differ, the same end may be read a little later.
    fn known_since(&self, granted: &StoredTokens) -> Option<SystemTime> {
        const LITTLE: Duration = Duration::from_secs(60);
        let before = self.record.tokens.as_ref()?;
        let (end, known) = (granted.presented_expiry.time()?, before.presented_expiry.time()?);
        let little = LITTLE.min(end.duration_since(granted.granted_at).unwrap_or_default() / 10);
        let pushed_out = end > known.checked_add(little)?;
        (!pushed_out).then(|| before.presented_since.unwrap_or(before.granted_at))
    }

    /// What was granted, and when its access token was asked for. Where an answer brings one token of two, the other stays what
    /// it was: the refresh token as it was presented, the access token while it can be used.
    fn completed(&self, granted: &TokenSet, presents: Presents) -> (TokenSet, SystemTime) {
        let (mut tokens, current) = (granted.clone(), self.tokens);
        if presents != Presents::RefreshToken {
            return (tokens, self.sent_at);
        }
        match (&granted.access_token, &granted.refresh_token) {
            (Some(_), None) => {
                tokens.refresh_token.clone_from(&current.refresh_token);
                tokens.refresh_expiry = current.refresh_expiry;
            }
            (None, Some(_)) if policy::is_usable(self.record, self.sent_at) => {
                tokens.access_token.clone_from(&current.access_token);
                tokens.access_expiry = current.access_expiry;
                let granted_at = self.record.tokens.as_ref().map(|stored| stored.granted_at);
                return (tokens, granted_at.unwrap_or(self.sent_at));
            }
            _ => {}
        }
        (tokens, self.sent_at)
    }
}

impl SessionState {
    /// Granted tokens, held until the store has them; `None` when nothing came that the next refresh can present.
    pub(crate) fn held(&self, attempt: AttemptRef, granted: &TokenSet, presented: &Presented<'_>) -> Option<Unsaved> {
        let (granted, granted_at) = presented.completed(granted, self.provider.policy().presents);
        let mut tokens = self.stored(&granted, attempt.generation + 1, granted_at)?;
        tokens.presented_since = presented.known_since(&tokens);
        let recovers = presented.record.last_error.is_some();
        let unsaved = Unsaved { attempt, tokens, recovers };
        self.flight().set_unsaved(Some(unsaved.clone()));
        Some(unsaved)
    }

    /// The last tries to save what is held, within the time of one step in the store or little more.
    pub(crate) async fn save_before_the_end(self: &Arc<Self>) {
        let (start, limit) = (Instant::now(), self.context.options.save);
        let mut pause = limit / 8;
        while self.save_what_is_held().await.is_err() && start.elapsed() + pause < limit {
            sleep(pause).await;
            pause *= 2;
        }
    }

    pub(crate) async fn save_what_is_held(self: &Arc<Self>) -> Result<(), Error> {
        let unsaved = self.flight().held();
        match unsaved {
            Some(unsaved) => {
                let (generation, recovers) = (unsaved.attempt.generation + 1, unsaved.recovers);
                if self.save(unsaved, false, None).await? && recovers {
                    self.tell(generation, EventKind::Recovered);
                }
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Save first, publish second. Where the store does not take them they are shown all the same, and held. Something was
    /// presented for them, which every error says. Whether they are the session's now.
    ///
    /// `claimed` is the record as the claim left it, where it was just made.
    pub(crate) async fn save(
        self: &Arc<Self>,
        unsaved: Unsaved,
        doubtful: bool,
        claimed: Option<&Look>,
    ) -> Result<bool, Error> {
        let Unsaved { attempt, tokens, .. } = unsaved;
        let commit = Operation::Commit { attempt, tokens: tokens.clone() };
        let (answer, saved) = match self.context.apply_on(&self.key, claimed, commit, Outcome::Unknown).await {
            Ok(answer) => answer,
            Err(error) => {
                self.registry.hold(self);
                self.tell(attempt.generation + 1, EventKind::SaveFailed(error.clone()));
                let keys = self.context.sealing_keys();
                if let Ok(snapshot) = Snapshot::held(attempt, &tokens, self.seal(keys.as_deref())) {
                    self.show(snapshot);
                }
                return Err(error);
            }
        };
        self.flight().set_unsaved(None);
        self.registry.release(self);
        let tell = |generation, kind| self.tell(generation, kind);
        match answer {
            Answer::Saved(record) => {
                tell(record.generation, if doubtful { EventKind::Settled } else { EventKind::Refreshed });
                self.adopt(&record).map_err(unreadable)?;
                self.remember(saved);
                Ok(true)
            }
            Answer::Superseded(record) => {
                tell(record.generation, EventKind::Orphaned);
                self.adopt_newer(&record).map_err(unreadable)?;
                Ok(false)
            }
            Answer::Stale | Answer::Gone => {
                // What is older than the session's tokens came before these of the same login: a provider that revokes whole
                // families would end the live ones with it.
                let keys = self.context.sealing_keys();
                let tokens =
                    matches!(answer, Answer::Gone).then(|| encoding::open(&tokens, self.seal(keys.as_deref())));
                if let Some(Ok(tokens)) = tokens {
                    tell(attempt.generation, EventKind::Unclaimed(UnclaimedTokens(tokens)));
                }
                // Such an answer comes from a record that was just read.
                if let Some(record) = saved.record() {
                    self.adopt_newer(record).map_err(unreadable)?;
                }
                Ok(false)
            }
            _ => Err(unexpected_reply(Outcome::Unknown, ACTION)),
        }
    }

    /// Gives a store that came back from an older copy of itself what memory has: what it holds was presented already.
    pub(crate) async fn restore(self: &Arc<Self>, record: &Record) -> Result<bool, Error> {
        let Some(shown) = self.slot.load() else { return Ok(false) };
        let Shown { session, generation, .. } = shown.shown();
        let older = session == record.session && record.generation < generation;
        let (true, Some(granted_at)) = (older, shown.granted_at.time()) else { return Ok(false) };
        let Some(tokens) = self.stored(&shown.tokens(), generation, granted_at) else { return Ok(false) };
        let id = AttemptId::from_random(random()?);
        let attempt = AttemptRef { id, session, generation: generation - 1 };
        self.apply(Operation::Commit { attempt, tokens }).await?;
        Ok(true)
    }
}

/// What stands in the way of readers once tokens were granted and seen to.
fn unreadable(error: Error) -> Error {
    let reason = "they were granted, and what the store holds of the session now cannot be read";
    let help = error.help().to_owned();
    Error::new(ErrorKind::Internal, Outcome::Unknown, ACTION, reason).with_help(help).with_source(error)
}
