//! Secrets that were fetched: however many profiles name the same one, it is read once, and a key is parsed once.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use rampauth_core::{Error, RsaSigningKey, RsaVerifyingKey, SecretString};
use sha2::{Digest as _, Sha256};

use crate::config::{SecretRef, SecretSource};

#[derive(Default)]
pub(crate) struct Keys {
    texts: RefCell<BTreeMap<SecretSource, SecretString>>,
    signing: RefCell<Known<RsaSigningKey>>,
    verifying: RefCell<Known<RsaVerifyingKey>>,
}

/// Keys by where they stand and by the digest of what stands there: parsing one checks it, which takes a millisecond and more.
struct Known<K> {
    by_source: BTreeMap<SecretSource, K>,
    by_digest: HashMap<[u8; 32], K>,
}

impl Keys {
    pub(super) fn signing(&self, secret: &SecretRef) -> Result<RsaSigningKey, Error> {
        const HELP: &str = "make a larger one and give its public key to the provider: openssl genpkey -algorithm RSA -pkeyopt \
                            rsa_keygen_bits:2048 -out FILE";
        const FORM: &str = "give your own private RSA key of 2048 to 4096 bits there: PEM, base64 or DER";
        once(&self.signing, secret, [FORM, HELP], |bytes| RsaSigningKey::parse(bytes))
    }

    pub(super) fn verifying(&self, secret: &SecretRef) -> Result<RsaVerifyingKey, Error> {
        const HELP: &str = "ask the provider for a public key of 2048 bits or more";
        const FORM: &str = "give the provider's public RSA key of 2048 to 4096 bits there: PEM, base64 or DER";
        once(&self.verifying, secret, [FORM, HELP], |bytes| RsaVerifyingKey::parse(bytes))
    }

    /// A secret text, checked by its own type.
    pub(super) fn text<T>(
        &self,
        secret: &SecretRef,
        check: impl FnOnce(String) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let known = self.texts.borrow().get(secret.source()).cloned();
        let text = match known {
            Some(text) => text,
            None => {
                let text = secret.text()?;
                self.texts.borrow_mut().insert(secret.source().clone(), text.clone());
                text
            }
        };
        check(text.expose_secret().to_owned()).map_err(|error| secret.place().refuse_with(&error))
    }
}

fn once<K: Clone>(
    known: &RefCell<Known<K>>,
    secret: &SecretRef,
    [help, help_with_a_small_one]: [&'static str; 2],
    parse: impl FnOnce(&[u8]) -> Result<K, Error>,
) -> Result<K, Error> {
    let mut known = known.borrow_mut();
    if let Some(key) = known.by_source.get(secret.source()) {
        return Ok(key.clone());
    }
    let bytes = secret.bytes()?;
    let digest = Sha256::digest(&*bytes).into();
    let key = match known.by_digest.get(&digest) {
        Some(key) => key.clone(),
        None => parse(&bytes).map_err(|error| {
            let refusal = secret.place().refuse_with(&error);
            // What the library advises about a small key cannot be done here.
            let is_small = error.help().contains("allow_small_keys");
            refusal.with_help(if is_small { help_with_a_small_one } else { help })
        })?,
    };
    known.by_source.insert(secret.source().clone(), key.clone());
    known.by_digest.insert(digest, key.clone());
    Ok(key)
}

impl<K> Default for Known<K> {
    fn default() -> Self {
        Self { by_source: BTreeMap::new(), by_digest: HashMap::new() }
    }
}
