//! RSA by AWS-LC: constant-time, and several times as fast on current processors.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair};

use crate::key::{self, SIZES};
use crate::{Error, ErrorKind, Outcome, Signature, Signer, Verifier};

/// A private key in memory, used by AWS-LC. Makes the same bytes as [`RsaSigningKey`](crate::RsaSigningKey).
#[derive(Clone)]
pub struct AwsLcSigningKey(Arc<RsaKeyPair>);

/// A provider's public key, used by AWS-LC.
#[derive(Clone)]
pub struct AwsLcVerifyingKey {
    key: Arc<ParsedPublicKey>,
    modulus_length: usize,
}

impl AwsLcSigningKey {
    /// Loads a private key of 2048 to 4096 bits: PEM (PKCS#8 or PKCS#1; any line ends, indented or not), the bare
    /// base64 of its DER, or the DER.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), naming what is wrong: encrypted, not RSA, a public key, a size
    /// outside the limits, damaged.
    pub fn parse(key: impl AsRef<[u8]>) -> Result<Self, Error> {
        let pkcs1 = key::private(key.as_ref(), &SIZES)?;
        RsaKeyPair::from_der(&pkcs1.der).map(|key| Self(Arc::new(key))).map_err(|_| key::damaged(true))
    }
}

impl AwsLcVerifyingKey {
    /// Loads a public key of 2048 to 4096 bits: PEM (SPKI or PKCS#1), the bare base64 of its DER, or the DER.
    ///
    /// # Errors
    ///
    /// As [`AwsLcSigningKey::parse`].
    pub fn parse(key: impl AsRef<[u8]>) -> Result<Self, Error> {
        let pkcs1 = key::public(key.as_ref(), &SIZES)?;
        let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &*pkcs1.der).map_err(|_| key::damaged(false))?;
        Ok(Self { key: Arc::new(key), modulus_length: pkcs1.modulus_length })
    }
}

#[async_trait]
impl Signer for AwsLcSigningKey {
    #[expect(clippy::disallowed_methods, reason = "it blinds, and the signature is the same whatever is drawn")]
    async fn sign(&self, message: &[u8]) -> Result<Signature, Error> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        match self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature) {
            Ok(()) => Ok(Signature::new(signature)),
            Err(_) => Err(Error::new(
                ErrorKind::Internal,
                Outcome::NotSent,
                "sign the request",
                "the AWS-LC backend could not make a signature",
            )),
        }
    }
}

impl Verifier for AwsLcVerifyingKey {
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify_sig(message, signature).is_ok()
    }
}

impl fmt::Debug for AwsLcSigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsLcSigningKey(***)")
    }
}

impl fmt::Debug for AwsLcVerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AwsLcVerifyingKey({} bits)", self.modulus_length * 8)
    }
}
