//! HMAC with SHA-256 (RFC 2104), for the providers that sign with a shared secret.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// A key for HMAC-SHA256. Any length is a key. Cheap to clone, wiped from memory when its last clone is dropped.
#[derive(Clone)]
pub struct HmacSha256Key(Arc<Zeroizing<Box<[u8]>>>);

impl HmacSha256Key {
    /// A key from the bytes of the shared secret, as they are: providers mean the text's UTF-8, not something it
    /// encodes.
    pub fn new(secret: &[u8]) -> Self {
        Self(Arc::new(Zeroizing::new(Box::from(secret))))
    }

    /// Keyed for each message: the state that `hmac` derives from a key is as good as the key, so it lives no longer than one
    /// call, and its feature `zeroize` wipes it then.
    fn keyed(&self) -> Hmac<Sha256> {
        Hmac::new_from_slice(&self.0).expect("HMAC takes keys of every length")
    }

    /// The 32 bytes of the code over the message.
    pub fn sign(&self, message: &[u8]) -> [u8; 32] {
        self.keyed().chain_update(message).finalize().into_bytes().into()
    }

    /// The code in lower-case hexadecimal.
    pub fn sign_hex(&self, message: &[u8]) -> String {
        use fmt::Write as _;
        self.sign(message).iter().fold(String::with_capacity(64), |mut hex, byte| {
            // Writing to a string does not fail.
            let _infallible = write!(hex, "{byte:02x}");
            hex
        })
    }

    /// Whether `code` is the code over the message, compared in constant time.
    pub fn verify(&self, message: &[u8], code: &[u8]) -> bool {
        self.keyed().chain_update(message).verify_slice(code).is_ok()
    }
}

impl fmt::Debug for HmacSha256Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacSha256Key(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_wipes_itself() {
        fn wiped(_: &impl zeroize::ZeroizeOnDrop) {}
        let key = HmacSha256Key::new(b"key");
        wiped(&*key.0);
        assert!(Arc::ptr_eq(&key.0, &key.clone().0), "one owner, whatever is cloned");
    }
}
