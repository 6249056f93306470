//! JSON read strictly: no key twice, every field of its documented type.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Map, Number, Value};

/// Reads an object. The error is the reason for refusing the text, and quotes nothing of it.
pub(crate) fn object(text: &[u8]) -> Result<Map<String, Value>, String> {
    if text.is_empty() {
        return Err("the body is empty".to_owned());
    }
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Strict.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value)).map_err(|error| {
        let what = match error.classify() {
            // `Strict` takes every type, so the only thing that it finds wrong with well-formed JSON is a repeated key.
            Category::Data => "the body has a JSON key twice",
            _ => "the body is not JSON",
        };
        format!("{what} (line {}, column {})", error.line(), error.column())
    })?;
    match value {
        Value::Object(object) => Ok(object),
        _ => Err("the body is JSON, but not an object".to_owned()),
    }
}

/// A required field that is a string and not empty.
pub(crate) fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a str, String> {
    match field(object, name)? {
        Value::String(text) if text.is_empty() => Err(format!("{name} is empty")),
        Value::String(text) => Ok(text),
        _ => Err(format!("{name} is not a string")),
    }
}

/// A required field, whatever its type.
pub(crate) fn field<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a Value, String> {
    object.get(name).ok_or_else(|| {
        let plain = |key: &str| key.replace(['_', '-'], "").to_ascii_lowercase();
        match object.keys().find(|key| plain(key) == plain(name)) {
            Some(_) => format!("{name} is missing; a field of that name spelled another way is there"),
            None => format!("{name} is missing"),
        }
    })
}

/// Like `serde_json::Value`, which would keep the last of two equal keys and say nothing.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element_seed(Strict)? {
            all.push(item);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            let value = members.next_value_seed(Strict)?;
            if all.insert(key, value).is_some() {
                return Err(A::Error::custom("repeated key"));
            }
        }
        Ok(Value::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_key_is_refused_at_any_depth() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"x":{"a":1,"b":2,"a":3}}"#, r#"{"x":[{"a":1,"\u0061":2}]}"#] {
            let reason = object(text.as_bytes()).expect_err("a key stands twice");
            assert!(reason.starts_with("the body has a JSON key twice (line 1"), "{reason}");
        }
        object(br#"{"a":{"a":1},"b":[{"a":1},{"a":1}]}"#).expect("the same key in different objects is fine");
    }

    #[test]
    fn what_is_not_an_object_is_refused_without_quoting_it() {
        for (text, reason) in [
            (&b""[..], "the body is empty"),
            (b"[]", "the body is JSON, but not an object"),
            (b"needle", "the body is not JSON (line 1, column "),
            (b"{} {}", "the body is not JSON (line 1, column "),
            (b"{\"a\":\"needle\xff\"}", "the body is not JSON (line 1, column "),
            (b"{\"a\":1e999}", "the body is not JSON (line 1, column "),
        ] {
            let refused = object(text).expect_err("not an object");
            assert!(refused.starts_with(reason) && !refused.contains("needle"), "{refused}");
        }
    }

    #[test]
    fn fields_have_their_documented_type() {
        let body = object(br#"{"text":"x","empty":"","number":1,"partner_code":"x"}"#).expect("an object");
        assert_eq!(text(&body, "text"), Ok("x"));
        assert_eq!(text(&body, "empty"), Err("empty is empty".to_owned()));
        assert_eq!(text(&body, "number"), Err("number is not a string".to_owned()));
        assert_eq!(text(&body, "none"), Err("none is missing".to_owned()));
        let hint = text(&body, "partnerCode").expect_err("spelled another way");
        assert_eq!(hint, "partnerCode is missing; a field of that name spelled another way is there");
    }
}
