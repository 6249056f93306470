//! The `openssl` command: the second opinion on every vector.

use std::path::Path;

use crate::command;
use crate::outcome::Failure;

/// The installed version; its absence is a failure that says how to install it.
pub(crate) fn version(root: &Path) -> Result<String, Failure> {
    Ok(command::read_text(&mut command::program("openssl", root, ["version"]))?.trim().to_owned())
}

/// Whether `signature` is RSASSA-PKCS1-v1_5 with SHA-256 over `message`. `public_key` is a PEM file; the signature is
/// put into `scratch`, because the command takes it from a file alone.
pub(crate) fn rsa_verifies(public_key: &Path, signature: &[u8], message: &[u8], scratch: &Path) -> Result<(), Failure> {
    let file = scratch.join("signature.bin");
    std::fs::write(&file, signature).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut dgst = command::program("openssl", scratch, ["dgst", "-sha256", "-verify"]);
    command::filter(dgst.arg(public_key).arg("-signature").arg(file).arg("-binary"), message)?;
    Ok(())
}

/// HMAC-SHA256, 32 bytes. The key stands on the command line: for test keys alone.
pub(crate) fn hmac_sha256(root: &Path, key: &[u8], message: &[u8]) -> Result<Vec<u8>, Failure> {
    let option = format!("hexkey:{}", hex(key));
    let args = ["dgst", "-sha256", "-mac", "HMAC", "-macopt", &option, "-binary"];
    command::filter(&mut command::program("openssl", root, args), message)
}

/// Padded base64 on one line.
pub(crate) fn base64(root: &Path, bytes: &[u8]) -> Result<String, Failure> {
    let encoded = command::filter(&mut command::program("openssl", root, ["base64", "-A"]), bytes)?;
    Ok(String::from_utf8_lossy(&encoded).into_owned())
}

/// From padded base64 on one line; anything else comes out as other bytes, or none.
pub(crate) fn from_base64(root: &Path, text: &str) -> Result<Vec<u8>, Failure> {
    command::filter(&mut command::program("openssl", root, ["base64", "-d", "-A"]), text.as_bytes())
}

/// The public half of a PEM key file, private or public, as SPKI PEM.
pub(crate) fn public_half(file: &Path, root: &Path) -> Result<String, Failure> {
    let mut pkey = command::program("openssl", root, ["pkey", "-pubout"]);
    if file.to_string_lossy().ends_with(".spki.pem") {
        pkey.arg("-pubin");
    }
    command::read_text(pkey.arg("-in").arg(file))
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
