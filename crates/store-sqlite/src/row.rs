//! A record as a row of the file: what is written into its columns, and how they are read.

use std::time::{Duration, SystemTime};

use rampauth_core::SecretString;
use rampauth_store::{Record, RecordDamage, Replacement, Revision, SessionKey, StoreError, Stored};
use rusqlite::types::ValueRef;
use rusqlite::{OptionalExtension as _, Row, Statement};
use sha2::{Digest as _, Sha256};

use crate::clock::StoreClock;
use crate::error::Trouble;
use crate::location::Location;

/// A record on its way into the file, as text: made by the caller, so that the one thread has nothing to do but write.
pub(crate) struct Replace {
    pub(crate) key: SessionKey,
    pub(crate) expected: Revision,
    pub(crate) revision: Revision,
    pub(crate) text: SecretString,
    pub(crate) sum: [u8; 32],
    pub(crate) generation: i64,
    pub(crate) due: Option<i64>,
    /// Whether it begins an attempt: then tokens may follow.
    pub(crate) claims: bool,
    /// Whether no claim is left by it.
    pub(crate) ends: bool,
}

impl Replace {
    pub(crate) fn new(key: &SessionKey, replacement: Replacement<'_>) -> Self {
        let Replacement { expected, revision, record, claims } = replacement;
        let text = record.to_json();
        Self {
            key: key.clone(),
            expected,
            revision,
            sum: sum(key, text.expose_secret()),
            text,
            generation: i64::try_from(record.generation).unwrap_or(i64::MAX),
            due: record.due().map(nanoseconds),
            claims,
            ends: record.lease().is_none(),
        }
    }

    /// What it does, as an error says it.
    pub(crate) fn action(&self) -> &'static str {
        if self.claims { "claim" } else { "save" }
    }
}

/// What is stored under this key. A record counts only if it is the one that was stored there.
pub(crate) fn stored(select: &mut Statement<'_>, key: &SessionKey, clock: &StoreClock) -> Result<Stored, Trouble> {
    let checked = |row: &Row<'_>| {
        let revision = revision(row, 2, 3)?;
        let (ValueRef::Text(record), ValueRef::Blob(expected)) = (row.get_ref(0)?, row.get_ref(1)?) else {
            return Ok((revision, None));
        };
        let record = std::str::from_utf8(record).ok();
        Ok((revision, record.filter(|record| sum(key, record) == *expected).map(SecretString::from)))
    };
    let (revision, record) = match select.query_row([key.as_str()], checked).optional()? {
        Some((_, None)) => return Err(Trouble::Record(RecordDamage::Unreadable)),
        Some((revision, Some(text))) => {
            (revision, Some(Record::from_json(text.expose_secret()).map_err(Trouble::Record)?))
        }
        None => (Revision::ABSENT, None),
    };
    // Read after the record: a claim may have lapsed while this waited for its turn.
    Ok(Stored { record, revision, time: clock() })
}

/// The error of one record among others.
pub(crate) fn unreadable(trouble: Trouble, key: &SessionKey, location: &Location) -> StoreError {
    trouble.into_error(format_args!("read {key}"), location)
}

/// A revision as the file keeps it: the bits of its two numbers, as SQLite knows no others.
pub(crate) fn numbers(revision: Revision) -> [i64; 2] {
    [revision.number(), revision.random()].map(|number| i64::from_ne_bytes(number.to_ne_bytes()))
}

pub(crate) fn revision(row: &Row<'_>, number: usize, random: usize) -> rusqlite::Result<Revision> {
    let number_of = |index| row.get::<_, i64>(index).map(|number| u64::from_ne_bytes(number.to_ne_bytes()));
    Ok(Revision::from_parts(number_of(number)?, number_of(random)?))
}

/// Ties a record to its key, so that neither is taken for another.
fn sum(key: &SessionKey, record: &str) -> [u8; 32] {
    let mut sum = Sha256::new_with_prefix(key.as_str());
    sum.update(b"\n");
    sum.update(record);
    sum.finalize().into()
}

/// `None` for what no store writes: it is not a session, and no reason to fail for those that are.
pub(crate) fn key(row: &Row<'_>) -> rusqlite::Result<Option<SessionKey>> {
    Ok(row.get_ref(0)?.as_str().ok().and_then(|key| SessionKey::parse(key).ok()))
}

/// Since 1970; a time more than 292 years from it becomes the last, or the first, of these.
pub(crate) fn nanoseconds(time: SystemTime) -> i64 {
    let whole = |distance: Duration| i64::try_from(distance.as_nanos()).unwrap_or(i64::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => whole(after),
        Err(before) => -whole(before.duration()),
    }
}

pub(crate) fn instant(nanoseconds: i64) -> SystemTime {
    let distance = Duration::from_nanos(nanoseconds.unsigned_abs());
    let epoch = SystemTime::UNIX_EPOCH;
    let instant = if nanoseconds < 0 { epoch.checked_sub(distance) } else { epoch.checked_add(distance) };
    instant.unwrap_or(epoch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_order_as_numbers() {
        let epoch = SystemTime::UNIX_EPOCH;
        let far = Duration::from_secs(400 * 365 * 24 * 60 * 60);
        let times = [
            (epoch - far, -i64::MAX),
            (epoch - Duration::from_nanos(1), -1),
            (epoch, 0),
            (epoch + Duration::new(1, 5), 1_000_000_005),
            (epoch + far, i64::MAX),
        ];
        for (time, number) in times {
            assert_eq!(nanoseconds(time), number, "{time:?}");
            assert_eq!(nanoseconds(instant(number)), number, "{time:?}");
        }
    }

    #[test]
    fn a_record_is_tied_to_its_key() {
        let key = |key: &str| SessionKey::parse(key).expect("a key");
        assert_ne!(sum(&key("a/b/c"), "{}"), sum(&key("a/b/d"), "{}"));
        assert_ne!(sum(&key("a/b/c"), "{}"), sum(&key("a/b/c"), "{ }"));
    }
}
