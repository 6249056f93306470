//! Room for a rescue file, taken before anything is sent: where the disk fills up meanwhile, new tokens still have a place.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};

/// The most that a rescue file may have to hold, in bytes: an answer has 64 KiB at most and may be escaped in JSON, and one token of
/// 64 KiB may stay as it was.
const ROOM: u64 = 192 * 1024;

/// A file without a name that has its blocks. It gets its name when it is needed, and is gone with the process otherwise.
#[derive(Debug)]
pub(super) struct Room {
    folder: PathBuf,
    file: File,
}

impl Room {
    /// Takes the room in this folder.
    ///
    /// # Errors
    ///
    /// When no file can be made there, or its disk has no room. Where a system cannot allocate blocks beforehand, it is not known
    /// whether there is room.
    pub(super) fn take(folder: &Path) -> io::Result<Self> {
        let file = tempfile::tempfile_in(folder)?;
        // The user's alone, whatever the process gives new files.
        #[cfg(unix)]
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        allocate(&file)?;
        Ok(Self { folder: folder.to_owned(), file })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes the file, on the disk when this returns, except for its name.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.rewind()?;
        self.file.write_all(bytes)?;
        self.file.set_len(bytes.len() as u64)?;
        self.file.sync_all()
    }

    /// Gives the file a name that nothing has yet.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) when something has it; others where a file without a name cannot be given one.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn name(&self, path: &Path) -> io::Result<()> {
        use std::os::fd::AsRawFd as _;

        use rustix::fs::{AtFlags, CWD, linkat};

        // As open(2) has it for a file that was made with `O_TMPFILE`.
        let nameless = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        Ok(linkat(CWD, nameless, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(super) fn name(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn allocate(file: &File) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;

    match fallocate(file, FallocateFlags::KEEP_SIZE, 0, ROOM) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        done => Ok(done?),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn allocate(_: &File) -> io::Result<()> {
    Ok(())
}

/// Whether room is what is missing.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
