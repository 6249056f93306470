//! What can be wrong with the file, and what is said of it.

use std::fmt;
use std::io;
use std::path::Path;

use rampauth_keeper::{RecordDamage, StoreError, StoreErrorKind};
use rusqlite::{ErrorCode, ffi};

/// Why something failed, before it is said of which file and key. Holds nothing of a record.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// SQLite says so.
    Sqlite(rusqlite::Error),
    /// The file could not be made.
    NotMade(io::Error),
    /// The file's permissions could not be narrowed.
    NotNarrowed(io::Error),
    /// It is a folder, a pipe or a device.
    NotAFile,
    /// It is something else than a database.
    NotADatabase,
    /// It is a database, and not a store.
    Foreign,
    /// A store of a newer version.
    Newer { version: i64, known: i64 },
    /// Its file system has no shared memory, which processes need to share it.
    NoSharing,
    /// Opened without permission to write.
    ReadOnly,
    /// What stands at its path is not what was opened.
    Moved,
    /// The record is not what was written.
    Record(RecordDamage),
    /// The step panicked, or the thread is gone.
    Interrupted,
    /// No thread could be started.
    NoThread,
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Trouble {
    /// `failed to <action>: <path> <why>`.
    pub(crate) fn into_error(self, action: fmt::Arguments<'_>, path: &Path) -> StoreError {
        let (kind, why) = self.said();
        let error = StoreError::new(kind, format!("failed to {action}: {} {why}", path.display()));
        match self {
            // The code and its general meaning alone: SQLite's message may quote what it read.
            Self::Sqlite(rusqlite::Error::SqliteFailure(code, _)) => error.with_source(code),
            Self::NotMade(cause) | Self::NotNarrowed(cause) => error.with_source(cause),
            _ => error,
        }
    }

    pub(crate) fn is_full_disk(&self) -> bool {
        matches!(self, Self::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull))
    }

    fn said(&self) -> (StoreErrorKind, String) {
        let (kind, why) = match self {
            Self::Sqlite(error) => sqlite(error),
            Self::NotMade(cause) => (StoreErrorKind::NotWritable, not_made(cause.kind())),
            Self::NotNarrowed(_) => (
                StoreErrorKind::NotWritable,
                "is empty and open to other users, and this user may not change its permissions",
            ),
            Self::NotAFile => (StoreErrorKind::Incompatible, "is not a file"),
            Self::NotADatabase => (StoreErrorKind::Incompatible, NOT_A_DATABASE),
            Self::Foreign => (StoreErrorKind::Incompatible, "is the database of another program; it is left as it is"),
            Self::Newer { version, known } => {
                let why = format!("has version {version}, and this program knows up to {known}; update the program");
                return (StoreErrorKind::Incompatible, why);
            }
            Self::NoSharing => (
                StoreErrorKind::NotWritable,
                "lies on a file system that processes cannot share a database on; move it to a local disk",
            ),
            Self::ReadOnly => (StoreErrorKind::NotWritable, READ_ONLY),
            Self::Moved => (
                StoreErrorKind::Unavailable,
                "was moved, deleted or replaced while it was open; put it back, or open the store again",
            ),
            Self::Record(RecordDamage::Newer { version }) => {
                let why = format!("holds it in version {version} of a record, which this program does not know");
                return (StoreErrorKind::Incompatible, format!("{why}; update the program"));
            }
            Self::Record(_) => {
                (StoreErrorKind::Damaged, "holds a damaged record of it; restore a copy, or set it aside and log in")
            }
            Self::Interrupted => {
                (StoreErrorKind::Unavailable, "is there, but the thread that reads and writes it failed")
            }
            Self::NoThread => (StoreErrorKind::Unavailable, "needs a thread, and none could be started"),
        };
        (kind, why.to_owned())
    }
}

const NOT_A_DATABASE: &str = "is not an SQLite database; it is left as it is";
const READ_ONLY: &str = "is read-only";

fn not_made(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::NotFound => "cannot be created: its folder does not exist",
        io::ErrorKind::PermissionDenied => "cannot be created: this user may not write to its folder",
        io::ErrorKind::ReadOnlyFilesystem => "cannot be created: its file system is read-only",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "cannot be created: the disk is full",
        _ => "cannot be created",
    }
}

fn sqlite(error: &rusqlite::Error) -> (StoreErrorKind, &'static str) {
    let Some(code) = error.sqlite_error() else {
        // What a column holds is not what a store puts there.
        return (StoreErrorKind::Damaged, DAMAGED);
    };
    match code.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
            (StoreErrorKind::Unavailable, "was locked by another process for too long")
        }
        ErrorCode::ReadOnly if code.extended_code == ffi::SQLITE_READONLY_DBMOVED => {
            (StoreErrorKind::Unavailable, "was moved while it was open; open the store again")
        }
        ErrorCode::ReadOnly => (StoreErrorKind::NotWritable, READ_ONLY),
        ErrorCode::DiskFull => (StoreErrorKind::NotWritable, "cannot be written: the disk is full"),
        ErrorCode::PermissionDenied => (StoreErrorKind::NotWritable, "may not be written by this user"),
        ErrorCode::CannotOpen => {
            (StoreErrorKind::NotWritable, "cannot be opened: this user needs to write to it and to its folder")
        }
        ErrorCode::NotADatabase => (StoreErrorKind::Incompatible, NOT_A_DATABASE),
        ErrorCode::DatabaseCorrupt => (StoreErrorKind::Damaged, DAMAGED),
        // No such table, or one of another shape.
        ErrorCode::Unknown | ErrorCode::ConstraintViolation | ErrorCode::SchemaChanged => {
            (StoreErrorKind::Incompatible, "does not have the tables of a store")
        }
        ErrorCode::SystemIoFailure if code.extended_code == ffi::SQLITE_IOERR_WRITE => (
            StoreErrorKind::NotWritable,
            "could not be written: a quota or a limit on the size of files is used up, or the disk failed",
        ),
        ErrorCode::SystemIoFailure => (StoreErrorKind::Unavailable, "could not be read or written: the disk failed"),
        _ => (StoreErrorKind::Unavailable, "could not be read or written"),
    }
}

const DAMAGED: &str = "is damaged where this is kept; restore a copy";
