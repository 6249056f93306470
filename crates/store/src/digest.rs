//! What stands for a token where the token itself may not stand.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// The SHA-256 of a token: tells two tokens apart without holding either. Tokens are long and random, so that nothing can be
/// found from it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// The digest of a token.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// A digest that was stored.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest's bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Its form in a record as text: 64 hexadecimal digits.
    pub(crate) fn to_hex(self) -> String {
        let (high, low) = self.0.split_at(16);
        let half = |bytes: &[u8]| bytes.iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        format!("{:032x}{:032x}", half(high), half(low))
    }

    /// Reads what [`to_hex`](Self::to_hex) writes; `None` when the text is something else.
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        let plain = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let (high, low) = plain.then(|| text.split_at(32))?;
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&u128::from_str_radix(high, 16).ok()?.to_be_bytes());
        bytes[16..].copy_from_slice(&u128::from_str_radix(low, 16).ok()?.to_be_bytes());
        Some(Self(bytes))
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "TokenDigest({a:02x}{b:02x}{c:02x}{d:02x}…)")
    }
}
