//! Reading standard input and files: bounded, and wiped after use.

use std::io::{self, IsTerminal as _, Read};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rampauth_core::Error;
use zeroize::Zeroizing;

use crate::logging;

/// The most that is read from standard input, in bytes: 1 MiB.
pub(crate) const MAX_STDIN: usize = 1024 * 1024;

const ACTION: &str = "read standard input";
/// How long a command waits for standard input before it says so.
const PATIENCE: Duration = Duration::from_secs(2);
const WAITING: &str = "waiting for standard input to end";

/// What stands on standard input; `None` when that is a terminal, the null device, or empty.
pub(crate) fn offered() -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    offered_or(WAITING)
}

/// The same, and what is said while it is waited for.
pub(crate) fn offered_or(waiting: &'static str) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    // The null device needs no test of its own: it reads as empty.
    if io::stdin().is_terminal() { Ok(None) } else { demanded_or(waiting) }
}

/// The same, and a terminal is read too.
pub(crate) fn demanded_or(waiting: &'static str) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    match patiently(waiting, || bounded(io::stdin().lock(), MAX_STDIN)) {
        Ok(Some(bytes)) => Ok(Some(bytes).filter(|bytes| !bytes.is_empty())),
        Ok(None) => Err(Error::input(ACTION, "it is longer than 1 MiB")
            .with_help("see what is sent there: no provider's tokens or answers are that long")),
        Err(error) => Err(Error::input(ACTION, "the system does not let it be read")
            .with_help("see what standard input is connected to")
            .with_source(error)),
    }
}

/// Whether standard input is a file, and not a pipe, a terminal or a device.
pub(crate) fn is_regular_file() -> bool {
    #[cfg(unix)]
    let handle = std::os::fd::AsFd::as_fd(&io::stdin()).try_clone_to_owned();
    #[cfg(windows)]
    let handle = std::os::windows::io::AsHandle::as_handle(&io::stdin()).try_clone_to_owned();
    handle.and_then(|handle| std::fs::File::from(handle).metadata()).is_ok_and(|metadata| metadata.is_file())
}

/// Says so when this takes long.
fn patiently<T>(waiting: &'static str, read: impl FnOnce() -> T) -> T {
    let (done, is_done) = channel::<()>();
    let watcher = thread::Builder::new().spawn(move || {
        if is_done.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            logging::notice(waiting);
        }
    });
    let result = read();
    drop(done);
    // It has nothing to say any more, or has said it. Without a thread nobody is told.
    drop(watcher.map(thread::JoinHandle::join));
    result
}

/// What bytes are that are no text at all.
pub(crate) const NOT_UTF8: &str = "not UTF-8";

/// Bytes as text, without the byte order mark that some editors put before it.
///
/// # Errors
///
/// What they are instead, to stand after "it is" or "they are".
pub(crate) fn text(bytes: &[u8]) -> Result<&str, &'static str> {
    const UTF16: &str = "text in UTF-16; save it as UTF-8";
    let is_utf16 = match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        // ASCII without the mark: every second byte is zero.
        [a, b, c, d, ..] => {
            matches!([a, b, c, d].map(|byte| *byte == 0), [false, true, false, true] | [true, false, true, false])
        }
        _ => false,
    };
    if is_utf16 {
        return Err(UTF16);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| NOT_UTF8)?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// The file's bytes; `None` when there are more than `most`.
pub(crate) fn file(path: &Path, most: usize) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    bounded(std::fs::File::open(path)?, most)
}

fn bounded(reader: impl Read, most: usize) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    // All the room from the start: growing would leave copies behind that nobody wipes.
    let mut bytes = Zeroizing::new(Vec::with_capacity(most + 1));
    reader.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes).filter(|bytes| bytes.len() <= most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_utf_8_with_a_byte_order_mark_or_without() {
        for bytes in ["secret".as_bytes(), "\u{feff}secret".as_bytes()] {
            assert_eq!(text(bytes), Ok("secret"));
        }
        let utf16 = |order: fn(u16) -> [u8; 2], mark: &str| -> Vec<u8> {
            format!("{mark}secret").encode_utf16().flat_map(order).collect()
        };
        for bytes in [
            utf16(u16::to_le_bytes, "\u{feff}"),
            utf16(u16::to_be_bytes, "\u{feff}"),
            utf16(u16::to_le_bytes, ""),
            utf16(u16::to_be_bytes, ""),
        ] {
            assert_eq!(text(&bytes), Err("text in UTF-16; save it as UTF-8"));
        }
        assert_eq!(text(b"\xff"), Err("not UTF-8"));
        assert_eq!([text(b""), text(b"a")], [Ok(""), Ok("a")]);
    }

    #[test]
    fn what_is_over_the_bound_is_refused_whole() {
        let read = |text: &[u8]| bounded(text, 3).expect("readable").map(|bytes| bytes.to_vec());
        assert_eq!(read(b""), Some(Vec::new()));
        assert_eq!(read(b"abc"), Some(b"abc".to_vec()));
        assert_eq!(read(b"abcd"), None);
        assert!(bounded(io::repeat(0), 1000).expect("readable").is_none());
    }
}
