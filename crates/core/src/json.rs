//! Reading providers' JSON: lenient about what is unknown, exact about what is ambiguous, and without copies of secrets.
//!
//! A derived struct would either fail on an odd field and lose the token beside it, or take the last of two members of
//! the same name for the truth. Here every member is kept as it came, and the caller asks for what it needs. Texts are
//! views of the answer's body.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, SeqAccess, Visitor};

use crate::SecretString;

/// A JSON value.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number without a fraction that fits.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// A text.
    Text(JsonText<'a>),
    /// A list.
    List(Vec<Json<'a>>),
    /// An object.
    Object(JsonObject<'a>),
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

/// The members of a JSON object, in their order, repetitions included.
#[derive(Clone, Default)]
pub struct JsonObject<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

/// Why a member cannot be used. `Display` reads as the end of a sentence about the member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemberProblem {
    /// The name stands there more than once.
    Repeated,
    /// The value is of another type than is documented.
    WrongType,
}

impl fmt::Display for MemberProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Repeated => "stands there more than once",
            Self::WrongType => "is of another type than is documented",
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

impl From<&JsonText<'_>> for SecretString {
    fn from(text: &JsonText<'_>) -> Self {
        match &text.0 {
            Place::Source(text) => Self::from(*text),
            Place::Own(text) => text.clone(),
        }
    }
}

impl fmt::Debug for JsonText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JsonText(***)")
    }
}

impl<'a> Json<'a> {
    /// Parses one JSON value.
    ///
    /// # Errors
    ///
    /// The line and column of what is wrong; never the text itself.
    pub fn parse(text: &'a [u8]) -> Result<Self, (usize, usize)> {
        serde_json::from_slice(text).map(|Parsed(json)| json).map_err(|error| (error.line(), error.column()))
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
}

impl<'a> JsonObject<'a> {
    /// The member of this name; `None` when it is absent or `null`.
    ///
    /// # Errors
    ///
    /// [`MemberProblem::Repeated`] when the name stands there more than once.
    pub fn get(&self, name: &str) -> Result<Option<&Json<'a>>, MemberProblem> {
        let mut found = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value);
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(MemberProblem::Repeated),
            (None | Some(Json::Null), None) => Ok(None),
            (value, None) => Ok(value),
        }
    }

    /// The member of this name as a text that is not empty; `None` when it is absent, `null` or empty.
    ///
    /// # Errors
    ///
    /// A [`MemberProblem`] when it is repeated or no text.
    pub fn text(&self, name: &str) -> Result<Option<&JsonText<'a>>, MemberProblem> {
        match self.get(name)? {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text).filter(|text| !text.expose_secret().is_empty())),
            Some(_) => Err(MemberProblem::WrongType),
        }
    }

    /// The member of this name as an object; `None` when it is absent or `null`.
    ///
    /// # Errors
    ///
    /// A [`MemberProblem`] when it is repeated or no object.
    pub fn object(&self, name: &str) -> Result<Option<&Self>, MemberProblem> {
        match self.get(name)? {
            None => Ok(None),
            Some(Json::Object(members)) => Ok(Some(members)),
            Some(_) => Err(MemberProblem::WrongType),
        }
    }
}

/// Names alone: a provider that puts a token where a value belongs is not helped by printing it.
impl fmt::Debug for JsonObject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonObject({} members)", self.0.len())
    }
}

/// Keeps serde out of the public type.
struct Parsed<'a>(Json<'a>);

impl<'de> Deserialize<'de> for Parsed<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor).map(Parsed)
    }
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(i64::try_from(value).map_or(Json::Float(value as f64), Json::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json<'de>, E> {
        Ok(Json::Float(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(JsonText(Place::Source(value))))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(JsonText(Place::Own(SecretString::from(value)))))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json<'de>, A::Error> {
        let mut list = Vec::new();
        while let Some(Parsed(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some((Name(name), Parsed(value))) = entries.next_entry()? {
            members.push((name, value));
        }
        Ok(match members.as_slice() {
            [(name, Json::Text(digits))] if name == ARBITRARY_PRECISION => match number(digits.expose_secret()) {
                Some(number) => number,
                None => Json::Object(JsonObject(members)),
            },
            _ => Json::Object(JsonObject(members)),
        })
    }
}

/// What a number arrives as, in an object of this one member, once any crate of an application has turned on `serde_json`'s
/// feature `arbitrary_precision`. A provider gains nothing by writing it so.
const ARBITRARY_PRECISION: &str = "$serde_json::private::Number";

fn number(digits: &str) -> Option<Json<'static>> {
    digits.parse().map(Json::Integer).or_else(|_| digits.parse().map(Json::Float)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> JsonObject<'_> {
        Json::parse(text.as_bytes()).expect("JSON").as_object().expect("an object").clone()
    }

    #[test]
    fn members_are_found_or_named_as_a_problem() {
        let members = object(r#"{"a":"x","b":null,"c":1,"d":"","e":"1","e":"2","f":{"g":true}}"#);
        let text = |name| members.text(name).map(|text| text.map(|text| text.expose_secret().to_owned()));
        assert_eq!(text("a"), Ok(Some("x".to_owned())));
        assert_eq!([text("b"), text("d"), text("zz")], [Ok(None), Ok(None), Ok(None)]);
        assert_eq!(text("c"), Err(MemberProblem::WrongType));
        assert_eq!(text("e"), Err(MemberProblem::Repeated));
        assert!(members.object("f").expect("an object").is_some());
        assert_eq!(members.object("a").expect_err("a text"), MemberProblem::WrongType);
    }

    #[test]
    fn numbers_keep_their_value_or_become_floats() {
        let members = object(r#"{"a":32,"b":18446744073709551615,"c":1.5,"d":"32"}"#);
        let code = |name| members.get(name).expect("single").and_then(Json::as_code);
        assert_eq!([code("a"), code("b"), code("c"), code("d")], [Some("32".into()), None, None, Some("32".into())]);
    }

    #[test]
    fn a_number_is_one_whatever_features_serde_json_is_built_with() {
        let as_it_arrives = |digits: &str| format!(r#"{{"{ARBITRARY_PRECISION}":"{digits}"}}"#);
        assert!(matches!(Json::parse(as_it_arrives("-32").as_bytes()), Ok(Json::Integer(-32))));
        assert!(matches!(Json::parse(as_it_arrives("1.5").as_bytes()), Ok(Json::Float(1.5))));
        assert!(matches!(Json::parse(as_it_arrives("needle").as_bytes()), Ok(Json::Object(_))));
    }

    #[test]
    fn a_text_is_a_view_unless_it_was_escaped() {
        let source = br#"{"n\u0061me":"needle","escaped":"a\u00e9"}"#;
        let members = Json::parse(source).expect("JSON").as_object().expect("an object").clone();
        let text = |name| members.text(name).expect("a text").expect("a text");
        let inside = |text: &JsonText<'_>| source.as_ptr_range().contains(&text.expose_secret().as_ptr());
        assert_eq!((text("name").expose_secret(), text("escaped").expose_secret()), ("needle", "aé"));
        assert_eq!((inside(text("name")), inside(text("escaped"))), (true, false));
        for name in ["name", "escaped"] {
            assert_eq!(SecretString::from(text(name)).expose_secret(), text(name).expose_secret());
        }
    }

    #[test]
    fn a_syntax_error_is_a_place_and_deep_nesting_is_one() {
        assert_eq!(Json::parse(b"{\"a\":\n nope}").expect_err("no JSON"), (2, 3));
        assert!(Json::parse("[".repeat(10_000).as_bytes()).is_err());
        assert!(Json::parse(b"{} {}").is_err());
    }

    #[test]
    fn debug_shows_no_value() {
        let shown = format!("{:?}", Json::parse(br#"[{"needle":"needle"},"needle"]"#).expect("JSON"));
        assert!(!shown.contains("needle"), "{shown}");
    }
}
