//! A record as the model holds it: small numbers that can be hashed, made into the keeper's real `Record` for each step and
//! read back from it.
//!
//! Left out is what takes part in no decision: the payload, `updated_at`, `history`, the rest of `last_error`, and how often beyond
//! once a token was refused. A test compares the rest of the text form before and after, so that a field added to `Record` cannot be
//! forgotten here.

use std::sync::OnceLock;

use rampauth_core::Expiry;
use rampauth_keeper::{Attempt, Lease, Orphan, OwnerId, Record, SessionKey, State, StoredTokens, TokenDigest, policy};

use crate::ids::{GrantId, attempt, digest, session};
use crate::provider::Provider;
use crate::setup::{Kind, Setup};
use crate::template::{an_orphan, pause, template};
use crate::time::{ACCESS_LIFE, LEASE, tick, wall};

/// The tokens of a generation: all that is known of them follows from the grant, but for when they are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tokens {
    /// What was granted.
    pub grant: GrantId,
    /// When a refresh should start, in ticks.
    pub next_due: Option<u8>,
}

/// The journal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Journal {
    /// Who presents, or presented last.
    pub id: u8,
    /// Which process that is.
    pub owner: u8,
    /// What is presented.
    pub presents: GrantId,
    /// Every attempt that may have presented it.
    pub presented_by: Vec<u8>,
    /// Those that are not listed.
    pub more: u32,
    /// When it may have been presented first.
    pub first_sent: u8,
    /// The end of the claim.
    pub lease: Option<u8>,
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stored {
    /// The login.
    pub session: u8,
    /// The generation.
    pub generation: u8,
    /// The generation presented for its tokens.
    pub base: u8,
    /// The tokens.
    pub tokens: Option<Tokens>,
    /// The state.
    pub state: State,
    /// The journal.
    pub attempt: Option<Journal>,
    /// Attempt, generation presented, tokens.
    pub orphans: Vec<(u8, u8, Tokens)>,
    /// Whose answer the tokens are.
    pub last_commit: Option<u8>,
    /// The rejected access token.
    pub rejected: Option<GrantId>,
    /// When a refresh should start.
    pub next_due: Option<u8>,
    /// Until when the provider asked to be left alone.
    pub paused: Option<u8>,
    /// Whether the token was refused since it came: how often takes part in no step.
    pub refused: bool,
}

impl Stored {
    /// The attempts that it names.
    pub fn attempts(&self) -> impl Iterator<Item = u8> {
        let journal = self.attempt.iter().flat_map(|it| it.presented_by.iter().copied().chain([it.id]));
        journal.chain(self.orphans.iter().map(|orphan| orphan.0)).chain(self.last_commit)
    }

    /// The grants that it holds.
    pub fn grants(&self) -> impl Iterator<Item = GrantId> {
        self.tokens.iter().chain(self.orphans.iter().map(|orphan| &orphan.2)).map(|tokens| tokens.grant)
    }

    /// The keeper's record.
    pub fn record(&self, setup: &Setup, provider: &Provider) -> Record {
        let template = template();
        let mut record = template.clone();
        record.session = session(self.session);
        record.generation = self.generation.into();
        record.base = self.base.into();
        record.tokens = self.tokens.map(|it| tokens(setup, provider, it));
        record.state = self.state;
        record.attempt = self.attempt.as_ref().map(|it| it.attempt(template));
        record.orphans = self.orphans.iter().map(|it| orphan(setup, provider, *it)).collect();
        record.last_commit = self.last_commit.map(attempt);
        record.rejected = self.rejected.map(digest);
        record.next_due = self.next_due.map(wall);
        record.last_error = self.paused.map(pause);
        record.refusals = self.refused.into();
        record
    }

    /// Compares the text of the keeper's record with that of what is kept of it.
    ///
    /// # Panics
    ///
    /// When they differ in more than what takes part in no decision.
    pub fn compare(&self, record: &Record, setup: &Setup, provider: &Provider) {
        let mut kept = self.record(setup, provider);
        assert_eq!(kept.refusals > 0, record.refusals > 0);
        (kept.updated_at, kept.refusals) = (record.updated_at, record.refusals);
        assert_eq!(kept.paused_until(record.updated_at), record.paused_until(record.updated_at));
        kept.last_error.clone_from(&record.last_error);
        kept.history = record.history.clone();
        assert_eq!(kept.to_json().expose_secret(), record.to_json().expose_secret());
    }

    /// Reads the keeper's record.
    pub fn of(record: &Record) -> Self {
        Self {
            session: small(record.session.get()),
            generation: small(record.generation.into()),
            base: small(record.base.into()),
            tokens: record.tokens.as_ref().map(Tokens::of),
            state: record.state,
            attempt: record.attempt.as_ref().map(Journal::of),
            orphans: record
                .orphans
                .iter()
                .map(|it| (small(it.attempt.get()), small(it.presented.into()), Tokens::of(&it.tokens)))
                .collect(),
            last_commit: record.last_commit.map(|id| small(id.get())),
            rejected: record.rejected.map(number),
            next_due: record.next_due.map(tick),
            paused: record.last_error.as_ref().and_then(|error| error.paused_until).map(tick),
            refused: record.refusals > 0,
        }
    }
}

impl Journal {
    fn attempt(&self, template: &Record) -> Attempt {
        let mut it = template.attempt.clone().expect("the template has an attempt");
        it.id = attempt(self.id);
        it.owner = OwnerId::from_random(self.owner.into());
        it.presents = digest(self.presents);
        it.presented_by = self.presented_by.iter().copied().map(attempt).collect();
        it.more = self.more;
        it.first_sent = wall(self.first_sent);
        it.lease = self.lease.map(|until| Lease { until: wall(until), boot: None });
        it
    }

    fn of(it: &Attempt) -> Self {
        Self {
            id: small(it.id.get()),
            owner: small(it.owner.get()),
            presents: number(it.presents),
            presented_by: it.presented_by.iter().map(|id| small(id.get())).collect(),
            more: it.more,
            first_sent: tick(it.first_sent),
            lease: it.lease.map(|lease| tick(lease.until)),
        }
    }
}

impl Tokens {
    /// Tokens just granted for a presentation of the generation before `generation`.
    pub fn granted(setup: &Setup, provider: &Provider, grant: GrantId, generation: u8) -> Self {
        static KEY: OnceLock<SessionKey> = OnceLock::new();
        let key = KEY.get_or_init(|| SessionKey::parse("a/b/c").expect("a key"));
        let granted_at = wall(provider.grant(grant).at);
        let expiry = access_expiry(setup, provider, grant);
        let due = policy::due(key, generation.into(), expiry, granted_at, &setup.policy(), LEASE);
        Self { grant, next_due: due.map(tick) }
    }

    fn of(tokens: &StoredTokens) -> Self {
        Self {
            grant: number(tokens.access.expect("the model's grants have an access token")),
            next_due: tokens.next_due.map(tick),
        }
    }
}

fn access_expiry(setup: &Setup, provider: &Provider, grant: GrantId) -> Expiry {
    if setup.unknown_expiry { Expiry::Unknown } else { Expiry::At(wall(provider.grant(grant).at + ACCESS_LIFE)) }
}

/// The keeper's form of tokens.
pub fn tokens(setup: &Setup, provider: &Provider, it: Tokens) -> StoredTokens {
    let presents = provider.presents(setup.kind, it.grant);
    let mut tokens = template().tokens.clone().expect("the template has tokens");
    tokens.presents = digest(presents);
    tokens.access = Some(digest(it.grant));
    tokens.access_expiry = access_expiry(setup, provider, it.grant);
    tokens.presented_expiry = match (setup.kind, setup.presented_life) {
        (Kind::BeforeExpiry, _) => tokens.access_expiry,
        (_, Some(life)) => Expiry::At(wall(provider.grant(presents).at + life)),
        (_, None) => Expiry::Unknown,
    };
    tokens.granted_at = wall(provider.grant(it.grant).at);
    tokens.next_due = it.next_due.map(wall);
    tokens
}

fn orphan(setup: &Setup, provider: &Provider, (id, presented, it): (u8, u8, Tokens)) -> Orphan {
    let mut orphan = an_orphan();
    orphan.attempt = attempt(id);
    orphan.presented = presented.into();
    orphan.tokens = tokens(setup, provider, it);
    orphan
}

fn number(digest: TokenDigest) -> GrantId {
    digest.as_bytes()[0]
}

fn small(number: u128) -> u8 {
    u8::try_from(number).expect("the model counts in small numbers")
}
