//! Reading standard input and files: bounded, and wiped after use.

use std::io::{self, IsTerminal as _, Read};
use std::path::Path;

use rampauth_core::Error;
use zeroize::Zeroizing;

/// The most that is read from standard input, in bytes: 1 MiB.
pub(crate) const MAX_STDIN: usize = 1024 * 1024;

const ACTION: &str = "read standard input";

/// What stands on standard input; `None` when that is a terminal, the null device, or empty.
pub(crate) fn offered() -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    // The null device needs no test of its own: it reads as empty.
    if io::stdin().is_terminal() { Ok(None) } else { demanded() }
}

/// The same, and a terminal is read too.
pub(crate) fn demanded() -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    match bounded(io::stdin().lock(), MAX_STDIN) {
        Ok(Some(bytes)) => Ok(Some(bytes).filter(|bytes| !bytes.is_empty())),
        Ok(None) => Err(Error::input(ACTION, "it is longer than 1 MiB")),
        Err(error) => Err(Error::input(ACTION, "the system does not let it be read").with_source(error)),
    }
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
    fn what_is_over_the_bound_is_refused_whole() {
        let read = |text: &[u8]| bounded(text, 3).expect("readable").map(|bytes| bytes.to_vec());
        assert_eq!(read(b""), Some(Vec::new()));
        assert_eq!(read(b"abc"), Some(b"abc".to_vec()));
        assert_eq!(read(b"abcd"), None);
        assert!(bounded(io::repeat(0), 1000).expect("readable").is_none());
    }
}
