//! A folder of secrets: filled whole or left as it was, and closed to other users where the system knows such a thing.

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use rampauth_core::Error;
use zeroize::Zeroizing;

use crate::rescue::create_private;

/// A file's name and what stands in it.
pub(super) type File = (String, Zeroizing<String>);

const ACTION: &str = "write the folder";
const HELP: &str = "give another folder, or see whether this user may write there and whether there is room";

/// Creates the folder where there is none, and puts the files into it.
///
/// All are written to a folder inside first and moved when they are complete: a full disk leaves nothing behind, and a
/// file that is replaced is never seen half-written, nor written through a link.
pub(super) fn fill(folder: &Path, force: bool, files: &[File]) -> Result<(), Error> {
    let name = folder.display();
    let failed =
        |error: io::Error| Error::input(ACTION, format!("{name} cannot be written")).with_help(HELP).with_source(error);
    let found = look(folder).map_err(failed)?;
    if found == Found::Full && !force {
        return Err(Error::input(ACTION, format!("{name} is not empty"))
            .with_help("give another folder, or --force to replace the files of the same names in it"));
    }
    if found == Found::Nothing {
        create(folder).map_err(failed)?;
    }
    let mut placed = Vec::new();
    let filled = close_to_others(folder).and_then(|()| place(folder, files, &mut placed));
    let Err(error) = filled else { return Ok(()) };
    let mut reason = format!("{name} cannot be written");
    if found == Found::Full && !placed.is_empty() {
        reason.push_str(", and some of its files have been replaced already");
    } else {
        // The error that matters is the first one.
        placed.iter().for_each(|path| drop(fs::remove_file(path)));
    }
    if found == Found::Nothing {
        drop(fs::remove_dir(folder));
    }
    Err(Error::input(ACTION, reason).with_help(HELP).with_source(error))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    Empty,
    Full,
}

fn look(folder: &Path) -> io::Result<Found> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(if entries.next().is_some() { Found::Full } else { Found::Empty }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Found::Nothing),
        Err(error) => Err(error),
    }
}

fn place(folder: &Path, files: &[File], placed: &mut Vec<PathBuf>) -> io::Result<()> {
    let staging = tempfile::Builder::new().prefix(".rampauth-").tempdir_in(folder)?;
    for (name, text) in files {
        create_private(&staging.path().join(name))?.write_all(text.as_bytes())?;
    }
    for (name, _) in files {
        let path = folder.join(name);
        fs::rename(staging.path().join(name), &path)?;
        placed.push(path);
    }
    staging.close()
}

fn create(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// A folder that was there before may be open.
#[cfg(unix)]
fn close_to_others(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))
}

#[cfg(not(unix))]
fn close_to_others(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn file(name: &str) -> File {
        (name.to_owned(), Zeroizing::new("text".to_owned()))
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_failure_leaves_nothing_behind() {
        let around = tempfile::tempdir().expect("a folder");
        // The second file cannot be staged: the folder that its name leads into does not exist.
        let files = [file("one"), file("nowhere/two")];
        let fresh = around.path().join("fresh");
        let error = fill(&fresh, false, &files).expect_err("refused");
        assert!(error.to_string().contains("fresh cannot be written"), "{error}");
        assert!(!fresh.exists());

        let empty = around.path().join("empty");
        fs::create_dir(&empty).expect("a folder");
        fill(&empty, false, &files).expect_err("refused");
        assert_eq!(names(&empty), [""; 0]);
    }

    #[test]
    fn files_that_cannot_all_be_moved_are_taken_back_or_told_of() {
        let around = tempfile::tempdir().expect("a folder");
        let full = around.path().join("full");
        fs::create_dir_all(full.join("two/inside")).expect("a folder in the second file's place");
        let error = fill(&full, true, &[file("one"), file("two")]).expect_err("refused");
        assert!(error.to_string().ends_with("some of its files have been replaced already"), "{error}");
        assert_eq!(names(&full), ["one", "two"]);
    }

    #[test]
    fn what_is_not_empty_is_replaced_by_force_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("one"), "old").expect("a file");
        fs::write(folder.path().join("other"), "other").expect("a file");
        fill(folder.path(), false, &[file("one")]).expect_err("refused");
        assert_eq!(fs::read_to_string(folder.path().join("one")).expect("a file"), "old");
        fill(folder.path(), true, &[file("one")]).expect("filled");
        assert_eq!(fs::read_to_string(folder.path().join("one")).expect("a file"), "text");
        assert_eq!(names(folder.path()), ["one", "other"]);
    }
}
