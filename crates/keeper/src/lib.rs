#![doc = include_str!("../README.md")]
// docs.rs shows which feature an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod builder;
mod codec;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod decision;
mod event;
mod failed;
mod flight;
mod handover;
mod history;
mod keeper;
mod key;
mod login;
mod memory;
pub mod metrics;
mod moment;
mod pause;
mod payload;
pub mod process;
pub mod protocol;
mod publish;
mod record;
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
mod store;
mod sweep;
mod timestamp;
mod waiting;
mod wall;
mod warning;

pub use builder::KeeperBuilder;
pub use codec::RecordDamage;
pub use event::{Event, EventKind, Events, UnclaimedTokens};
pub use history::CredentialHistory;
pub use keeper::Keeper;
pub use key::SessionKey;
pub use memory::MemoryStore;
pub use protocol::{Answer, AttemptRef, Conclusion, Operation, Resealed};
pub use record::{
    Attempt, AttemptId, BootTime, LastError, Lease, Orphan, OwnerId, Record, SessionId, State, StoreTime, StoredTokens,
    TokenDigest,
};
pub use reseal::{ResealReport, reseal};
pub use sealing::{SealingKey, SealingKeys};
pub use session::Session;
pub use session_options::SessionOptions;
pub use snapshot::TokenRef;
pub use store::{Store, StoreError, StoreErrorKind};
