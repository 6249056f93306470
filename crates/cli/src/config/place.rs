//! Where in the configuration something stands, and errors that say so.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rampauth_core::Error;

use super::ACTION;

/// The longest name that is repeated in an error, in characters.
const MAX_NAME: usize = 60;

/// The file that was read. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct File(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    /// Where each line ends, in bytes.
    ends: Vec<usize>,
}

impl File {
    pub(crate) fn new(path: &Path, text: &str) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at).collect();
        Self(Arc::new(Inner { path: path.to_owned(), ends }))
    }

    pub(crate) fn name(&self) -> impl fmt::Display + '_ {
        self.0.path.display()
    }

    /// `FILE:LINE` of a byte in it.
    pub(crate) fn at(&self, byte: usize) -> String {
        format!("{}:{}", self.name(), self.0.ends.partition_point(|end| *end < byte) + 1)
    }

    /// What a relative path in it is relative to.
    pub(super) fn folder(&self) -> &Path {
        self.0.path.parent().unwrap_or_else(|| Path::new(""))
    }
}

/// A key of the file, or one of its tables.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    file: File,
    table: String,
    key: Option<String>,
    byte: usize,
}

impl Place {
    pub(crate) fn top(file: &File) -> Self {
        Self { file: file.clone(), table: "top level".to_owned(), key: None, byte: 0 }
    }

    pub(crate) fn profile(file: &File, name: &str, byte: usize) -> Self {
        Self { file: file.clone(), table: format!("profile `{}`", printable(name)), key: None, byte }
    }

    pub(crate) fn key(&self, key: &str, byte: usize) -> Self {
        Self { key: Some(printable(key)), byte, ..self.clone() }
    }

    /// A key that is missing beside this one, or in this table.
    pub(crate) fn missing_key(&self, key: &str) -> Self {
        self.key(key, self.byte)
    }

    pub(crate) fn resolve(&self, path: &str) -> PathBuf {
        self.file.folder().join(path)
    }

    /// An error about what stands here; the reason must not repeat it.
    pub(crate) fn refuse(&self, reason: impl fmt::Display) -> Error {
        Error::config(ACTION, format!("{self}: {reason}")).with_help("correct the key that the message names")
    }

    /// An error about what stands here from the check of a value, whose own words are kept.
    pub(crate) fn refuse_with(&self, error: &Error) -> Error {
        let text = error.to_string();
        // "failed to read the partner code: it is empty": the key says what was read.
        self.refuse(text.split_once(": ").map_or(text.as_str(), |(_, reason)| reason))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.table)?;
        if let Some(key) = &self.key {
            write!(f, ", key `{key}`")?;
        }
        write!(f, " ({})", self.file.at(self.byte))
    }
}

/// A name as it can be printed: without control characters, and not endless.
pub(crate) fn printable(name: &str) -> String {
    let mut text: String = name.chars().take(MAX_NAME).flat_map(char::escape_debug).collect();
    if name.chars().count() > MAX_NAME {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_lines() {
        let file = File::new(Path::new("x/r.toml"), "a\nbc\n\nd");
        let lines: Vec<String> = [0, 1, 2, 4, 5, 6, 99].map(|byte| file.at(byte)).to_vec();
        let expected = [1, 1, 2, 2, 3, 4, 4].map(|line| format!("x/r.toml:{line}"));
        assert_eq!(lines, expected);
    }

    #[test]
    fn paths_are_relative_to_the_files_folder() {
        let resolve = |file: &str, path| Place::top(&File::new(Path::new(file), "")).resolve(path);
        assert_eq!(resolve("x/r.toml", "k.pem"), Path::new("x/k.pem"));
        assert_eq!(resolve("r.toml", "k.pem"), Path::new("k.pem"));
        assert_eq!(resolve("x/r.toml", "/k.pem"), Path::new("/k.pem"));
    }

    #[test]
    fn names_cannot_play_tricks_with_the_terminal() {
        assert_eq!(printable("a\u{1b}[2J\nb"), "a\\u{1b}[2J\\nb");
        assert_eq!(printable(&"é".repeat(61)), format!("{}…", "é".repeat(60)));
    }
}
