//! What a process hands to the store, and what it keeps of what it was told.

use crate::ids::Revision;
use crate::stored::Stored;

/// A record that is to take the place of the one that it was computed upon.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Replace {
    /// Which version that was.
    pub upon: Revision,
    /// The new record.
    pub record: Stored,
    /// What the checker notes when it is written.
    pub notes: Notes,
}

/// What a written record means to the checker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Notes {
    /// The attempt that may be sent from then on.
    pub begun: Option<u8>,
    /// The attempt that is proven unsent.
    pub unsent: Option<u8>,
    /// The grants whose token is held for dead.
    pub dead: u16,
    /// Those that a late answer has shown to be alive.
    pub alive: u16,
}

/// A record as its process wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Memory {
    /// Its version.
    pub revision: Revision,
    /// The record.
    pub record: Stored,
    /// The store's time at the write.
    pub time: u8,
    /// When the process asked for the write, by its own clock.
    pub asked: u8,
}
