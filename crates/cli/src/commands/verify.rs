//! `rampauth verify`: whether a signature is the provider's.

use std::path::Path;

use rampauth_core::{Error, ErrorKind, Outcome};
use serde::Serialize;

use crate::config::Config;
use crate::{input, output};

const ACTION: &str = "verify";
/// The longest signature file, in bytes: ten times what a key of 4096 bits makes.
const MAX_LENGTH: usize = 8 * 1024;

#[derive(Serialize)]
struct Verdict {
    valid: bool,
}

pub(crate) fn run(config: &Path, profile: &str, signature_file: &Path) -> Result<(), Error> {
    let config = Config::load(config)?;
    let profile = config.profile(profile)?;
    let signature = read(signature_file)?;
    if !profile.verify(&signature)? {
        let reason = "the signature is not this provider's";
        let help = "check that the body is the exact bytes that came, and the provider's public key and environment";
        return Err(Error::new(ErrorKind::Untrusted, Outcome::NotSent, ACTION, reason).with_help(help));
    }
    output::json(&Verdict { valid: true }, Outcome::NotSent)
}

fn read(path: &Path) -> Result<String, Error> {
    let refuse = |reason| Error::input("read the signature file", reason);
    let bytes = match input::file(path, MAX_LENGTH) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Err(refuse("it is longer than 8 KiB")),
        Err(error) => return Err(refuse("it cannot be read").with_source(error)),
    };
    // What is not text is not base64 either, and fails as a signature does.
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    if text.is_empty() { Err(refuse("it is empty")) } else { Ok(text) }
}
