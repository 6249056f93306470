//! Standard output: one line or document at a time, flushed, and a closed pipe is an error like any other.

use std::io::{self, Write as _};

use rampauth_core::{Error, ErrorKind, Outcome};

/// Writes the text and a line end.
///
/// # Errors
///
/// When standard output does not take it. `outcome` says how far the command had got by then.
pub(crate) fn line(text: &str, outcome: Outcome) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    let written =
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.write_all(b"\n")).and_then(|()| stdout.flush());
    written.map_err(|error| {
        Error::new(ErrorKind::Internal, outcome, "write the output", "standard output does not take it")
            .with_help("see where standard output goes")
            .with_source(error)
    })
}

/// Writes a value as JSON in one line.
///
/// # Errors
///
/// As [`line()`].
pub(crate) fn json(value: &impl serde::Serialize, outcome: Outcome) -> Result<(), Error> {
    let text = serde_json::to_string(value)
        .map_err(|_| Error::new(ErrorKind::Internal, outcome, "write the output", "it has no JSON form"))?;
    line(&zeroize::Zeroizing::new(text), outcome)
}
