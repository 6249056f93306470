//! A file of tokens that a refresh replaces: whole or not at all, and only by what came of the tokens in it.

use std::fs::{self, File, Metadata};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rampauth_core::{Error, ErrorKind, Outcome};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use crate::config::not_expanded;
use crate::input::{self, MAX_STDIN};

const READ: &str = "read the tokens";
const REPLACE: &str = "replace the file of tokens";

/// A file that was read.
pub(crate) struct TokenFile {
    /// As it was named, for messages.
    name: String,
    /// Where it really is: what a link names is replaced, not the link. Whoever else reads that file would have a spent token
    /// otherwise.
    path: PathBuf,
    /// What was in it.
    pub(crate) text: Zeroizing<Vec<u8>>,
    metadata: Metadata,
}

/// The file that takes its place, in the same folder and empty yet.
pub(crate) struct Replacement {
    file: TokenFile,
    new: NamedTempFile,
}

impl TokenFile {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// When it is no regular file, is empty, longer than 1 MiB or cannot be read.
    pub(crate) fn read(given: &Path) -> Result<Self, Error> {
        let name = given.display().to_string();
        let refuse = |reason: &str| {
            Error::input(READ, format!("{name} {reason}")).with_help(
            r#"give a file of {"accessToken": "…", "refreshToken": "…"}, as `refresh` prints them; it is replaced by the new ones"#,
        )
        };
        let unreadable = |error: io::Error| {
            let refusal = refuse("cannot be read").with_source(error);
            match not_expanded(given) {
                Some(help) => refusal.with_help(help),
                None => refusal,
            }
        };
        let path = fs::canonicalize(given).map_err(unreadable)?;
        let metadata = fs::metadata(&path).map_err(unreadable)?;
        // Asked before it is opened: a named pipe would be waited for.
        if metadata.is_dir() {
            return Err(refuse("is a folder"));
        }
        if !metadata.is_file() {
            return Err(refuse("is not a regular file"));
        }
        let text = input::file(&path, MAX_STDIN).map_err(unreadable)?.ok_or_else(|| refuse("is longer than 1 MiB"))?;
        if text.is_empty() {
            return Err(refuse("is empty"));
        }
        Ok(Self { name, path, text, metadata })
    }

    /// Makes the file that is to take its place, before anything is sent: a folder that takes none is found out in time.
    ///
    /// # Errors
    ///
    /// When the folder takes no file.
    pub(crate) fn prepare(self) -> Result<Replacement, Error> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let new = tempfile::Builder::new().prefix(".rampauth-").tempfile_in(folder).and_then(|new| {
            keep_access(new.as_file(), &self.metadata)?;
            Ok(new)
        });
        match new {
            Ok(new) => Ok(Replacement { file: self, new }),
            Err(error) => {
                let reason = format!("no file can be written beside {}, where the new tokens go first", self.name);
                Err(Error::input(REPLACE, reason)
                    .with_help("see to the folder's permissions, or give the tokens on standard input")
                    .with_source(error))
            }
        }
    }
}

impl Replacement {
    /// Puts the text in the file's place; it is on the disk when this returns.
    ///
    /// # Errors
    ///
    /// When the file was changed or removed meanwhile, or cannot be replaced: nothing is done to it then.
    pub(crate) fn replace(mut self, text: &str) -> Result<(), Error> {
        let name = self.file.name.clone();
        let failed = |reason: String| Error::new(ErrorKind::Internal, Outcome::Unknown, REPLACE, reason);
        self.write(text).map_err(|error| failed(format!("{name} cannot be replaced")).with_source(error))?;
        // Somebody else's tokens are as good as ours.
        let now = input::file(&self.file.path, MAX_STDIN);
        if !now.is_ok_and(|now| now.is_some_and(|now| *now == *self.file.text)) {
            return Err(failed(format!("{name} was changed or removed meanwhile, and is not replaced")));
        }
        let path = &self.file.path;
        self.new
            .persist(path)
            .map_err(|error| failed(format!("{name} cannot be replaced")).with_source(error.error))?;
        // A system that does not know this for folders has the file all the same.
        if let Err(error) = path.parent().map_or(Ok(()), sync_folder) {
            tracing::debug!(%error, "the folder of the tokens is not known to be on the disk");
        }
        Ok(())
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.new.write_all(text.as_bytes())?;
        self.new.write_all(b"\n")?;
        self.new.as_file().sync_all()
    }
}

/// Gives the new file the owner and the permissions of the old one. Where it cannot have the owner it stays the user's alone.
#[cfg(unix)]
fn keep_access(new: &File, old: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    let own = new.metadata()?;
    let (user, group) = (old.uid(), old.gid());
    if (own.uid(), own.gid()) != (user, group) && fchown(new, Some(user), Some(group)).is_err() {
        return Ok(());
    }
    new.set_permissions(old.permissions())
}

#[cfg(windows)]
fn keep_access(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(windows)]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
