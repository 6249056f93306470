//! Whether a stream is looked at by a person, and in colour.

use std::io::IsTerminal;

use crate::env;

/// Whether to write colour to this stream: it is a terminal that can, and `NO_COLOR` is not set
/// (<https://no-color.org>).
pub(crate) fn has_colour(stream: &impl IsTerminal) -> bool {
    stream.is_terminal()
        && env::setting("NO_COLOR").is_none()
        && env::variable("TERM").is_none_or(|kind| kind != "dumb")
}
