//! One attempt under a claim: the token is sent once, and whatever comes of it is seen to.

use std::sync::Arc;
use std::time::Duration;

use rampauth_core::{Error, ErrorKind, Outcome, Presents, TokenSet};
use rampauth_store::{AttemptRef, State, TokenDigest};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, timeout};

use crate::event::EventKind;
use crate::generic::permits::Permit;
use crate::metrics;
use crate::plan::next_step::{self, Need};
use crate::plan::pause::PauseLimits;
use crate::plan::policy;
use crate::refresh::claim::{Claim, Claimed, due_after};
use crate::refresh::error::ACTION;
use crate::refresh::save::Presented;
use crate::state::session::SessionState;
use crate::tokens::encoding;
use crate::tokens::sealing::Unreadable;

/// What to do about an answer that was not as it should be, once what it brought is saved.
const STORED: &str = "nothing is in doubt: the tokens that came are stored, and the next refresh presents them";
/// How long a call may take to end whose time is up, or that was stopped: as long as reading an answer takes.
const STOPPING: Duration = Duration::from_millis(250);
/// How often a call whose time is up is looked at, where the process stands still each time.
const LAST_LOOKS: u32 = 5;
impl SessionState {
    /// Presents the claimed token once and sees to what comes of it.
    pub(crate) async fn present(
        self: &Arc<Self>,
        claimed: Claimed<'_>,
        permit: &mut Permit,
        need: Need,
    ) -> Result<(), Error> {
        let Claimed { record, after: claimed, attempt, asked, doubtful } = claimed;
        let options = self.context.options;
        let attempt = AttemptRef { id: attempt, session: record.session, generation: record.generation };
        let since = record.attempt.as_ref().map_or_else(|| self.context.clock.wall(), |attempt| attempt.first_sent);
        let due = due_after(record, doubtful, self.context.clock.wall());
        let condemned = record.state == State::LoginNeeded;
        let limits = PauseLimits::of(record, since, self.provider.policy(), options.lease);
        let claim = Claim { attempt, doubtful, condemned, due, since, limits };
        let span = tracing::Span::current();
        span.record("attempt", tracing::field::debug(attempt.id)).record("generation", attempt.generation);
        let keys = self.context.sealing_keys();
        let opened = record.tokens.as_ref().map(|tokens| encoding::open(tokens, self.seal(keys.as_deref())));
        let tokens = match opened.unwrap_or(Err(Unreadable::Damaged)) {
            Ok(tokens) => tokens,
            Err(unreadable) => {
                return self.fail(&claim, record, claimed, unreadable.into_error(ACTION, &self.key)).await;
            }
        };
        if doubtful {
            // A paused process may have come this far with a claim that is not its own any more.
            let current = match self.load().await {
                Ok(current) => current,
                Err(error) => {
                    self.take_back(attempt, claim.due).await;
                    return Err(error);
                }
            };
            if !next_step::still_claimed(current.as_ref(), &attempt) {
                metrics::claim_lost(&self.key);
                self.take_back(attempt, claim.due).await;
                return current.map_or(Ok(()), |current| self.adopt_newer(&current));
            }
        }
        let age = self.context.clock.mark().since(&asked);
        let in_time = next_step::may_send(age, options.request + options.save, options.lease);
        if !in_time {
            metrics::claim_lost(&self.key);
        }
        let hindrance = match self.context.closing.is_cancelled() {
            true => Some((ErrorKind::Internal, "the keeper is shutting down, so nothing was sent")),
            false if in_time => None,
            false => Some((ErrorKind::Unreachable, "the claim is too old for a request, so nothing was sent")),
        };
        if let Some((kind, reason)) = hindrance {
            return self.fail(&claim, record, claimed, Error::new(kind, Outcome::NotSent, ACTION, reason)).await;
        }
        let sent_at = self.context.clock.wall();
        let presented = Presented { record, tokens: &tokens, sent_at, claimed };
        let answer = self.call(tokens.clone()).await;
        permit.note(answer.as_ref().map(drop));
        let seen = answer.as_ref().map_or_else(Error::clock_difference, |tokens| tokens.clock_difference);
        self.note_clocks(record, seen);
        metrics::refreshed(&self.key, answer.as_ref().map_or_else(|it| it.outcome().as_str(), |_| metrics::GRANTED));
        match answer {
            Ok(granted) => self.grant(&claim, &granted, &presented, need).await,
            Err(error) => {
                let renews_itself = self.provider.policy().presents == Presents::AccessToken;
                let salvage = error.salvage().filter(|tokens| renews_itself || tokens.refresh_token.is_some());
                if let Some(unsaved) = salvage.and_then(|tokens| self.held(attempt, tokens, &presented)) {
                    // What the provider said is told to callers, and a failed save to whoever listens.
                    let saved = self.save(unsaved, doubtful && !condemned, Some(claimed)).await.is_ok();
                    let error = if saved { error.with_help(STORED) } else { error };
                    self.tell(attempt.generation + 1, EventKind::RefreshFailed(error.clone()));
                    return Err(error);
                }
                self.fail(&claim, record, claimed, error).await
            }
        }
    }

    /// The provider's call on a task of its own, so that a panic in it is an answer like any other: unknown.
    async fn call(&self, tokens: TokenSet) -> Result<TokenSet, Error> {
        let provider = Arc::clone(&self.provider);
        let mut call = self.context.runtime.spawn(async move { provider.refresh(&tokens).await });
        let ended = match timeout(self.context.options.request, &mut call).await {
            Ok(ended) => Some(ended),
            Err(_) => {
                // What has arrived by the deadline is still read.
                let late = last_look(&mut call).await;
                call.abort();
                match late {
                    Some(ended) => Some(ended),
                    // A call that is at it ends before it is stopped.
                    None => timeout(STOPPING, call).await.ok(),
                }
            }
        };
        let (kind, reason) = match ended {
            Some(Ok(answer)) => return answer,
            Some(Err(end)) if end.is_panic() => (ErrorKind::Internal, "the provider's client panicked"),
            _ => (ErrorKind::Timeout, "no answer came before the request's deadline"),
        };
        Err(Error::new(kind, Outcome::Unknown, ACTION, reason))
    }

    async fn grant(
        self: &Arc<Self>,
        claim: &Claim,
        granted: &TokenSet,
        presented: &Presented<'_>,
        need: Need,
    ) -> Result<(), Error> {
        let Some(unsaved) = self.held(claim.attempt, granted, presented) else {
            let reason = "the answer lacks the token that the next refresh presents";
            let error = Error::new(ErrorKind::Protocol, Outcome::Unknown, ACTION, reason);
            return self.fail(claim, presented.record, presented.claimed, error).await;
        };
        let saved = self.save(unsaved, claim.doubtful && !claim.condemned, Some(presented.claimed)).await?;
        // What came is saved, and asking again at once would bring nothing better.
        let now = self.context.clock.wall();
        // While nothing is due, who asked has a wish of their own.
        let due = match need {
            Need::Ahead => true,
            Need::UsableAt(_) => !policy::is_fresh(presented.record, now),
            Need::ByHand | Need::Certainty => false,
        };
        let reason = match &granted.access_token {
            None => "the provider granted no access token",
            Some(_) if granted.access_expiry.is_known_past(now) => {
                "the provider granted a token that has expired already"
            }
            Some(access) if self.shows_rejected(TokenDigest::of(access.expose_secret())) => {
                "the provider granted the very access token that it had rejected"
            }
            Some(_) if due && policy::lives_no_longer(granted, presented.record, now) => {
                // Some providers grant another one only when it has died.
                self.flight().pause_until_at_most(granted.access_expiry.time());
                "the provider granted no access token that lives longer than the one in use"
            }
            Some(_) => {
                let settles = claim.doubtful && !claim.condemned;
                if saved && !settles && presented.record.last_error.is_some() {
                    self.tell(claim.attempt.generation + 1, EventKind::Recovered);
                }
                return Ok(());
            }
        };
        let error = Error::new(ErrorKind::Protocol, Outcome::Unknown, ACTION, reason).with_help(STORED);
        let error = error.with_clock_difference(granted.clock_difference);
        self.tell(claim.attempt.generation + 1, EventKind::RefreshFailed(error.clone()));
        Err(error)
    }
}

/// Waits a moment longer for a call that had its time, and anew where the process stood still meanwhile: the answer of one
/// that was stopped lies in its socket when it goes on.
async fn last_look<T>(call: &mut JoinHandle<T>) -> Option<Result<T, JoinError>> {
    for _ in 0..LAST_LOOKS {
        let started = Instant::now();
        if let Ok(ended) = timeout(STOPPING, &mut *call).await {
            return Some(ended);
        }
        if started.elapsed() < 2 * STOPPING {
            break;
        }
    }
    None
}
