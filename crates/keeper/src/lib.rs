#![doc = include_str!("../README.md")]
// docs.rs shows which feature an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod builder;
pub mod decision;
mod event;
mod failed;
mod flight;
mod handover;
mod keeper;
mod login;
mod look;
pub mod metrics;
mod moment;
mod pace;
mod pause;
mod payload;
mod permits;
pub mod process;
mod publish;
mod refresher;
mod registry;
mod rejection;
mod reseal;
mod saving;
mod schedule;
mod sealing;
mod session;
mod session_options;
mod single_flight;
mod snapshot;
mod steady;
mod sweep;
mod waiting;
mod wall;
mod warning;

pub use builder::KeeperBuilder;
pub use event::{Event, EventKind, Events, UnclaimedTokens};
pub use keeper::Keeper;
// What a caller needs of the stores, so that one dependency is enough.
pub use rampauth_store::{
    Answer, Attempt, AttemptId, AttemptRef, BootTime, Conclusion, CredentialHistory, Due, DueQuery, LastError, Lease,
    MemoryStore, Operation, Orphan, OwnerId, Record, RecordDamage, Replaced, Replacement, Resealed, Revision,
    SessionId, SessionKey, State, Store, StoreError, StoreErrorKind, StoreExt, StoreTime, Stored, StoredTokens,
    TokenDigest, protocol,
};
pub use reseal::{ResealReport, reseal};
pub use sealing::{SealingKey, SealingKeys};
pub use session::Session;
pub use session_options::SessionOptions;
pub use snapshot::TokenRef;
