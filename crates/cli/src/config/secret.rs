//! Where a secret is: `{ env = "NAME" }` or `{ file = "PATH" }`. It is fetched when it is needed, and never stands in the
//! file itself.

use std::path::PathBuf;

use rampauth_core::{Error, SecretString};
use toml::de::DeValue;
use zeroize::Zeroizing;

use super::place::{Place, shown_variable};
use crate::{env, input};

/// The longest secret, in bytes: 64 KiB.
const MAX_LENGTH: usize = 64 * 1024;
const NOT_SET: &str = "set the variable where this command runs, or name a file: { file = \"PATH\" }";

/// A secret that is somewhere else.
#[derive(Clone, Debug)]
pub(crate) struct SecretRef {
    source: Source,
    place: Place,
}

/// Not shown in errors: somebody may have written the secret where its name belongs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    Variable(String),
    File {
        /// As it stands in the configuration.
        written: String,
        path: PathBuf,
    },
}

impl SecretRef {
    pub(crate) fn read(value: DeValue<'_>, place: Place) -> Result<Self, Error> {
        const FORM: &str = r#"write { env = "NAME" } or { file = "PATH" }"#;
        let DeValue::Table(table) = value else {
            return Err(place.refuse("it is given inline, where a secret must not stand").with_help(FORM));
        };
        let mut entries = table.into_iter();
        let (Some((name, value)), None) = (entries.next(), entries.next()) else {
            return Err(place.refuse("it takes exactly one of `env` and `file`").with_help(FORM));
        };
        let DeValue::String(text) = value.into_inner() else {
            return Err(place.refuse("`env` and `file` take a text in quotes").with_help(FORM));
        };
        if text.is_empty() {
            return Err(place.refuse("the name in it is empty").with_help(FORM));
        }
        let source = match &**name.get_ref() {
            "env" if text.contains(['=', '\0']) => {
                return Err(place.refuse("no variable can have the name in it").with_help(FORM));
            }
            "env" if text.starts_with('$') => {
                return Err(place
                    .refuse("the name in it begins with `$`, which is no part of a variable's name")
                    .with_help(FORM));
            }
            "env" => Source::Variable(text.into_owned()),
            "file" if text.contains("-----BEGIN") || text.contains(char::is_control) => {
                return Err(place.refuse("it holds a key itself, where the path of a file belongs").with_help(FORM));
            }
            "file" => Source::File { path: place.resolve(&text), written: text.into_owned() },
            _ => return Err(place.refuse("it takes exactly one of `env` and `file`").with_help(FORM)),
        };
        Ok(Self { source, place })
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// Where the configuration names it.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// A secret text. A byte order mark and one line end at the end of a file are dropped, nothing of a variable.
    ///
    /// # Errors
    ///
    /// When it is not there, empty, over 64 KiB or not UTF-8, stands in quotes or between white space, or holds a line end or
    /// another control character.
    pub(crate) fn text(&self) -> Result<SecretString, Error> {
        let bytes = self.bytes()?;
        let text = input::text(&bytes).map_err(|it| self.refuse(&format!("is {it}")))?;
        let text = match self.source {
            Source::File { .. } => text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text)),
            Source::Variable(_) => text,
        };
        if text.is_empty() {
            return Err(self.refuse("is empty"));
        }
        match what_does_not_belong(text) {
            Some(found) => Err(self.refuse(&found)),
            None => Ok(SecretString::from(text)),
        }
    }

    /// A key, byte for byte: one in DER may end in what looks like a line end.
    ///
    /// # Errors
    ///
    /// When it is not there, empty or over 64 KiB.
    pub(crate) fn bytes(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let bytes = match &self.source {
            Source::Variable(name) => match env::variable(name).map(std::ffi::OsString::into_string) {
                Some(Ok(text)) => Zeroizing::new(text.into_bytes()),
                Some(Err(_)) => return Err(self.refuse("is not UTF-8")),
                None => return Err(self.refuse("is not set").with_help(NOT_SET)),
            },
            Source::File { written, path } => match input::file(path, MAX_LENGTH) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => return Err(self.refuse("is longer than 64 KiB")),
                Err(error) => return Err(self.place.unreadable(written).with_source(error)),
            },
        };
        match bytes.len() {
            0 => Err(self.refuse("is empty")),
            1..=MAX_LENGTH => Ok(bytes),
            _ => Err(self.refuse("is longer than 64 KiB")),
        }
    }

    fn refuse(&self, what: &str) -> Error {
        let refusal = match &self.source {
            Source::Variable(name) => match shown_variable(name) {
                Some(name) => {
                    self.place.refuse(format_args!("the environment variable that it names, `{name}`, {what}"))
                }
                None => self.place.refuse(format_args!("the environment variable that it names {what}")),
            },
            Source::File { .. } => self.place.refuse(format_args!("the file that it names {what}")),
        };
        refusal.with_help("put the secret alone there, without anything around it")
    }
}

/// What is in a secret text that is hardly a part of it; never where, and nothing of the rest.
fn what_does_not_belong(text: &str) -> Option<String> {
    const QUOTES: [(char, char); 6] = [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('„', '“'), ('‘', '’')];
    let is_line_end = |c: char| matches!(c, '\n' | '\r');
    let in_quotes = |(open, close): (char, char)| text.strip_prefix(open).is_some_and(|rest| rest.ends_with(close));
    if QUOTES.into_iter().any(in_quotes) {
        return Some("stands in quotes, which would be taken for a part of it".to_owned());
    }
    if text.ends_with(is_line_end) {
        return Some("ends in a line end, which would be taken for a part of it".to_owned());
    }
    if text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace) {
        return Some("starts or ends with white space, which would be taken for a part of it".to_owned());
    }
    if text.contains(is_line_end) {
        return Some("holds a line end inside it".to_owned());
    }
    // What is copied out of a web page brings characters that nobody sees.
    let is_invisible = |c: char| matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}');
    let found = text.chars().find(|c| c.is_control() || is_invisible(*c))?;
    let kind = if found.is_control() { "a control character" } else { "an invisible character" };
    Some(format!("holds {kind} (U+{:04X})", u32::from(found)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_belong_to_a_secret_is_named_and_the_rest_is_not() {
        let part = "which would be taken for a part of it";
        for (text, found) in [
            ("\"hunter2\"", format!("stands in quotes, {part}")),
            ("'hunter2'", format!("stands in quotes, {part}")),
            ("“hunter2”", format!("stands in quotes, {part}")),
            ("hunter2\n", format!("ends in a line end, {part}")),
            ("hunter2\r", format!("ends in a line end, {part}")),
            (" hunter2", format!("starts or ends with white space, {part}")),
            ("hunter2\u{a0}", format!("starts or ends with white space, {part}")),
            ("hunter2\thunter2\t", format!("starts or ends with white space, {part}")),
            ("hunter2\nhunter2", "holds a line end inside it".to_owned()),
            ("hunter2\thunter2", "holds a control character (U+0009)".to_owned()),
            ("hunter2\0", "holds a control character (U+0000)".to_owned()),
            ("hunter2\u{200b}", "holds an invisible character (U+200B)".to_owned()),
        ] {
            assert_eq!(what_does_not_belong(text), Some(found), "{text:?}");
        }
        for text in ["hunter2", "a b", "\"", "\"hunter2", "hünter2", "a'b"] {
            assert_eq!(what_does_not_belong(text), None, "{text:?}");
        }
    }
}
