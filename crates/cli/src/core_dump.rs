//! No core dump: a crash must not leave tokens and keys on the disk.

/// Has the system write no memory of this process to the disk, whatever its own settings say. Where that cannot be had, the
/// command goes on: what to do then stands in the README.
#[cfg(unix)]
pub(crate) fn forbid() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Core);
    limit.current = Some(0);
    setrlimit(Resource::Core, limit).ok();
    // A program that the system hands core dumps to, such as systemd-coredump, is not bound by the limit (core(5), read 2026-11).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable).ok();
}

#[cfg(not(unix))]
pub(crate) fn forbid() {}
