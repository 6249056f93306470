//! The RSA keys that the test vectors were made with: 2048 bits, for tests alone.
//!
//! *Partner* is the side that runs our code and signs requests; *provider* is the other side, which signs answers and
//! webhooks.

use std::path::{Path, PathBuf};

/// One key file of `crates/core/tests/vectors/keys`.
#[derive(Clone, Copy, Debug)]
pub struct TestKey {
    /// The file's content, PEM.
    pub pem: &'static str,
    file: &'static str,
}

impl TestKey {
    /// Where the file is in this checkout.
    pub fn path(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/core/tests/vectors/keys").join(self.file)
    }
}

macro_rules! test_key {
    ($file:literal) => {
        TestKey { pem: include_str!(concat!("../../../crates/core/tests/vectors/keys/", $file)), file: $file }
    };
}

/// The partner's private key, PKCS#8 (`BEGIN PRIVATE KEY`).
pub const PARTNER_PKCS8: TestKey = test_key!("partner.pkcs8.pem");
/// The partner's private key, PKCS#1 (`BEGIN RSA PRIVATE KEY`): the same key as [`PARTNER_PKCS8`].
pub const PARTNER_PKCS1: TestKey = test_key!("partner.pkcs1.pem");
/// The partner's public key, SPKI (`BEGIN PUBLIC KEY`).
pub const PARTNER_SPKI: TestKey = test_key!("partner.spki.pem");
/// The provider's private key, PKCS#8.
pub const PROVIDER_PKCS8: TestKey = test_key!("provider.pkcs8.pem");
/// The provider's public key, SPKI.
pub const PROVIDER_SPKI: TestKey = test_key!("provider.spki.pem");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_the_kind_it_is_named_for_and_its_path_leads_to_the_same_text() {
        for (key, label) in [
            (PARTNER_PKCS8, "PRIVATE KEY"),
            (PARTNER_PKCS1, "RSA PRIVATE KEY"),
            (PARTNER_SPKI, "PUBLIC KEY"),
            (PROVIDER_PKCS8, "PRIVATE KEY"),
            (PROVIDER_SPKI, "PUBLIC KEY"),
        ] {
            assert!(key.pem.starts_with(&format!("-----BEGIN {label}-----\n")), "{}", key.file);
            assert_eq!(std::fs::read_to_string(key.path()).expect("a readable key file"), key.pem);
        }
    }
}
