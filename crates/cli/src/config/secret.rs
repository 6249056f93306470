//! Where a secret is: `{ env = "NAME" }` or `{ file = "PATH" }`. It is fetched when it is needed, and never stands in the
//! file itself.

use std::path::PathBuf;

use rampauth_core::{Error, SecretString};
use toml::de::DeValue;
use zeroize::Zeroizing;

use super::place::Place;
use crate::{env, input};

/// The longest secret, in bytes: 64 KiB.
const MAX_LENGTH: usize = 64 * 1024;

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
    File(PathBuf),
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
            "env" => Source::Variable(text.into_owned()),
            "file" => Source::File(place.resolve(&text)),
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

    /// A secret text. One line end at the end of a file is dropped, nothing of a variable.
    ///
    /// # Errors
    ///
    /// When it is not there, empty, over 64 KiB or not UTF-8.
    pub(crate) fn text(&self) -> Result<SecretString, Error> {
        let bytes = self.bytes()?;
        let text = std::str::from_utf8(&bytes).map_err(|_| self.refuse("is not UTF-8"))?;
        let text = match self.source {
            Source::File(_) => text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text)),
            Source::Variable(_) => text,
        };
        if text.is_empty() {
            return Err(self.refuse("is empty"));
        }
        Ok(SecretString::from(text))
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
                None => return Err(self.refuse("is not set")),
            },
            Source::File(path) => match input::file(path, MAX_LENGTH) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => return Err(self.refuse("is longer than 64 KiB")),
                Err(error) => return Err(self.refuse("cannot be read").with_source(error)),
            },
        };
        match bytes.len() {
            0 => Err(self.refuse("is empty")),
            1..=MAX_LENGTH => Ok(bytes),
            _ => Err(self.refuse("is longer than 64 KiB")),
        }
    }

    fn refuse(&self, what: &str) -> Error {
        match self.source {
            Source::Variable(_) => self.place.refuse(format_args!("the environment variable that it names {what}")),
            Source::File(_) => self.place.refuse(format_args!("the file that it names {what}")),
        }
    }
}
