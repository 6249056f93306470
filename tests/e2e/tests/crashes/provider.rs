//! A provider that remembers, across processes, which tokens it has exchanged.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use rampauth_core::{
    AccessToken, Error, ErrorKind, Expiry, Outcome, Presents, Refresh, RefreshPolicy, RefreshToken, TokenSet,
    WhenUnknown,
};
use rampauth_keeper::Record;

use crate::death::{Death, Side, Step, start};

/// How long the access token of a login lives. One that a refresh brings outlives every test.
pub(crate) const LIFETIME: Duration = Duration::from_secs(1_000);

/// What it does with the next presentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    Grant,
    /// The request never reaches it.
    NotSent,
    /// It grants, and the answer is lost.
    LoseAnswer,
    /// The token is dead, now and for ever.
    Dead,
}

#[derive(Clone)]
pub(crate) struct Provider {
    policy: RefreshPolicy,
    grace: bool,
    state: Arc<Mutex<Ledger>>,
    death: Death,
}

#[derive(Default)]
struct Ledger {
    next: Option<Move>,
    dead: bool,
    /// What each number was exchanged for.
    exchanged: BTreeMap<u64, u64>,
    /// How often the login's token was presented.
    presented: usize,
}

impl Provider {
    pub(crate) fn new(when_unknown: WhenUnknown, grace: bool, named: bool) -> Self {
        let policy = RefreshPolicy::new(Presents::RefreshToken).with_when_unknown(when_unknown);
        let policy = if named { policy.with_named_dead_tokens() } else { policy };
        Self { policy, grace, state: Arc::default(), death: Death::never() }
    }

    pub(crate) fn next(&self, next: Move) {
        self.state.lock().expect("no panic").next = Some(next);
    }

    /// How often the token of the login was presented.
    pub(crate) fn presentations(&self) -> usize {
        self.state.lock().expect("no panic").presented
    }

    /// The same, called by a process that may die.
    pub(crate) fn called_by(&self, death: &Death) -> Self {
        Self { death: death.clone(), ..self.clone() }
    }

    fn answer(&self, presented: u64) -> Result<TokenSet, Error> {
        let mut ledger = self.state.lock().expect("no panic");
        let next = ledger.next.take().unwrap_or(Move::Grant);
        let failed = |kind, outcome| Err(Error::new(kind, outcome, "refresh the tokens", "it was told to fail"));
        if next == Move::NotSent {
            return failed(ErrorKind::Unreachable, Outcome::NotSent);
        }
        ledger.presented += usize::from(presented == 0);
        ledger.dead |= next == Move::Dead;
        let used = ledger.exchanged.get(&presented).copied();
        if ledger.dead || used.is_some() && !self.grace {
            let kind = if self.policy.names_dead_tokens { ErrorKind::LoginNeeded } else { ErrorKind::Refused };
            let refused: Result<TokenSet, Error> = failed(kind, Outcome::Refused);
            // In the provider's own words, which condemn a token in doubt.
            return refused.map_err(|error| error.with_provider_code("32"));
        }
        let granted = *ledger.exchanged.entry(presented).or_insert(presented + 1);
        match next {
            Move::LoseAnswer => failed(ErrorKind::Timeout, Outcome::Unknown),
            _ => Ok(tokens(granted, start() + LIFETIME * 1_000)),
        }
    }
}

#[async_trait]
impl Refresh for Provider {
    fn policy(&self) -> &RefreshPolicy {
        &self.policy
    }

    async fn refresh(&self, current: &TokenSet) -> Result<TokenSet, Error> {
        let token = current.refresh_token.as_ref().expect("a refresh token").expose_secret();
        let number = token.strip_prefix("refresh-").and_then(|number| number.parse().ok()).expect("one of ours");
        self.death.meet(Step::Request, Side::Before).await;
        let answer = self.answer(number);
        self.death.meet(Step::Request, Side::After).await;
        answer
    }
}

/// What a login brings.
pub(crate) fn login(number: u64) -> TokenSet {
    tokens(number, start() + LIFETIME)
}

fn tokens(number: u64, expiry: SystemTime) -> TokenSet {
    TokenSet::new()
        .with_access_token(AccessToken::new(format!("access-{number}")).expect("a token"), Expiry::At(expiry))
        .with_refresh_token(RefreshToken::new(format!("refresh-{number}")).expect("a token"), Expiry::Unknown)
}

/// Which tokens a record holds.
pub(crate) fn number(record: &Record) -> u64 {
    let payload = record.tokens.as_ref().expect("tokens").payload.expose_secret();
    let (_, number) = payload.split_once("refresh-").expect("a refresh token");
    number.split('"').next().and_then(|number| number.parse().ok()).expect("a number")
}
