//! Makes tokens: unique, unpredictable, shaped like the vendors' own.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::{error::Unspecified, hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// The source of every token of one sandbox.
///
/// Its randomness is drawn once: the rest is an HMAC over a serial number, which cannot fail in the middle of a request.
pub(crate) struct Mint {
    key: hmac::Key,
    serial: AtomicU64,
    issued: AtomicU64,
}

impl Mint {
    #[expect(clippy::disallowed_methods, reason = "drawn once, for all tokens of a sandbox")]
    pub(crate) fn new() -> Result<Self, Unspecified> {
        let mut seed = [0; 32];
        rand::fill(&mut seed)?;
        Ok(Self { key: hmac::Key::new(hmac::HMAC_SHA256, &seed), serial: AtomicU64::new(0), issued: AtomicU64::new(0) })
    }

    /// The next number of what is issued, from 1 on.
    pub(crate) fn number(&self) -> u64 {
        self.issued.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// 43 characters that never come twice.
    pub(crate) fn opaque(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.unique())
    }

    /// 16 letters and digits, like Alix's `sign` claim.
    pub(crate) fn word(&self) -> String {
        hex(&self.unique()[..8])
    }

    /// A version 4 UUID.
    pub(crate) fn uuid(&self) -> String {
        let mut bytes = self.unique();
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let [a, b, c, d, e] = [0..4, 4..6, 6..8, 8..10, 10..16].map(|range| hex(&bytes[range]));
        format!("{a}-{b}-{c}-{d}-{e}")
    }

    /// A JWT signed with HS256.
    pub(crate) fn jwt(&self, claims: &Value) -> String {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let tag = URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, signed.as_bytes()));
        format!("{signed}.{tag}")
    }

    fn unique(&self) -> [u8; 32] {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let tag = hmac::sign(&self.key, &serial.to_be_bytes());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(tag.as_ref());
        bytes
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
