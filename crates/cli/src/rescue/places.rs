//! Where rescue files go: folders in order, and new private files in the first that takes one.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rampauth_core::Error;

use super::room::{Room, is_full};
use crate::config::Config;
use crate::env;

/// The folders that a rescue file can be in, the best one first. All of them are absolute.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    folders: Vec<PathBuf>,
    /// The last of them where the user has one: it is made when it is needed.
    own: Option<PathBuf>,
    /// A file that has its room already. Clones share it.
    room: Arc<Mutex<Option<Room>>>,
}

impl Places {
    /// Beside the configuration, else beside the store, else the user's folder for state.
    pub(crate) fn of(config: &Config) -> Self {
        let beside_store = config.sqlite().ok().and_then(|path| path.parent().map(Path::to_owned));
        Self::new([Some(config.folder().to_owned()), beside_store].into_iter().flatten(), state_folder())
    }

    fn new(folders: impl IntoIterator<Item = PathBuf>, own: Option<PathBuf>) -> Self {
        let mut places = Self { folders: Vec::new(), own, room: Arc::default() };
        for folder in folders.into_iter().chain(places.own.clone()) {
            let Some(folder) = lasting(&folder) else { continue };
            if !places.folders.contains(&folder) {
                places.folders.push(folder);
            }
        }
        places
    }

    /// The first folder that a file can be made in now: a rescue file would go there. `None` where there is no such folder.
    pub(crate) fn first_writable(&self) -> Option<&Path> {
        // The file has no name where the system knows that, and is gone at once everywhere.
        let writable = |folder: &&PathBuf| self.prepare(folder).and_then(|()| tempfile::tempfile_in(folder)).is_ok();
        self.folders.iter().find(writable).map(PathBuf::as_path)
    }

    /// Takes room for one rescue file, so that a disk which fills up from now on costs no tokens. Where no file can be made at all,
    /// that is not for want of room, and nothing is taken.
    ///
    /// # Errors
    ///
    /// When the disks of these folders are full.
    pub(crate) fn take_room(&self) -> Result<(), Error> {
        let mut full = None;
        for folder in &self.folders {
            match self.prepare(folder).and_then(|()| Room::take(folder)) {
                Ok(room) => {
                    *self.room.lock().unwrap_or_else(PoisonError::into_inner) = Some(room);
                    return Ok(());
                }
                Err(error) if is_full(&error) => full = full.or(Some(folder)),
                Err(_) => {}
            }
        }
        let Some(folder) = full else { return Ok(()) };
        let reason = format!("the disk or the quota of {} is full, and nothing was sent", folder.display());
        Err(Error::config("take room for the new tokens", reason).with_help("make 256 KiB of room there"))
    }

    /// Writes into the file that has its room, if there is one.
    fn write_in_room(&self, profile: &str, what: &str, bytes: &[u8]) -> Option<PathBuf> {
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        room.write(bytes).ok()?;
        let folder = room.folder().to_owned();
        let path = named(&folder, profile, what, |path| room.name(path)).ok()?.0;
        sync_folder(&folder);
        Some(path)
    }

    /// Writes a new file, on the disk when this returns, into the first folder that takes it.
    ///
    /// # Errors
    ///
    /// The failure in the last folder, when none of them takes it.
    pub(super) fn write(&self, profile: &str, what: &str, bytes: &[u8]) -> io::Result<PathBuf> {
        if let Some(path) = self.write_in_room(profile, what, bytes) {
            return Ok(path);
        }
        let mut failure = io::Error::from(io::ErrorKind::NotFound);
        for folder in &self.folders {
            match self.prepare(folder).and_then(|()| write_new(folder, profile, what, bytes)) {
                Ok(path) => return Ok(path),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Makes the user's own folder, readable by the user alone. The others are there or are no place.
    fn prepare(&self, folder: &Path) -> io::Result<()> {
        if self.own.as_deref() != Some(folder) {
            return Ok(());
        }
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)
    }
}

/// The same folder by a name that is good wherever the process was started, for a person has to find it, and that leads through no
/// other folder, which may be gone by then.
fn lasting(folder: &Path) -> Option<PathBuf> {
    let folder = std::path::absolute(if folder.as_os_str().is_empty() { Path::new(".") } else { folder }).ok()?;
    if folder.components().any(|part| part == Component::ParentDir) {
        return Some(fs::canonicalize(&folder).unwrap_or(folder));
    }
    Some(folder)
}

/// The folder for what a program keeps of its work, by the system's convention: `$XDG_STATE_HOME` or `~/.local/state`, on macOS
/// `~/Library/Application Support`, on Windows `%LOCALAPPDATA%`; in it `rampauth`.
fn state_folder() -> Option<PathBuf> {
    // A relative path is invalid (XDG Base Directory Specification 0.8) and would depend on where the process was started.
    let folder = |name: &str| env::setting(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = if cfg!(windows) {
        folder("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        folder("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        folder("XDG_STATE_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/state")))
    };
    folder.map(|folder| folder.join("rampauth"))
}

fn write_new(folder: &Path, profile: &str, what: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    let (path, mut file) = named(folder, profile, what, create_private)?;
    match file.write_all(bytes).and_then(|()| file.sync_all()) {
        Ok(()) => {
            sync_folder(folder);
            Ok(path)
        }
        Err(error) => {
            drop(fs::remove_file(&path));
            Err(error)
        }
    }
}

/// Makes something under a name that nothing has yet, however many there are: an earlier rescue is worth as much.
fn named<T>(
    folder: &Path,
    profile: &str,
    what: &str,
    make: impl Fn(&Path) -> io::Result<T>,
) -> io::Result<(PathBuf, T)> {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let profile: String = profile.chars().take(MAX_NAME).map(plain).collect();
    let mut numbers = 1_u64..;
    loop {
        let number = numbers.next().ok_or(io::ErrorKind::AlreadyExists)?;
        let path = folder.join(format!("{profile}.{what}-{number}.json"));
        match make(&path) {
            Ok(made) => return Ok((path, made)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// How much of a profile's name a file's name begins with, in characters: file systems allow 255 bytes in all.
const MAX_NAME: usize = 100;

/// The name of a new file is on the disk once its folder is. Where a folder cannot be synced, the file itself is.
fn sync_folder(folder: &Path) {
    #[cfg(unix)]
    drop(fs::File::open(folder).and_then(|folder| folder.sync_all()));
    #[cfg(not(unix))]
    let _ = folder;
}

/// A new file that only the user may read, where the system knows such a thing.
pub(crate) fn create_private(path: &Path) -> io::Result<fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
impl Places {
    /// This folder alone.
    pub(crate) fn only(folder: &Path) -> Self {
        Self::new([folder.to_owned()], None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    fn mode(path: &Path) -> u32 {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(path).expect("a file").permissions().mode() & 0o777
    }

    #[test]
    fn the_first_folder_that_takes_a_file_gets_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("second")).expect("a folder");
        let places = Places::new([at("first"), at("second")], Some(at("own/rampauth")));
        assert_eq!(places.first_writable(), Some(&*at("second")));
        assert_eq!(places.write("p", "rescued", b"x").expect("a file"), at("second/p.rescued-1.json"));
        assert!(!at("own").exists(), "made when it is needed only");
        fs::remove_dir_all(at("second")).expect("removed");
        assert_eq!(places.first_writable(), Some(&*at("own/rampauth")));
        let path = places.write("p", "rescued", b"x").expect("a file");
        assert_eq!(
            (path.clone(), fs::read(&path).expect("the file")),
            (at("own/rampauth/p.rescued-1.json"), b"x".to_vec())
        );
        #[cfg(unix)]
        assert_eq!((mode(&path), mode(&at("own/rampauth"))), (0o600, 0o700));
        fs::remove_dir_all(at("own")).expect("removed");
        fs::write(at("own"), "a file in its way").expect("written");
        assert_eq!(places.first_writable(), None);
        places.write("p", "rescued", b"x").expect_err("no folder");
    }

    #[test]
    fn no_file_is_written_over_however_many_there_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let places = Places::only(folder.path());
        for number in 1..=120_u32 {
            let path = places.write("a/../b c", "rescued", &number.to_le_bytes()).expect("a file");
            assert_eq!(path, folder.path().join(format!("a____b_c.rescued-{number}.json")));
        }
        for number in 1..=120_u32 {
            let path = folder.path().join(format!("a____b_c.rescued-{number}.json"));
            assert_eq!(fs::read(path).expect("the file"), number.to_le_bytes());
        }
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn a_file_that_has_its_room_is_the_first_to_be_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let places = Places::only(folder.path());
        fs::write(folder.path().join("p.rescued-1.json"), "an earlier one").expect("a file");
        places.take_room().expect("room");
        let names = || fs::read_dir(folder.path()).expect("the folder").count();
        assert_eq!(names(), 1, "it has no name yet");
        for number in 2..=3 {
            let path = places.clone().write("p", "rescued", b"tokens").expect("a file");
            assert_eq!(path, folder.path().join(format!("p.rescued-{number}.json")));
            assert_eq!((fs::read(&path).expect("the file"), mode(&path)), (b"tokens".to_vec(), 0o600));
        }
        places.take_room().expect("room");
        drop(places);
        assert_eq!(names(), 3, "what is not needed leaves nothing behind");
    }

    #[test]
    fn where_no_file_can_be_made_there_is_no_want_of_room() {
        Places::only(Path::new("/nowhere/at/all")).take_room().expect("nothing was taken");
    }

    #[test]
    fn a_long_name_still_has_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let name = "x".repeat(5_000);
        Places::only(folder.path()).write(&name, "rescued", b"x").expect("a file");
    }
}
