//! The file itself: made for its owner alone, opened, and opened anew when its log was removed.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::error::Trouble;
use crate::location::{Beside, Location};
use crate::memory::{self, SharedMemory};
use crate::presence::{Identity, Instead, OpenFiles, check_names};
use crate::schema::{self, Found};
use crate::sharing;

/// The open file.
pub(crate) struct StoreFile {
    pub(crate) connection: Connection,
    pub(crate) files: OpenFiles,
    /// Dropped after the connection.
    pub(crate) memory: SharedMemory,
}

/// Held while a file is made and opened. Closing any handle of a file drops all locks that a process has on it (POSIX), so that
/// the handle that made it must be closed before SQLite opens it anywhere in this process.
static OPENING: Mutex<()> = Mutex::new(());

impl StoreFile {
    /// Opens a store for writing: made first where there is none, brought up to date where it is of an older version.
    pub(crate) fn open(place: &Location) -> Result<Box<Self>, Trouble> {
        let resolved = sharing::resolve(&place.path);
        sharing::check(&resolved)?;
        wait_for_log(&resolved, place.busy_timeout)?;
        open(place)
    }

    /// Closes what was opened, because its log or its shared memory was removed, and opens it anew. Nothing is lost: what the
    /// removed log holds is moved into the database first, as long as nobody has a new log there.
    pub(crate) fn reopen(self: Box<Self>, place: &Location) -> Result<Box<Self>, (Option<Box<Self>>, Trouble)> {
        // Of several processes that find out at once, the next one sees that there is a new log.
        let _turn = lock_folder(place);
        if let Err(trouble) = self.make_whole() {
            return Err((Some(self), trouble));
        }
        drop(self);
        open(place).map_err(|trouble| (None, trouble))
    }

    /// Sees that the database is as good without the log that was removed.
    fn make_whole(&self) -> Result<(), Trouble> {
        match self.files.missing() {
            Some((_, Instead::Nothing)) => {
                // A removed log is read and written like any other by those who have it open.
                let is_busy =
                    self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0))?;
                if is_busy { Err(Trouble::Busy) } else { Ok(()) }
            }
            Some((_, Instead::AnotherFile)) => {
                // Closing would move the removed log over what others have written since.
                self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

fn open(place: &Location) -> Result<Box<StoreFile>, Trouble> {
    let Location { path, busy_timeout } = place;
    let opening = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    make(path)?;
    check_names(path)?;
    let resolved = sharing::resolve(path);
    memory::check_room(&resolved).map_err(Trouble::NoMemory)?;
    let memory = SharedMemory::of(&resolved);
    let mut connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    // What SQLite takes is milliseconds in 31 bits.
    connection.busy_timeout((*busy_timeout).min(Duration::from_secs(24 * 60 * 60)))?;
    let database = Identity::of(path);
    drop(opening);
    // Closing a database as its last user moves its log into it. Not into one that is not ours.
    let has_log = Beside::Log.of(&resolved).exists();
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, has_log)?;
    let found = schema::found(&connection)?;
    if connection.is_readonly(rusqlite::MAIN_DB)? {
        return Err(Trouble::ReadOnly);
    }
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    share(&connection, *busy_timeout)?;
    harden(&connection)?;
    if found != Found::Current {
        schema::bring_up_to_date(&mut connection)?;
    }
    // The log and the shared memory are there once the database has been read as one that is shared.
    schema::found(&connection)?;
    let files = OpenFiles::note(path.clone(), database, &resolved);
    files.check()?;
    memory.allocate().map_err(Trouble::NoMemory)?;
    Ok(Box::new(StoreFile { connection, files, memory }))
}

/// Shared memory without a log is what is left when somebody removes the log of a store that is in use: it speaks of what that log
/// held, and SQLite would believe it. The process that has the store open finds out and puts it right, so it is given the time.
fn wait_for_log(resolved: &Path, at_most: Duration) -> Result<(), Trouble> {
    let (log, memory) = (Beside::Log.of(resolved), Beside::SharedMemory.of(resolved));
    let mut tries = tries(at_most);
    // In this order: whoever closes the store last removes the log last.
    while !log.exists() && memory.exists() {
        if tries == 0 {
            return Err(Trouble::LogGone);
        }
        tries -= 1;
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// Keeps other stores on files of this folder from being opened anew at the same time, as well as that can be had.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn lock_folder(place: &Location) -> Option<fs::File> {
    use rustix::fs::{FlockOperation, flock};

    let folder = fs::File::open(sharing::resolve(&place.path).parent()?).ok()?;
    for _ in 0..tries(place.busy_timeout) {
        match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => thread::sleep(PAUSE),
            locked => return locked.ok().map(|()| folder),
        }
    }
    None
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn lock_folder(_: &Location) -> Option<fs::File> {
    None
}

/// Between two looks at what another process has to finish.
const PAUSE: Duration = Duration::from_millis(10);

fn tries(at_most: Duration) -> u128 {
    at_most.as_millis() / PAUSE.as_millis()
}

/// What every SQLite file begins with, in bytes.
const SQLITE_HEADER: u64 = 100;

/// Makes the file for its owner alone; SQLite gives its log and its shared memory the same permissions. A file that is there and
/// empty is as good as none, so it is narrowed; one that is not keeps what its owner gave it.
fn make(path: &Path) -> Result<(), Trouble> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) => match fs::metadata(path) {
            Ok(there) if there.is_dir() => Err(Trouble::Folder),
            Ok(there) if !there.is_file() => Err(Trouble::NotAFile),
            Ok(there) if there.len() == 0 => narrow(path, &there).map_err(Trouble::NotNarrowed),
            // SQLite takes a single byte for an empty file, and would write over it.
            Ok(there) if there.len() < SQLITE_HEADER => Err(Trouble::NotADatabase),
            Ok(_) => Ok(()),
            Err(_) => Err(Trouble::NotMade(error)),
        },
    }
}

#[cfg(unix)]
fn narrow(path: &Path, there: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    let mode = there.permissions().mode();
    if mode & 0o077 == 0 { Ok(()) } else { fs::set_permissions(path, fs::Permissions::from_mode(mode & !0o077)) }
}

#[cfg(not(unix))]
fn narrow(_: &Path, _: &fs::Metadata) -> io::Result<()> {
    Ok(())
}

/// Lets readers and one writer at a time work on the file (a write-ahead log).
fn share(connection: &Connection, busy_timeout: Duration) -> Result<(), Trouble> {
    // Of several processes that do this at once SQLite turns all but one away, without waiting.
    let mut tries = tries(busy_timeout);
    let mode: String = loop {
        match connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0)) {
            Err(error) if is_busy(&error) && tries > 0 => {
                tries -= 1;
                thread::sleep(PAUSE);
            }
            mode => break mode?,
        }
    };
    if mode == "wal" { Ok(()) } else { Err(Trouble::NoSharing) }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
}

/// Durable, and wary of what it reads.
fn harden(connection: &Connection) -> Result<(), Trouble> {
    // A step that was answered survives a loss of power: the log is flushed before `COMMIT` returns, on macOS through the disk's
    // own cache.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "fullfsync", true)?;
    // What a record held before is overwritten with zeros.
    connection.pragma_update(None, "secure_delete", true)?;
    // A damaged page is found when it is read, not when it is believed.
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(())
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::*;

    #[test]
    fn one_store_of_a_folder_is_opened_anew_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = |name: &str, milliseconds| Location {
            path: folder.path().join(name),
            busy_timeout: Duration::from_millis(milliseconds),
        };
        let first = lock_folder(&place("a.db", 50)).expect("nobody has it");
        assert!(lock_folder(&place("b.db", 50)).is_none(), "the other one has it");
        let next = place("b.db", 10_000);
        let waiting = thread::spawn(move || lock_folder(&next).is_some());
        thread::sleep(Duration::from_millis(50));
        drop(first);
        assert!(waiting.join().expect("no panic"), "it is free in time");
    }
}
