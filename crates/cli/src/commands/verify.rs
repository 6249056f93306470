//! `rampauth verify`: whether a signature is the provider's.

use std::ops::RangeInclusive;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rampauth_core::{Error, ErrorKind, Outcome};
use serde::Serialize;

use crate::config::{Config, not_expanded};
use crate::{input, output};

const ACTION: &str = "verify";
/// The longest signature file, in bytes: ten times what a key of 4096 bits makes.
const MAX_LENGTH: usize = 8 * 1024;

#[derive(Serialize)]
struct Verdict {
    valid: bool,
}

pub(crate) fn run(config: &Path, profile: &str, signature_file: &Path) -> Result<(), Error> {
    let config = Config::load(config)?;
    let profile = config.profile(profile)?;
    let signature = read(signature_file)?;
    if !profile.verify(&signature)? {
        let reason = "the signature is not this provider's";
        let help = "check that the body is the exact bytes that came, and the provider's public key and environment";
        return Err(Error::new(ErrorKind::Untrusted, Outcome::NotSent, ACTION, reason).with_help(help));
    }
    output::json(&Verdict { valid: true }, Outcome::NotSent)
}

fn read(path: &Path) -> Result<String, Error> {
    let refuse = |reason: &str| Error::input(ACTION_OF_FILE, reason.to_owned()).with_help(FORM);
    let bytes = match input::file(path, MAX_LENGTH) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Err(refuse("it is longer than 8 KiB")),
        Err(error) => {
            let unreadable = refuse(&format!("{} cannot be read", path.display())).with_source(error);
            return Err(match not_expanded(path) {
                Some(help) => unreadable.with_help(help),
                None => unreadable,
            });
        }
    };
    let text = input::text(&bytes).map_err(|it| match it {
        input::NOT_UTF8 => refuse("it is not text; write the base64 of these bytes"),
        it => refuse(&format!("it is {it}")),
    })?;
    base64(text).map_err(refuse)
}

const ACTION_OF_FILE: &str = "read the signature file";
const FORM: &str =
    "give the signature as the provider sends it: standard base64 with its padding, and nothing around it";
/// A text of hexadecimal digits alone, this long or longer, is no base64 of a signature.
const HEX: usize = 64;
/// What a signature by a key of 2048 to 4096 bits has, in bytes.
const LENGTHS: RangeInclusive<usize> = 256..=512;

/// The signature on one line, from standard base64 that may be wrapped.
///
/// # Errors
///
/// Which other spelling it is. Whether a signature is the provider's is asked only of one that can be read.
fn base64(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    let quotes = ['"', '\'', '`'];
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.starts_with(quotes) || text.ends_with(quotes) {
        return Err("it stands in quotes; leave them off");
    }
    if text.contains(':') {
        return Err("it is a whole header line, or its bytes with `:` between them; the base64 alone belongs there");
    }
    // Each line may be indented and end in white space; between two characters of a line there is none.
    if text.lines().any(|line| line.trim().contains(char::is_whitespace)) {
        return Err("it holds white space; a `+` may have become a space, as it does in a URL");
    }
    let line: String = text.lines().map(str::trim).collect();
    if line.len() >= HEX && line.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("it is written in hexadecimal digits, not in base64");
    }
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=\r\n".contains(&byte);
    match STANDARD.decode(&line) {
        Ok(bytes) if bytes.iter().all(|byte| is_base64(*byte)) => return Err("it is base64 twice over"),
        Ok(bytes) if LENGTHS.contains(&bytes.len()) => return Ok(line),
        Ok(_) => return Err("it is base64 of fewer or more bytes than any RSA signature has; it may be cut short"),
        Err(_) => {}
    }
    let is_of = |more: &[u8]| line.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte));
    Err(if is_of(b"-_=") && line.contains(['-', '_']) {
        "it is base64url (`-` and `_`), not standard base64 (`+` and `/`)"
    } else if is_of(b"+/=%") && line.contains('%') {
        "it is encoded for a URL (`%2B`, `%3D`)"
    } else if is_of(b"+/") {
        "it is base64 without its padding (`=`), or cut short"
    } else {
        "it is not base64"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_wrapped_or_not_and_other_spellings_are_named() {
        let plain = STANDARD.encode([0xfb; 256]);
        let lines: String =
            plain.as_bytes().chunks(64).map(|line| format!("  {}\r\n", String::from_utf8_lossy(line))).collect();
        for text in [&plain, &format!("{plain}\n"), &lines] {
            assert_eq!(base64(text).as_deref(), Ok(plain.as_str()));
        }
        let url = plain.replace('+', "-").replace('/', "_");
        for (text, reason) in [
            (String::new(), "it is empty"),
            (" \n".to_owned(), "it is empty"),
            (format!("\"{plain}\""), "it stands in quotes; leave them off"),
            (format!("'{plain}'\n"), "it stands in quotes; leave them off"),
            (plain.replace('+', " "), "it holds white space; a `+` may have become a space, as it does in a URL"),
            ("fb".repeat(256), "it is written in hexadecimal digits, not in base64"),
            ("FB".repeat(256), "it is written in hexadecimal digits, not in base64"),
            (url.clone(), "it is base64url (`-` and `_`), not standard base64 (`+` and `/`)"),
            (url.trim_end_matches('=').to_owned(), "it is base64url (`-` and `_`), not standard base64 (`+` and `/`)"),
            (plain.replace('=', "%3D"), "it is encoded for a URL (`%2B`, `%3D`)"),
            (plain.trim_end_matches('=').to_owned(), "it is base64 without its padding (`=`), or cut short"),
            (
                format!("sign: {plain}"),
                "it is a whole header line, or its bytes with `:` between them; the base64 alone belongs there",
            ),
            (STANDARD.encode(&plain), "it is base64 twice over"),
            (STANDARD.encode(format!("{plain}\n")), "it is base64 twice over"),
            (
                STANDARD.encode([0xfb; 255]),
                "it is base64 of fewer or more bytes than any RSA signature has; it may be cut short",
            ),
            (
                STANDARD.encode([0xfb; 513]),
                "it is base64 of fewer or more bytes than any RSA signature has; it may be cut short",
            ),
            ("!".to_owned(), "it is not base64"),
        ] {
            assert_eq!(base64(&text), Err(reason), "{text}");
        }
    }
}
