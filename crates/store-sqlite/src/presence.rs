//! That the files which are open still stand at their paths: the database, its log and its shared memory. SQLite itself would go
//! on with one that was removed, where no other process sees what it writes.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Trouble;
use crate::location::Beside;

/// What was opened, by path. The paths are without symbolic links, as SQLite has them.
#[derive(Debug)]
pub(crate) struct OpenFiles {
    /// As it was given: a symbolic link that leads elsewhere by now is noticed.
    given: PathBuf,
    database: Option<Identity>,
    beside: [(Beside, PathBuf, Option<Identity>); 2],
}

/// What stands where the log or the shared memory should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instead {
    Nothing,
    AnotherFile,
}

impl OpenFiles {
    /// What stands at these paths now, a moment after it was opened.
    pub(crate) fn note(given: PathBuf, database: Option<Identity>, resolved: &Path) -> Self {
        let noted = |which: Beside| {
            let path = which.of(resolved);
            let identity = Identity::of(&path);
            (which, path, identity)
        };
        Self { given, database, beside: [noted(Beside::Log), noted(Beside::SharedMemory)] }
    }

    pub(crate) fn log(&self) -> &Path {
        &self.beside[0].1
    }

    /// That all of them are where they were, and that the database has no second name.
    pub(crate) fn check(&self) -> Result<(), Trouble> {
        self.check_in_place()?;
        check_names(&self.given)
    }

    /// That all of them are where they were.
    pub(crate) fn check_in_place(&self) -> Result<(), Trouble> {
        // Not known of what was opened: then nothing can be said of what is there.
        if self.database.is_some() && self.database != Identity::of(&self.given) {
            return Err(Trouble::Moved);
        }
        match self.missing() {
            Some((which, _)) => Err(Trouble::Removed(which)),
            None => Ok(()),
        }
    }

    /// What of the files beside the database is not there any more, and whether something else is.
    pub(crate) fn missing(&self) -> Option<(Beside, Instead)> {
        self.beside.iter().find_map(|(which, path, noted)| match (noted, Identity::of(path)) {
            (Some(noted), Some(there)) if *noted == there => None,
            (_, Some(_)) => Some((*which, Instead::AnotherFile)),
            // What was not there a moment after it was opened was removed as well.
            (_, None) => Some((*which, Instead::Nothing)),
        })
    }
}

/// That the file at this path has no second name.
#[cfg(unix)]
pub(crate) fn check_names(path: &Path) -> Result<(), Trouble> {
    use std::os::unix::fs::MetadataExt as _;

    match fs::metadata(path) {
        Ok(there) if there.nlink() > 1 => Err(Trouble::Linked),
        _ => Ok(()),
    }
}

/// Elsewhere the number of a file's names is not to be had.
#[cfg(not(unix))]
pub(crate) fn check_names(_: &Path) -> Result<(), Trouble> {
    Ok(())
}

/// Which file it is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg(unix)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

#[cfg(unix)]
impl Identity {
    /// `None` where nothing is, or nothing that may be looked at.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;

        fs::metadata(path).ok().map(|there| Self { device: there.dev(), inode: there.ino() })
    }
}

/// A file that is open cannot be moved or deleted on Windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg(not(unix))]
pub(crate) struct Identity;

#[cfg(not(unix))]
impl Identity {
    pub(crate) fn of(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|_| Self)
    }
}
