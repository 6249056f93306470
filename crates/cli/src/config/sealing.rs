//! The keys that stored tokens are sealed with: `sealing_key`, and `readable_keys` for older ones.

use rampauth_core::Error;
use rampauth_keeper::{SealingKey, SealingKeys};

use super::place::Place;
use super::secret::SecretRef;
use super::section::Section;

/// Where they are; they are fetched when a command opens sealed tokens.
#[derive(Debug)]
pub(super) struct Sealing {
    key: SecretRef,
    readable: Vec<SecretRef>,
}

impl Sealing {
    /// Takes both keys from the top level of the file; `None` where tokens are not to be sealed.
    pub(super) fn read(top: &mut Section<'_>) -> Result<Option<Self>, Error> {
        let key = top.secret("sealing_key")?;
        let readable = top.secrets("readable_keys")?;
        match (key, readable.first()) {
            (Some(key), _) => Ok(Some(Self { key, readable })),
            (None, None) => Ok(None),
            // Tokens that were sealed once would be stored unsealed from now on.
            (None, Some(first)) => {
                Err(first.place().refuse("it is given without `sealing_key`, which says what to seal with from now on"))
            }
        }
    }

    pub(super) fn load(&self) -> Result<SealingKeys, Error> {
        let keys = SealingKeys::new(load(&self.key)?);
        self.readable.iter().try_fold(keys, |keys, key| Ok(keys.with_readable(load(key)?)))
    }

    /// That a command needs a key and there is none.
    pub(super) fn missing(top: &Place) -> Error {
        let refusal = top.missing_key("sealing_key").refuse("it is missing, and says what to seal with");
        refusal.with_help(r#"write sealing_key = { file = "FILE" }, and make the file with: openssl rand -base64 32"#)
    }
}

fn load(secret: &SecretRef) -> Result<SealingKey, Error> {
    SealingKey::parse(secret.text()?.expose_secret())
        .map_err(|error| secret.place().refuse_with(&error).with_help(error.help().to_owned()))
}
