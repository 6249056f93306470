//! Reading RSA keys in every spelling people have them in, and saying by name what is wrong with the others.
//!
//! Both backends get the same PKCS#1 structure and the same size check from here, so that a key is accepted or refused
//! with the same words whichever of them signs.

use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use pkcs1::der::asn1::{AnyRef, OctetStringRef, UintRef};
use pkcs1::der::{Decode, Reader, SliceReader};
use pkcs8::PrivateKeyInfoRef;
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use zeroize::Zeroizing;

use crate::Error;

const SIGNING: &str = "load the signing key";
const VERIFYING: &str = "load the provider's public key";
const PRIVATE: &str = "a private key";
const PUBLIC: &str = "a public key";

/// What providers' documents ask for, and what both backends can do.
pub(crate) const SIZES: RangeInclusive<usize> = 2048..=4096;
/// With small keys allowed: one vendor's published sample signature is from a 1024-bit key.
#[cfg(feature = "rsa")]
pub(crate) const SIZES_WITH_SMALL: RangeInclusive<usize> = 1024..=4096;

/// The key in PKCS#1 DER: `RSAPrivateKey` or `RSAPublicKey` (RFC 8017, appendix A.1).
pub(crate) struct Pkcs1 {
    pub(crate) der: Zeroizing<Vec<u8>>,
    /// The modulus's length in bytes: that of every signature.
    pub(crate) modulus_length: usize,
}

/// Reads a private key: PEM (`PRIVATE KEY`, `RSA PRIVATE KEY`), bare base64 of either, base64 of the whole PEM text, or DER.
pub(crate) fn private(input: &[u8], sizes: &RangeInclusive<usize>) -> Result<Pkcs1, Error> {
    let refuse = |reason: String| Error::config(SIGNING, reason);
    let der = container(input, &["PRIVATE KEY", "RSA PRIVATE KEY"], PRIVATE).map_err(refuse)?;
    let pkcs1 = match PrivateKeyInfoRef::from_der(&der) {
        Ok(info) if info.algorithm.oid == pkcs1::ALGORITHM_OID => Zeroizing::new(info.private_key.as_bytes().to_vec()),
        Ok(info) => return Err(refuse(other_algorithm(&info.algorithm))),
        Err(_) => der,
    };
    match pkcs1::RsaPrivateKeyRef::from_der(&pkcs1) {
        Ok(key) => {
            let modulus_length = check_size(key.modulus, sizes, SIGNING)?;
            Ok(Pkcs1 { der: pkcs1, modulus_length })
        }
        Err(_) => Err(refuse(what_it_is_instead(&pkcs1, PRIVATE))),
    }
}

/// Reads a public key: PEM (`PUBLIC KEY`, `RSA PUBLIC KEY`), bare base64 of either, base64 of the whole PEM text, or DER.
pub(crate) fn public(input: &[u8], sizes: &RangeInclusive<usize>) -> Result<Pkcs1, Error> {
    let refuse = |reason: String| Error::config(VERIFYING, reason);
    let der = container(input, &["PUBLIC KEY", "RSA PUBLIC KEY"], PUBLIC).map_err(refuse)?;
    let pkcs1 = match SubjectPublicKeyInfoRef::from_der(&der) {
        Ok(info) if info.algorithm.oid == pkcs1::ALGORITHM_OID => {
            let bits = info.subject_public_key.as_bytes();
            Zeroizing::new(bits.ok_or_else(|| refuse("its bit string is damaged".to_owned()))?.to_vec())
        }
        Ok(info) => return Err(refuse(other_algorithm(&info.algorithm))),
        Err(_) => der,
    };
    match pkcs1::RsaPublicKeyRef::from_der(&pkcs1) {
        Ok(key) => {
            let modulus_length = check_size(key.modulus, sizes, VERIFYING)?;
            Ok(Pkcs1 { der: pkcs1, modulus_length })
        }
        Err(_) => Err(refuse(what_it_is_instead(&pkcs1, PUBLIC))),
    }
}

/// What a backend says when it refuses the numbers of a key that is otherwise well formed.
pub(crate) fn damaged(private: bool) -> Error {
    Error::config(if private { SIGNING } else { VERIFYING }, "its numbers do not make an RSA key; it may be damaged")
}

/// Strips PEM or base64 off the DER. `labels` are the PEM labels that will do.
fn container(input: &[u8], labels: &[&str], wanted: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    // A DER key is one SEQUENCE, whose tag is also the digit `0`: a long one has a length byte that is no ASCII, a short
    // one is told by its length being that of the input.
    if input.first() == Some(&0x30) && (input.get(1) >= Some(&0x80) || AnyRef::from_der(input).is_ok()) {
        return Ok(Zeroizing::new(input.to_vec()));
    }
    if is_utf16(input) {
        return Err("it is text in UTF-16; save it as UTF-8 or ASCII".to_owned());
    }
    let no_key = || format!("it is neither PEM, base64 nor DER of {wanted}");
    let text = std::str::from_utf8(input).map_err(|_| no_key())?;
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    if text.contains(PEM_BEGIN) {
        return from_pem(&without_escapes(text), labels, wanted);
    }
    if text.len() > 1 && text.starts_with(['"', '\'']) && text.ends_with(['"', '\'']) {
        return Err("it stands in quotes; leave them off".to_owned());
    }
    let decoded = decode(text);
    // The base64 of a whole PEM file, as CI systems keep it in a variable.
    let pem = decoded.as_ref().and_then(|decoded| std::str::from_utf8(decoded).ok());
    if let Some(pem) = pem.filter(|pem| pem.contains(PEM_BEGIN)) {
        return from_pem(&without_escapes(pem), labels, wanted)
            .map_err(|reason| format!("it is the base64 of a PEM file, and in that {reason}"));
    }
    if text.starts_with(PEM_BEGIN_IN_BASE64) {
        return Err("it is the base64 of a PEM file, and damaged or cut short".to_owned());
    }
    decoded.ok_or_else(no_key)
}

const PEM_BEGIN: &str = "-----BEGIN";
/// The start of what `base64` makes of a PEM file.
const PEM_BEGIN_IN_BASE64: &str = "LS0tLS1CRUdJTi";

/// A byte order mark of UTF-16, or ASCII text in it without one: every second byte is zero.
fn is_utf16(input: &[u8]) -> bool {
    match input {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        [a, b, c, d, ..] => {
            matches!([*a != 0, *b != 0, *c != 0, *d != 0], [true, false, true, false] | [false, true, false, true])
        }
        _ => false,
    }
}

/// PEM with its line ends written as backslash and `n`, as it is in JSON and in many variables. Neither base64 nor a line of
/// PEM holds a backslash otherwise.
fn without_escapes(text: &str) -> Zeroizing<String> {
    let unescaped = Zeroizing::new(text.replace("\\r", "\n"));
    Zeroizing::new(unescaped.replace("\\n", "\n"))
}

/// The DER in the first PEM block with one of these labels.
fn from_pem(text: &str, labels: &[&str], wanted: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut seen = None;
    let mut rest = text;
    while let Some((_, block)) = rest.split_once("-----BEGIN ") {
        let Some((label, body)) = block.split_once("-----") else { break };
        let Some((body, after)) = body.split_once("-----END") else {
            return Err("its PEM block has no `-----END` line; it may be cut short".to_owned());
        };
        if labels.contains(&label) {
            if body.contains("ENCRYPTED") {
                return Err(ENCRYPTED.to_owned());
            }
            return decode(body).ok_or_else(|| "its PEM block does not hold base64".to_owned());
        }
        seen.get_or_insert(label);
        rest = after;
    }
    // To decrypt or convert a private key is no help to who needs a public one.
    Err(match seen {
        Some("ENCRYPTED PRIVATE KEY") if wanted == PRIVATE => ENCRYPTED.to_owned(),
        Some("OPENSSH PRIVATE KEY") if wanted == PRIVATE => {
            "it is an OpenSSH key; convert a copy with `ssh-keygen -p -m PKCS8 -f FILE`".to_owned()
        }
        Some("CERTIFICATE") if wanted == PUBLIC => {
            "it is a certificate; take the key out of it with `openssl x509 -in FILE -noout -pubkey`".to_owned()
        }
        // `openssl ecparam -genkey` puts the curve before the key.
        Some("EC PRIVATE KEY" | "EC PARAMETERS") => not_rsa(ELLIPTIC_CURVE),
        Some("DSA PRIVATE KEY") => not_rsa(DSA),
        Some(label) => match KNOWN_LABELS.iter().find(|known| **known == label) {
            Some(label) => format!("it is PEM of `{label}`, where {wanted} is needed ({})", labels.join(" or ")),
            None => format!("it is PEM of something else, where {wanted} is needed ({})", labels.join(" or ")),
        },
        None => "its PEM block is damaged".to_owned(),
    })
}

const ENCRYPTED: &str = "it is encrypted with a passphrase; decrypt a copy with `openssl pkey -in FILE -out PLAIN.pem`";

/// The labels that a message may repeat: any other could be a piece of a damaged key.
const KNOWN_LABELS: [&str; 8] = [
    "CERTIFICATE",
    "CERTIFICATE REQUEST",
    "ENCRYPTED PRIVATE KEY",
    "OPENSSH PRIVATE KEY",
    "PRIVATE KEY",
    "PUBLIC KEY",
    "RSA PRIVATE KEY",
    "RSA PUBLIC KEY",
];

fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &ALPHABET,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let compact: Zeroizing<Vec<u8>> = Zeroizing::new(text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect());
    LENIENT.decode(&*compact).ok().map(Zeroizing::new)
}

const ELLIPTIC_CURVE: &str = "an elliptic-curve key";
const DSA: &str = "a DSA key";

fn other_algorithm(algorithm: &AlgorithmIdentifierRef<'_>) -> String {
    not_rsa(match algorithm.oid.to_string().as_str() {
        "1.2.840.10045.2.1" => ELLIPTIC_CURVE,
        "1.3.101.112" => "an Ed25519 key",
        "1.2.840.113549.1.1.10" => "an RSA key restricted to PSS",
        "1.2.840.10040.4.1" => DSA,
        other => return not_rsa(&format!("a key of another algorithm ({other})")),
    })
}

fn not_rsa(what: &str) -> String {
    format!("it is {what}; an RSA key is needed")
}

fn what_it_is_instead(der: &[u8], wanted: &str) -> String {
    let encrypted = |reader: &mut SliceReader<'_>| {
        reader.sequence(|inner| {
            AlgorithmIdentifierRef::decode(inner)?;
            <&OctetStringRef>::decode(inner).map(|_| ())
        })
    };
    let found = if PrivateKeyInfoRef::from_der(der).is_ok() || pkcs1::RsaPrivateKeyRef::from_der(der).is_ok() {
        PRIVATE
    } else if SubjectPublicKeyInfoRef::from_der(der).is_ok() || pkcs1::RsaPublicKeyRef::from_der(der).is_ok() {
        PUBLIC
    } else if wanted == PRIVATE && SliceReader::new(der).is_ok_and(|mut reader| encrypted(&mut reader).is_ok()) {
        return ENCRYPTED.to_owned();
    } else {
        return format!("it decodes, but not to {wanted}; it may be damaged or cut short");
    };
    format!("it is {found}, where {wanted} is needed")
}

fn check_size(modulus: UintRef<'_>, sizes: &RangeInclusive<usize>, action: &'static str) -> Result<usize, Error> {
    let bytes = modulus.as_bytes();
    let bits = bytes.first().map_or(0, |first| bytes.len() * 8 - first.leading_zeros() as usize);
    if bits > *sizes.end() {
        return Err(Error::config(action, format!("it has {bits} bits; at most {} are supported", sizes.end())));
    }
    if bits < *sizes.start() {
        let help = match sizes == &SIZES {
            true => "make a larger one, or allow it by name with `RsaSigningKey::allow_small_keys()`",
            false => "make a larger one",
        };
        let reason = format!("it has {bits} bits, which is under {}", sizes.start());
        return Err(Error::config(action, reason).with_help(help));
    }
    Ok(bytes.len())
}
