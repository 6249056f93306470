//! Whether as many files can be opened as a command needs: found out before anything is done, and named as what it is. In the
//! middle of the work the libraries below each say it in their own way, and some of them panic.

use rampauth_core::Error;

/// Pairs of files that must be free: the runtime, the store with its log, and a connection take some twenty files.
#[cfg(unix)]
const PAIRS: usize = 12;

/// Makes sure that there is room for the files of one command.
///
/// # Errors
///
/// When this process, or the machine, may open no more.
#[cfg(unix)]
pub(crate) fn check() -> Result<(), Error> {
    use std::os::unix::net::UnixStream;

    let pairs: Result<Vec<_>, _> = (0..PAIRS).map(|_| UnixStream::pair()).collect();
    let Err(error) = pairs else { return Ok(()) };
    let errno = rustix::io::Errno::from_io_error(&error);
    if !matches!(errno, Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE)) {
        // Whatever else it is: what needs a file says so.
        return Ok(());
    }
    let needed = 2 * PAIRS;
    Err(Error::config("start", format!("too many files are open: {needed} more cannot be opened"))
        .with_help("raise the limit: `ulimit -n 1024`, or `LimitNOFILE=1024` in a unit of systemd")
        .with_source(error))
}

#[cfg(not(unix))]
pub(crate) fn check() -> Result<(), Error> {
    Ok(())
}
