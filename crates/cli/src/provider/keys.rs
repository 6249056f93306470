//! RSA keys that were read: however many profiles name the same one, it is parsed once.

use std::cell::RefCell;
use std::collections::HashMap;

use rampauth_core::{Error, RsaSigningKey, RsaVerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::config::SecretRef;

/// By the digest of what stands in the file or the variable. Parsing a key checks it, which takes a millisecond and more.
#[derive(Default)]
pub(crate) struct Keys {
    signing: RefCell<HashMap<[u8; 32], RsaSigningKey>>,
    verifying: RefCell<HashMap<[u8; 32], RsaVerifyingKey>>,
}

impl Keys {
    pub(super) fn signing(&self, secret: &SecretRef) -> Result<RsaSigningKey, Error> {
        once(&self.signing, secret, |bytes| RsaSigningKey::parse(bytes))
    }

    pub(super) fn verifying(&self, secret: &SecretRef) -> Result<RsaVerifyingKey, Error> {
        once(&self.verifying, secret, |bytes| RsaVerifyingKey::parse(bytes))
    }
}

fn once<K: Clone>(
    known: &RefCell<HashMap<[u8; 32], K>>,
    secret: &SecretRef,
    parse: impl FnOnce(&[u8]) -> Result<K, Error>,
) -> Result<K, Error> {
    let bytes = secret.bytes()?;
    let digest = Sha256::digest(&*bytes).into();
    if let Some(key) = known.borrow().get(&digest) {
        return Ok(key.clone());
    }
    let key = parse(&bytes).map_err(|error| secret.place().refuse_with(&error))?;
    known.borrow_mut().insert(digest, key.clone());
    Ok(key)
}
