//! Says what is wrong with a signature: how it is written, how and with which key it was made, over which text.

use aws_lc_rs::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, SHA512, digest};
use aws_lc_rs::signature::RSA_PSS_2048_8192_SHA256;
use base64::Engine as _;
use base64::alphabet::{STANDARD as STANDARD_ALPHABET, URL_SAFE};
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use num_bigint::BigUint;

use crate::keys::Key;
use crate::mint::hex;

/// A text that an integrator may have signed by mistake.
pub(crate) struct Mistake {
    pub(crate) text: Vec<u8>,
    /// The text with its secret parts as `***`, and what is wrong with it.
    pub(crate) name: String,
}

/// Whether `signature` is the key's over the text, in standard padded base64 on one line.
///
/// The error is the reason for refusing it; `over` names the text with its secret parts as `***`, and `mistakes` is
/// asked for only then.
pub(crate) fn check(
    key: &Key,
    signature: &str,
    text: &[u8],
    over: &str,
    mistakes: impl FnOnce() -> Vec<Mistake>,
) -> Result<(), String> {
    if STANDARD.decode(signature).is_ok_and(|bytes| key.verifies(text, &bytes)) {
        return Ok(());
    }
    let mut findings = Vec::new();
    match decode(signature) {
        None => findings.push("it is neither base64 nor hex".to_owned()),
        Some((bytes, fault)) => {
            findings.push(explain(key, &bytes, text, mistakes));
            if let Some(fault) = fault {
                findings.push(format!("it is written {fault}: standard padded base64 on one line is wanted"));
            }
        }
    }
    Err(format!("signature does not verify over {over}: {}", findings.join("; ")))
}

/// The signature's bytes, from any of the usual spellings, and what is wrong with the spelling.
fn decode(signature: &str) -> Option<(Vec<u8>, Option<&'static str>)> {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let dense: String = signature.chars().filter(|c| !c.is_whitespace()).collect();
    // Hex first: its digits are base64 letters too.
    if let Some(bytes) = unhex(&dense) {
        return Some((bytes, Some("in hex")));
    }
    if let Ok(bytes) = STANDARD.decode(signature) {
        return Some((bytes, None));
    }
    if let Ok(bytes) = STANDARD.decode(&dense) {
        return Some((bytes, Some("with white space in it")));
    }
    if let Ok(bytes) = GeneralPurpose::new(&STANDARD_ALPHABET, lenient).decode(&dense) {
        return Some((bytes, Some("without its padding")));
    }
    GeneralPurpose::new(&URL_SAFE, lenient).decode(&dense).ok().map(|bytes| (bytes, Some("in base64url")))
}

/// 256 bytes in hex; anything else is not taken for it.
fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 512 {
        return None;
    }
    let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
    digits?.chunks_exact(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).ok()).collect()
}

/// How the signature was made.
fn explain(key: &Key, signature: &[u8], text: &[u8], mistakes: impl FnOnce() -> Vec<Mistake>) -> String {
    let (modulus, exponent) = key.public_parts();
    if signature.len() != modulus.len() {
        return format!("it has {} bytes, and this key's signatures have {}", signature.len(), modulus.len());
    }
    let Some(sealed) = open(modulus, exponent, signature) else {
        return if key.verifies_as(&RSA_PSS_2048_8192_SHA256, text, signature) {
            "it is RSASSA-PSS over the right text: RSASSA-PKCS1-v1_5 is wanted".to_owned()
        } else {
            "it was not made with the partner's private key".to_owned()
        };
    };
    let Some((hash, sum)) = Hash::read(&sealed) else {
        return "the partner's key made it, but over no SHA digest in PKCS#1 v1.5 form".to_owned();
    };
    let mut found = name_text(hash, sum, text, mistakes);
    if let Some(fault) = hash.fault {
        found.push_str("; ");
        found.push_str(fault);
    }
    found
}

/// Which text the digest is of.
fn name_text(hash: &Hash, sum: &[u8], text: &[u8], mistakes: impl FnOnce() -> Vec<Mistake>) -> String {
    let is_of = |candidate: &[u8]| digest(hash.algorithm, candidate).as_ref() == sum;
    if is_of(text) {
        return "it is over the right text".to_owned();
    }
    let first = digest(&SHA256, text);
    if is_of(first.as_ref()) || is_of(hex(first.as_ref()).as_bytes()) {
        return "it verifies over the text's SHA-256 digest: sign the text itself, signing hashes it".to_owned();
    }
    match mistakes().into_iter().find(|mistake| is_of(&mistake.text)) {
        Some(mistake) => format!("it verifies over {}", mistake.name),
        None => "the partner's private key made it, over some other text".to_owned(),
    }
}

/// Undoes the RSA operation and takes off the PKCS#1 v1.5 padding. Nothing, if another key or padding made it.
fn open(modulus: &[u8], exponent: &[u8], signature: &[u8]) -> Option<Vec<u8>> {
    let [n, e, s] = [modulus, exponent, signature].map(BigUint::from_bytes_be);
    // The block is 00 01 FF…FF 00 and what was sealed; a big number has no leading zero.
    let block = s.modpow(&e, &n).to_bytes_be();
    let padded = block.strip_prefix(&[1])?;
    let end = padded.iter().position(|&byte| byte != 0xff)?;
    let sealed = padded[end..].strip_prefix(&[0])?;
    (block.len() + 1 == modulus.len() && end >= 8).then(|| sealed.to_vec())
}

/// A digest as PKCS#1 v1.5 seals it: a `DigestInfo` prefix (RFC 8017, 9.2, note 1) and the sum.
struct Hash {
    algorithm: &'static Algorithm,
    prefix: &'static [u8],
    fault: Option<&'static str>,
}

static HASHES: [Hash; 5] = [
    Hash {
        algorithm: &SHA256,
        prefix: b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
        fault: None,
    },
    Hash {
        algorithm: &SHA1_FOR_LEGACY_USE_ONLY,
        prefix: b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14",
        fault: Some("it was made with SHA-1: SHA-256 is wanted"),
    },
    Hash {
        algorithm: &SHA384,
        prefix: b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30",
        fault: Some("it was made with SHA-384: SHA-256 is wanted"),
    },
    Hash {
        algorithm: &SHA512,
        prefix: b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40",
        fault: Some("it was made with SHA-512: SHA-256 is wanted"),
    },
    // A signing call that takes a digest and is not told which one.
    Hash { algorithm: &SHA256, prefix: b"", fault: Some("the digest was sealed without its DigestInfo prefix") },
];

impl Hash {
    fn read(sealed: &[u8]) -> Option<(&'static Self, &[u8])> {
        HASHES.iter().find_map(|hash| {
            let sum = sealed.strip_prefix(hash.prefix)?;
            (sum.len() == hash.algorithm.output_len()).then_some((hash, sum))
        })
    }
}
