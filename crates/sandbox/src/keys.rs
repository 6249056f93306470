//! RSA with aws-lc-rs: made, written as PEM, signed with, verified with.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaParameters, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// An RSA key of 2048 bits.
pub(crate) struct Key {
    pair: KeyPair,
}

impl Key {
    pub(crate) fn generate() -> Result<Self, Unspecified> {
        Ok(Self { pair: KeyPair::generate(KeySize::Rsa2048)? })
    }

    /// PKCS#8, PEM.
    pub(crate) fn private_pem(&self) -> Result<String, Unspecified> {
        let der: Pkcs8V1Der<'_> = self.pair.as_der()?;
        Ok(pem("PRIVATE KEY", der.as_ref()))
    }

    /// SPKI, PEM.
    pub(crate) fn public_pem(&self) -> Result<String, Unspecified> {
        let der: PublicKeyX509Der<'_> = self.pair.public_key().as_der()?;
        Ok(pem("PUBLIC KEY", der.as_ref()))
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256, in standard padded base64 on one line.
    #[expect(clippy::disallowed_methods, reason = "it blinds, and the signature is the same whatever is drawn")]
    pub(crate) fn sign(&self, message: &[u8]) -> Result<String, Unspecified> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)?;
        Ok(STANDARD.encode(signature))
    }

    /// Whether the bytes are this key's RSASSA-PKCS1-v1_5 signature with SHA-256 over the message.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.verifies_as(&RSA_PKCS1_2048_8192_SHA256, message, signature)
    }

    pub(crate) fn verifies_as(&self, scheme: &'static RsaParameters, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(scheme, self.pair.public_key()).verify(message, signature).is_ok()
    }

    /// Modulus and public exponent, big-endian.
    pub(crate) fn public_parts(&self) -> (&[u8], &[u8]) {
        let public = self.pair.public_key();
        (public.modulus().big_endian_without_leading_zero(), public.exponent().big_endian_without_leading_zero())
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    let body = STANDARD.encode(der);
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}
