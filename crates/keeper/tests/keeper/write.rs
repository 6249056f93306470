//! What a replace does in a store.

use rampauth_keeper::{Record, Replacement};

/// What a replace does, by the record that it takes the place of.
#[derive(PartialEq)]
pub(crate) enum Write {
    Claim,
    Commit,
    Login,
    Other,
}

impl Write {
    pub(crate) fn of(before: Option<&Record>, replacement: Replacement<'_>) -> Self {
        let record = replacement.record;
        let came =
            |before: &Record| before.last_commit != record.last_commit || before.orphans.len() < record.orphans.len();
        // Said once more, a login leaves what it left before.
        let is_as_logged_in = |it: &Record| it.attempt.is_none() && it.last_commit.is_none() && it.rejected.is_none();
        match before {
            _ if replacement.claims => Self::Claim,
            Some(before) if before.session != record.session => Self::Login,
            Some(before) if came(before) => Self::Commit,
            Some(before) if is_as_logged_in(before) && is_as_logged_in(record) => Self::Login,
            Some(_) => Self::Other,
            None => Self::Login,
        }
    }
}
