//! Where in the configuration something stands, and errors that say so.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rampauth_core::Error;

use super::example;

/// What is being done when the file is found to be wrong.
pub(super) const ACTION: &str = "read the configuration";

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
        self.at_line(self.0.ends.partition_point(|end| *end < byte))
    }

    /// The same of a line, counted from zero.
    pub(crate) fn at_line(&self, line: usize) -> String {
        format!("{}:{}", self.name(), line + 1)
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

    /// A path as it was understood, to be repeated in an error. Somebody may have written the secret where its path belongs: parts
    /// that look like one are `…`, and of a relative path that has such a part nothing is repeated.
    fn shown(&self, written: &str) -> String {
        let is_shown =
            |part: &str| part.split_inclusive(['/', '\\']).all(|part| is_plain(part.trim_end_matches(['/', '\\'])));
        let path = match written.starts_with(['/', '.', '~', '$', '\\']) {
            _ if is_shown(written) => written.to_owned(),
            true => {
                let masked = |part: &str| match part.find(['/', '\\']) {
                    Some(end) if !is_plain(&part[..end]) => format!("…{}", &part[end..]),
                    None if !is_plain(part) => "…".to_owned(),
                    _ => part.to_owned(),
                };
                written.split_inclusive(['/', '\\']).map(masked).collect()
            }
            false => "…".to_owned(),
        };
        format!("`{}`", self.resolve(&path).display())
    }

    /// That the file which stands here cannot be read.
    pub(crate) fn unreadable(&self, written: &str) -> Error {
        let reason = format!("the file that it names, {}, cannot be read", self.shown(written));
        self.refuse(reason).with_help(how_it_was_read(written))
    }

    /// An error about what stands here; the reason must not repeat it.
    pub(crate) fn refuse(&self, reason: impl fmt::Display) -> Error {
        let help = match self.key.as_deref().and_then(example::of) {
            Some(line) => format!("write, for example: {line}"),
            None => "`rampauth init --config example.toml` writes a file in which every key is explained".to_owned(),
        };
        Error::config(ACTION, format!("{self}: {reason}")).with_help(help)
    }

    /// An error about what stands here from the check of a value, whose own words are kept.
    pub(crate) fn refuse_with(&self, error: &Error) -> Error {
        let text = error.to_string();
        // "failed to read the partner code: it is empty": the key says what was read.
        let refusal = self.refuse(text.split_once(": ").map_or(text.as_str(), |(_, reason)| reason));
        // Advice of its own is better than an example.
        let of_the_kind = Error::config(ACTION, "");
        if error.help() == of_the_kind.help() { refusal } else { refusal.with_help(error.help().to_owned()) }
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

/// What a shell does to a path and this program does not, where an argument looks as if it should: a shell leaves `~` alone in
/// `--file=~/card.json`.
pub(crate) fn not_expanded(path: &Path) -> Option<&'static str> {
    let path = path.to_string_lossy();
    if path.starts_with('~') {
        Some(NO_TILDE)
    } else if path.contains('$') {
        Some("variables in a path are not expanded: write the whole path")
    } else {
        None
    }
}

const NO_TILDE: &str = "`~` is not expanded: write the whole path";

/// The same for a path in the configuration.
fn how_it_was_read(written: &str) -> &'static str {
    if written.starts_with('~') {
        NO_TILDE
    } else if written.contains('$') || written.split('%').count() > 2 {
        "variables in a path are not expanded: write the whole path, or take the secret itself from a variable with { env = \"NAME\" }"
    } else {
        "paths are relative to the folder of the configuration; write the whole path, or put the file there"
    }
}

/// The name of a variable, where it can be nothing else: as the names of variables are written, and made of words.
pub(super) fn shown_variable(name: &str) -> Option<&str> {
    let is_of_a_name = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    (name.bytes().all(is_of_a_name) && is_plain(name)).then_some(name)
}

/// Whether a part of a path is made of words and short numbers. A longer mixture of letters and digits is what secrets look like.
fn is_plain(part: &str) -> bool {
    let is_word = |word: &str| {
        let has = |is: fn(&u8) -> bool| word.bytes().any(|byte| is(&byte));
        let most = match (has(u8::is_ascii_alphabetic), has(u8::is_ascii_digit)) {
            (true, true) => 8,
            (false, true) => 12,
            _ => 24,
        };
        word.len() <= most
    };
    let separates = |c: char| matches!(c, '.' | '_' | '-' | '~' | '$' | '{' | '}' | '%' | ' ' | ':');
    let is_legal = |c: char| c.is_ascii_alphanumeric() || separates(c);
    part.len() <= 60 && part.chars().all(is_legal) && part.split(separates).all(is_word)
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
    fn a_path_is_shown_as_it_was_understood_unless_it_looks_like_a_secret() {
        let place = Place::top(&File::new(Path::new("conf/r.toml"), ""));
        for (written, shown) in [
            ("partner.pem", "`conf/partner.pem`"),
            ("keys/partner_2026-11.pem", "`conf/keys/partner_2026-11.pem`"),
            ("~/keys/partner.pem", "`conf/~/keys/partner.pem`"),
            ("${HOME}/partner.pem", "`conf/${HOME}/partner.pem`"),
            ("/run/secrets/partner.pem", "`/run/secrets/partner.pem`"),
            ("/run/3f2a9c7be01d44aa/partner.pem", "`/run/…/partner.pem`"),
            ("/run/AbCdEfGhIjKlMnOpQrStUvWxYz", "`/run/…`"),
            ("3f2a9c7be01d44aa", "`conf/…`"),
            ("ab/3f2a9c7be01d44aa/x", "`conf/…`"),
            ("aGVsbG8=", "`conf/…`"),
            ("a\u{1b}[2J", "`conf/…`"),
        ] {
            assert_eq!(place.shown(written), shown);
        }
    }

    #[test]
    fn names_cannot_play_tricks_with_the_terminal() {
        assert_eq!(printable("a\u{1b}[2J\nb"), "a\\u{1b}[2J\\nb");
        assert_eq!(printable(&"é".repeat(61)), format!("{}…", "é".repeat(60)));
    }

    #[test]
    fn what_is_not_expanded_is_named() {
        for (written, start) in [
            ("~/partner.pem", "`~` is not expanded"),
            ("~jane/partner.pem", "`~` is not expanded"),
            ("$HOME/partner.pem", "variables in a path are not expanded"),
            ("${HOME}/partner.pem", "variables in a path are not expanded"),
            ("%USERPROFILE%/partner.pem", "variables in a path are not expanded"),
            ("partner.pem", "paths are relative"),
            ("100%.pem", "paths are relative"),
        ] {
            assert!(how_it_was_read(written).starts_with(start), "{written}");
        }
    }
}
