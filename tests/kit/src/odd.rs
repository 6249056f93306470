//! Answers that are odd: in a way that costs nothing, or so that nobody can say what they are.
//!
//! Documents are JSON objects without braces in their texts.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

/// The longest answer that is read.
const MAX_LENGTH: usize = 64 * 1024;

/// The document with white space behind it: as long as the longest answer that is read.
pub fn longest(document: &str) -> String {
    document.to_owned() + &" ".repeat(MAX_LENGTH - document.len())
}

/// The document compressed in each way that is undone: the `content-encoding`, and the bytes.
///
/// # Panics
///
/// Never: a vector takes what is written to it.
pub fn compressed(document: &str) -> Vec<(&'static str, Vec<u8>)> {
    let document = document.as_bytes();
    let gzip = |text: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).and_then(|()| encoder.finish()).expect("a vector")
    };
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    let zlib = zlib.write_all(document).and_then(|()| zlib.finish()).expect("a vector");
    let mut raw = DeflateEncoder::new(Vec::new(), Compression::best());
    let raw = raw.write_all(document).and_then(|()| raw.finish()).expect("a vector");
    vec![
        ("gzip", gzip(document)),
        ("x-gzip", gzip(document)),
        ("deflate, gzip", gzip(&zlib)),
        ("deflate", zlib),
        ("deflate", raw),
    ]
}

/// The document with an oddity each that leaves no doubt about the members beside it: what it is, and the bytes.
pub fn harmless(document: &str) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for (what, before, after) in [
        ("a byte order mark", &b"\xef\xbb\xbf"[..], &b""[..]),
        ("a byte order mark and line ends", b"\xef\xbb\xbf\r\n", b"\r\n"),
        ("white space", b" \t\r\n", b"\n\n "),
        ("a NUL byte behind it", b"", b"\0"),
        ("NUL bytes around it", b"\0\0", b"\n\0\0"),
    ] {
        all.push((what.to_owned(), [before, document.as_bytes(), after].concat()));
    }
    for (what, value) in odd_values(document.len()) {
        for (at, _) in document.match_indices('{') {
            let (before, after) = document.split_at(at + 1);
            let comma = if after.starts_with('}') { "" } else { "," };
            let member = [&b"\"odd\":"[..], &value, comma.as_bytes()].concat();
            all.push((
                format!("{what} as the first member at {at}"),
                [before.as_bytes(), &member, after.as_bytes()].concat(),
            ));
        }
        for (at, _) in document.match_indices('}') {
            let (before, after) = document.split_at(at);
            let comma = if before.ends_with('{') { "" } else { "," };
            let member = [comma.as_bytes(), b"\"odd\":", &value].concat();
            all.push((
                format!("{what} as the last member at {at}"),
                [before.as_bytes(), &member, after.as_bytes()].concat(),
            ));
        }
    }
    all
}

/// Values of a member that nobody reads; the longest of them fill an answer beside a document of this length.
fn odd_values(length: usize) -> Vec<(&'static str, Vec<u8>)> {
    let room = MAX_LENGTH - length - "\"odd\":,".len();
    let nested = |open: &str, close: &str| {
        let depth = (room - 1) / (open.len() + close.len());
        [open.repeat(depth), "1".to_owned(), close.repeat(depth)].concat().into_bytes()
    };
    vec![
        ("half a surrogate pair", br#""\ud83d""#.to_vec()),
        ("the other half", br#""\udE00 \ud83d\u0041""#.to_vec()),
        ("an unknown escape", br#""\x41""#.to_vec()),
        ("bytes that are not UTF-8", b"\"\xff\xfe \xc3( \xed\xa0\x80\"".to_vec()),
        ("a raw line end in a text", b"\"a\nb\tc\"".to_vec()),
        ("a number out of range", b"1e999".to_vec()),
        ("an integer of 400 digits", "9".repeat(400).into_bytes()),
        ("no number", b"NaN".to_vec()),
        ("an infinite number", b"-Infinity".to_vec()),
        ("lists in lists", nested("[", "]")),
        ("objects in objects", nested(r#"{"":"#, "}")),
        ("lists and objects in each other", nested(r#"[{"a":"#, "}]")),
        ("lists in lists around bytes that are not UTF-8", [&b"[[[\""[..], b"\xff", b"\"]]]"].concat()),
    ]
}

/// The document with other text around it: what it is, and the bytes. No other object in it brings anything.
pub fn surrounded(document: &str) -> Vec<(&'static str, Vec<u8>)> {
    let around = |before: &str, after: &str| [before, document, after].concat().into_bytes();
    let warning =
        "<br />\n<b>Warning</b>:  Undefined variable $x in <b>/var/www/{app}/{\"a.php</b> on line <b>12</b><br />\n";
    vec![
        ("a warning before it", around(warning, "")),
        ("a comment after it", around("", "\n<!-- {\"cached\": 1.5 s} -->")),
        ("another document before it", around(r#"{"status":"ok"}"#, "")),
        ("another document after it", around("", "\n{\"status\":\"ok\"}\n")),
        ("the same document again", around("", document)),
        ("a byte that belongs to nothing", around("", "\u{feff}")),
        ("bytes that are not UTF-8", [b"\xff\xfe", document.as_bytes(), b"\xff"].concat()),
        ("the length of a chunk", around("1f4\r\n", "\r\n0\r\n\r\n")),
        ("a call", around("callback(", ");")),
        ("a list", around("[", "]")),
    ]
}

/// Bytes that bring no tokens, whoever reads them.
pub fn unreadable() -> [Vec<u8>; 6] {
    [
        b"<html>OK</html>".to_vec(),
        b"\xff\xfe{\0}\0".to_vec(),
        b"\x1f\x8b\x08\0\0\0\0\0".to_vec(),
        br#"{"status":"ok"}"#.to_vec(),
        br#"{"status":"ok""#.to_vec(),
        [&b"{}"[..], &[b' '; MAX_LENGTH]].concat(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_differs_from_the_document_and_can_be_read() {
        let document = r#"{"a":{"b":1},"c":{}}"#;
        let harmless: Vec<_> = harmless(document).into_iter().map(|(_, bytes)| bytes).collect();
        let surrounded: Vec<_> = surrounded(document).into_iter().map(|(_, bytes)| bytes).collect();
        assert_eq!((harmless.len(), surrounded.len()), (5 + 13 * 6, 10));
        for bytes in harmless.iter().chain(&surrounded) {
            assert!(bytes.len() <= MAX_LENGTH && bytes != document.as_bytes());
        }
        let longest = harmless.iter().map(Vec::len).max();
        assert!(longest.is_some_and(|longest| longest > MAX_LENGTH - 16), "{longest:?}");
        let odd = r#"{"odd":NaN,"a":{"b":1},"c":{}}"#.as_bytes();
        assert!(harmless.iter().any(|bytes| bytes == odd));
        assert!(harmless.iter().any(|bytes| bytes == r#"{"a":{"b":1},"c":{"odd":NaN}}"#.as_bytes()));
    }
}
