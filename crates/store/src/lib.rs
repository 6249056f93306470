#![doc = include_str!("../README.md")]
// docs.rs shows which feature an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod apply;
mod codec;
#[cfg(feature = "conformance")]
pub mod conformance;
mod digest;
mod error;
mod history;
mod key;
mod memory;
pub mod protocol;
mod record;
mod revision;
mod store;
mod timestamp;

pub use apply::{Applied, MAX_AGE, Seen, StoreExt, apply};
pub use codec::RecordDamage;
pub use digest::TokenDigest;
pub use error::{StoreError, StoreErrorKind};
pub use history::CredentialHistory;
pub use key::SessionKey;
pub use memory::MemoryStore;
pub use protocol::{Answer, AttemptRef, Conclusion, Operation, Resealed};
pub use record::{
    Attempt, AttemptId, BootTime, LastError, Lease, Orphan, OwnerId, Record, SessionId, State, StoreTime, StoredTokens,
};
pub use revision::Revision;
pub use store::{Due, DueQuery, Replaced, Replacement, Store, Stored};
