//! What is in the file: how a store is told from other databases, and how an older one is brought up to date.

use rusqlite::{Connection, Row, TransactionBehavior};

use crate::error::Trouble;

/// Says in the file's header that it is ours: "ramp".
const APPLICATION_ID: i64 = 0x7261_6d70;

/// Each entry leads from its index to the next version, which `user_version` keeps. Entries that were released never change.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE session (
        key TEXT NOT NULL PRIMARY KEY,
        -- The record as text, and the SHA-256 of key, newline and record: a bit that the disk lost is seen.
        record TEXT NOT NULL,
        sum BLOB NOT NULL,
        -- A copy out of the record, for when that cannot be read any more: generations go on, whatever happens to a record.
        generation INTEGER NOT NULL,
        -- When a refresh should start, in nanoseconds since 1970 UTC: a copy out of the record, where the session is open.
        due INTEGER
    ) STRICT;
    CREATE INDEX session_due ON session (due, key) WHERE due IS NOT NULL;
    -- Damaged rows that were set aside, byte for byte. Nothing is ever deleted here.
    CREATE TABLE damaged (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL,
        record BLOB NOT NULL,
        sum BLOB NOT NULL,
        generation INTEGER NOT NULL,
        -- In nanoseconds since 1970 UTC.
        set_aside_at INTEGER NOT NULL
    ) STRICT;
", "
    -- Which version of the record it is: a number that each write adds one to, and 64 random bits. No row is touched by this, for
    -- one may be damaged; each has the bits that were drawn for this file until it is written again.
    ALTER TABLE session ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE session ADD COLUMN random INTEGER NOT NULL DEFAULT {random};
"];

/// What a database is, read from its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A store of this version.
    Current,
    /// A store of an older version, or of none yet: an empty file.
    Older(usize),
}

/// The newest version that is known, and the one that is written.
pub(crate) const VERSION: i64 = MIGRATIONS.len() as i64;

pub(crate) fn found(connection: &Connection) -> Result<Found, Trouble> {
    found_among(connection, MIGRATIONS)
}

/// Carries out what is missing, all of it or nothing.
pub(crate) fn bring_up_to_date(connection: &mut Connection) -> Result<(), Trouble> {
    migrate(connection, MIGRATIONS)
}

fn found_among(connection: &Connection, migrations: &[&str]) -> Result<Found, Trouble> {
    // One statement, so that all of it is of one moment.
    let header = "SELECT (SELECT application_id FROM pragma_application_id), \
                  (SELECT user_version FROM pragma_user_version), \
                  (SELECT count(*) FROM sqlite_schema), \
                  (SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'session')";
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
    let header: (i64, i64, i64, i64) = connection.query_row(header, [], read)?;
    match header {
        (0, 0, 0, _) => Ok(Found::Older(0)),
        (APPLICATION_ID, version, _, sessions) => match usize::try_from(version) {
            Ok(version) if sessions == 1 && version == migrations.len() => Ok(Found::Current),
            Ok(version) if sessions == 1 && (1..migrations.len()).contains(&version) => Ok(Found::Older(version)),
            Ok(version) if version > migrations.len() => {
                Err(Trouble::Newer { version: version as i64, known: migrations.len() as i64 })
            }
            _ => Err(Trouble::Foreign),
        },
        _ => Err(Trouble::Foreign),
    }
}

fn migrate(connection: &mut Connection, migrations: &[&str]) -> Result<(), Trouble> {
    let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been first.
    let Found::Older(version) = found_among(&change, migrations)? else { return Ok(()) };
    let random: i64 = change.query_row("SELECT random()", [], |row| row.get(0))?;
    for migration in &migrations[version..] {
        change.execute_batch(&migration.replace("{random}", &random.to_string()))?;
    }
    change.pragma_update(None, "application_id", APPLICATION_ID)?;
    change.pragma_update(None, "user_version", migrations.len() as i64)?;
    Ok(change.commit()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> Connection {
        Connection::open_in_memory().expect("a database in memory")
    }

    #[test]
    fn an_older_version_is_brought_up_step_by_step_and_keeps_its_rows() {
        let mut connection = empty();
        let first = "CREATE TABLE session (x INTEGER); INSERT INTO session VALUES (1)";
        migrate(&mut connection, &[first]).expect("version 1");
        let steps = [first, "ALTER TABLE session ADD COLUMN y INTEGER", "UPDATE session SET y = x + 1"];
        assert_eq!(found_among(&connection, &steps).expect("a store"), Found::Older(1));
        migrate(&mut connection, &steps).expect("version 3");
        assert_eq!(found_among(&connection, &steps).expect("a store"), Found::Current);
        let row = connection.query_row("SELECT x, y FROM session", [], |row| Ok((row.get(0)?, row.get(1)?)));
        assert_eq!(row, Ok((1, 2)));
    }

    #[test]
    fn a_migration_that_fails_changes_nothing() {
        let mut connection = empty();
        migrate(&mut connection, &["CREATE TABLE session (x INTEGER)"]).expect("version 1");
        let steps = ["CREATE TABLE session (x INTEGER)", "CREATE TABLE b (x INTEGER)", "no SQL at all"];
        migrate(&mut connection, &steps).expect_err("the last step is no SQL");
        assert_eq!(found_among(&connection, &steps).expect("still a store"), Found::Older(1));
        let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0));
        assert_eq!(tables, Ok(1));
    }

    #[test]
    fn a_store_is_told_from_other_databases() {
        for (made_by, expected) in [
            ("CREATE TABLE a (x)", "Foreign"),
            ("CREATE TABLE session (x)", "Foreign"),
            ("PRAGMA user_version = 1", "Foreign"),
            ("PRAGMA application_id = 7", "Foreign"),
            ("PRAGMA application_id = 0x72616d70", "Foreign"),
            ("PRAGMA application_id = 0x72616d70; PRAGMA user_version = 1", "Foreign"),
            ("PRAGMA application_id = 0x72616d70; PRAGMA user_version = 1; CREATE VIEW session AS SELECT 1", "Foreign"),
            ("PRAGMA application_id = 0x72616d70; PRAGMA user_version = -1; CREATE TABLE session (x)", "Foreign"),
            ("PRAGMA application_id = 0x72616d70; PRAGMA user_version = 3", "Newer { version: 3, known: 2 }"),
        ] {
            let connection = empty();
            connection.execute_batch(made_by).expect(made_by);
            let trouble = found(&connection).expect_err(made_by);
            assert_eq!(format!("{trouble:?}"), expected, "{made_by}");
        }
    }
}
