//! The bodies that are signed by mistake in place of the one that was sent.

use serde_json::Value;

use crate::diagnose::Mistake;

/// What integrators sign instead, the likeliest first.
pub(super) fn all(body: &[u8]) -> Vec<Mistake> {
    let mut all = Vec::new();
    let mut add = |text: Vec<u8>, name: &str| all.push(Mistake { text, name: name.to_owned() });

    let text = String::from_utf8_lossy(body);
    add(format!("{text}\n").into_bytes(), "the body and a newline at its end, which was not sent");
    add(format!("{text}\r\n").into_bytes(), "the body and a line end, which was not sent");
    add(text.trim().as_bytes().to_vec(), "the body without the white space around it, which was sent");
    let compact = compact(&text);
    for (text, form) in [
        (compact.clone(), "compact"),
        (spaced(&compact), "compact with a space after each : and ,"),
        (pretty(&compact, 2), "pretty with 2 spaces"),
        (pretty(&compact, 4), "pretty with 4 spaces"),
        (escaped(&compact), "compact with \\u escapes"),
    ] {
        add(text.into_bytes(), &format!("the body re-serialised ({form}): sign the bytes that are sent"));
    }
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        // `Value` keeps its keys sorted.
        add(value.to_string().into_bytes(), "the body re-serialised with sorted keys: sign the bytes that are sent");
        if let Some(content) = value.get("bizContent") {
            add(content.to_string().into_bytes(), "bizContent alone: sign the whole body");
        }
    }
    all
}

/// Calls `write` with each character of JSON text and whether it stands inside a string.
fn each(text: &str, mut write: impl FnMut(char, bool)) {
    let (mut inside, mut escape) = (false, false);
    for c in text.chars() {
        // The quotes themselves count as inside.
        write(c, inside || c == '"');
        match c {
            '"' if !escape => inside = !inside,
            _ => {}
        }
        escape = inside && c == '\\' && !escape;
    }
}

/// Without white space between the tokens.
fn compact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    each(text, |c, inside| {
        if inside || !c.is_ascii_whitespace() {
            out.push(c);
        }
    });
    out
}

/// As Python's `json.dumps` writes it.
fn spaced(compact: &str) -> String {
    let mut out = String::with_capacity(compact.len() * 2);
    each(compact, |c, inside| {
        out.push(c);
        if !inside && matches!(c, ':' | ',') {
            out.push(' ');
        }
    });
    out
}

/// As most pretty printers write it. Empty objects and arrays, which they treat differently, are not in these bodies.
fn pretty(compact: &str, indent: usize) -> String {
    let mut out = String::with_capacity(compact.len() * 2);
    let mut depth = 0_usize;
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        // A body of nothing but brackets must not become a giant.
        out.extend(std::iter::repeat_n(' ', indent * depth.min(16)));
    };
    each(compact, |c, inside| match c {
        '{' | '[' if !inside => {
            depth += 1;
            out.push(c);
            line(&mut out, depth);
        }
        '}' | ']' if !inside => {
            depth = depth.saturating_sub(1);
            line(&mut out, depth);
            out.push(c);
        }
        ',' if !inside => {
            out.push(c);
            line(&mut out, depth);
        }
        ':' if !inside => out.push_str(": "),
        _ => out.push(c),
    });
    out
}

/// With everything beyond ASCII escaped, as some languages' JSON writers do unasked.
fn escaped(compact: &str) -> String {
    let mut out = String::with_capacity(compact.len());
    for c in compact.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "{ \"a\" : \"x: \\\"y\\\", {z}\",\n\t\"b\":[1, 2]}";

    #[test]
    fn layouts_change_nothing_inside_strings() {
        let dense = compact(BODY);
        assert_eq!(dense, r#"{"a":"x: \"y\", {z}","b":[1,2]}"#);
        assert_eq!(spaced(&dense), r#"{"a": "x: \"y\", {z}", "b": [1, 2]}"#);
        assert_eq!(escaped("\"é😀\""), r#""\u00e9\ud83d\ude00""#);
    }

    #[test]
    fn pretty_is_what_serde_json_prints() {
        let value: Value = serde_json::from_str(BODY).expect("valid JSON");
        let expected = serde_json::to_string_pretty(&value).expect("a value prints");
        assert_eq!(pretty(&compact(BODY), 2), expected);
    }
}
