//! A record as text, for the stores that keep it outside this process: JSON of a stated version, readable but for the tokens.

use std::time::Duration;

use jiff::Timestamp;
use rampauth_core::{ClockDifference, Expiry, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::digest::TokenDigest;
use crate::history::HistoryText;
use crate::record::{
    Attempt, AttemptId, BootTime, LastError, Lease, Orphan, OwnerId, Record, SessionId, State, StoredTokens,
};
use crate::timestamp::{from_text, to_text};

/// The version that is written, and the newest that is read.
const VERSION: u32 = 1;

/// Why a stored record cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordDamage {
    /// It is not the text that was written.
    Unreadable,
    /// It was written by a newer version of this crate.
    Newer {
        /// The version that it states.
        version: u32,
    },
}

impl Record {
    /// The record as JSON. Tokens are in it as the keeper encoded them; the rest is readable.
    pub fn to_json(&self) -> SecretString {
        let document = Document { version: VERSION, record: RecordText::from(self) };
        // Room enough from the start: growing would leave copies of the tokens behind that nobody wipes.
        let payloads = self.tokens.iter().chain(self.orphans.iter().map(|orphan| &orphan.tokens));
        let room = payloads.map(|tokens| 2 * tokens.payload.expose_secret().len() + 1_024).sum::<usize>() + 4_096;
        let mut text = Zeroizing::new(Vec::with_capacity(room));
        serde_json::to_writer(&mut *text, &document).expect("texts, numbers and lists have a JSON form");
        SecretString::from(std::str::from_utf8(&text).expect("JSON is UTF-8"))
    }

    /// Reads what [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    ///
    /// [`RecordDamage`] when it is anything else; nothing of the text is repeated.
    pub fn from_json(text: &str) -> Result<Self, RecordDamage> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let Version { version } = serde_json::from_str(text).map_err(|_| RecordDamage::Unreadable)?;
        if version > VERSION {
            return Err(RecordDamage::Newer { version });
        }
        let document: Document = serde_json::from_str(text).map_err(|_| RecordDamage::Unreadable)?;
        document.record.read().ok_or(RecordDamage::Unreadable)
    }
}

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    #[serde(flatten)]
    record: RecordText,
}

#[derive(Serialize, Deserialize)]
struct RecordText {
    session: String,
    generation: u64,
    base: u64,
    state: StateText,
    tokens: Option<TokensText>,
    attempt: Option<AttemptText>,
    orphans: Vec<OrphanText>,
    last_commit: Option<String>,
    rejected: Option<String>,
    next_due: Option<Timestamp>,
    last_error: Option<ErrorText>,
    /// Records that were written before it was counted have none.
    #[serde(default, skip_serializing_if = "is_zero")]
    refusals: u32,
    #[serde(default, skip_serializing_if = "HistoryText::is_empty")]
    history: HistoryText,
    updated_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StateText {
    Ready,
    Doubtful,
    LoginNeeded,
    Tombstone,
}

#[derive(Serialize, Deserialize)]
struct TokensText {
    payload: Zeroizing<String>,
    sealed_with: Option<String>,
    presents: String,
    access: Option<String>,
    access_expiry: ExpiryText,
    presented_expiry: ExpiryText,
    granted_at: Timestamp,
    next_due: Option<Timestamp>,
    // Members that came later: absent from what earlier versions wrote, and passed over by them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    presented_since: Option<Timestamp>,
    /// In milliseconds; above zero, the process's clock was ahead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clock_ahead: Option<i64>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ExpiryText {
    At(Timestamp),
    Assumed(Timestamp),
    Unknown,
}

#[derive(Serialize, Deserialize)]
struct AttemptText {
    id: String,
    owner: String,
    presents: String,
    presented_by: Vec<String>,
    more: u32,
    first_sent: Timestamp,
    lease: Option<LeaseText>,
}

#[derive(Serialize, Deserialize)]
struct LeaseText {
    until: Timestamp,
    boot: Option<(String, Duration)>,
}

#[derive(Serialize, Deserialize)]
struct OrphanText {
    attempt: String,
    presented: u64,
    tokens: TokensText,
}

#[derive(Serialize, Deserialize)]
struct ErrorText {
    kind: String,
    outcome: String,
    status: Option<u16>,
    code: Option<String>,
    at: Timestamp,
    /// As in the tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clock_ahead: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    paused_until: Option<Timestamp>,
}

impl From<&Record> for RecordText {
    fn from(record: &Record) -> Self {
        Self {
            session: id(record.session.get()),
            generation: record.generation,
            base: record.base,
            state: match record.state {
                State::Ready => StateText::Ready,
                State::Doubtful => StateText::Doubtful,
                State::LoginNeeded => StateText::LoginNeeded,
                State::Tombstone => StateText::Tombstone,
            },
            tokens: record.tokens.as_ref().map(TokensText::from),
            attempt: record.attempt.as_ref().map(AttemptText::from),
            orphans: record.orphans.iter().map(OrphanText::from).collect(),
            last_commit: record.last_commit.map(|commit| id(commit.get())),
            rejected: record.rejected.map(TokenDigest::to_hex),
            next_due: record.next_due.map(to_text),
            last_error: record.last_error.as_ref().map(ErrorText::from),
            refusals: record.refusals,
            history: HistoryText::from(&record.history),
            updated_at: to_text(record.updated_at),
        }
    }
}

impl RecordText {
    fn read(self) -> Option<Record> {
        Some(Record {
            session: SessionId::from_random(read_id(&self.session)?),
            generation: self.generation,
            base: self.base,
            tokens: self.tokens.map(TokensText::read).map_or(Some(None), |tokens| tokens.map(Some))?,
            state: match self.state {
                StateText::Ready => State::Ready,
                StateText::Doubtful => State::Doubtful,
                StateText::LoginNeeded => State::LoginNeeded,
                StateText::Tombstone => State::Tombstone,
            },
            attempt: self.attempt.map(AttemptText::read).map_or(Some(None), |attempt| attempt.map(Some))?,
            orphans: self.orphans.into_iter().map(OrphanText::read).collect::<Option<_>>()?,
            last_commit: optional(self.last_commit.as_deref(), read_id)?.map(AttemptId::from_random),
            rejected: optional(self.rejected.as_deref(), TokenDigest::from_hex)?,
            next_due: self.next_due.map(from_text),
            last_error: self.last_error.map(ErrorText::read),
            refusals: self.refusals,
            history: self.history.read()?,
            updated_at: from_text(self.updated_at),
        })
    }
}

impl From<&StoredTokens> for TokensText {
    fn from(tokens: &StoredTokens) -> Self {
        Self {
            payload: Zeroizing::new(tokens.payload.expose_secret().to_owned()),
            sealed_with: tokens.sealed_with.clone(),
            presents: tokens.presents.to_hex(),
            access: tokens.access.map(TokenDigest::to_hex),
            access_expiry: ExpiryText::from(tokens.access_expiry),
            presented_expiry: ExpiryText::from(tokens.presented_expiry),
            granted_at: to_text(tokens.granted_at),
            next_due: tokens.next_due.map(to_text),
            presented_since: tokens.presented_since.map(to_text),
            clock_ahead: tokens.clock_difference.map(ClockDifference::milliseconds),
        }
    }
}

impl TokensText {
    fn read(self) -> Option<StoredTokens> {
        Some(StoredTokens {
            payload: SecretString::from(self.payload.as_str()),
            sealed_with: self.sealed_with,
            presents: TokenDigest::from_hex(&self.presents)?,
            access: optional(self.access.as_deref(), TokenDigest::from_hex)?,
            access_expiry: self.access_expiry.read(),
            presented_expiry: self.presented_expiry.read(),
            granted_at: from_text(self.granted_at),
            next_due: self.next_due.map(from_text),
            presented_since: self.presented_since.map(from_text),
            clock_difference: self.clock_ahead.map(ClockDifference::from_milliseconds),
        })
    }
}

impl From<Expiry> for ExpiryText {
    fn from(expiry: Expiry) -> Self {
        match expiry {
            Expiry::At(time) => Self::At(to_text(time)),
            Expiry::Assumed(time) => Self::Assumed(to_text(time)),
            _ => Self::Unknown,
        }
    }
}

impl ExpiryText {
    fn read(self) -> Expiry {
        match self {
            Self::At(time) => Expiry::At(from_text(time)),
            Self::Assumed(time) => Expiry::Assumed(from_text(time)),
            Self::Unknown => Expiry::Unknown,
        }
    }
}

impl From<&Attempt> for AttemptText {
    fn from(attempt: &Attempt) -> Self {
        Self {
            id: id(attempt.id.get()),
            owner: id(attempt.owner.get()),
            presents: attempt.presents.to_hex(),
            presented_by: attempt.presented_by.iter().map(|presenter| id(presenter.get())).collect(),
            more: attempt.more,
            first_sent: to_text(attempt.first_sent),
            lease: attempt.lease.map(|lease| LeaseText {
                until: to_text(lease.until),
                boot: lease.boot.map(|end| (id(end.boot), end.since)),
            }),
        }
    }
}

impl AttemptText {
    fn read(self) -> Option<Attempt> {
        let presented_by = self.presented_by.iter().map(|presenter| read_id(presenter).map(AttemptId::from_random));
        let lease = match self.lease {
            Some(LeaseText { until, boot }) => {
                let boot = match boot {
                    Some((boot, since)) => Some(BootTime { boot: read_id(&boot)?, since }),
                    None => None,
                };
                Some(Lease { until: from_text(until), boot })
            }
            None => None,
        };
        Some(Attempt {
            id: AttemptId::from_random(read_id(&self.id)?),
            owner: OwnerId::from_random(read_id(&self.owner)?),
            presents: TokenDigest::from_hex(&self.presents)?,
            presented_by: presented_by.collect::<Option<_>>()?,
            more: self.more,
            first_sent: from_text(self.first_sent),
            lease,
        })
    }
}

impl From<&Orphan> for OrphanText {
    fn from(orphan: &Orphan) -> Self {
        Self { attempt: id(orphan.attempt.get()), presented: orphan.presented, tokens: (&orphan.tokens).into() }
    }
}

impl OrphanText {
    fn read(self) -> Option<Orphan> {
        let attempt = AttemptId::from_random(read_id(&self.attempt)?);
        Some(Orphan { attempt, presented: self.presented, tokens: self.tokens.read()? })
    }
}

impl From<&LastError> for ErrorText {
    fn from(error: &LastError) -> Self {
        let LastError { kind, outcome, status, code, at, clock_difference, paused_until } = error.clone();
        let clock_ahead = clock_difference.map(ClockDifference::milliseconds);
        Self { kind, outcome, status, code, at: to_text(at), clock_ahead, paused_until: paused_until.map(to_text) }
    }
}

impl ErrorText {
    fn read(self) -> LastError {
        let Self { kind, outcome, status, code, at, clock_ahead, paused_until } = self;
        let clock_difference = clock_ahead.map(ClockDifference::from_milliseconds);
        let paused_until = paused_until.map(from_text);
        LastError { kind, outcome, status, code, at: from_text(at), clock_difference, paused_until }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn id(bits: u128) -> String {
    format!("{bits:032x}")
}

fn read_id(text: &str) -> Option<u128> {
    let plain = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then(|| u128::from_str_radix(text, 16).ok())?
}

fn optional<T>(text: Option<&str>, read: fn(&str) -> Option<T>) -> Option<Option<T>> {
    match text {
        Some(text) => read(text).map(Some),
        None => Some(None),
    }
}
