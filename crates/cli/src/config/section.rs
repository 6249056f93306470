//! One table of the file, asked key by key; every refusal names the key and repeats no value.

use rampauth_core::Error;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::place::Place;
use super::secret::SecretRef;
use crate::nearest::nearest;

/// A table with the place that it stands in.
pub(crate) struct Section<'a> {
    place: Place,
    table: DeTable<'a>,
}

impl<'a> Section<'a> {
    pub(crate) fn new(place: Place, table: DeTable<'a>) -> Self {
        Self { place, table }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Refuses every key but these.
    pub(crate) fn allow(&self, keys: &[&str]) -> Result<(), Error> {
        let Some((key, _)) = self.table.iter().find(|(key, _)| !keys.contains(&&**key.get_ref())) else {
            return Ok(());
        };
        let perhaps = match nearest(key.get_ref(), keys.iter().copied()) {
            Some(known) => format!("; perhaps `{known}`"),
            None => String::new(),
        };
        Err(self
            .place
            .key(key.get_ref(), key.span().start)
            .refuse(format_args!("there is no such key here{perhaps}"))
            .with_help(format!("the keys here are {}", keys.join(", "))))
    }

    /// What stands under this key, whatever it is.
    pub(crate) fn take(&mut self, key: &str) -> Option<(DeValue<'a>, Place)> {
        let (name, value) = self.table.remove_entry(key)?;
        Some((value.into_inner(), self.place.key(key, name.span().start)))
    }

    /// What stands under this key if it is a text; unchecked, and left where it is.
    pub(crate) fn peek(&self, key: &str) -> Option<&str> {
        self.table.get(key)?.get_ref().as_str()
    }

    /// A text that is not empty.
    pub(crate) fn text(&mut self, key: &str) -> Result<Option<(String, Place)>, Error> {
        match self.take(key) {
            None => Ok(None),
            Some((DeValue::String(text), place)) if text.is_empty() => Err(place.refuse("it is empty")),
            Some((DeValue::String(text), place)) => Ok(Some((text.into_owned(), place))),
            Some((_, place)) => Err(place.refuse("it is not a text in quotes")),
        }
    }

    /// A text, made into what it stands for by `make`.
    pub(crate) fn value<T>(
        &mut self,
        key: &str,
        make: impl FnOnce(String) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let Some((text, place)) = self.text(key)? else { return Ok(None) };
        make(text).map(Some).map_err(|error| place.refuse_with(&error))
    }

    /// The same for a key that must be there.
    pub(crate) fn required<T>(&mut self, key: &str, make: impl FnOnce(String) -> Result<T, Error>) -> Result<T, Error> {
        self.value(key, make)?.ok_or_else(|| self.missing(key))
    }

    /// `true` or `false`.
    pub(crate) fn flag(&mut self, key: &str) -> Result<Option<bool>, Error> {
        match self.take(key) {
            None => Ok(None),
            Some((DeValue::Boolean(flag), _)) => Ok(Some(flag)),
            Some((_, place)) => Err(place.refuse("it is neither true nor false")),
        }
    }

    /// A whole number from `least` to `most`.
    pub(crate) fn number(&mut self, key: &str, least: u64, most: u64) -> Result<Option<u64>, Error> {
        let Some((value, place)) = self.take(key) else { return Ok(None) };
        let number = match &value {
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        match number.filter(|number| (least..=most).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(place.refuse(format_args!("it is not a whole number from {least} to {most}"))),
        }
    }

    /// Where a secret is.
    pub(crate) fn secret(&mut self, key: &str) -> Result<Option<SecretRef>, Error> {
        self.take(key).map(|(value, place)| SecretRef::read(value, place)).transpose()
    }

    /// The same for a key that must be there.
    pub(crate) fn required_secret(&mut self, key: &str) -> Result<SecretRef, Error> {
        self.secret(key)?.ok_or_else(|| self.missing(key))
    }

    /// A list of such places; empty when the key is not there.
    pub(crate) fn secrets(&mut self, key: &str) -> Result<Vec<SecretRef>, Error> {
        match self.take(key) {
            None => Ok(Vec::new()),
            Some((DeValue::Array(items), _)) => items
                .into_iter()
                .map(|item| {
                    let place = self.place.key(key, item.span().start);
                    SecretRef::read(item.into_inner(), place)
                })
                .collect(),
            Some((_, place)) => Err(place
                .refuse("it is not a list of places of secrets")
                .with_help(r#"write [{ env = "NAME" }, { file = "PATH" }]"#)),
        }
    }

    /// The members of a table; none when the key is not there.
    pub(crate) fn tables(&mut self, key: &str) -> Result<Vec<(String, Spanned<DeValue<'a>>)>, Error> {
        match self.take(key) {
            None => Ok(Vec::new()),
            Some((DeValue::Table(table), _)) => {
                Ok(table.into_iter().map(|(name, value)| (name.into_inner().into_owned(), value)).collect())
            }
            Some((_, place)) => Err(place.refuse("it is not a table")),
        }
    }

    fn missing(&self, key: &str) -> Error {
        self.place.missing_key(key).refuse("it is missing")
    }
}
