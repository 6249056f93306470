//! Standard output: one line or document at a time, flushed. Whoever closes it has seen enough, and that is no failure, except
//! for tokens, which would be lost.

use std::io::{self, ErrorKind as IoErrorKind, Write as _};
use std::time::Duration;

use rampauth_core::{Error, ErrorKind, Outcome};
use zeroize::Zeroizing;

/// How often it is looked whether somebody still reads.
const PACE: Duration = Duration::from_millis(250);

/// Writes the text and a line end. Where nobody reads any more nothing is written.
///
/// # Errors
///
/// When standard output does not take it. `outcome` says how far the command had got by then.
pub(crate) fn line(text: &str, outcome: Outcome) -> Result<(), Error> {
    match write(text) {
        Err(error) if error.kind() == IoErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| refused(error, outcome)),
    }
}

/// Writes a value as JSON in one line.
///
/// # Errors
///
/// As [`line()`].
pub(crate) fn json(value: &impl serde::Serialize, outcome: Outcome) -> Result<(), Error> {
    line(&json_text(value, outcome)?, outcome)
}

/// As [`line()`] for what is lost when nobody takes it.
///
/// # Errors
///
/// As [`line()`]; and when nobody reads any more.
pub(crate) fn deliver_line(text: &str, outcome: Outcome) -> Result<(), Error> {
    write(text).map_err(|error| refused(error, outcome))
}

/// As [`json()`] for what is lost when nobody takes it.
///
/// # Errors
///
/// As [`deliver_line()`].
pub(crate) fn deliver_json(value: &impl serde::Serialize, outcome: Outcome) -> Result<(), Error> {
    deliver_line(&json_text(value, outcome)?, outcome)
}

/// Returns once nobody reads standard output any more, as far as the system tells.
pub(crate) async fn closed() {
    while !is_closed() {
        tokio::time::sleep(PACE).await;
    }
}

#[cfg(unix)]
fn is_closed() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdout = io::stdout();
    let mut asked = [PollFd::new(&stdout, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut asked, Some(&at_once)).is_ok() && asked[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
}

#[cfg(windows)]
fn is_closed() -> bool {
    // The next line that is written finds out.
    false
}

fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.write_all(b"\n")?;
    stdout.flush()
}

/// A value as JSON in one line.
///
/// # Errors
///
/// When it has no JSON form.
pub(crate) fn json_text(value: &impl serde::Serialize, outcome: Outcome) -> Result<Zeroizing<String>, Error> {
    let text = serde_json::to_string(value);
    text.map(Zeroizing::new)
        .map_err(|_| Error::new(ErrorKind::Internal, outcome, "write the output", "it has no JSON form"))
}

fn refused(error: io::Error, outcome: Outcome) -> Error {
    Error::new(ErrorKind::Internal, outcome, "write the output", "standard output does not take it")
        .with_help("see where standard output goes")
        .with_source(error)
}
