//! The two RSA backends behind one face, so that a test says once what both must do.

use rampauth_core::{Error, Signer, Verifier};

/// Loads a key.
type Load<T> = fn(&[u8]) -> Result<Box<T>, Error>;

pub(crate) struct Backend {
    pub(crate) name: &'static str,
    pub(crate) signing: Load<dyn Signer>,
    pub(crate) verifying: Load<dyn Verifier>,
}

#[cfg(feature = "rsa")]
const RSA: Backend = Backend {
    name: "rsa",
    signing: |key| Ok(Box::new(rampauth_core::RsaSigningKey::parse(key)?)),
    verifying: |key| Ok(Box::new(rampauth_core::RsaVerifyingKey::parse(key)?)),
};

#[cfg(feature = "aws-lc-rs")]
const AWS_LC: Backend = Backend {
    name: "aws-lc-rs",
    signing: |key| Ok(Box::new(rampauth_core::AwsLcSigningKey::parse(key)?)),
    verifying: |key| Ok(Box::new(rampauth_core::AwsLcVerifyingKey::parse(key)?)),
};

/// The backends that are compiled in; at least one.
pub(crate) const BACKENDS: &[Backend] = &[
    #[cfg(feature = "rsa")]
    RSA,
    #[cfg(feature = "aws-lc-rs")]
    AWS_LC,
];
