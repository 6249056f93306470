//! What a caller compares to see which records have changed.

use std::fmt;

use rampauth_store::SessionKey;

/// What [`SqliteStore::changes`](crate::SqliteStore::changes) found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Changes {
    /// Of which version of the file the marks are, to be asked with the next time.
    pub version: u64,
    /// One for each record, tombstones included.
    pub marks: Vec<(SessionKey, Mark)>,
}

/// Tells two versions of one record apart. It says nothing else, and nothing of the tokens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Mark(pub(crate) [u8; 32]);

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mark(…)")
    }
}
