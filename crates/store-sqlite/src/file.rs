//! The file itself: whose it is, who may read it, and that what is at its path is still what was opened.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::error::Trouble;
use crate::schema::{self, Found};

/// Where the file is, and which file it was when it was opened.
pub(crate) struct StoreFile {
    path: PathBuf,
    identity: Option<Identity>,
}

/// Held while a file is made and opened. Closing any handle of a file drops all locks that a process has on it (POSIX), so that
/// the handle that made it must be closed before SQLite opens it anywhere in this process.
static OPENING: Mutex<()> = Mutex::new(());

impl StoreFile {
    /// Opens a store for writing: made first where there is none, brought up to date where it is of an older version.
    pub(crate) fn open(path: PathBuf, busy_timeout: Duration) -> Result<(Connection, Self), Trouble> {
        let opening = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
        make(&path)?;
        let mut connection =
            Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        // What SQLite takes is milliseconds in 31 bits.
        connection.busy_timeout(busy_timeout.min(Duration::from_secs(24 * 60 * 60)))?;
        let file = Self { identity: identity(&path).ok(), path };
        drop(opening);
        // Closing a database as its last user moves its log into it. Not into one that is not ours.
        let has_log = has_log(&file.path);
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, has_log)?;
        let found = schema::found(&connection)?;
        if connection.is_readonly(rusqlite::MAIN_DB)? {
            return Err(Trouble::ReadOnly);
        }
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
        share(&connection, busy_timeout)?;
        harden(&connection)?;
        if found != Found::Current {
            schema::bring_up_to_date(&mut connection)?;
        }
        Ok((connection, file))
    }

    /// Whether the file is still at its path. SQLite would go on with one that was deleted or replaced, where no other process
    /// sees what it writes.
    pub(crate) fn check_in_place(&self) -> Result<(), Trouble> {
        match identity(&self.path) {
            Ok(identity) if self.identity.as_ref().is_none_or(|opened| *opened == identity) => Ok(()),
            _ => Err(Trouble::Moved),
        }
    }
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

fn has_log(path: &Path) -> bool {
    // SQLite keeps it beside the file itself, wherever a link to it is.
    let mut log = path.canonicalize().unwrap_or_else(|_| path.to_owned()).into_os_string();
    log.push("-wal");
    Path::new(&log).exists()
}

#[derive(PartialEq)]
#[cfg(unix)]
struct Identity {
    device: u64,
    inode: u64,
}

#[cfg(unix)]
fn identity(path: &Path) -> io::Result<Identity> {
    use std::os::unix::fs::MetadataExt as _;

    fs::metadata(path).map(|there| Identity { device: there.dev(), inode: there.ino() })
}

/// A file that is open cannot be moved or deleted on Windows.
#[derive(PartialEq)]
#[cfg(not(unix))]
struct Identity;

#[cfg(not(unix))]
fn identity(_: &Path) -> io::Result<Identity> {
    Ok(Identity)
}

/// Lets readers and one writer at a time work on the file (a write-ahead log).
fn share(connection: &Connection, busy_timeout: Duration) -> Result<(), Trouble> {
    const PAUSE: Duration = Duration::from_millis(10);
    // Of several processes that do this at once SQLite turns all but one away, without waiting.
    let mut tries = busy_timeout.as_millis() / PAUSE.as_millis();
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
