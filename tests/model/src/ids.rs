//! Small numbers that stand for what has a long name, and the keeper's form of each.

use rampauth_keeper::{AttemptId, SessionId, TokenDigest};

/// What was granted together: an access token and what the next refresh presents. Named by its place in the list.
pub type GrantId = u8;

/// Which version of the record is meant. Only whether two are the same means anything.
pub type Revision = u8;

/// A version that is not stored, and never will be again.
pub const OUTDATED: Revision = 0;

/// The keeper's form of a login's number.
pub fn session(number: u8) -> SessionId {
    SessionId::from_random(number.into())
}

/// The keeper's form of an attempt's number.
pub fn attempt(number: u8) -> AttemptId {
    AttemptId::from_random(number.into())
}

/// A digest that stands for a grant.
pub fn digest(grant: GrantId) -> TokenDigest {
    let mut bytes = [0; 32];
    bytes[0] = grant;
    TokenDigest::from_bytes(bytes)
}
