//! What the store does with the file: one transaction for each replace, or one for many that wait at the same time.

use rampauth_store::{
    Due, DueQuery, Record, RecordDamage, Replaced, Replacement, Revision, SessionId, SessionKey, Stored,
};
use rusqlite::{Connection, OptionalExtension as _, Row, Statement, Transaction, TransactionBehavior, params};

use crate::changes::{Changes, Mark};
use crate::clock::StoreClock;
use crate::error::Trouble;
use crate::file::StoreFile;
use crate::location::Location;
use crate::room::{self, Room};
use crate::row::{self, Replace, nanoseconds, revision, stored};
use crate::schema;

/// A replace that was carried out and is not durable yet.
struct Done {
    answer: Replaced,
    /// The length of the new text, where it was written.
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
    head: Statement<'c>,
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
            select: connection.prepare("SELECT record, sum, revision, random FROM session WHERE key = ?1")?,
            head: connection.prepare("SELECT revision, random, due FROM session WHERE key = ?1")?,
            upsert: connection.prepare(
                "INSERT INTO session (key, revision, random, record, sum, generation, due) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
                 ON CONFLICT (key) DO UPDATE SET revision = excluded.revision, random = excluded.random, \
                 record = excluded.record, sum = excluded.sum, generation = excluded.generation, due = excluded.due",
            )?,
            // The index of what is due stays as it is: one page less to flush, which is half of a claim's. Only a claim that is
            // made ahead of time moves it, by hand for instance.
            update: connection.prepare(
                "UPDATE session SET revision = ?2, random = ?3, record = ?4, sum = ?5, generation = ?6 WHERE key = ?1",
            )?,
            // Both are answered from an index alone: a damaged record is in the way of its own session and of no other.
            due: connection
                .prepare("SELECT key, due FROM session WHERE due < ?1 AND (due, key) > (?2, ?3) ORDER BY due, key")?,
            keys: connection.prepare("SELECT key FROM session WHERE key > ?1 ORDER BY key LIMIT ?2")?,
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

    pub(crate) fn read(&mut self, key: &SessionKey) -> Result<Stored, Trouble> {
        match self.check() {
            // What was granted may have to be saved after a look at what is there.
            Err(Trouble::Linked) => {}
            checked => checked?,
        }
        let found = stored(&mut self.select, key, &self.clock);
        self.check_in_place()?;
        found
    }

    pub(crate) fn replace(&mut self, replace: &Replace) -> Result<Replaced, Trouble> {
        match self.replace_alone(replace, room::End::OfFile) {
            Err(trouble) if trouble.is_full_disk() => {
                // The log grows until it is moved into the file. Moved now, it begins anew in the room that it has.
                let restarted = self.connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get(0));
                let end = match restarted {
                    Ok(false) => room::End::Start,
                    Ok(true) => room::End::OfFile,
                    Err(_) => return Err(trouble),
                };
                self.replace_alone(replace, end)
            }
            done => done,
        }
    }

    /// `end`: where the log goes on.
    fn replace_alone(&mut self, replace: &Replace, end: room::End) -> Result<Replaced, Trouble> {
        // Dropped without a commit it is rolled back, which writes nothing.
        let transaction = Transaction::new_unchecked(self.connection, TransactionBehavior::Immediate)?;
        match self.check() {
            // Tokens are stored where they can be: that a second name came is no reason to lose them. They are not sent.
            Err(Trouble::Linked) if !replace.claims => {}
            checked => checked?,
        }
        let done = self.carry_out(replace)?;
        self.make_durable(transaction, &[(replace, &done)], end)?;
        Ok(done.answer)
    }

    /// Carries out several replaces with one flush: all of them are durable, or there is an error and none was done. One that
    /// conflicts with a damaged record has an error of its own.
    pub(crate) fn replace_together<'s>(
        &mut self,
        replaces: impl Iterator<Item = &'s Replace>,
    ) -> Result<Vec<Result<Replaced, Trouble>>, Trouble> {
        let transaction = Transaction::new_unchecked(self.connection, TransactionBehavior::Immediate)?;
        self.check()?;
        let mut answers = Vec::new();
        for replace in replaces {
            match self.carry_out(replace) {
                Ok(done) => answers.push((replace, Ok(done))),
                Err(Trouble::Record(damage)) => answers.push((replace, Err(Trouble::Record(damage)))),
                Err(trouble) => return Err(trouble),
            }
        }
        let done = answers.iter().filter_map(|(replace, done)| Some((*replace, done.as_ref().ok()?)));
        self.make_durable(transaction, &done.collect::<Vec<_>>(), room::End::OfFile)?;
        Ok(answers.into_iter().map(|(_, done)| done.map(|done| done.answer)).collect())
    }

    /// Carries out a replace within the transaction that is open.
    fn carry_out(&mut self, replace: &Replace) -> Result<Done, Trouble> {
        let head = |row: &Row<'_>| Ok((revision(row, 0, 1)?, row.get(2)?));
        let found: Option<(Revision, Option<i64>)> = self.head.query_row([replace.key.as_str()], head).optional()?;
        if found.map_or(Revision::ABSENT, |(revision, _)| revision) != replace.expected {
            let current = stored(&mut self.select, &replace.key, &self.clock)?;
            return Ok(Done { answer: Replaced::Conflict(current), written: None });
        }
        self.write(replace, found.map(|(_, due)| due))?;
        let written = Some(replace.text.expose_secret().len());
        Ok(Done { answer: Replaced::Written { time: (self.clock)() }, written })
    }

    /// Ends the transaction, once there is room for what its claims may bring: nothing is sent whose tokens could not be stored.
    /// Where nothing was written, nothing is flushed.
    fn make_durable(
        &mut self,
        transaction: Transaction<'_>,
        replaces: &[(&Replace, &Done)],
        end: room::End,
    ) -> Result<(), Trouble> {
        let written = || replaces.iter().filter_map(|(replace, done)| Some((*replace, done.written?)));
        if written().next().is_none() {
            return Ok(());
        }
        let claims = written().filter(|(replace, _)| replace.claims).count();
        if claims > 0 {
            self.room.reserve(self.file.files.log(), end, written().map(|(_, length)| length), claims)?;
            self.file.memory.allocate().map_err(Trouble::NoMemory)?;
        }
        transaction.commit()?;
        for (replace, _) in written() {
            if replace.claims {
                self.room.note_claim(&replace.key);
            } else if replace.ends {
                self.room.note_end(&replace.key);
            }
        }
        self.check_in_place()
    }

    /// `due_before`: when the record was due that is there, if one is.
    fn write(&mut self, replace: &Replace, due_before: Option<Option<i64>>) -> Result<(), Trouble> {
        let Replace { key, text, sum, generation, due, .. } = replace;
        let (key, text, [number, random]) = (key.as_str(), text.expose_secret(), row::numbers(replace.revision));
        if due_before == Some(*due) {
            self.update.execute(params![key, number, random, text, sum, generation])?;
        } else {
            self.upsert.execute(params![key, number, random, text, sum, generation, due])?;
        }
        Ok(())
    }

    /// Moves a damaged record to the others that were set aside, and leaves a tombstone in its place. `None` where there is
    /// nothing damaged.
    pub(crate) fn set_aside(&mut self, key: &SessionKey, session: SessionId) -> Result<Option<Record>, Trouble> {
        let step = Transaction::new_unchecked(self.connection, TransactionBehavior::Immediate)?;
        self.check()?;
        match stored(&mut self.select, key, &self.clock) {
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
        let before = self.head.query_row([key.as_str()], |row| revision(row, 0, 1))?;
        let revision = before.next().map_err(|_| Trouble::NoRandom)?;
        self.write(
            &Replace::new(key, Replacement { expected: before, revision, record: &tombstone, claims: false }),
            None,
        )?;
        step.commit()?;
        self.check_in_place()?;
        Ok(Some(tombstone))
    }

    pub(crate) fn due(&mut self, query: &DueQuery, location: &Location) -> Result<Vec<Due>, Trouble> {
        self.look(|steps| {
            let now = (steps.clock)();
            let (mut found, before) = (Vec::new(), nanoseconds(query.before));
            let (at, after) = query.after.as_ref().map_or((i64::MIN, ""), |(at, key)| (nanoseconds(*at), key.as_str()));
            let mut rows = steps.due.query(params![before, at, after])?;
            while found.len() < query.limit {
                let Some(row) = rows.next()? else { break };
                let Some(key) = row::key(row)?.filter(|key| !query.leaves_out(key)) else { continue };
                // A record that cannot be read is due: its error says what is wrong with it.
                let stored = stored(&mut steps.select, &key, &steps.clock);
                let lease = stored.as_ref().ok().and_then(|stored| stored.record.as_ref()?.lease());
                if lease.is_some_and(|lease| lease.holds_at(&now)) {
                    continue;
                }
                let at = row::instant(row.get(1)?);
                let stored = stored.map_err(|trouble| row::unreadable(trouble, &key, location));
                found.push(Due { key, at, stored });
            }
            Ok(found)
        })
    }

    pub(crate) fn keys(&mut self, after: Option<&SessionKey>, limit: usize) -> Result<Vec<SessionKey>, Trouble> {
        self.look(|steps| {
            let after = after.map_or("", SessionKey::as_str);
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut keys = Vec::new();
            let mut rows = steps.keys.query(params![after, limit])?;
            while let Some(row) = rows.next()? {
                keys.extend(row::key(row)?);
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
                marks.extend(row::key(row)?.map(|key| (key, Mark(sum))));
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
