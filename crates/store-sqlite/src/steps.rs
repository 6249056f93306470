//! The steps of the protocol on the file: one transaction each, or one for many that wait at the same time.

use std::time::{Duration, SystemTime};

use rampauth_core::SecretString;
use rampauth_store::{Answer, AttemptId, Operation, Record, RecordDamage, SessionId, SessionKey, protocol};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, Row, Statement, Transaction, TransactionBehavior, params};
use sha2::{Digest as _, Sha256};

use crate::changes::{Changes, Mark};
use crate::clock::StoreClock;
use crate::error::Trouble;
use crate::file::StoreFile;
use crate::room::{self, Room};
use crate::schema;

/// A step that was carried out and is not durable yet.
struct Done {
    answer: Answer,
    /// The attempt that it is about.
    attempt: Option<AttemptId>,
    /// The length of the record's new text, where it changed.
    written: Option<usize>,
}

/// The open file with its statements.
pub(crate) struct Steps<'c> {
    connection: &'c Connection,
    file: &'c StoreFile,
    room: Room,
    lost_a_file: bool,
    /// How often the file was opened anew before.
    opening: u64,
    clock: StoreClock,
    version: Statement<'c>,
    select: Statement<'c>,
    upsert: Statement<'c>,
    update: Statement<'c>,
    due: Statement<'c>,
    keys: Statement<'c>,
    marks: Statement<'c>,
    data_version: Statement<'c>,
    keep: Statement<'c>,
    kept: Statement<'c>,
}

impl<'c> Steps<'c> {
    pub(crate) fn prepare(file: &'c StoreFile, opening: u64, clock: StoreClock) -> Result<Self, Trouble> {
        let connection = &file.connection;
        Ok(Self {
            connection,
            file,
            room: Room::default(),
            lost_a_file: false,
            opening,
            clock,
            version: connection.prepare("PRAGMA user_version")?,
            select: connection.prepare("SELECT record, sum FROM session WHERE key = ?1")?,
            upsert: connection.prepare(
                "INSERT INTO session (key, record, sum, generation, due) VALUES (?1, ?2, ?3, ?4, ?5) \
                 ON CONFLICT (key) DO UPDATE SET record = excluded.record, sum = excluded.sum, \
                 generation = excluded.generation, due = excluded.due",
            )?,
            // The index of what is due stays as it is: one page less to flush, which is half of a claim's. Only a claim that is
            // made ahead of time moves it, by hand for instance.
            update: connection.prepare("UPDATE session SET record = ?2, sum = ?3, generation = ?4 WHERE key = ?1")?,
            // Both are answered from an index alone: a damaged record is in the way of its own session and of no other.
            due: connection.prepare("SELECT key FROM session WHERE due < ?1 ORDER BY due, key")?,
            keys: connection.prepare("SELECT key FROM session ORDER BY key")?,
            marks: connection.prepare("SELECT key, sum FROM session")?,
            data_version: connection.prepare("PRAGMA data_version")?,
            // The bytes as they are, whatever they are.
            keep: connection.prepare(
                "INSERT INTO damaged (key, record, sum, generation, set_aside_at) \
                 SELECT key, CAST(record AS BLOB), CAST(sum AS BLOB), generation, ?2 FROM session WHERE key = ?1 \
                 RETURNING generation",
            )?,
            kept: connection.prepare("SELECT max(generation) FROM damaged WHERE key = ?1")?,
        })
    }

    /// Whether the file has to be opened anew, because what is open is not what stands at its path.
    pub(crate) fn lost_a_file(&self) -> bool {
        self.lost_a_file
    }

    pub(crate) fn load(&mut self, key: &SessionKey) -> Result<Option<Record>, Trouble> {
        self.look(|steps| read(text(&mut steps.select, key)?.as_ref()))
    }

    pub(crate) fn apply(&mut self, key: &SessionKey, operation: Operation) -> Result<Answer, Trouble> {
        match self.step(key, operation.clone(), room::End::OfFile) {
            Err(trouble) if trouble.is_full_disk() => {
                // The log grows until it is moved into the file. Moved now, it begins anew in the room that it has.
                let restarted = self.connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get(0));
                let end = match restarted {
                    Ok(false) => room::End::Start,
                    Ok(true) => room::End::OfFile,
                    Err(_) => return Err(trouble),
                };
                self.step(key, operation, end)
            }
            done => done,
        }
    }

    /// `end`: where the log goes on.
    fn step(&mut self, key: &SessionKey, operation: Operation, end: room::End) -> Result<Answer, Trouble> {
        // Dropped without a commit it is rolled back, which writes nothing.
        let transaction = Transaction::new_unchecked(self.connection, TransactionBehavior::Immediate)?;
        match self.check() {
            // Tokens are stored where they can be: that a second name came is no reason to lose them.
            Err(Trouble::Linked) if matches!(operation, Operation::Commit { .. }) => {}
            checked => checked?,
        }
        let done = self.carry_out(key, operation)?;
        self.make_durable(transaction, std::slice::from_ref(&done), end)?;
        self.room.note(done.attempt, &done.answer);
        Ok(done.answer)
    }

    /// Carries out several steps with one flush: all of them are durable, or there is an error and none was done. A step on a
    /// damaged record has an error of its own.
    pub(crate) fn apply_together<'s>(
        &mut self,
        steps: impl Iterator<Item = (&'s SessionKey, &'s Operation)>,
    ) -> Result<Vec<Result<Answer, Trouble>>, Trouble> {
        let transaction = Transaction::new_unchecked(self.connection, TransactionBehavior::Immediate)?;
        self.check()?;
        let (mut done, mut damaged) = (Vec::new(), Vec::new());
        for (index, (key, operation)) in steps.enumerate() {
            match self.carry_out(key, operation.clone()) {
                Ok(one) => done.push(one),
                Err(Trouble::Record(damage)) => damaged.push((index, damage)),
                Err(trouble) => return Err(trouble),
            }
        }
        self.make_durable(transaction, &done, room::End::OfFile)?;
        for one in &done {
            self.room.note(one.attempt, &one.answer);
        }
        let mut answers: Vec<_> = done.into_iter().map(|one| Ok(one.answer)).collect();
        for (index, damage) in damaged {
            answers.insert(index, Err(Trouble::Record(damage)));
        }
        Ok(answers)
    }

    /// Carries out a step within the transaction that is open.
    fn carry_out(&mut self, key: &SessionKey, operation: Operation) -> Result<Done, Trouble> {
        let before = text(&mut self.select, key)?;
        let mut slot = read(before.as_ref())?;
        let due_before = slot.as_ref().map(due);
        // Read now that nobody else can change the record: a claim may have lapsed while this step waited for its turn.
        let now = (self.clock)();
        let attempt = self.room.attempt(&operation);
        let answer = protocol::apply(&mut slot, operation, &now);
        let mut written = None;
        if let Some(record) = slot {
            let after = record.to_json();
            if before.is_none_or(|before| before.expose_secret() != after.expose_secret()) {
                self.write(key, &record, &after, due_before)?;
                written = Some(after.expose_secret().len());
            }
        }
        Ok(Done { answer, attempt, written })
    }

    /// Ends the transaction, once there is room for what its claims may bring: nothing is sent whose tokens could not be stored.
    /// Steps that changed nothing flush nothing.
    fn make_durable(&mut self, transaction: Transaction<'_>, steps: &[Done], end: room::End) -> Result<(), Trouble> {
        if steps.iter().all(|step| step.written.is_none()) {
            return Ok(());
        }
        let claims = steps.iter().filter(|step| step.written.is_some() && matches!(step.answer, Answer::Begun(_)));
        let claims = claims.count();
        if claims > 0 {
            let written = steps.iter().filter_map(|step| step.written);
            self.room.reserve(self.file.files.log(), end, written, claims)?;
            self.file.memory.allocate().map_err(Trouble::NoMemory)?;
        }
        transaction.commit()?;
        self.check_in_place()
    }

    fn write(
        &mut self,
        key: &SessionKey,
        record: &Record,
        text: &SecretString,
        due_before: Option<Option<i64>>,
    ) -> Result<(), Trouble> {
        let (text, due) = (text.expose_secret(), due(record));
        let generation = i64::try_from(record.generation).unwrap_or(i64::MAX);
        if due_before == Some(due) {
            self.update.execute(params![key.as_str(), text, sum(key, text), generation])?;
        } else {
            self.upsert.execute(params![key.as_str(), text, sum(key, text), generation, due])?;
        }
        Ok(())
    }

    /// Moves a damaged record to the others that were set aside, and leaves a tombstone in its place. `None` where there is
    /// nothing damaged.
    pub(crate) fn set_aside(&mut self, key: &SessionKey, session: SessionId) -> Result<Option<Record>, Trouble> {
        let step = Transaction::new_unchecked(self.connection, TransactionBehavior::Immediate)?;
        self.check()?;
        match text(&mut self.select, key).and_then(|text| read(text.as_ref())) {
            Err(Trouble::Record(RecordDamage::Newer { version })) => {
                return Err(Trouble::Record(RecordDamage::Newer { version }));
            }
            Err(Trouble::Record(_)) => {}
            Err(trouble) => return Err(trouble),
            Ok(_) => return Ok(None),
        }
        let now = (self.clock)().wall;
        let generation: i64 = self.keep.query_row(params![key.as_str(), nanoseconds(now)], |row| row.get(0))?;
        // The number beside the record may be damaged too. It is never lower than that of a record that was set aside before.
        let generation = generation.max(self.kept.query_row([key.as_str()], |row| row.get(0))?);
        let tombstone = Record::tombstone(session, u64::try_from(generation).unwrap_or_default(), now);
        self.write(key, &tombstone, &tombstone.to_json(), None)?;
        step.commit()?;
        self.check_in_place()?;
        Ok(Some(tombstone))
    }

    pub(crate) fn due(&mut self, before: SystemTime, limit: usize) -> Result<Vec<SessionKey>, Trouble> {
        self.look(|steps| {
            let now = (steps.clock)();
            let mut keys = Vec::new();
            let mut rows = steps.due.query([nanoseconds(before)])?;
            while keys.len() < limit {
                let Some(row) = rows.next()? else { break };
                let Some(key) = key(row)? else { continue };
                // One that cannot be read is due: loading it says what is wrong with it.
                let record = text(&mut steps.select, &key).and_then(|text| read(text.as_ref())).unwrap_or(None);
                let lease = record.and_then(|record| record.attempt).and_then(|attempt| attempt.lease);
                if !lease.is_some_and(|lease| lease.holds_at(&now)) {
                    keys.push(key);
                }
            }
            Ok(keys)
        })
    }

    pub(crate) fn keys(&mut self) -> Result<Vec<SessionKey>, Trouble> {
        self.look(|steps| {
            let mut keys = Vec::new();
            let mut rows = steps.keys.query([])?;
            while let Some(row) = rows.next()? {
                keys.extend(key(row)?);
            }
            Ok(keys)
        })
    }

    /// A mark of every record, unless nobody but this connection has changed the file since this version.
    pub(crate) fn changes(&mut self, since: Option<u64>) -> Result<Option<Changes>, Trouble> {
        self.look(|steps| {
            // Before the records are read: what changes in between is a change since then.
            let version: u32 = steps.data_version.query_row([], |row| row.get(0))?;
            // Each connection counts from a number of its own.
            let version = steps.opening << 32 | u64::from(version);
            if since == Some(version) {
                return Ok(None);
            }
            let mut marks = Vec::new();
            let mut rows = steps.marks.query([])?;
            while let Some(row) = rows.next()? {
                let sum = row.get_ref(1)?;
                // A sum of another form is of a damaged record, and as good a mark.
                let sum = sum.as_bytes().ok().and_then(|sum| sum.try_into().ok()).unwrap_or_default();
                marks.extend(key(row)?.map(|key| (key, Mark(sum))));
            }
            Ok(Some(Changes { version, marks }))
        })
    }

    /// Moves the log into the file and cuts it to nothing; whether that could be done.
    pub(crate) fn empty_log(&mut self) -> Result<bool, Trouble> {
        self.look(|steps| {
            let busy: bool = steps.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
            Ok(!busy)
        })
    }

    /// Reads something. What was read of a log that is not there any more may be another log's, so it counts for nothing.
    fn look<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Trouble>) -> Result<T, Trouble> {
        self.check()?;
        let result = read(self);
        self.check_in_place()?;
        result
    }

    /// That the file is the one that was opened, that it has no second name, and that no newer version has taken it over since.
    fn check(&mut self) -> Result<(), Trouble> {
        let checked = self.file.files.check();
        self.note_loss(checked)?;
        let version = self.version.query_row([], |row| row.get(0))?;
        if version > schema::VERSION {
            return Err(Trouble::Newer { version, known: schema::VERSION });
        }
        Ok(())
    }

    fn check_in_place(&mut self) -> Result<(), Trouble> {
        let checked = self.file.files.check_in_place();
        self.note_loss(checked)
    }

    fn note_loss(&mut self, checked: Result<(), Trouble>) -> Result<(), Trouble> {
        self.lost_a_file |= matches!(checked, Err(Trouble::Removed(_)));
        checked
    }

    #[cfg(test)]
    pub(crate) fn connection(&self) -> &Connection {
        self.connection
    }
}

/// The stored text of a record, if it is the one that was stored under this key.
fn text(select: &mut Statement<'_>, key: &SessionKey) -> Result<Option<SecretString>, Trouble> {
    let checked = |row: &Row<'_>| {
        let (ValueRef::Text(record), ValueRef::Blob(expected)) = (row.get_ref(0)?, row.get_ref(1)?) else {
            return Ok(None);
        };
        let record = std::str::from_utf8(record).ok();
        Ok(record.filter(|record| sum(key, record) == *expected).map(SecretString::from))
    };
    match select.query_row([key.as_str()], checked).optional()? {
        Some(None) => Err(Trouble::Record(RecordDamage::Unreadable)),
        Some(text) => Ok(text),
        None => Ok(None),
    }
}

fn read(text: Option<&SecretString>) -> Result<Option<Record>, Trouble> {
    text.map(|text| Record::from_json(text.expose_secret())).transpose().map_err(Trouble::Record)
}

/// When somebody should look after it, as the file keeps it.
fn due(record: &Record) -> Option<i64> {
    record.due().map(nanoseconds)
}

/// Ties a record to its key, so that neither is taken for another.
fn sum(key: &SessionKey, record: &str) -> [u8; 32] {
    let mut sum = Sha256::new_with_prefix(key.as_str());
    sum.update(b"\n");
    sum.update(record);
    sum.finalize().into()
}

/// `None` for what no store writes: it is not a session, and no reason to fail for those that are.
fn key(row: &Row<'_>) -> rusqlite::Result<Option<SessionKey>> {
    Ok(row.get_ref(0)?.as_str().ok().and_then(|key| SessionKey::parse(key).ok()))
}

/// Since 1970; a time more than 292 years from it becomes the last, or the first, of these.
fn nanoseconds(time: SystemTime) -> i64 {
    let whole = |distance: Duration| i64::try_from(distance.as_nanos()).unwrap_or(i64::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => whole(after),
        Err(before) => -whole(before.duration()),
    }
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
        }
    }

    #[test]
    fn a_record_is_tied_to_its_key() {
        let key = |key: &str| SessionKey::parse(key).expect("a key");
        assert_ne!(sum(&key("a/b/c"), "{}"), sum(&key("a/b/d"), "{}"));
        assert_ne!(sum(&key("a/b/c"), "{}"), sum(&key("a/b/c"), "{ }"));
    }
}
