//! Blocks on the disk for the shared memory (`-shm`). SQLite writes one byte of each page and maps the file: where a block of the
//! file system is smaller than a page, the rest of the page has no block, and a process that touches it on a full disk is killed
//! (SIGBUS), with tokens that it was about to save.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::location::Beside;
use crate::presence::Identity;

/// What SQLite maps at once, in bytes.
const REGION: u64 = 32 * 1024;

/// Handles of shared memories, by database: by which file it is, for a folder that is mounted twice gives it two paths. Closing one
/// drops all locks that this process has on the file (POSIX), so they are closed when no store of this process uses that database
/// any more.
static HANDLES: Mutex<BTreeMap<Database, Handles>> = Mutex::new(BTreeMap::new());

/// `None` for all that nothing is known of.
type Database = Option<Identity>;

#[derive(Default)]
struct Handles {
    stores: usize,
    files: Vec<(Identity, File)>,
}

fn handles() -> MutexGuard<'static, BTreeMap<Database, Handles>> {
    HANDLES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The use of a database by one store; made before SQLite opens it, and dropped after SQLite has closed it.
#[derive(Debug)]
pub(crate) struct SharedMemory {
    database: Database,
    path: PathBuf,
}

impl SharedMemory {
    pub(crate) fn of(resolved: &Path) -> Self {
        let database = Identity::of(resolved);
        handles().entry(database).or_default().stores += 1;
        Self { database, path: Beside::SharedMemory.of(resolved) }
    }

    /// Gives all of it blocks, and the next part that it may grow by.
    ///
    /// # Errors
    ///
    /// When the disk has no room, or the file cannot be opened.
    pub(crate) fn allocate(&self) -> io::Result<()> {
        let mut handles = handles();
        let handles = handles.entry(self.database).or_default();
        let there = Identity::of(&self.path).ok_or(io::ErrorKind::NotFound)?;
        let known = handles.files.iter().position(|(identity, _)| *identity == there);
        let index = match known {
            Some(index) => index,
            None => {
                handles.files.push((there, File::options().read(true).write(true).open(&self.path)?));
                handles.files.len() - 1
            }
        };
        allocate(&handles.files[index].1)
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        let mut handles = handles();
        let Some(of_database) = handles.get_mut(&self.database) else { return };
        of_database.stores -= 1;
        if of_database.stores == 0 {
            handles.remove(&self.database);
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn allocate(file: &File) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;

    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;

    let there = file.metadata()?;
    let whole = there.len().max(REGION) + REGION;
    if there.blocks() * 512 >= whole {
        return Ok(());
    }
    match fallocate(file, FallocateFlags::KEEP_SIZE, 0, whole) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        done => Ok(done?),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn allocate(_: &File) -> io::Result<()> {
    Ok(())
}

/// That there is room for the shared memory of a database that nobody has open: SQLite touches it before it can be given blocks.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn check_room(resolved: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;

    use rustix::fs::{FallocateFlags, Mode, OFlags, fallocate, open, statvfs};
    use rustix::io::Errno;

    /// With less than this, it is tried: quotas, and what is kept for root, are not told.
    const PLENTY: u64 = 1024 * 1024;

    let memory = Beside::SharedMemory.of(resolved);
    if memory.metadata().is_ok_and(|there| there.blocks() * 512 >= 2 * REGION) {
        return Ok(());
    }
    let Some(folder) = resolved.parent() else { return Ok(()) };
    // What cannot be looked at is for SQLite to say.
    let Ok(disk) = statvfs(folder) else { return Ok(()) };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free >= PLENTY {
        return Ok(());
    }
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let tried = open(folder, flags, Mode::RUSR | Mode::WUSR)
        .and_then(|file| fallocate(file, FallocateFlags::empty(), 0, 3 * REGION));
    match tried {
        Err(full @ (Errno::NOSPC | Errno::DQUOT)) => Err(full.into()),
        _ => Ok(()),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn check_room(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn shared_memory_is_given_its_blocks_and_the_last_store_drops_the_handle() {
        use std::os::unix::fs::MetadataExt as _;

        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("a.db");
        std::fs::write(&database, "").expect("a database");
        let (one, other) = (SharedMemory::of(&database), SharedMemory::of(&database));
        assert_eq!(one.allocate().expect_err("nothing is there yet").kind(), io::ErrorKind::NotFound);
        std::fs::write(Beside::SharedMemory.of(&database), [0; 4096]).expect("shared memory");
        one.allocate().expect("room");
        let there = Beside::SharedMemory.of(&database).metadata().expect("shared memory");
        // What SQLite maps at once is 32 KiB. All of that has blocks, and as much behind it.
        let (blocks, least) = (there.blocks() * 512, 64 * 1024);
        assert!((least..least + 16 * 1024).contains(&blocks) && there.len() == 4096, "{blocks} {}", there.len());
        let identity = one.database;
        let opened = || handles().get(&identity).map(|handles| (handles.stores, handles.files.len()));
        assert_eq!(opened(), Some((2, 1)));
        other.allocate().expect("room");
        drop(one);
        assert_eq!(opened(), Some((1, 1)));
        drop(other);
        assert_eq!(opened(), None);
    }
}
