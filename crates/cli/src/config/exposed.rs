//! Whether others than the user can change the configuration: whoever can has tokens sent where they like.

use std::path::{Path, PathBuf};

/// What of the file and its folder others may write, and who they are; nothing where the system has no such permissions.
#[cfg(unix)]
pub(crate) fn others_may_write(file: &Path) -> Vec<(PathBuf, &'static str)> {
    use std::os::unix::fs::PermissionsExt as _;
    const STICKY: u32 = 0o1000;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut found = Vec::new();
    for (place, is_folder) in [(file, false), (folder, true)] {
        let Ok(metadata) = std::fs::metadata(place) else { continue };
        let mode = metadata.permissions().mode();
        // In a folder such as /tmp nobody can replace what is another's.
        if is_folder && mode & STICKY != 0 {
            continue;
        }
        let who = match (mode & 0o002 != 0, mode & 0o020 != 0) {
            (true, _) => "everyone",
            (false, true) => "its group",
            (false, false) => continue,
        };
        found.push((place.to_owned(), who));
    }
    found
}

#[cfg(not(unix))]
pub(crate) fn others_may_write(_: &Path) -> Vec<(PathBuf, &'static str)> {
    Vec::new()
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_others_may_write_is_named_with_who_they_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("rampauth.toml");
        fs::write(&file, "").expect("a file");
        for (file_mode, folder_mode, expected) in [
            (0o644, 0o755, vec![]),
            (0o664, 0o700, vec![(&*file, "its group")]),
            (0o646, 0o700, vec![(&*file, "everyone")]),
            (0o600, 0o777, vec![(folder.path(), "everyone")]),
            (0o600, 0o1777, vec![]),
            (0o660, 0o770, vec![(&*file, "its group"), (folder.path(), "its group")]),
        ] {
            fs::set_permissions(&file, Permissions::from_mode(file_mode)).expect("a mode");
            fs::set_permissions(folder.path(), Permissions::from_mode(folder_mode)).expect("a mode");
            let expected: Vec<_> = expected.into_iter().map(|(place, who)| (place.to_owned(), who)).collect();
            assert_eq!(others_may_write(&file), expected, "{file_mode:o} in {folder_mode:o}");
        }
    }
}
