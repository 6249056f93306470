//! RSA in pure Rust, constant-time and blinded: the default backend.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
#[expect(clippy::disallowed_types, reason = "it blinds, and the signature is the same whatever is drawn")]
use getrandom::SysRng;
use rsa::pkcs1::{DecodeRsaPrivateKey, DecodeRsaPublicKey, EncodeRsaPrivateKey};
use rsa::pkcs1v15;
use rsa::sha2::Sha256;
use rsa::signature::{RandomizedSigner, SignatureEncoding, Verifier as _};

use crate::key::{self, SIZES, SIZES_WITH_SMALL};
use crate::{Error, ErrorKind, Outcome, Signature, Signer, Verifier};

/// A private key in memory. Each signature is blinded with fresh randomness, which leaves its bytes unchanged.
///
/// It stands on `rsa` 0.10, which exponentiates in constant time, and blinds the message, the exponents and the primes. Earlier
/// releases had a timing side channel (RUSTSEC-2023-0071). [`AwsLcSigningKey`](crate::AwsLcSigningKey) (feature `aws-lc-rs`) makes the same bytes with another
/// implementation, and a KMS can stand behind [`Signer`].
#[derive(Clone)]
pub struct RsaSigningKey(Arc<pkcs1v15::SigningKey<Sha256>>);

/// A provider's public key.
#[derive(Clone)]
pub struct RsaVerifyingKey {
    key: Arc<pkcs1v15::VerifyingKey<Sha256>>,
    modulus_length: usize,
}

/// Loads keys of 1024 bits and more; made by [`RsaSigningKey::allow_small_keys`].
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct SmallKeysAllowed(());

impl RsaSigningKey {
    /// Loads a private key of 2048 to 4096 bits: PEM (PKCS#8 or PKCS#1; any line ends, indented or not), the bare
    /// base64 of its DER, or the DER.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), naming what is wrong: encrypted, not RSA, a public key, a size
    /// outside the limits, damaged.
    pub fn parse(key: impl AsRef<[u8]>) -> Result<Self, Error> {
        signing_key(&key::private(key.as_ref(), &SIZES)?)
    }

    /// Loads keys under 2048 bits too, down to 1024. For a vendor's old samples; not for a key that guards anything.
    pub fn allow_small_keys() -> SmallKeysAllowed {
        SmallKeysAllowed(())
    }
}

impl RsaVerifyingKey {
    /// Loads a public key of 2048 to 4096 bits: PEM (SPKI or PKCS#1), the bare base64 of its DER, or the DER.
    ///
    /// # Errors
    ///
    /// As [`RsaSigningKey::parse`].
    pub fn parse(key: impl AsRef<[u8]>) -> Result<Self, Error> {
        verifying_key(&key::public(key.as_ref(), &SIZES)?)
    }
}

impl SmallKeysAllowed {
    /// [`RsaSigningKey::parse`] for 1024 to 4096 bits.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn signing_key(self, key: impl AsRef<[u8]>) -> Result<RsaSigningKey, Error> {
        signing_key(&key::private(key.as_ref(), &SIZES_WITH_SMALL)?)
    }

    /// [`RsaVerifyingKey::parse`] for 1024 to 4096 bits.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn verifying_key(self, key: impl AsRef<[u8]>) -> Result<RsaVerifyingKey, Error> {
        verifying_key(&key::public(key.as_ref(), &SIZES_WITH_SMALL)?)
    }
}

fn signing_key(pkcs1: &key::Pkcs1) -> Result<RsaSigningKey, Error> {
    let key = rsa::PrivateKey::from_pkcs1_der(&pkcs1.der).map_err(|_| key::damaged(true))?;
    key.validate().map_err(|_| key::damaged(true))?;
    // This backend makes the last three numbers anew from the others and would not notice that they are damaged.
    if key.to_pkcs1_der().map_err(|_| key::damaged(true))?.as_bytes() != pkcs1.der.as_slice() {
        return Err(key::damaged(true));
    }
    Ok(RsaSigningKey(Arc::new(pkcs1v15::SigningKey::new(key))))
}

fn verifying_key(pkcs1: &key::Pkcs1) -> Result<RsaVerifyingKey, Error> {
    let key = rsa::PublicKey::from_pkcs1_der(&pkcs1.der).map_err(|_| key::damaged(false))?;
    let key = Arc::new(pkcs1v15::VerifyingKey::new(key));
    Ok(RsaVerifyingKey { key, modulus_length: pkcs1.modulus_length })
}

#[async_trait]
impl Signer for RsaSigningKey {
    async fn sign(&self, message: &[u8]) -> Result<Signature, Error> {
        // Blinded by name: the plain `sign` of `rsa` blinds only where its feature `getrandom` is on.
        match self.0.try_sign_with_rng(&mut SysRng, message) {
            Ok(signature) => Ok(Signature::new(signature.to_vec())),
            Err(_) => Err(Error::new(
                ErrorKind::Internal,
                Outcome::NotSent,
                "sign the request",
                "the RSA backend could not make a signature",
            )),
        }
    }
}

impl Verifier for RsaVerifyingKey {
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        pkcs1v15::Signature::try_from(signature).is_ok_and(|signature| self.key.verify(message, &signature).is_ok())
    }
}

impl fmt::Debug for RsaSigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RsaSigningKey(***)")
    }
}

impl fmt::Debug for RsaVerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RsaVerifyingKey({} bits)", self.modulus_length * 8)
    }
}
