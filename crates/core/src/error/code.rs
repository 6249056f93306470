//! Tells a provider's error code from what could be a token in its place.

pub(super) fn is_code(text: &str) -> bool {
    // Between separators: a word, a number, or a short mixture. A longer mixture is what tokens look like.
    let is_part = |part: &str| {
        let (letters, digits) =
            (part.bytes().any(|b| b.is_ascii_alphabetic()), part.bytes().any(|b| b.is_ascii_digit()));
        let most = match (letters, digits) {
            (true, true) => 8,
            (false, true) => 12,
            _ => 24,
        };
        part.len() <= most && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    (1..=40).contains(&text.len()) && text.split(['_', '-', '.']).all(is_part)
}
