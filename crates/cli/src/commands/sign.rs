//! `rampauth sign`: what is signed, and the signature.

use std::path::Path;

use rampauth_core::{Error, Outcome};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::config::Config;
use crate::output;
use crate::provider::ALGORITHM;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Signature<'a> {
    string_to_sign: &'a str,
    signature: &'a str,
    algorithm: &'a str,
}

pub(crate) async fn run(config: &Path, profile: &str, reveal: bool, json: bool) -> Result<(), Error> {
    let signed = Config::load(config)?.profile(profile)?.sign().await?;
    let shown = if reveal {
        Signature {
            string_to_sign: signed.string_to_sign.expose_secret(),
            signature: signed.signature.expose_secret(),
            algorithm: ALGORITHM,
        }
    } else {
        Signature { string_to_sign: &signed.shown, signature: "***", algorithm: ALGORITHM }
    };
    if json {
        return output::json(&shown, Outcome::NotSent);
    }
    let Signature { string_to_sign, signature, algorithm } = shown;
    let text = format!("stringToSign: {string_to_sign}\nsignature:    {signature}\nalgorithm:    {algorithm}");
    output::line(&Zeroizing::new(text), Outcome::NotSent)
}
