//! What a keeper tells of its sessions while it works. No event holds a token.

use std::time::SystemTime;

use rampauth_core::{ClockDifference, Error, TokenSet};
use rampauth_store::SessionKey;
use tokio::sync::broadcast;

use crate::metrics;

/// The events of a keeper, from the moment it was asked for on.
#[derive(Debug)]
pub struct Events {
    receiver: broadcast::Receiver<Event>,
    missed: u64,
}

impl Events {
    pub(crate) fn new(receiver: broadcast::Receiver<Event>) -> Self {
        Self { receiver, missed: 0 }
    }

    /// How many events this reader has lost so far, because it fell behind. Look at it after each event: what was lost came before
    /// that one.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    fn miss(&mut self, number: u64) {
        self.missed = self.missed.saturating_add(number);
        metrics::events_missed(number);
    }

    /// The next event; `None` once the keeper is gone. A reader that falls behind by more than 1,024 events loses the oldest, and
    /// [`missed`](Self::missed) counts them.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            match self.receiver.recv().await {
                Ok(event) => return Some(event),
                Err(broadcast::error::RecvError::Lagged(number)) => self.miss(number),
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    /// The next event, if it is there already.
    pub fn try_next(&mut self) -> Option<Event> {
        loop {
            match self.receiver.try_recv() {
                Ok(event) => return Some(event),
                Err(broadcast::error::TryRecvError::Lagged(number)) => self.miss(number),
                Err(_) => return None,
            }
        }
    }
}

/// Something happened to a session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// Which session.
    pub key: SessionKey,
    /// Its generation then.
    pub generation: u64,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EventKind {
    /// New tokens were granted and saved.
    Refreshed,
    /// Newer tokens were found in the store: another process refreshed.
    Adopted,
    /// A refresh failed, and the token in use is as good as before.
    RefreshFailed(Error),
    /// The provider has refused so often in a row, without saying that the token is dead, that a login is probably needed: there is
    /// no access token that can be used. Told once, by each process that finds it. It is tried again once for each of the longest
    /// pauses.
    Failing {
        /// How often.
        refusals: u32,
    },
    /// New tokens were granted and saved after refreshes that failed. Told beside [`Refreshed`](Self::Refreshed); a doubt that
    /// ends is [`Settled`](Self::Settled).
    Recovered,
    /// A presentation has no answer: the token may be spent.
    Doubtful {
        /// When it may have been presented first.
        since: SystemTime,
        /// How its answer was lost, as callers are told it. What is left of an answer is in it: its
        /// [`body`](Error::body), and its [`salvage`](Error::salvage) where that could not be taken.
        error: Error,
    },
    /// A doubt has ended with tokens.
    Settled,
    /// The token is dead: only a login helps.
    LoginNeeded,
    /// New tokens could not be saved; they are held, handed out, and saved as soon as the store lets them.
    SaveFailed(Error),
    /// Granted tokens came after newer ones and wait in the store in case those are refused.
    Orphaned,
    /// Granted tokens belong to nothing any more: they came after a logout or another login. Nobody will use them: revoke them if
    /// the provider can. They are in this event and nowhere else, so that who did not subscribe before, or lags, never sees them.
    Unclaimed(UnclaimedTokens),
    /// The session was removed.
    Removed,
    /// What a refresh presents dies soon: the refresh token, or the access token where that renews itself. Unless a refresh brings
    /// one that lives longer, a login is needed then. Told once for each such end.
    CredentialExpiresSoon {
        /// When it dies, as far as is known.
        expiry: SystemTime,
    },
    /// This machine's clock is more than a minute off the provider's. Lives are counted by the provider's, so nothing is lost by
    /// it up to a day; beyond that dead tokens are handed out, or none. Set the clock in any case. Told when it shows, and again when
    /// the difference has changed by more than a minute.
    ClocksDiffer(ClockDifference),
}

impl EventKind {
    /// The kind's name for logs and counters, in snake case.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Refreshed => "refreshed",
            Self::Adopted => "adopted",
            Self::RefreshFailed(_) => "refresh_failed",
            Self::Failing { .. } => "failing",
            Self::Recovered => "recovered",
            Self::Doubtful { .. } => "doubtful",
            Self::Settled => "settled",
            Self::LoginNeeded => "login_needed",
            Self::SaveFailed(_) => "save_failed",
            Self::Orphaned => "orphaned",
            Self::Unclaimed(_) => "unclaimed",
            Self::Removed => "removed",
            Self::CredentialExpiresSoon { .. } => "credential_expires_soon",
            Self::ClocksDiffer(_) => "clocks_differ",
        }
    }

    /// The counter that counts it, if there is one.
    pub(crate) fn counter(&self) -> Option<&'static str> {
        Some(match self {
            Self::Adopted => metrics::ADOPTED,
            Self::Orphaned => metrics::ORPHANED,
            Self::Unclaimed(_) => metrics::UNCLAIMED,
            Self::LoginNeeded => metrics::LOGIN_NEEDED,
            Self::Failing { .. } => metrics::FAILING,
            Self::Recovered => metrics::RECOVERED,
            Self::SaveFailed(_) => metrics::SAVE_FAILURES,
            Self::CredentialExpiresSoon { .. } => metrics::EXPIRES_SOON,
            Self::ClocksDiffer(_) => metrics::CLOCKS_DIFFER,
            Self::Refreshed | Self::RefreshFailed(_) | Self::Doubtful { .. } | Self::Settled | Self::Removed => {
                return None;
            }
        })
    }
}

/// Tokens that belong to no session any more. `Debug` shows nothing of them.
#[derive(Clone)]
pub struct UnclaimedTokens(pub(crate) TokenSet);

impl UnclaimedTokens {
    /// The tokens, to be revoked.
    pub fn tokens(&self) -> &TokenSet {
        &self.0
    }
}

impl std::fmt::Debug for UnclaimedTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UnclaimedTokens(***)")
    }
}
