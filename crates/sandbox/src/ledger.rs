//! Which tokens are alive, which are spent. The only place where a token changes state.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use crate::{Call, IssuedTokens};

/// Every token that was issued. Spent and expired ones stay: the reason for a refusal is read from them.
#[derive(Default)]
pub(crate) struct Ledger {
    tokens: HashMap<String, Entry>,
}

struct Entry {
    call: Call,
    role: Role,
    expires_at: SystemTime,
    /// When it was exchanged first.
    spent_at: Option<SystemTime>,
    /// How long the access tokens of its login live, where that was chosen for it.
    lifetime: Option<Duration>,
}

/// What a spent token leaves to its successors.
pub(crate) struct Spent {
    pub(crate) expires_at: SystemTime,
    pub(crate) lifetime: Option<Duration>,
}

/// What a token is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It is presented to be renewed: the refresh token, or Transak's access token.
    Presented,
    /// It opens the provider's other calls, and refreshes nothing.
    Access,
}

/// Why a presented token is worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worthless {
    Unknown,
    OfAnotherCall(Call),
    AccessToken,
    Spent(Call),
    Expired(Call, Duration),
}

impl Ledger {
    pub(crate) fn enter(&mut self, call: Call, tokens: &IssuedTokens, lifetime: Option<Duration>) {
        let mut enter = |token: &str, role, expires_at| {
            self.tokens.insert(token.to_owned(), Entry { call, role, expires_at, spent_at: None, lifetime });
        };
        match (&tokens.refresh_token, tokens.refresh_token_expires_at) {
            (Some(refresh), Some(expires_at)) => {
                enter(refresh, Role::Presented, expires_at);
                enter(&tokens.access_token, Role::Access, tokens.access_token_expires_at);
            }
            _ => enter(&tokens.access_token, Role::Presented, tokens.access_token_expires_at),
        }
    }

    /// Takes the token out of use, once `grace` has passed since its first exchange, or says why it cannot be exchanged.
    /// Nothing changes then.
    pub(crate) fn spend(
        &mut self,
        call: Call,
        token: &str,
        now: SystemTime,
        grace: Duration,
    ) -> Result<Spent, Worthless> {
        let entry = self.tokens.get_mut(token).ok_or(Worthless::Unknown)?;
        if entry.call != call {
            return Err(Worthless::OfAnotherCall(entry.call));
        }
        if entry.role == Role::Access {
            return Err(Worthless::AccessToken);
        }
        if entry.spent_at.is_some_and(|at| now.duration_since(at).unwrap_or_default() >= grace) {
            return Err(Worthless::Spent(call));
        }
        if now >= entry.expires_at {
            return Err(Worthless::Expired(call, now.duration_since(entry.expires_at).unwrap_or_default()));
        }
        entry.spent_at.get_or_insert(now);
        Ok(Spent { expires_at: entry.expires_at, lifetime: entry.lifetime })
    }

    /// When this access token ends; `None` when it was not issued for this call.
    pub(crate) fn access_expiry(&self, call: Call, token: &str) -> Option<SystemTime> {
        let is_access =
            |entry: &&Entry| entry.call == call && (entry.role == Role::Access || call == Call::TransakUser);
        self.tokens.get(token).filter(is_access).map(|entry| entry.expires_at)
    }
}

impl fmt::Display for Worthless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |call: &Call| if *call == Call::TransakUser { "access token" } else { "refresh token" };
        match self {
            Self::Unknown => write!(f, "the token was not issued by this sandbox"),
            Self::OfAnotherCall(call) => write!(f, "the token was issued for {call}, not for this call"),
            Self::AccessToken => write!(f, "the access token was presented where the refresh token belongs"),
            Self::Spent(call @ Call::TransakUser) => write!(f, "{} was already replaced by a newer one", name(call)),
            Self::Spent(call) => write!(f, "{} was already used", name(call)),
            Self::Expired(call, ago) => write!(f, "{} expired {} s ago", name(call), ago.as_secs()),
        }
    }
}
