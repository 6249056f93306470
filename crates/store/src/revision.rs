//! Which version of a record is stored.

use crate::error::{StoreError, StoreErrorKind};

/// The version of a stored record. No two writes have the same one, not even after a store came back from a copy of itself: a
/// number that each write adds one to, and 64 random bits.
///
/// The number alone would not do. After a failover or a restored copy it is given out again, and a replace that was computed
/// before would erase what another process has written since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Revision {
    number: u64,
    random: u64,
}

impl Revision {
    /// That of a key under which nothing was ever stored. No record has it.
    pub const ABSENT: Self = Self { number: 0, random: 0 };

    /// A revision that was stored.
    pub const fn from_parts(number: u64, random: u64) -> Self {
        Self { number, random }
    }

    /// How many writes there were; 0 where nothing is stored.
    pub const fn number(self) -> u64 {
        self.number
    }

    /// What tells it from another write of the same number.
    pub const fn random(self) -> u64 {
        self.random
    }

    /// A new revision, for what takes this one's place.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::Unavailable`] when the system has no random numbers to give.
    #[expect(clippy::disallowed_methods, reason = "the one source of revisions that no two writes share")]
    pub fn next(self) -> Result<Self, StoreError> {
        let mut bits = [0; 8];
        getrandom::fill(&mut bits).map_err(|_| {
            let why = "failed to draw a revision: the system gave no random numbers";
            StoreError::new(StoreErrorKind::Unavailable, why)
        })?;
        Ok(Self { number: self.number.saturating_add(1), random: u64::from_ne_bytes(bits) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_writes_upon_one_revision_have_two_revisions_and_none_is_that_of_nothing() {
        let before = Revision::from_parts(6, 1);
        let (one, other) = (before.next().expect("random bits"), before.next().expect("random bits"));
        assert_eq!((one.number(), other.number()), (7, 7));
        assert_ne!(one, other);
        let first = Revision::ABSENT.next().expect("random bits");
        assert!(first != Revision::ABSENT && first.number() == 1);
        assert_eq!(Revision::from_parts(first.number(), first.random()), first);
    }
}
