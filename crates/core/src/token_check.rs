//! What a text must be to be a token.

use crate::{AccessToken, Error, RefreshToken, SecretString};

/// The longest token that is accepted, in bytes: 64 KiB.
pub const MAX_TOKEN_LENGTH: usize = 64 * 1024;

macro_rules! checked {
    ($name:ident, $what:literal) => {
        impl $name {
            /// Checks the token and takes it over.
            ///
            /// A token is 1 to 65,536 printable ASCII characters (RFC 6749, appendix A) without a space at either end,
            /// which HTTP would strip.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::Input`](crate::ErrorKind::Input) when it is not; the error does not repeat the token.
            pub fn new(token: impl Into<String>) -> Result<Self, Error> {
                Self::from_secret(SecretString::new(token))
            }

            /// The same for a secret that is held already, for instance as a view of a shared block.
            ///
            /// # Errors
            ///
            /// As [`new`](Self::new).
            pub fn from_secret(token: SecretString) -> Result<Self, Error> {
                match check(token.expose_secret()) {
                    Ok(()) => Ok(Self::from_checked(token)),
                    Err(reason) => Err(Error::input(concat!("read the ", $what), reason)),
                }
            }
        }
    };
}

checked!(AccessToken, "access token");
checked!(RefreshToken, "refresh token");

fn check(token: &str) -> Result<(), &'static str> {
    if token.is_empty() {
        return Err("it is empty");
    }
    if token.len() > MAX_TOKEN_LENGTH {
        return Err("it is longer than 65,536 bytes");
    }
    // To the end, legal or not: without a way out half-way many bytes are looked at in one step.
    if !token.bytes().fold(true, |legal, byte| legal & (0x20..=0x7e).contains(&byte)) {
        return Err("it holds a character other than printable ASCII (a line break, perhaps)");
    }
    if token.starts_with(' ') || token.ends_with(' ') {
        return Err("it starts or ends with a space");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_printable_ascii() {
        for good in ["a", "a b", "~!", &"x".repeat(MAX_TOKEN_LENGTH)] {
            assert_eq!(AccessToken::new(good).expect("a token").expose_secret(), good);
        }
        let long = "x".repeat(MAX_TOKEN_LENGTH + 1);
        for (bad, message) in [
            ("", "failed to read the refresh token: it is empty"),
            (&long, "failed to read the refresh token: it is longer than 65,536 bytes"),
            (
                "a\r\nb",
                "failed to read the refresh token: it holds a character other than printable ASCII (a line break, perhaps)",
            ),
            (
                "é",
                "failed to read the refresh token: it holds a character other than printable ASCII (a line break, perhaps)",
            ),
            (" a", "failed to read the refresh token: it starts or ends with a space"),
        ] {
            assert_eq!(RefreshToken::new(bad).expect_err("refused").to_string(), message);
        }
    }
}
