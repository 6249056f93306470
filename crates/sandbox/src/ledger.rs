//! Which tokens are alive, which are spent. The only place where a token changes state.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::time::{Duration, SystemTime};

use crate::{Call, IssuedTokens};

/// Every token that was issued. Spent and expired ones stay: the reason for a refusal is read from them.
#[derive(Default)]
pub(crate) struct Ledger {
    tokens: HashMap<String, Entry>,
    reuse: Reuse,
    presentations: VecDeque<Presentation>,
}

struct Entry {
    number: u64,
    call: Call,
    role: Role,
    expires_at: SystemTime,
    spent: Option<Spent>,
    /// How long the access tokens of its login live, where that was chosen for it.
    lifetime: Option<Duration>,
}

struct Spent {
    at: SystemTime,
    /// What it was exchanged for.
    answer: Option<IssuedTokens>,
}

/// What becomes of a token that is presented once more after it was exchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reuse {
    /// It is refused: every token is good for one use.
    #[default]
    Refused,
    /// Within this time of its first use it is answered with the very tokens of the first answer, and afterwards refused.
    SameTokens {
        /// Counted from the first use.
        within: Duration,
    },
    /// Within this time of its first use each presentation is answered with tokens of its own, and afterwards refused. The
    /// tokens of earlier answers stay good.
    NewTokens {
        /// Counted from the first use.
        within: Duration,
    },
}

/// One presentation of a token that the sandbox issued, as its ledger saw it. No token stands in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Presentation {
    /// When it was looked at, by the sandbox's clock.
    pub at: SystemTime,
    /// The [number](IssuedTokens::number) of the tokens that the presented one belongs to.
    pub presented: u64,
    /// The number of the tokens that it was exchanged for; `None`: it was refused.
    pub granted: Option<u64>,
}

/// What a token is exchanged for.
pub(crate) enum Exchange {
    /// New tokens, in the place of one that would have expired then, of a login whose access tokens live this long.
    New { replaced: SystemTime, lifetime: Option<Duration> },
    /// What it was exchanged for before.
    Same(IssuedTokens),
}

/// How many presentations are kept, as of events.
const KEPT: usize = 10_000;

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
    pub(crate) fn new(reuse: Reuse) -> Self {
        Self { reuse, ..Self::default() }
    }

    pub(crate) fn enter(&mut self, call: Call, tokens: &IssuedTokens, lifetime: Option<Duration>) {
        let mut enter = |token: &str, role, expires_at| {
            let entry = Entry { number: tokens.number, call, role, expires_at, spent: None, lifetime };
            self.tokens.insert(token.to_owned(), entry);
        };
        match (&tokens.refresh_token, tokens.refresh_token_expires_at) {
            (Some(refresh), Some(expires_at)) => {
                enter(refresh, Role::Presented, expires_at);
                enter(&tokens.access_token, Role::Access, tokens.access_token_expires_at);
            }
            _ => enter(&tokens.access_token, Role::Presented, tokens.access_token_expires_at),
        }
    }

    /// Takes the token out of use, or says why it cannot be exchanged. Nothing changes then.
    pub(crate) fn spend(&mut self, call: Call, token: &str, now: SystemTime) -> Result<Exchange, Worthless> {
        let reuse = self.reuse;
        let entry = self.tokens.get_mut(token).ok_or(Worthless::Unknown)?;
        let new = Exchange::New { replaced: entry.expires_at, lifetime: entry.lifetime };
        if entry.call != call {
            return Err(Worthless::OfAnotherCall(entry.call));
        }
        if entry.role == Role::Access {
            return Err(Worthless::AccessToken);
        }
        if let Some(spent) = &entry.spent {
            let since = now.duration_since(spent.at).unwrap_or_default();
            return match (reuse, &spent.answer) {
                (Reuse::SameTokens { within }, Some(answer)) if since < within => Ok(Exchange::Same(answer.clone())),
                (Reuse::NewTokens { within }, _) if since < within => Ok(new),
                _ => Err(Worthless::Spent(call)),
            };
        }
        if now >= entry.expires_at {
            return Err(Worthless::Expired(call, now.duration_since(entry.expires_at).unwrap_or_default()));
        }
        entry.spent = Some(Spent { at: now, answer: None });
        Ok(new)
    }

    /// Notes what a token was exchanged for.
    pub(crate) fn answered(&mut self, token: &str, tokens: &IssuedTokens) {
        let spent = self.tokens.get_mut(token).and_then(|entry| entry.spent.as_mut());
        if let (Some(spent), Reuse::SameTokens { .. }) = (spent, self.reuse) {
            spent.answer.get_or_insert_with(|| tokens.clone());
        }
    }

    /// Notes a presentation; one of a token that was never issued is nobody's.
    pub(crate) fn note(&mut self, token: &str, at: SystemTime, granted: Option<u64>) {
        let Some(presented) = self.number(token) else { return };
        if self.presentations.len() == KEPT {
            self.presentations.pop_front();
        }
        self.presentations.push_back(Presentation { at, presented, granted });
    }

    pub(crate) fn number(&self, token: &str) -> Option<u64> {
        self.tokens.get(token).map(|entry| entry.number)
    }

    /// When this access token ends; `None` when it was not issued for this call.
    pub(crate) fn access_expiry(&self, call: Call, token: &str) -> Option<SystemTime> {
        let is_access =
            |entry: &&Entry| entry.call == call && (entry.role == Role::Access || call == Call::TransakUser);
        self.tokens.get(token).filter(is_access).map(|entry| entry.expires_at)
    }

    pub(crate) fn presentations(&self) -> Vec<Presentation> {
        self.presentations.iter().cloned().collect()
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
