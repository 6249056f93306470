//! Which files a store is.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the file is, and how long to wait for it.
#[derive(Clone)]
pub(crate) struct Location {
    /// Absolute.
    pub(crate) path: PathBuf,
    pub(crate) busy_timeout: Duration,
}

/// One of the two files beside the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beside {
    Log,
    SharedMemory,
}

impl Beside {
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Log => "-wal",
            Self::SharedMemory => "-shm",
        }
    }

    pub(crate) fn of(self, database: &Path) -> PathBuf {
        let mut path = database.as_os_str().to_owned();
        path.push(OsStr::new(self.suffix()));
        PathBuf::from(path)
    }
}
