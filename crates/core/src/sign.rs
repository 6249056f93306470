//! Signing and verifying as the providers ask for it: RSASSA-PKCS1-v1_5 with SHA-256 over bytes that the caller built.
//!
//! A signer takes bytes and gives a signature: no clock, no network of its own, no state. [`Signer`] is asynchronous and
//! object-safe, so that a KMS or an HSM can stand in for a key in memory.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::{Error, SecretString};

/// Makes RSASSA-PKCS1-v1_5 SHA-256 signatures (RFC 8017, section 8.2) with one private key.
#[async_trait]
pub trait Signer: fmt::Debug + Send + Sync {
    /// Signs the message itself: hashing it with SHA-256 is the signer's part.
    ///
    /// # Errors
    ///
    /// When no signature could be made; nothing has been sent to the provider then, and the error's outcome must be
    /// [`Outcome::NotSent`](crate::Outcome::NotSent). The kind tells the caller whether to try again:
    /// [`Unreachable`](crate::ErrorKind::Unreachable) where the key is for the time being, [`Config`](crate::ErrorKind::Config)
    /// where it is missing or forbidden, else [`Internal`](crate::ErrorKind::Internal).
    async fn sign(&self, message: &[u8]) -> Result<Signature, Error>;
}

#[async_trait]
impl<T: Signer + ?Sized> Signer for Arc<T> {
    async fn sign(&self, message: &[u8]) -> Result<Signature, Error> {
        (**self).sign(message).await
    }
}

/// Checks RSASSA-PKCS1-v1_5 SHA-256 signatures with one public key.
pub trait Verifier: fmt::Debug + Send + Sync {
    /// Whether `signature` (the bytes, not their base64) is this key's over exactly these bytes.
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool;

    /// The same for a signature in standard base64; text that is not base64 is no signature.
    fn verify_base64(&self, message: &[u8], signature: &str) -> bool {
        STANDARD.decode(signature).is_ok_and(|signature| self.verify(message, &signature))
    }
}

impl<T: Verifier + ?Sized> Verifier for Arc<T> {
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        (**self).verify(message, signature)
    }
}

/// A signature. Where a provider signs a constant text it works like a password, so it is kept like one.
#[derive(Clone)]
pub struct Signature(Zeroizing<Vec<u8>>);

impl Signature {
    /// Wraps the bytes of a signature.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The signature's bytes.
    pub fn expose_secret(&self) -> &[u8] {
        &self.0
    }

    /// The signature as the providers write it: standard base64, padded, on one line.
    pub fn to_base64(&self) -> SecretString {
        SecretString::new(STANDARD.encode(&*self.0))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes the message itself for its signature.
    #[derive(Debug)]
    struct Same;

    impl Verifier for Same {
        fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
            message == signature
        }
    }

    #[test]
    fn a_shared_verifier_says_what_the_verifier_says() {
        let shared: Arc<dyn Verifier> = Arc::new(Same);
        for (signature, expected) in [("text", true), ("another", false)] {
            assert_eq!(Verifier::verify(&shared, b"text", signature.as_bytes()), expected);
            assert_eq!(Verifier::verify_base64(&shared, b"text", &STANDARD.encode(signature)), expected);
        }
        assert!(!Verifier::verify_base64(&shared, b"text", "text"));
    }
}
