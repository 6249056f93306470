//! The name of a session in a store.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use arrayvec::ArrayString;
use rampauth_core::Error;

/// `provider/environment/account`, or `provider/environment/account/subject`: which session is meant, the same in every
/// process that shares a store.
///
/// Keys are printed in logs, status and metrics, so they hold no secret and no personal data: the subject is an opaque id of
/// the caller's, never an e-mail address. Each part is 1 to 64 letters, digits, `.`, `_`, `-` or `:`.
#[derive(Clone)]
pub struct SessionKey(Text);

/// There is a key in every session, and most are short: those take no allocation of their own.
#[derive(Clone)]
enum Text {
    Short(ArrayString<39>),
    Long(Box<str>),
}

impl SessionKey {
    /// Checks and takes a key as it is printed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](rampauth_core::ErrorKind::Config) when it has not three or four parts, or a part is not made
    /// of the characters above. The error does not repeat it.
    pub fn parse(key: impl Into<String>) -> Result<Self, Error> {
        let key = key.into();
        let refuse = |reason: &'static str| Err(Error::config("read the session key", reason));
        if !(3..=4).contains(&key.split('/').count()) {
            return refuse("it is not provider/environment/account or provider/environment/account/subject");
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte);
        match key.split('/').find(|part| !(1..=64).contains(&part.len()) || !part.bytes().all(plain)) {
            Some(part) if part.contains('@') => {
                refuse("it holds an `@`; use an opaque id in place of an e-mail address")
            }
            Some(_) => refuse("each part is 1 to 64 letters, digits, `.`, `_`, `-` or `:`"),
            // A copy of just this length: a text that shrinks in place keeps what room it had.
            None => Ok(Self(ArrayString::from(&key).map_or_else(|_| Text::Long(Box::from(&*key)), Text::Short))),
        }
    }

    /// The provider's name.
    pub fn provider(&self) -> &str {
        self.part(0)
    }

    /// The provider's environment.
    pub fn environment(&self) -> &str {
        self.part(1)
    }

    /// Whose account at the provider it is: the company's.
    pub fn account(&self) -> &str {
        self.part(2)
    }

    /// Which of the account's sessions it is; `None` where the account has one alone.
    pub fn subject(&self) -> Option<&str> {
        self.as_str().splitn(4, '/').nth(3)
    }

    fn part(&self, index: usize) -> &str {
        self.as_str().split('/').nth(index).unwrap_or_default()
    }

    /// The key as it is printed.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Short(key) => key,
            Text::Long(key) => key,
        }
    }
}

impl PartialEq for SessionKey {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for SessionKey {}

impl PartialOrd for SessionKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SessionKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for SessionKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SessionKey").field(&self.as_str()).finish()
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_keys_and_long_ones_are_compared_alike() {
        let key = |length| SessionKey::parse(format!("a/b/{}", "c".repeat(length))).expect("a key");
        // 39 characters are held in place and 40 are not.
        let keys: Vec<_> = [34, 35, 36, 60].map(key).into();
        assert!(keys.is_sorted() && size_of::<SessionKey>() == 48);
        for (one, other) in keys.iter().zip([34, 35, 36, 60].map(key)) {
            assert_eq!((one, one.as_str()), (&other, other.as_str()));
        }
        assert!(SessionKey::parse("a/b/d").expect("a key") > keys[3]);
        assert_eq!(format!("{:?}", SessionKey::parse("a/b/c").expect("a key")), r#"SessionKey("a/b/c")"#);
    }

    #[test]
    fn a_key_tells_its_parts() {
        let key = SessionKey::parse("onboard/staging/acme/u-1").expect("a key");
        let parts = (key.provider(), key.environment(), key.account(), key.subject());
        assert_eq!(parts, ("onboard", "staging", "acme", Some("u-1")));
        let alone = SessionKey::parse("payby/sim/acme").expect("a key");
        assert_eq!((alone.account(), alone.subject()), ("acme", None));
    }

    #[test]
    fn keys_have_three_or_four_plain_parts() {
        for good in ["alix-card/sandbox/zencardtest", "onboard/staging/acme/u-1", "a/b/c:1.0_x"] {
            assert_eq!(SessionKey::parse(good).expect("a key").to_string(), good);
        }
        let long = format!("a/b/{}", "c".repeat(65));
        for (bad, reason) in [
            ("", "it is not provider/environment/account or provider/environment/account/subject"),
            ("a/b", "it is not provider/environment/account or provider/environment/account/subject"),
            ("a/b/c/d/e", "it is not provider/environment/account or provider/environment/account/subject"),
            ("a//c", "each part is 1 to 64 letters, digits, `.`, `_`, `-` or `:`"),
            ("a/b/c d", "each part is 1 to 64 letters, digits, `.`, `_`, `-` or `:`"),
            (&long, "each part is 1 to 64 letters, digits, `.`, `_`, `-` or `:`"),
            ("a/b/c/jane@example.com", "it holds an `@`; use an opaque id in place of an e-mail address"),
        ] {
            let error = SessionKey::parse(bad).expect_err(bad);
            assert_eq!(error.to_string(), format!("failed to read the session key: {reason}"), "{bad}");
        }
    }
}
