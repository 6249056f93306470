//! Unique strings to put in as secrets and then to look for where secrets have no place.

use std::fmt;
use std::hash::{BuildHasher, RandomState};

use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use base64::engine::{Engine, GeneralPurpose};

/// The outermost letters of a needle. None is a hexadecimal digit or a vowel and together they make no word, so that
/// neither prose nor hex holds an end of a needle by chance; the two sets share none, so that no needle ends like another
/// begins.
const FIRST: &[u8; 4] = b"gjqz";
const LAST: &[u8; 4] = b"hkvx";
const INNER: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// How many letters of a needle's ends count as a leak on their own.
const PIECE: usize = 6;
/// What may follow a shown start in place of the hidden rest, once the text is squeezed.
const MASKS_AFTER: [&str; 4] = ["*", "..", "[", "<"];
/// What may stand before a shown end.
const MASKS_BEFORE: [&str; 4] = ["*", "..", "]", ">"];
const JWT_HEADER: &[u8] = br#"{"alg":"RS256","typ":"JWT"}"#;

/// A string that exists nowhere else, to be held as a secret and looked for.
///
/// It reads `<random>-needle-<label>-<random>`, in lower-case ASCII letters, digits, `-` and `_`: legal in HTTP headers,
/// URLs, JSON and TOML, and valid base64url. Both its ends are random, so that showing a few first or last characters is
/// found as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needle {
    label: String,
    text: String,
}

impl Needle {
    /// A new needle; `label` tells it from the test's others in messages.
    ///
    /// # Panics
    ///
    /// If the label is not made of `a-z`, `0-9`, `-` and `_`.
    #[track_caller]
    pub fn new(label: &str) -> Self {
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        assert!(!label.is_empty() && label.chars().all(legal), "not a label: {label:?}");
        // Letters alone might be a provider's word, which may be shown; with a digit among so many they are a token.
        let is_token = |(_, head): &(String, String)| head.bytes().any(|b| b.is_ascii_digit());
        let (first, head) = std::iter::repeat_with(|| random(FIRST)).find(is_token).expect("one of the first few");
        let (last, mut tail) = random(LAST);
        let length = first.len() + head.len() + "-needle--".len() + label.len() + tail.len() + last.len();
        // Whole groups of four, to be valid base64url.
        tail.truncate(tail.len() - length % 4);
        let text = format!("{first}{head}-needle-{label}-{tail}{last}");
        Self { label: label.to_owned(), text }
    }

    /// The needle itself.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// A JWT that is made of the needle: it is the subject in the payload (so it also counts when found in base64) and,
    /// as it is, the signature. The header is well-formed, `exp` is in the year 2100; no key verifies it.
    pub fn jwt(&self) -> String {
        let payload = format!(r#"{{"sub":"{}","iat":1700000000,"exp":4102444800}}"#, self.text);
        format!("{}.{}.{}", URL_SAFE_NO_PAD.encode(JWT_HEADER), URL_SAFE_NO_PAD.encode(payload), self.text)
    }

    /// Fails if any form of the needle, or of its JWT, is in `text`; `what` says what the text is.
    ///
    /// Looked for, whatever the case and the line breaks: the needle; its first and last characters from 6 on, and from
    /// 3 on beside a mask (`gkz***`, `gkz…`, `gkz<redacted>`); each of these pieces in base64 (both alphabets, any
    /// alignment), hexadecimal, percent-encoded, as JSON or Rust escapes, as a list of bytes (`[103, 122]`) or of
    /// characters.
    ///
    /// An empty text passes; where there must be one, use [`Self::assert_absent_from_nonempty`].
    ///
    /// # Panics
    ///
    /// With the label, `what`, the form and the place in the text.
    #[track_caller]
    pub fn assert_absent_from(&self, what: &str, text: &str) {
        let text = squeeze(text);
        for (form, piece) in self.forms() {
            if let Some(at) = text.find(&piece) {
                let around = &text[at.saturating_sub(40)..text.len().min(at + piece.len() + 40)];
                panic!("needle `{}` leaked into {what}, {form} `{piece}`, squeezed: …{around}…", self.label);
            }
        }
    }

    /// As [`Self::assert_absent_from`], and fails if `text` is empty or blank.
    ///
    /// # Panics
    ///
    /// As that one, and on a text in which nothing could have leaked.
    #[track_caller]
    pub fn assert_absent_from_nonempty(&self, what: &str, text: &str) {
        assert!(!text.trim().is_empty(), "{what} is empty: nothing could have leaked into it");
        self.assert_absent_from(what, text);
    }

    /// Fails unless `text` holds the needle as it is: the proof that it was put where it might have leaked from.
    ///
    /// # Panics
    ///
    /// With the label and `what`, without the text.
    #[track_caller]
    pub fn assert_held_in(&self, what: &str, text: &str) {
        assert!(text.contains(&self.text), "needle `{}` is not held in {what}", self.label);
    }

    /// Every form to look for in a squeezed text, with its name.
    fn forms(&self) -> Vec<(&'static str, String)> {
        let text = &self.text;
        let mut forms = vec![("as it is", text.clone())];
        for mask in MASKS_AFTER {
            for n in 3..PIECE {
                forms.push(("its masked start", format!("{}{mask}", &text[..n])));
                forms.push(("the masked start of its JWT", format!("{}{mask}", &self.jwt()[..n])));
            }
        }
        for mask in MASKS_BEFORE {
            for n in 3..PIECE {
                forms.push(("its masked end", format!("{mask}{}", &text[text.len() - n..])));
            }
        }
        for piece in [&text[..PIECE], &text[text.len() - PIECE..]] {
            let letters = piece.bytes().map(|byte| char::from(byte).to_string());
            let hex = piece.bytes().map(|byte| format!("{byte:x}"));
            let decimal = piece.bytes().map(|byte| byte.to_string());
            forms.push(("a part of it", piece.to_owned()));
            forms.push(("as a list of characters", join(letters, "','")));
            forms.push(("as a list of bytes", join(decimal, ",")));
            for (form, between) in [
                ("in hexadecimal", ""),
                ("in hexadecimal", ":"),
                ("in hexadecimal", "-"),
                ("as a list of hexadecimal bytes", ","),
                ("as a list of hexadecimal bytes", ",0x"),
                ("percent-encoded", "%"),
                ("as \\x escapes", "x"),
                ("as \\u escapes", "u00"),
                ("as \\u{} escapes", "}u{"),
            ] {
                forms.push((form, join(hex.clone(), between)));
            }
            for alignment in 0..3 {
                forms.push(("in base64", base64_core(&STANDARD_NO_PAD, piece, alignment)));
                forms.push(("in base64url", base64_core(&URL_SAFE_NO_PAD, piece, alignment)));
            }
        }
        for (_, form) in &mut forms {
            form.make_ascii_lowercase();
        }
        forms
    }
}

impl fmt::Display for Needle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Three letters of `outer` and eleven more, 61 random bits; the keys of std's hasher are the only randomness at hand
/// without a dependency.
#[expect(clippy::disallowed_methods, reason = "nobody can have written this text before")]
fn random(outer: &[u8; 4]) -> (String, String) {
    let random = RandomState::new().hash_one(());
    let pick = |set: &[u8], from: u32| char::from(set[(random >> from) as usize % set.len()]);
    ((0..3).map(|n| pick(outer, 2 * n)).collect(), (0..11).map(|n| pick(INNER, 6 + 5 * n)).collect())
}

/// The text without what may break up a leak (white space, backslashes), in lower case and ASCII.
fn squeeze(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace() && *c != '\\')
        .map(|c| match c {
            '…' | '•' | '·' | '█' | '●' => '*',
            c if c.is_ascii() => c.to_ascii_lowercase(),
            _ => '?',
        })
        .collect()
}

fn join(parts: impl Iterator<Item = String>, between: &str) -> String {
    parts.collect::<Vec<_>>().join(between)
}

/// The characters of base64 that depend on `piece` alone when `alignment` bytes (modulo 3) stand before it.
fn base64_core(engine: &GeneralPurpose, piece: &str, alignment: usize) -> String {
    let mut bytes = vec![0; alignment];
    bytes.extend_from_slice(piece.as_bytes());
    engine.encode(&bytes)[(alignment * 8).div_ceil(6)..bytes.len() * 8 / 6].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use std::panic::catch_unwind;

    /// The message of the failed assertion, or none if it passed.
    fn failure(needle: &Needle, text: &str) -> Option<String> {
        let outcome = catch_unwind(|| needle.assert_absent_from("the text", text));
        outcome.err().map(|panic| panic.downcast_ref::<String>().expect("a formatted message").clone())
    }

    #[track_caller]
    fn assert_found(needle: &Needle, form: &str, text: &str) {
        let message = failure(needle, text).unwrap_or_else(|| panic!("missed: {text}"));
        let expected = format!("needle `token` leaked into the text, {form} `");
        assert!(message.starts_with(&expected), "{message}\nfor {text}");
    }

    fn each_byte(text: &str, form: impl Fn(u8) -> String, between: &str) -> String {
        join(text.bytes().map(form), between)
    }

    #[test]
    fn no_needle_is_a_word() {
        for _ in 0..500 {
            let needle = Needle::new("token");
            assert!(needle.as_str()[..14].bytes().any(|b| b.is_ascii_digit()), "{}", needle.as_str());
        }
    }

    #[test]
    fn needles_are_unique_and_legal_everywhere() {
        let (one, two) = (Needle::new("token"), Needle::new("token"));
        assert_ne!(one, two);
        assert!(one.as_str().contains("-needle-token-"));
        assert_eq!(failure(&one, &format!("{two} {}", two.jwt())), None);
        for label in ["a", "ab", "abc", "abcd"] {
            let text = Needle::new(label).to_string();
            assert!(text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-'), "{text}");
            assert_eq!(URL_SAFE_NO_PAD.encode(URL_SAFE_NO_PAD.decode(&text).expect("base64url")), text);
        }
    }

    #[test]
    #[should_panic(expected = "not a label")]
    fn a_label_is_legal_everywhere() {
        Needle::new("a b");
    }

    #[test]
    fn a_jwt_has_three_parts_with_the_needle_in_two() {
        let needle = Needle::new("token");
        let jwt = needle.jwt();
        let parts: Vec<Vec<u8>> = jwt.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).expect("base64url")).collect();
        assert_eq!(parts.len(), 3);
        assert_eq!(parts[0], JWT_HEADER);
        let payload: serde_json::Value = serde_json::from_slice(&parts[1]).expect("a JSON payload");
        assert_eq!(payload["sub"], needle.as_str());
        needle.assert_held_in("its JWT", &jwt);
        assert_found(&needle, "in base64", jwt.split('.').nth(1).expect("a payload"));
        assert_found(&needle, "as it is", &jwt);
        assert_found(&needle, "a part of it", &jwt[jwt.len() - 6..]);
        assert_found(&needle, "the masked start of its JWT", &format!("{}…", &jwt[..4]));
    }

    #[test]
    fn what_is_not_the_needle_passes() {
        let needle = Needle::new("token");
        for text in ["", "the needle `token`: -needle-token-", "[REDACTED]", "AccessToken(***)", "eyJ", "€ \u{1F511} …"]
        {
            assert_eq!(failure(&needle, text), None, "{text}");
        }
    }

    #[test]
    fn the_needle_is_found_whatever_its_case_and_line_breaks() {
        let needle = Needle::new("token");
        assert_found(&needle, "as it is", &format!("€ before {needle} after"));
        assert_found(&needle, "as it is", &needle.as_str().to_uppercase());
        assert_found(&needle, "as it is", &format!("{}\n  {}", &needle.text[..9], &needle.text[9..]));
    }

    #[test]
    fn its_ends_are_found() {
        let needle = Needle::new("token");
        let (text, end) = (needle.as_str(), needle.text.len());
        for n in 6..10 {
            assert_found(&needle, "a part of it", &format!("token {}", &text[..n]));
            assert_found(&needle, "a part of it", &format!("token {}", &text[end - n..]));
        }
        for n in 3..6 {
            for mask in ["***", "...", "…", "••", "<redacted>", "[redacted]"] {
                assert_found(&needle, "its masked start", &format!("({}{mask})", &text[..n]));
                assert_found(&needle, "its masked end", &format!("({mask}{})", &text[end - n..]));
            }
        }
    }

    #[test]
    fn base64_is_found_in_both_alphabets_at_every_alignment() {
        let needle = Needle::new("token");
        for engine in [STANDARD, URL_SAFE, STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            for before in ["", "a", "ab", "abc", "\u{fff}~?>"] {
                for held in [needle.as_str(), &needle.text[..6], &needle.text[needle.text.len() - 6..]] {
                    assert_found(&needle, "in base64", &engine.encode(format!("{before}{held}~\u{fff}")));
                }
            }
        }
    }

    #[test]
    fn hexadecimal_and_escapes_are_found() {
        let needle = Needle::new("token");
        for held in [needle.as_str(), &needle.text[..6], &needle.text[needle.text.len() - 6..]] {
            for between in ["", " ", ":", "-"] {
                assert_found(&needle, "in hexadecimal", &each_byte(held, |byte| format!("{byte:02x}"), between));
                assert_found(&needle, "in hexadecimal", &each_byte(held, |byte| format!("{byte:02X}"), between));
            }
            assert_found(&needle, "percent-encoded", &each_byte(held, |byte| format!("%{byte:02X}"), ""));
            assert_found(&needle, "as \\x escapes", &each_byte(held, |byte| format!("\\x{byte:02x}"), ""));
            assert_found(&needle, "as \\u escapes", &each_byte(held, |byte| format!("\\u{byte:04x}"), ""));
            assert_found(&needle, "as \\u{} escapes", &each_byte(held, |byte| format!("\\u{{{byte:x}}}"), ""));
        }
    }

    #[test]
    fn debug_forms_are_found() {
        let needle = Needle::new("token");
        for held in [needle.as_str(), &needle.text[..6], &needle.text[needle.text.len() - 6..]] {
            let bytes = held.as_bytes();
            let chars: Vec<char> = held.chars().collect();
            assert_found(&needle, "as a list of bytes", &format!("{bytes:?}"));
            assert_found(&needle, "as a list of bytes", &format!("{bytes:#?}"));
            assert_found(&needle, "as a list of hexadecimal bytes", &format!("{bytes:02x?}"));
            assert_found(&needle, "as a list of hexadecimal bytes", &format!("{bytes:#04x?}"));
            assert_found(&needle, "as a list of characters", &format!("{chars:?}"));
            assert_found(&needle, "as a list of characters", &format!("{chars:#?}"));
        }
    }

    #[test]
    fn the_message_shows_the_place() {
        let needle = Needle::new("token");
        let message = failure(&needle, &format!("Client {{ key: {needle} }}")).expect("a leak");
        assert!(message.contains("…client{key:"), "{message}");
    }

    #[test]
    #[should_panic(expected = "the log is empty")]
    fn a_blank_text_can_be_refused() {
        Needle::new("token").assert_absent_from_nonempty("the log", " \n");
    }

    #[test]
    #[should_panic(expected = "leaked into the log")]
    fn a_text_that_is_not_empty_is_searched() {
        let needle = Needle::new("token");
        needle.assert_absent_from_nonempty("the log", needle.as_str());
    }

    #[test]
    #[should_panic(expected = "needle `token` is not held in the header")]
    fn a_needle_that_is_not_held_fails() {
        Needle::new("token").assert_held_in("the header", "something else");
    }
}
