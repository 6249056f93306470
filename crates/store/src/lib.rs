#![doc = include_str!("../README.md")]
// docs.rs shows which feature an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod codec;
#[cfg(feature = "conformance")]
pub mod conformance;
mod digest;
mod history;
mod key;
mod memory;
pub mod protocol;
mod record;
mod store;
mod timestamp;

pub use codec::RecordDamage;
pub use digest::TokenDigest;
pub use history::CredentialHistory;
pub use key::SessionKey;
pub use memory::MemoryStore;
pub use protocol::{Answer, AttemptRef, Conclusion, Operation, Resealed};
pub use record::{
    Attempt, AttemptId, BootTime, LastError, Lease, Orphan, OwnerId, Record, SessionId, State, StoreTime, StoredTokens,
};
pub use store::{Store, StoreError, StoreErrorKind};
