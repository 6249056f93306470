#![doc = include_str!("../README.md")]
// docs.rs shows which feature an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

// From the bottom to the top: each of these imports only from those above it.
mod plan {
    pub(crate) mod backoff;
    pub mod next_step;
    pub(crate) mod pause;
    pub mod policy;
}
mod tokens {
    pub(crate) mod encoding;
    pub(crate) mod reseal;
    pub(crate) mod sealing;
}
mod clock {
    pub(crate) mod moment;
    pub(crate) mod steady;
    pub(crate) mod wall;
}
mod generic {
    pub(crate) mod pace;
    pub(crate) mod permits;
    pub(crate) mod publish;
    pub(crate) mod registry;
    pub(crate) mod schedule;
    pub(crate) mod single_flight;
}
pub mod metrics;

mod event;

mod visible {
    pub(crate) mod snapshot;
}
mod look;

mod context;

mod session_options;

mod state {
    pub(crate) mod backoff;
    pub(crate) mod refresh;
    pub(crate) mod session;
}
mod refresh {
    pub(crate) mod attempt;
    pub(crate) mod claim;
    pub(crate) mod claim_wait;
    pub(crate) mod decide;
    pub(crate) mod error;
    pub(crate) mod fail;
    pub(crate) mod finish;
    pub(crate) mod look;
    pub(crate) mod reject;
    pub(crate) mod run;
    pub(crate) mod save;
    pub(crate) mod single;
    pub(crate) mod wake;
    pub(crate) mod warn;
}
mod login;

mod session;

mod sweep;

mod keeper;

mod builder;

mod handover;

pub use builder::KeeperBuilder;
pub use event::{Event, EventKind, Events, UnclaimedTokens};
pub use keeper::Keeper;
pub use plan::{next_step, policy};
// What a caller needs of the stores, so that one dependency is enough.
pub use rampauth_store::{
    Answer, Attempt, AttemptId, AttemptRef, BootTime, Conclusion, CredentialHistory, Due, DueQuery, LastError, Lease,
    MemoryStore, Operation, Orphan, OwnerId, Record, RecordDamage, Replaced, Replacement, Resealed, Revision,
    SessionId, SessionKey, State, Store, StoreError, StoreErrorKind, StoreExt, StoreTime, Stored, StoredTokens,
    TokenDigest, protocol,
};
pub use session::Session;
pub use session_options::SessionOptions;
pub use tokens::reseal::{ResealReport, reseal};
pub use tokens::sealing::{SealingKey, SealingKeys};
pub use visible::snapshot::TokenRef;
