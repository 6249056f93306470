//! What a profile's session is called in a store: `PROVIDER/ENVIRONMENT/PROFILE`, or the base URL's `HOST:PORT` for an
//! environment.

use std::fmt::Write as _;

use rampauth_core::{BaseUrl, Error};
use rampauth_keeper::SessionKey;
use sha2::{Digest as _, Sha256};

/// The longest part that a key takes, in bytes.
const MAX_PART: usize = 64;
/// Stands before the digest in what had to be changed, and in nothing else.
const MARK: &str = "_:";
/// How much of a changed part can still be read.
const READABLE: usize = 40;

/// The key; `environment` is the name of one, or a base URL.
pub(super) fn session_key(provider: &str, environment: &str, profile: &str) -> Result<SessionKey, Error> {
    let place = match environment.contains("://") {
        true => host(&BaseUrl::parse(environment)?),
        false => environment.to_owned(),
    };
    SessionKey::parse(format!("{provider}/{}/{}", part(&place), part(profile)))
}

/// Host and port as they stand there: the part that says whose tokens they are.
fn host(base_url: &BaseUrl) -> String {
    let authority = base_url.as_str().split('/').nth(2).unwrap_or_default();
    authority.to_ascii_lowercase()
}

/// A text that fits is taken as it is. In any other what does not fit becomes `_`, and a digest of the whole text keeps two
/// texts that look alike then apart.
fn part(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-:".contains(c);
    if (1..=MAX_PART).contains(&text.len()) && text.chars().all(plain) && !text.contains(MARK) {
        return text.to_owned();
    }
    let readable = text.chars().take(READABLE).map(|c| if plain(c) { c } else { '_' });
    let mut part: String = readable.collect::<String>() + MARK;
    for byte in &Sha256::digest(text.as_bytes())[..8] {
        write!(part, "{byte:02x}").expect("a String takes all");
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(environment: &str, profile: &str) -> String {
        session_key("onboard", environment, profile).expect("a key").to_string()
    }

    #[test]
    fn plain_names_stand_as_they_are() {
        assert_eq!(key("staging", "card-1.x"), "onboard/staging/card-1.x");
        assert_eq!(key("https://API.example.com/v1", "card"), "onboard/api.example.com/card");
        assert_eq!(key("http://127.0.0.1:4010", "card"), "onboard/127.0.0.1:4010/card");
    }

    #[test]
    fn everything_else_is_told_apart_by_a_digest() {
        assert_eq!(key("http://[::1]:4010", "card"), "onboard/_::1_:4010_:991661c5e0b3f1b9/card");
        let long = "x".repeat(65);
        let names =
            ["jane doe", "jane_doe", "jane/doe", "jané doe", "", " ", "_:", &long, &long[1..], &part("jane doe")];
        let keys: std::collections::BTreeSet<String> = names.iter().map(|name| key("staging", name)).collect();
        assert_eq!(keys.len(), names.len(), "{keys:?}");
    }
}
