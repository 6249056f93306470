//! Reading providers' JSON: lenient about what nobody reads, exact about what is ambiguous, and without copies of secrets.
//!
//! A parser that reads all of an answer fails on an odd member and loses the token beside it, or takes the last of two
//! members of the same name for the truth. Here the members of an object are found first, and each is read when it is
//! asked for. Texts are views of the answer's body.

mod scan;

use std::fmt;
use std::time::SystemTime;

use zeroize::Zeroizing;

use crate::SecretString;
use crate::time::{from_unix_milliseconds, from_unix_seconds, parse_rfc3339};

/// A JSON value, of which no more is read than the kind says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number without a fraction that fits.
    Integer(i64),
    /// Any other number that fits.
    Float(f64),
    /// A text.
    Text(JsonText<'a>),
    /// A list. What is in it is not read.
    List,
    /// An object.
    Object(JsonObject<'a>),
    /// A value that cannot be read: a text that is not Unicode or holds an unknown escape, a number out of range, a word
    /// that JSON does not have.
    Unreadable,
}

/// A JSON text, shown by nothing, for any of them can be a token. As a [`SecretString`] it outlives what it was read from.
#[derive(Clone)]
pub struct JsonText<'a>(Place<'a>);

#[derive(Clone)]
enum Place<'a> {
    Source(&'a str),
    /// It was written with escapes.
    Own(SecretString),
}

/// The members of a JSON object, in their order, repetitions included: each name as it is written between its quotes, and
/// its value.
#[derive(Clone, Default)]
pub struct JsonObject<'a>(Vec<(&'a [u8], &'a [u8])>);

/// Why a member cannot be used. `Display` reads as the end of a sentence about the member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemberProblem {
    /// The name stands there more than once.
    Repeated,
    /// The value is of another type than is documented.
    WrongType,
    /// The value is a text that cannot be read.
    Unreadable,
}

impl fmt::Display for MemberProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Repeated => "stands there more than once",
            Self::WrongType => "is of another type than is documented",
            Self::Unreadable => "cannot be read as a text",
        })
    }
}

impl JsonText<'_> {
    /// The text itself.
    pub fn expose_secret(&self) -> &str {
        match &self.0 {
            Place::Source(text) => text,
            Place::Own(text) => text.expose_secret(),
        }
    }
}

impl From<JsonText<'_>> for SecretString {
    fn from(text: JsonText<'_>) -> Self {
        match text.0 {
            Place::Source(text) => Self::from(text),
            Place::Own(text) => text,
        }
    }
}

impl fmt::Debug for JsonText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JsonText(***)")
    }
}

impl<'a> Json<'a> {
    /// Parses one JSON value. A byte order mark before it, and white space and NUL bytes around it, are skipped.
    ///
    /// # Errors
    ///
    /// The line and the column of what is wrong, in bytes and counted from 1; never the text itself.
    pub fn parse(text: &'a [u8]) -> Result<Self, (usize, usize)> {
        const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
        let is_padding = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0);
        let mut value = text;
        while let Some(rest) = value.strip_prefix(BYTE_ORDER_MARK).or_else(|| strip_first(value, is_padding)) {
            value = rest;
        }
        let skipped = text.len() - value.len();
        let end = value.iter().rposition(|byte| !is_padding(byte)).map_or(0, |last| last + 1);
        let wrong = match scan::end_of_value(&value[..end], 0) {
            Ok(whole) if whole == end => match Self::read(&value[..end]) {
                // A word that stands alone is no JSON at all.
                Self::Unreadable if value[0] != b'"' => 0,
                json => return Ok(json),
            },
            Ok(part) => scan::after_space(value, part),
            Err(at) => at,
        };
        Err(place(text, skipped + wrong))
    }

    /// The whole JSON objects in bytes that hold something else beside them, from the left and none within another.
    pub fn objects_within(text: &'a [u8]) -> Vec<JsonObject<'a>> {
        // Each brace is tried. Nested objects without an end would have all that follows looked through once for each.
        let mut patience = 64 * text.len();
        let (mut objects, mut at) = (Vec::new(), 0);
        while let Some(start) = text[at..].iter().position(|byte| *byte == b'{').map(|brace| at + brace) {
            at = match scan::end_of_value(text, start) {
                Ok(end) => {
                    objects.push(JsonObject(scan::members(&text[start..end])));
                    end
                }
                Err(wrong) if wrong - start <= patience => {
                    patience -= wrong - start;
                    start + 1
                }
                Err(_) => break,
            };
        }
        objects
    }

    /// One value from its first byte to its last.
    fn read(value: &'a [u8]) -> Self {
        match value {
            [b'{', ..] => Self::Object(JsonObject(scan::members(value))),
            [b'[', ..] => Self::List,
            [b'"', text @ .., b'"'] => read_text(text).map_or(Self::Unreadable, Self::Text),
            b"null" => Self::Null,
            b"true" => Self::Bool(true),
            b"false" => Self::Bool(false),
            number => serde_json::from_slice(number)
                .map(Self::Integer)
                .or_else(|_| serde_json::from_slice(number).map(Self::Float))
                .unwrap_or(Self::Unreadable),
        }
    }

    /// The object's members, if it is an object.
    pub fn as_object(&self) -> Option<&JsonObject<'a>> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&JsonText<'a>> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A text or a whole number as text: providers write codes as either.
    pub fn as_code(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.expose_secret().to_owned()),
            Self::Integer(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// A number above zero, as a number or as a text; a fraction is cut.
    pub fn as_positive(&self) -> Option<i64> {
        let number = match self {
            Self::Integer(number) => *number,
            // Casting saturates.
            Self::Float(number) => *number as i64,
            Self::Text(text) => text.expose_secret().trim().parse().ok()?,
            _ => return None,
        };
        Some(number).filter(|number| *number > 0)
    }

    /// A time as providers write one: Unix seconds, milliseconds from 1e12 on, as a number or as a text; or RFC 3339.
    pub fn as_time(&self) -> Option<SystemTime> {
        match (self.as_positive(), self) {
            (Some(milliseconds @ 1_000_000_000_000..), _) => from_unix_milliseconds(milliseconds),
            (Some(seconds), _) => from_unix_seconds(seconds),
            (None, Self::Text(text)) => parse_rfc3339(text.expose_secret().trim()),
            (None, _) => None,
        }
    }
}

impl<'a> JsonObject<'a> {
    /// The members' names in their order, repetitions included, as far as they can be read. Show none that is not known: a secret may stand in its place.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.0.iter().filter_map(|(name, _)| read_text(name)).map(|name| name.expose_secret().to_owned())
    }

    /// The member of this name; `None` when it is absent or `null`.
    ///
    /// # Errors
    ///
    /// [`MemberProblem::Repeated`] when the name stands there more than once.
    pub fn get(&self, name: &str) -> Result<Option<Json<'a>>, MemberProblem> {
        let mut found = self.0.iter().filter(|(written, _)| is_name(written, name)).map(|(_, value)| *value);
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(MemberProblem::Repeated),
            (value, None) => Ok(value.map(Json::read).filter(|value| !matches!(value, Json::Null))),
        }
    }

    /// The member of this name as a text that is not empty; `None` when it is absent, `null` or empty.
    ///
    /// # Errors
    ///
    /// A [`MemberProblem`] when it is repeated, no text, or a text that cannot be read.
    pub fn text(&self, name: &str) -> Result<Option<JsonText<'a>>, MemberProblem> {
        match self.get(name)? {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text).filter(|text| !text.expose_secret().is_empty())),
            Some(Json::Unreadable) => Err(MemberProblem::Unreadable),
            Some(_) => Err(MemberProblem::WrongType),
        }
    }

    /// The member of this name as an object; `None` when it is absent or `null`.
    ///
    /// # Errors
    ///
    /// A [`MemberProblem`] when it is repeated or no object.
    pub fn object(&self, name: &str) -> Result<Option<Self>, MemberProblem> {
        match self.get(name)? {
            None => Ok(None),
            Some(Json::Object(members)) => Ok(Some(members)),
            Some(_) => Err(MemberProblem::WrongType),
        }
    }
}

/// The number of members alone: a provider that puts a token where a name belongs is not helped by printing it.
impl fmt::Debug for JsonObject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonObject({} members)", self.0.len())
    }
}

fn strip_first(text: &[u8], is: impl Fn(&u8) -> bool) -> Option<&[u8]> {
    text.split_first().filter(|(first, _)| is(first)).map(|(_, rest)| rest)
}

/// Line and column of a byte. The end of the text has the column of its last byte.
fn place(text: &[u8], at: usize) -> (usize, usize) {
    let line = text[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
    let before = text[..at].iter().rev().take_while(|byte| **byte != b'\n').count();
    (line, before + usize::from(at < text.len()))
}

/// Whether a name, as it is written, is this one. One that cannot be read is none that anybody asks for.
fn is_name(written: &[u8], name: &str) -> bool {
    match written.contains(&b'\\') {
        false => written == name.as_bytes(),
        true => read_text(written).is_some_and(|written| written.expose_secret() == name),
    }
}

/// What stands between the quotes of a text.
fn read_text(text: &[u8]) -> Option<JsonText<'_>> {
    let mut rest = std::str::from_utf8(text).ok()?;
    if !rest.contains('\\') {
        return Some(JsonText(Place::Source(rest)));
    }
    // A parser's own buffer would keep a copy of it that nobody wipes. With room for all of it, for no escape is shorter
    // than its character.
    let mut plain = Zeroizing::new(String::with_capacity(rest.len()));
    while let Some((before, escaped)) = rest.split_once('\\') {
        plain.push_str(before);
        let (character, after) = unescape(escaped)?;
        plain.push(character);
        rest = after;
    }
    plain.push_str(rest);
    Some(JsonText(Place::Own(SecretString::from(plain.as_str()))))
}

/// The character that what follows a backslash stands for, and the text after it (RFC 8259, section 7).
fn unescape(escaped: &str) -> Option<(char, &str)> {
    let mut characters = escaped.chars();
    let character = match characters.next()? {
        character @ ('"' | '\\' | '/') => character,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            let (first, after) = code_unit(characters.as_str())?;
            if let Some(character) = char::from_u32(first.into()) {
                return Some((character, after));
            }
            // The first half of a pair.
            let (second, after) = code_unit(after.strip_prefix("\\u")?)?;
            return Some((char::decode_utf16([first, second]).next()?.ok()?, after));
        }
        _ => return None,
    };
    Some((character, characters.as_str()))
}

fn code_unit(text: &str) -> Option<(u16, &str)> {
    let (digits, after) = text.split_at_checked(4)?;
    // The standard library would take a sign too.
    let digits = Some(digits).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    Some((u16::from_str_radix(digits, 16).ok()?, after))
}

#[cfg(test)]
mod tests;
