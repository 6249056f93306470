//! What can be wrong with the file, and what is said of it.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

use rampauth_store::{RecordDamage, StoreError, StoreErrorKind};
use rusqlite::{ErrorCode, ffi};

use crate::location::{Beside, Location};

/// Why something failed, before it is said of which file and key. Holds nothing of a record.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// SQLite says so.
    Sqlite(rusqlite::Error),
    /// The file could not be made.
    NotMade(io::Error),
    /// The file's permissions could not be narrowed.
    NotNarrowed(io::Error),
    /// It is a folder.
    Folder,
    /// It is a pipe or a device.
    NotAFile,
    /// The path has no absolute form.
    NoPath,
    /// It is something else than a database.
    NotADatabase,
    /// It is a database, and not a store.
    Foreign,
    /// A store of a newer version.
    Newer { version: i64, known: i64 },
    /// Its file system has no shared memory, which processes need to share it.
    NoSharing,
    /// It has more than one name, and each has a log of its own.
    Linked,
    /// It is mounted by itself, and its log stays outside of the mount.
    MountedAlone,
    /// It is on a file system of this kind, which computers share.
    Remote(String),
    /// Opened without permission to write.
    ReadOnly,
    /// Another process kept the lock for too long.
    Busy,
    /// What stands at its path is not what was opened.
    Moved,
    /// This file beside it was removed while it was open.
    Removed(Beside),
    /// There is shared memory, and no log to it.
    LogGone,
    /// There is no room for what a claim may bring, in bytes.
    NoRoom { room: u64, cause: io::Error },
    /// The shared memory cannot be given blocks.
    NoMemory(io::Error),
    /// The record is not what was written.
    Record(RecordDamage),
    /// The step panicked, or the thread is gone.
    Interrupted,
    /// No thread could be started.
    NoThread,
    /// The system gave no random numbers.
    NoRandom,
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Trouble {
    /// `failed to <action>: <path> <why>`.
    pub(crate) fn into_error(self, action: fmt::Arguments<'_>, place: &Location) -> StoreError {
        let (kind, why) = self.said(place);
        let error = StoreError::new(kind, format!("failed to {action}: {} {why}", place.path.display()));
        match self {
            // The code and its general meaning alone: SQLite's message may quote what it read.
            Self::Sqlite(rusqlite::Error::SqliteFailure(code, _)) => error.with_source(code),
            Self::NotMade(cause) | Self::NotNarrowed(cause) | Self::NoRoom { cause, .. } | Self::NoMemory(cause) => {
                error.with_source(cause)
            }
            _ => error,
        }
    }

    /// Whether another process has the lock.
    pub(crate) fn is_busy(&self) -> bool {
        match self {
            Self::Sqlite(error) => {
                let code = error.sqlite_error_code();
                matches!(code, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
            }
            Self::Busy => true,
            _ => false,
        }
    }

    /// Whether it may help that the log begins anew.
    pub(crate) fn is_full_disk(&self) -> bool {
        match self {
            Self::Sqlite(error) => error
                .sqlite_error()
                .is_some_and(|code| code.code == ErrorCode::DiskFull || code.extended_code == ffi::SQLITE_IOERR_WRITE),
            Self::NoRoom { .. } | Self::NoMemory(_) => true,
            _ => false,
        }
    }

    fn said(&self, place: &Location) -> (StoreErrorKind, String) {
        use StoreErrorKind::{Damaged, Incompatible, NotWritable, Unavailable};

        let (kind, why) = match self {
            Self::Sqlite(error) => return sqlite(error, place),
            Self::NotMade(cause) => return (NotWritable, format!("cannot be created: {}", not_made(cause))),
            Self::NoRoom { room, cause } => return (NotWritable, no_room(*room, cause)),
            Self::NoMemory(cause) if is_too_many_files(cause) => {
                return (NotWritable, format!("cannot be given its shared memory: {TOO_MANY_FILES}"));
            }
            Self::NoMemory(_) => (NotWritable, NO_MEMORY),
            Self::NotNarrowed(_) => {
                (NotWritable, "is empty and open to other users, and this user may not change its permissions")
            }
            Self::Folder => (Incompatible, "is a folder; name a file in it"),
            Self::NotAFile => (Incompatible, "is not a file"),
            Self::NoPath => (Incompatible, "is not a path that can be made absolute; name a file"),
            Self::NotADatabase => (Incompatible, NOT_A_DATABASE),
            Self::Foreign => (Incompatible, "is the database of another program; it is left as it is"),
            Self::Newer { version, known } => {
                let why = format!("has version {version}, and this program knows up to {known}; update the program");
                return (Incompatible, why);
            }
            Self::NoSharing => (
                NotWritable,
                "lies on a file system that processes cannot share a database on; move it to a local disk",
            ),
            Self::Linked => (
                Incompatible,
                "has more than one name (hard links), and each name has a log of its own; remove the others, and share the \
                 folder or use a symbolic link",
            ),
            Self::MountedAlone => (
                Incompatible,
                "is mounted into its folder by itself, and its log stays outside of the mount; mount the folder that it is in",
            ),
            Self::Remote(kind) => {
                let why = format!(
                    "lies on a file system that computers share ({kind}), where processes do not share memory and locks; move it \
                     to a local disk"
                );
                return (Incompatible, why);
            }
            Self::ReadOnly => (NotWritable, READ_ONLY),
            Self::Busy => return busy(place),
            Self::Moved => {
                (Unavailable, "was moved, deleted or replaced while it was open; put it back, or open the store again")
            }
            Self::Removed(which) => {
                let why = format!(
                    "had its `{}` removed or replaced while it was open, and is opened anew; try again, and find out who \
                     removes it",
                    which.suffix()
                );
                return (Unavailable, why);
            }
            Self::LogGone => (
                Unavailable,
                "has lost its log: `-shm` is there without `-wal`; end every process that uses the store, remove `-shm`, and \
                 try again",
            ),
            Self::Record(RecordDamage::Newer { version }) => {
                let why = format!("holds it in version {version} of a record, which this program does not know");
                return (Incompatible, format!("{why}; update the program"));
            }
            Self::Record(_) => (Damaged, "holds a damaged record of it; restore a copy, or set it aside and log in"),
            Self::Interrupted => (Unavailable, "is there, but the thread that reads and writes it failed"),
            Self::NoRandom => (Unavailable, "needs random numbers, and the system gave none"),
            Self::NoThread => (Unavailable, "needs a thread, and none could be started; raise the limit on processes"),
        };
        (kind, why.to_owned())
    }
}

const NOT_A_DATABASE: &str = "is not an SQLite database; it is left as it is";
const READ_ONLY: &str = "is read-only; this user needs to write to it and to its folder";
const DISK_FULL: &str = "the disk is full; make room on it";
const QUOTA: &str = "this user's quota is used up; make room in it";
const NO_MEMORY: &str = "cannot be given its shared memory (`-shm`): make room on the disk; if there is room, move the file to a local disk";
const TOO_MANY_FILES: &str = "too many files are open; raise the limit (`ulimit -n`)";

/// Why a file could not be made in a folder.
fn not_made(error: &io::Error) -> &'static str {
    if is_too_many_files(error) {
        return TOO_MANY_FILES;
    }
    match error.kind() {
        io::ErrorKind::NotFound => "its folder does not exist",
        io::ErrorKind::PermissionDenied => "this user may not write to its folder",
        io::ErrorKind::ReadOnlyFilesystem => "its file system is read-only",
        io::ErrorKind::StorageFull => DISK_FULL,
        io::ErrorKind::QuotaExceeded => QUOTA,
        io::ErrorKind::NotADirectory => "what should be its folder is a file",
        io::ErrorKind::AlreadyExists => "it is a symbolic link to a file that does not exist",
        io::ErrorKind::InvalidInput => "its path holds a NUL byte",
        _ => "the system does not take its path",
    }
}

/// `EMFILE` of this process, `ENFILE` of the machine: the same numbers on every Unix.
fn is_too_many_files(error: &io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

fn no_room(room: u64, cause: &io::Error) -> String {
    if is_too_many_files(cause) {
        return format!("cannot be given room: {TOO_MANY_FILES}");
    }
    let whose = match cause.kind() {
        io::ErrorKind::StorageFull => "on its disk",
        io::ErrorKind::QuotaExceeded => "in this user's quota",
        io::ErrorKind::FileTooLarge => "within the limit on the size of files (`ulimit -f`)",
        _ => return "cannot be given room for the tokens that a refresh may bring".to_owned(),
    };
    format!("has no room for the tokens that a refresh may bring: make {} KiB of room {whose}", room.div_ceil(1024))
}

fn busy(place: &Location) -> (StoreErrorKind, String) {
    let why = format!(
        "was locked by another process for {:?}; find out which one keeps a transaction open, such as a `sqlite3` shell",
        place.busy_timeout
    );
    (StoreErrorKind::Unavailable, why)
}

/// Why SQLite could open neither the file nor what has to be beside it. It does not say, so the same is tried.
fn cannot_open(path: &Path) -> String {
    // The database, its log, its shared memory, the folder, and one to spare.
    let handles: io::Result<Vec<_>> = (0..5).map(|_| fs::File::open("/dev/null")).collect();
    if handles.as_ref().is_err_and(is_too_many_files) {
        return format!("cannot be opened: {TOO_MANY_FILES}");
    }
    drop(handles);
    let mut probe = path.as_os_str().to_owned();
    probe.push(format!("-probe-{}", std::process::id()));
    match OpenOptions::new().write(true).create_new(true).open(&probe) {
        Ok(_) => {
            fs::remove_file(&probe).ok();
            "cannot be opened: this user needs to write to it and to its folder".to_owned()
        }
        Err(error) => format!("cannot be opened, for no file can be made beside it: {}", not_made(&error)),
    }
}

fn sqlite(error: &rusqlite::Error, place: &Location) -> (StoreErrorKind, String) {
    use StoreErrorKind::{Damaged, Incompatible, NotWritable, Unavailable};

    let Some(code) = error.sqlite_error() else {
        // What a column holds is not what a store puts there.
        return (Damaged, DAMAGED.to_owned());
    };
    let (kind, why) = match code.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
            return busy(place);
        }
        ErrorCode::ReadOnly if code.extended_code == ffi::SQLITE_READONLY_DBMOVED => {
            (Unavailable, "was moved while it was open; open the store again")
        }
        ErrorCode::ReadOnly => (NotWritable, READ_ONLY),
        ErrorCode::DiskFull => (NotWritable, "cannot be written: the disk is full; make room on it"),
        ErrorCode::PermissionDenied => (NotWritable, "may not be written by this user"),
        ErrorCode::CannotOpen => return (NotWritable, cannot_open(&place.path)),
        ErrorCode::NotADatabase => (Incompatible, NOT_A_DATABASE),
        ErrorCode::DatabaseCorrupt => (Damaged, DAMAGED),
        // No such table, or one of another shape.
        ErrorCode::Unknown | ErrorCode::ConstraintViolation | ErrorCode::SchemaChanged => {
            (Incompatible, "does not have the tables of a store")
        }
        ErrorCode::SystemIoFailure => io_failure(code.extended_code),
        _ => (Unavailable, "could not be read or written"),
    };
    (kind, why.to_owned())
}

fn io_failure(extended_code: i32) -> (StoreErrorKind, &'static str) {
    match extended_code {
        // A full disk has a code of its own there.
        ffi::SQLITE_IOERR_WRITE => (
            StoreErrorKind::NotWritable,
            "could not be written: a quota or a limit on the size of files is used up, or the disk failed",
        ),
        ffi::SQLITE_IOERR_SHMSIZE | ffi::SQLITE_IOERR_SHMMAP => (StoreErrorKind::NotWritable, NO_MEMORY),
        _ => (StoreErrorKind::Unavailable, "could not be read or written: the disk failed"),
    }
}

const DAMAGED: &str = "is damaged where this is kept; restore a copy";

#[cfg(test)]
mod tests {
    use super::*;

    fn sqlite(extended_code: i32) -> Trouble {
        Trouble::Sqlite(rusqlite::Error::SqliteFailure(ffi::Error::new(extended_code), None))
    }

    fn no_room(cause: io::ErrorKind) -> Trouble {
        Trouble::NoRoom { room: 2_049, cause: cause.into() }
    }

    #[test]
    fn busy_and_full_are_told_from_all_else() {
        for (trouble, busy, full) in [
            (sqlite(ffi::SQLITE_BUSY), true, false),
            (sqlite(ffi::SQLITE_BUSY_SNAPSHOT), true, false),
            (sqlite(ffi::SQLITE_LOCKED), true, false),
            (Trouble::Busy, true, false),
            (sqlite(ffi::SQLITE_FULL), false, true),
            (sqlite(ffi::SQLITE_IOERR_WRITE), false, true),
            (no_room(io::ErrorKind::StorageFull), false, true),
            (Trouble::NoMemory(io::ErrorKind::StorageFull.into()), false, true),
            (sqlite(ffi::SQLITE_IOERR_READ), false, false),
            (sqlite(ffi::SQLITE_CORRUPT), false, false),
            (Trouble::Sqlite(rusqlite::Error::QueryReturnedNoRows), false, false),
            (Trouble::ReadOnly, false, false),
        ] {
            assert_eq!((trouble.is_busy(), trouble.is_full_disk()), (busy, full), "{trouble:?}");
        }
    }

    #[test]
    fn each_code_of_sqlite_has_its_kind() {
        use StoreErrorKind::{Damaged, Incompatible, NotWritable, Unavailable};
        let place = Location { path: "/a/b.db".into(), busy_timeout: std::time::Duration::from_secs(5) };
        for (code, kind, says) in [
            (ffi::SQLITE_PERM, NotWritable, "may not be written by this user"),
            (ffi::SQLITE_ERROR, Incompatible, "does not have the tables of a store"),
            (ffi::SQLITE_READONLY, NotWritable, READ_ONLY),
            (ffi::SQLITE_READONLY_DBMOVED, Unavailable, "was moved while it was open; open the store again"),
            (ffi::SQLITE_CORRUPT, Damaged, DAMAGED),
            (ffi::SQLITE_IOERR_READ, Unavailable, "could not be read or written: the disk failed"),
            (ffi::SQLITE_IOERR_WRITE, NotWritable, "a limit on the size of files is used up"),
            (ffi::SQLITE_IOERR_SHMSIZE, NotWritable, NO_MEMORY),
            (ffi::SQLITE_NOMEM, Unavailable, "could not be read or written"),
        ] {
            let error = sqlite(code).into_error(format_args!("save it"), &place);
            assert!(error.kind() == kind && error.to_string().contains(says), "{code}: {error}");
        }
    }

    #[test]
    fn what_is_used_up_is_named() {
        const ROOM: &str = "has no room for the tokens that a refresh may bring: make 3 KiB of room";
        let place = Location { path: "/a/b.db".into(), busy_timeout: std::time::Duration::from_secs(5) };
        let said = |trouble: Trouble| trouble.into_error(format_args!("save it"), &place);
        let emfile = || io::Error::from_raw_os_error(24);
        let mut rows = vec![
            (no_room(io::ErrorKind::StorageFull), format!("{ROOM} on its disk")),
            (no_room(io::ErrorKind::QuotaExceeded), format!("{ROOM} in this user's quota")),
            (
                no_room(io::ErrorKind::FileTooLarge),
                format!("{ROOM} within the limit on the size of files (`ulimit -f`)"),
            ),
            (no_room(io::ErrorKind::Other), "cannot be given room for the tokens that a refresh may bring".to_owned()),
            (Trouble::NoMemory(io::ErrorKind::StorageFull.into()), NO_MEMORY.to_owned()),
            (Trouble::NotMade(io::ErrorKind::NotFound.into()), "cannot be created: its folder does not exist".into()),
            (
                Trouble::NotMade(io::ErrorKind::NotADirectory.into()),
                "cannot be created: what should be its folder is a file".into(),
            ),
            (Trouble::NotMade(io::ErrorKind::StorageFull.into()), format!("cannot be created: {DISK_FULL}")),
            (Trouble::NotMade(io::ErrorKind::QuotaExceeded.into()), format!("cannot be created: {QUOTA}")),
            (
                Trouble::NotMade(io::ErrorKind::ReadOnlyFilesystem.into()),
                "cannot be created: its file system is read-only".into(),
            ),
            (
                Trouble::NotMade(io::ErrorKind::PermissionDenied.into()),
                "cannot be created: this user may not write to its folder".into(),
            ),
            (
                Trouble::NotMade(io::ErrorKind::InvalidInput.into()),
                "cannot be created: its path holds a NUL byte".into(),
            ),
        ];
        if cfg!(unix) {
            rows.extend([
                (Trouble::NoRoom { room: 1, cause: emfile() }, format!("cannot be given room: {TOO_MANY_FILES}")),
                (Trouble::NoMemory(emfile()), format!("cannot be given its shared memory: {TOO_MANY_FILES}")),
                (Trouble::NotMade(emfile()), format!("cannot be created: {TOO_MANY_FILES}")),
            ]);
        }
        for (trouble, expected) in rows {
            let row = format!("{trouble:?}");
            let error = said(trouble);
            assert_eq!(error.to_string(), format!("failed to save it: /a/b.db {expected}"), "{row}");
            assert!(std::error::Error::source(&error).is_some_and(<dyn std::error::Error>::is::<io::Error>), "{row}");
        }
    }
}
