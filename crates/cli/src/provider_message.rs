//! A provider's own message as it may be shown: it helps more than anything else where a call is refused, and it is text out of
//! an answer, which may repeat a token, an e-mail address or a code.

/// The longest run of letters that is taken for words: `REQUESTTIME_TOO_EARLY` has 21 characters.
const MAX_LETTERS: usize = 24;
/// The longest number: a status or an error code. One-time codes have six digits and more.
const MAX_DIGITS: usize = 5;
/// The longest mixture of letters and digits, such as `PKCS8` or `v2`.
const MAX_MIXTURE: usize = 8;

/// The message with `***` in place of each part that could be a secret, and with escapes in place of what a terminal would obey.
pub(crate) fn shown(message: &str) -> String {
    let mut shown = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| joins(c) != joins(first)).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        if !joins(first) {
            shown.extend(part.chars().flat_map(escape));
        } else if is_harmless(part) {
            shown.push_str(part);
        } else {
            shown.push_str("***");
        }
        rest = after;
    }
    shown
}

/// What tokens, addresses and encoded bytes are made of.
fn joins(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.~+/=@%".contains(c)
}

fn is_harmless(part: &str) -> bool {
    // A sentence's own end.
    let part = part.trim_end_matches('.');
    if part.contains(['@', '=', '%', '+', '~']) {
        return false;
    }
    let letters = part.bytes().any(|byte| byte.is_ascii_alphabetic());
    let digits = part.bytes().any(|byte| byte.is_ascii_digit());
    let most = match (letters, digits) {
        (true, true) => MAX_MIXTURE,
        (false, true) => MAX_DIGITS,
        _ => MAX_LETTERS,
    };
    part.len() <= most
}

/// Quotes stay as they are; line ends, control characters and marks that turn the direction of writing do not.
fn escape(c: char) -> impl Iterator<Item = char> {
    let plain = matches!(c, '"' | '\'' | '\\');
    let (one, escaped) = if plain { (Some(c), None) } else { (None, Some(c.escape_debug())) };
    one.into_iter().chain(escaped.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_short_numbers_are_shown_in_any_script() {
        for message in [
            "The QR code is invalid",
            "REQUESTTIME_TOO_EARLY",
            "user's session ended: status 401, code 32.",
            "Mã QR không hợp lệ",
            "签名无效，请检查密钥",
            "read the PKCS8 docs at v2/auth",
            "",
        ] {
            assert_eq!(shown(message), message);
        }
    }

    #[test]
    fn what_could_be_a_secret_is_not() {
        for (message, expected) in [
            ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJqYW5lIn0.c2lnbmF0dXJl is dead", "token *** is dead"),
            ("no user jane@example.com", "no user ***"),
            ("code 123456 is wrong, 12345 is not", "code *** is wrong, 12345 is not"),
            ("refresh token 'a1b2c3d4e' was used", "refresh token '***' was used"),
            ("8f14e45f-ceea-467f-a1d2-3b0c9b1e2f30", "***"),
            ("abcdefghijklmnopqrstuvwxy", "***"),
            ("abcdefghijklmnopqrstuvwx.", "abcdefghijklmnopqrstuvwx."),
            ("key=hunter, {\"a\":\"c2VjcmV0IQ==\"}", "***, {\"a\":\"***\"}"),
        ] {
            assert_eq!(shown(message), expected);
        }
    }

    #[test]
    fn a_terminal_obeys_none_of_it() {
        assert_eq!(shown("a\x1b[31mb\u{202e}c\nd"), "a\\u{1b}[31mb\\u{202e}c\\nd");
    }
}
