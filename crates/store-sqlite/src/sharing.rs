//! What breaks the sharing of a file without a word from SQLite: names and mounts that do not share its log, and file systems
//! that do not share memory.
//!
//! Each name of a database has its own log, so that two hard links, or a file that is mounted alone, are two databases on the
//! same pages ("How To Corrupt An SQLite Database File", section 2.5, sqlite.org, read 2026-11). The log also needs memory that
//! all its users share, which a network file system does not give ("Write-Ahead Logging", sqlite.org, read 2026-11). Symbolic
//! links are harmless: SQLite resolves them before it names the log.

use std::path::{Path, PathBuf};

use crate::error::Trouble;

/// The path without symbolic links, as SQLite has it; of a file that is not there yet, too.
pub(crate) fn resolve(path: &Path) -> PathBuf {
    if let Ok(resolved) = path.canonicalize() {
        return resolved;
    }
    match (path.parent().and_then(|folder| folder.canonicalize().ok()), path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

/// That processes which open the file at this resolved path share its log and its memory.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn check(resolved: &Path) -> Result<(), Trouble> {
    // Where the system does not tell its mounts, nothing can be known of them.
    let Ok(mounts) = std::fs::read("/proc/self/mountinfo") else { return Ok(()) };
    let Some(mount) = mount_of(&String::from_utf8_lossy(&mounts), resolved) else { return Ok(()) };
    if mount.point == resolved {
        return Err(Trouble::MountedAlone);
    }
    if is_remote(&mount.kind) {
        return Err(Trouble::Remote(mount.kind));
    }
    Ok(())
}

/// Elsewhere mounts are not looked at.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn check(_: &Path) -> Result<(), Trouble> {
    Ok(())
}

/// A row of `/proc/self/mountinfo`.
#[derive(Debug, PartialEq)]
#[cfg(any(target_os = "linux", target_os = "android"))]
struct Mount {
    point: PathBuf,
    kind: String,
}

/// The mount that a path is on: of those with the longest mount point, the last one, which hides the others.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn mount_of(mounts: &str, path: &Path) -> Option<Mount> {
    let rows = mounts.lines().filter_map(|row| {
        // Mount point and file system are the fifth column, and the first one behind a lone hyphen (proc_pid_mountinfo(5)).
        let (before, after) = row.split_once(" - ")?;
        let point = PathBuf::from(unescape(before.split(' ').nth(4)?));
        path.starts_with(&point).then(|| Mount { point, kind: after.split(' ').next().unwrap_or_default().to_owned() })
    });
    rows.max_by_key(|mount| mount.point.components().count())
}

/// White space and backslashes are written as three octal digits there.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn unescape(point: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(point.to_owned(), |point, (escape, character)| point.replace(escape, character))
}

/// Whether computers share this file system, and so locks or memory are not shared by all who use a file on it: network and
/// cluster file systems, and folders that a virtual machine shares with its host. A FUSE file system that is not known to be one
/// of these is served by this machine's kernel to all its processes alike.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_remote(kind: &str) -> bool {
    const KERNEL: [&str; 19] = [
        "nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "ncpfs", "9p", "virtiofs", "vboxsf", "prl_fs", "afs", "ceph",
        "coda", "lustre", "gfs2", "ocfs2", "gpfs", "beegfs",
    ];
    const FUSE: [&str; 19] = [
        "sshfs",
        "glusterfs",
        "ceph-fuse",
        "s3fs",
        "gcsfuse",
        "gcsf",
        "goofys",
        "mountpoint-s3",
        "rclone",
        "davfs2",
        "curlftpfs",
        "blobfuse",
        "blobfuse2",
        "juicefs",
        "moosefs",
        "mfs",
        "vmhgfs-fuse",
        "grpcfuse",
        "osxfs",
    ];
    KERNEL.contains(&kind) || kind.strip_prefix("fuse.").is_some_and(|kind| FUSE.contains(&kind))
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_a_mount_is_turned_away_and_one_on_it_is_not() {
        assert!(matches!(check(Path::new("/proc")), Err(Trouble::MountedAlone)));
        assert!(check(Path::new("/proc/self/status")).is_ok());
    }

    #[test]
    fn a_path_is_resolved_through_links_whether_the_file_is_there_or_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let real = folder.path().canonicalize().expect("a path").join("real");
        let link = folder.path().join("link");
        std::fs::create_dir(&real).expect("a folder");
        std::os::unix::fs::symlink(&real, &link).expect("a link");
        assert_eq!(resolve(&link.join("a.db")), real.join("a.db"), "it is not there yet");
        std::fs::write(real.join("a.db"), "").expect("a file");
        std::os::unix::fs::symlink("a.db", real.join("b.db")).expect("a link");
        assert_eq!(resolve(&link.join("b.db")), real.join("a.db"));
        let nowhere = folder.path().join("nowhere/a.db");
        assert_eq!(resolve(&nowhere), nowhere, "its folder is not there either");
    }

    const MOUNTS: &str = "\
21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
22 21 0:20 / /proc rw - proc proc rw
30 21 0:40 / /srv/nfs rw master:1 propagate_from:2 - nfs4 host:/x rw
31 30 254:0 /var/x /srv/nfs/local rw - ext4 /dev/vda rw
32 21 254:0 /var/rampauth.db /data/rampauth.db rw - ext4 /dev/vda rw
33 21 0:41 / /mnt/a\\040b\\134c rw - fuse.sshfs host: rw
34 21 0:42 / /over rw - nfs host:/x rw
35 21 0:43 / /over rw - tmpfs none rw
not a row
";

    #[test]
    fn a_path_is_on_the_last_of_the_mounts_with_the_longest_point() {
        for (path, point, kind) in [
            ("/var/rampauth.db", "/", "ext4"),
            ("/srv/nfs/rampauth.db", "/srv/nfs", "nfs4"),
            ("/srv/nfsd/rampauth.db", "/", "ext4"),
            ("/srv/nfs/local/rampauth.db", "/srv/nfs/local", "ext4"),
            ("/data/rampauth.db", "/data/rampauth.db", "ext4"),
            ("/mnt/a b\\c/rampauth.db", "/mnt/a b\\c", "fuse.sshfs"),
            ("/over/rampauth.db", "/over", "tmpfs"),
        ] {
            let mount = Mount { point: PathBuf::from(point), kind: kind.to_owned() };
            assert_eq!(mount_of(MOUNTS, Path::new(path)), Some(mount), "{path}");
        }
        assert_eq!(mount_of("", Path::new("/rampauth.db")), None);
    }

    #[test]
    fn file_systems_that_computers_share_are_told_from_local_ones() {
        for kind in ["nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "ceph", "fuse.sshfs", "fuse.s3fs", "fuse.rclone"]
        {
            assert!(is_remote(kind), "{kind}");
        }
        for kind in
            ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "f2fs", "fuseblk", "fuse.mergerfs", "fuse", "sshfs"]
        {
            assert!(!is_remote(kind), "{kind}");
        }
    }
}
