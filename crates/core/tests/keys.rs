//! Which keys are taken, in which spellings, and what is said about the others: the same by either backend.
#![cfg(any(feature = "rsa", feature = "aws-lc-rs"))]

mod backends;

use std::collections::BTreeSet;
use std::fs;

use backends::BACKENDS;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rampauth_core::{Error, ErrorKind, Outcome};
use rampauth_test_kit::vectors_dir;

fn file(path: &str) -> Vec<u8> {
    fs::read(vectors_dir!().join(path)).expect(path)
}

fn text(path: &str) -> String {
    String::from_utf8(file(path)).expect("text")
}

/// The body of a PEM file: base64 in lines of 64.
fn body(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with("-----")).map(|line| format!("{line}\n")).collect()
}

/// `ok`, or the message, the same by every backend, after the part that is always the same.
fn verdict<T>(all: impl Iterator<Item = Result<T, Error>>, action: &str) -> String {
    let said: BTreeSet<_> = all
        .map(|loaded| match loaded {
            Ok(_) => "ok".to_owned(),
            Err(error) => {
                assert_eq!((error.kind(), error.outcome()), (ErrorKind::Config, Outcome::NotSent));
                let message = error.to_string();
                message.strip_prefix(&format!("failed to {action}: ")).expect("the action first").to_owned()
            }
        })
        .collect();
    assert_eq!(said.len(), 1, "the backends disagree: {said:#?}");
    said.into_iter().collect()
}

fn as_signing_key(input: &[u8]) -> String {
    verdict(BACKENDS.iter().map(|backend| (backend.signing)(input)), "load the signing key")
}

fn as_verifying_key(input: &[u8]) -> String {
    verdict(BACKENDS.iter().map(|backend| (backend.verifying)(input)), "load the provider's public key")
}

/// Base64 in lines of 76 characters, as the command `base64` writes it.
fn wrapped(base64: &str) -> String {
    let lines = base64.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).expect("ASCII"));
    lines.map(|line| format!("{line}\n")).collect()
}

/// Every spelling of a PEM key that differs in white space, line ends or wrapping alone.
fn spellings(pem: &str) -> Vec<(&'static str, String)> {
    let base64 = body(pem);
    let one_line = base64.replace('\n', "");
    vec![
        ("as it is", pem.to_owned()),
        ("CR LF", pem.replace('\n', "\r\n")),
        ("CR alone", pem.replace('\n', "\r")),
        ("no final line end", pem.trim_end().to_owned()),
        ("indented, as in YAML", pem.lines().map(|line| format!("    {line}\n")).collect()),
        ("indented with tabs, trailing spaces", pem.lines().map(|line| format!("\t{line}  \r\n")).collect()),
        ("blank lines", pem.replace('\n', "\n\n")),
        ("byte order mark", format!("\u{feff}{pem}")),
        ("white space around", format!(" \r\n\t{pem}\n\n  ")),
        ("text around", format!("Bag Attributes\n    friendlyName: partner – 1\n{pem}\nend of file\n")),
        ("on one line, spaces for line ends", pem.replace('\n', " ")),
        ("on one line, nothing for line ends", pem.replace('\n', "")),
        ("line ends written as \\n", pem.replace('\n', "\\n")),
        ("line ends written as \\r\\n", pem.replace('\n', "\\r\\n")),
        ("line ends written as \\n, in quotes", format!("\"{}\"", pem.replace('\n', "\\n"))),
        ("base64 of the whole", STANDARD.encode(pem)),
        ("base64 of the whole, without padding", STANDARD.encode(pem).trim_end_matches('=').to_owned()),
        ("base64 of the whole in lines", wrapped(&STANDARD.encode(pem))),
        ("base64 of the whole with CR LF", STANDARD.encode(pem.replace('\n', "\r\n"))),
        ("base64 of the whole with a byte order mark", STANDARD.encode(format!("\u{feff}{pem}"))),
        ("base64 of the whole with line ends written as \\n", STANDARD.encode(pem.replace('\n', "\\n"))),
        ("bare base64", base64.clone()),
        ("bare base64, CR LF, indented", base64.replace('\n', "\r\n  ")),
        ("bare base64 on one line", one_line.clone()),
        ("bare base64 without padding", one_line.trim_end_matches('=').to_owned()),
        ("bare base64 after a byte order mark", format!("\u{feff}{one_line}\n")),
    ]
}

#[tokio::test]
async fn a_private_key_is_itself_in_every_spelling() {
    let (message, signature) = (file("rsa-2048-binary/message.bin"), text("rsa-2048-binary/signature.txt"));
    let pkcs8 = text("keys/partner.pkcs8.pem");
    let mut inputs: Vec<(String, Vec<u8>)> = Vec::new();
    for (kind, pem) in [("PKCS#8", pkcs8.clone()), ("PKCS#1", text("keys/partner.pkcs1.pem"))] {
        inputs.extend(spellings(&pem).into_iter().map(|(how, key)| (format!("{kind}, {how}"), key.into_bytes())));
    }
    inputs.push(("PKCS#8 DER".to_owned(), file("key-files/partner.pkcs8.der")));
    inputs.push(("PKCS#1 DER".to_owned(), file("key-files/partner.pkcs1.der")));
    let certificate = text("key-files/certificate.pem");
    inputs.push(("after its certificate".to_owned(), format!("{certificate}{pkcs8}").into_bytes()));
    inputs.push(("before its certificate".to_owned(), format!("{pkcs8}{certificate}").into_bytes()));
    inputs.push(("before another key".to_owned(), (pkcs8 + &text("keys/provider.pkcs8.pem")).into_bytes()));
    for (how, input) in inputs {
        assert_eq!(as_signing_key(&input), "ok", "{how}");
        for backend in BACKENDS {
            let key = (backend.signing)(&input).expect("loaded a line above");
            let signed = key.sign(&message).await.expect("a signature").to_base64();
            assert_eq!(signed.expose_secret(), signature, "{how}, {}", backend.name);
        }
    }
}

#[test]
fn a_public_key_is_itself_in_every_spelling() {
    let (message, signature) = (file("rsa-2048-binary/message.bin"), text("rsa-2048-binary/signature.txt"));
    let mut inputs: Vec<(String, Vec<u8>)> = Vec::new();
    for (kind, pem) in [("SPKI", text("keys/partner.spki.pem")), ("PKCS#1", text("key-files/partner.public.pkcs1.pem"))]
    {
        inputs.extend(spellings(&pem).into_iter().map(|(how, key)| (format!("{kind}, {how}"), key.into_bytes())));
    }
    inputs.push(("SPKI DER".to_owned(), file("key-files/partner.spki.der")));
    inputs.push(("PKCS#1 DER".to_owned(), file("key-files/partner.public.pkcs1.der")));
    let both = text("keys/partner.pkcs8.pem") + &text("keys/partner.spki.pem");
    inputs.push(("after its private key".to_owned(), both.into_bytes()));
    for (how, input) in inputs {
        assert_eq!(as_verifying_key(&input), "ok", "{how}");
        for backend in BACKENDS {
            let key = (backend.verifying)(&input).expect("loaded a line above");
            assert!(key.verify_base64(&message, &signature), "{how}, {}", backend.name);
        }
    }
}

/// Each file of `key-files` with what is said about it.
fn table(load: fn(&[u8]) -> String) -> String {
    let listing = fs::read_dir(vectors_dir!().join("key-files")).expect("the key files");
    let names: BTreeSet<_> = listing.map(|entry| entry.expect("an entry").file_name()).collect();
    let row = |name: &std::ffi::OsString| {
        let name = name.to_str().expect("a plain name");
        format!("{name}: {}\n", load(&file(&format!("key-files/{name}"))))
    };
    names.iter().map(row).collect()
}

#[test]
fn what_is_said_of_each_file_where_a_private_key_is_needed() {
    insta::assert_snapshot!(table(as_signing_key), @r"
    certificate.pem: it is PEM of `CERTIFICATE`, where a private key is needed (PRIVATE KEY or RSA PRIVATE KEY)
    dsa.pkcs8.pem: it is a DSA key; an RSA key is needed
    dsa.spki.pem: it is PEM of `PUBLIC KEY`, where a private key is needed (PRIVATE KEY or RSA PRIVATE KEY)
    dsa.traditional.pem: it is a DSA key; an RSA key is needed
    ec.pkcs8.der: it is an elliptic-curve key; an RSA key is needed
    ec.pkcs8.pem: it is an elliptic-curve key; an RSA key is needed
    ec.sec1.der: it decodes, but not to a private key; it may be damaged or cut short
    ec.sec1.pem: it is an elliptic-curve key; an RSA key is needed
    ec.spki.pem: it is PEM of `PUBLIC KEY`, where a private key is needed (PRIVATE KEY or RSA PRIVATE KEY)
    ed25519.pkcs8.der: it is an Ed25519 key; an RSA key is needed
    ed25519.pkcs8.pem: it is an Ed25519 key; an RSA key is needed
    ed25519.spki.pem: it is PEM of `PUBLIC KEY`, where a private key is needed (PRIVATE KEY or RSA PRIVATE KEY)
    localhost.pem: it is PEM of `CERTIFICATE`, where a private key is needed (PRIVATE KEY or RSA PRIVATE KEY)
    openssh.pem: it is an OpenSSH key; convert a copy with `ssh-keygen -p -m PKCS8 -f FILE`
    partner.encrypted.pkcs1.pem: it is encrypted with a passphrase; decrypt a copy with `openssl pkey -in FILE -out PLAIN.pem`
    partner.encrypted.pkcs8.der: it is encrypted with a passphrase; decrypt a copy with `openssl pkey -in FILE -out PLAIN.pem`
    partner.encrypted.pkcs8.pem: it is encrypted with a passphrase; decrypt a copy with `openssl pkey -in FILE -out PLAIN.pem`
    partner.pkcs1.der: ok
    partner.pkcs8.der: ok
    partner.public.pkcs1.der: it is a public key, where a private key is needed
    partner.public.pkcs1.pem: it is PEM of `RSA PUBLIC KEY`, where a private key is needed (PRIVATE KEY or RSA PRIVATE KEY)
    partner.spki.der: it is a public key, where a private key is needed
    partner.utf16.pem: it is text in UTF-16; save it as UTF-8 or ASCII
    request.pem: it is PEM of `CERTIFICATE REQUEST`, where a private key is needed (PRIVATE KEY or RSA PRIVATE KEY)
    rsa-2047.pkcs8.pem: it has 2047 bits, which is under 2048
    rsa-2047.spki.pem: it is PEM of `PUBLIC KEY`, where a private key is needed (PRIVATE KEY or RSA PRIVATE KEY)
    rsa-3-primes.pkcs8.pem: its numbers do not make an RSA key; it may be damaged
    rsa-512.pkcs8.pem: it has 512 bits, which is under 2048
    rsa-512.spki.pem: it is PEM of `PUBLIC KEY`, where a private key is needed (PRIVATE KEY or RSA PRIVATE KEY)
    rsa-8192.pkcs8.pem: it has 8192 bits; at most 4096 are supported
    rsa-8192.spki.pem: it is PEM of `PUBLIC KEY`, where a private key is needed (PRIVATE KEY or RSA PRIVATE KEY)
    rsa-pss.pkcs8.pem: it is an RSA key restricted to PSS; an RSA key is needed
    rsa-pss.spki.pem: it is PEM of `PUBLIC KEY`, where a private key is needed (PRIVATE KEY or RSA PRIVATE KEY)
    x25519.pkcs8.pem: it is a key of another algorithm (1.3.101.110); an RSA key is needed
    x25519.spki.pem: it is PEM of `PUBLIC KEY`, where a private key is needed (PRIVATE KEY or RSA PRIVATE KEY)
    ");
}

#[test]
fn what_is_said_of_each_file_where_a_public_key_is_needed() {
    insta::assert_snapshot!(table(as_verifying_key), @r"
    certificate.pem: it is a certificate; take the key out of it with `openssl x509 -in FILE -noout -pubkey`
    dsa.pkcs8.pem: it is PEM of `PRIVATE KEY`, where a public key is needed (PUBLIC KEY or RSA PUBLIC KEY)
    dsa.spki.pem: it is a DSA key; an RSA key is needed
    dsa.traditional.pem: it is a DSA key; an RSA key is needed
    ec.pkcs8.der: it is a private key, where a public key is needed
    ec.pkcs8.pem: it is PEM of `PRIVATE KEY`, where a public key is needed (PUBLIC KEY or RSA PUBLIC KEY)
    ec.sec1.der: it decodes, but not to a public key; it may be damaged or cut short
    ec.sec1.pem: it is an elliptic-curve key; an RSA key is needed
    ec.spki.pem: it is an elliptic-curve key; an RSA key is needed
    ed25519.pkcs8.der: it is a private key, where a public key is needed
    ed25519.pkcs8.pem: it is PEM of `PRIVATE KEY`, where a public key is needed (PUBLIC KEY or RSA PUBLIC KEY)
    ed25519.spki.pem: it is an Ed25519 key; an RSA key is needed
    localhost.pem: it is a certificate; take the key out of it with `openssl x509 -in FILE -noout -pubkey`
    openssh.pem: it is PEM of `OPENSSH PRIVATE KEY`, where a public key is needed (PUBLIC KEY or RSA PUBLIC KEY)
    partner.encrypted.pkcs1.pem: it is PEM of `RSA PRIVATE KEY`, where a public key is needed (PUBLIC KEY or RSA PUBLIC KEY)
    partner.encrypted.pkcs8.der: it decodes, but not to a public key; it may be damaged or cut short
    partner.encrypted.pkcs8.pem: it is PEM of `ENCRYPTED PRIVATE KEY`, where a public key is needed (PUBLIC KEY or RSA PUBLIC KEY)
    partner.pkcs1.der: it is a private key, where a public key is needed
    partner.pkcs8.der: it is a private key, where a public key is needed
    partner.public.pkcs1.der: ok
    partner.public.pkcs1.pem: ok
    partner.spki.der: ok
    partner.utf16.pem: it is text in UTF-16; save it as UTF-8 or ASCII
    request.pem: it is PEM of `CERTIFICATE REQUEST`, where a public key is needed (PUBLIC KEY or RSA PUBLIC KEY)
    rsa-2047.pkcs8.pem: it is PEM of `PRIVATE KEY`, where a public key is needed (PUBLIC KEY or RSA PUBLIC KEY)
    rsa-2047.spki.pem: it has 2047 bits, which is under 2048
    rsa-3-primes.pkcs8.pem: it is PEM of `PRIVATE KEY`, where a public key is needed (PUBLIC KEY or RSA PUBLIC KEY)
    rsa-512.pkcs8.pem: it is PEM of `PRIVATE KEY`, where a public key is needed (PUBLIC KEY or RSA PUBLIC KEY)
    rsa-512.spki.pem: it has 512 bits, which is under 2048
    rsa-8192.pkcs8.pem: it is PEM of `PRIVATE KEY`, where a public key is needed (PUBLIC KEY or RSA PUBLIC KEY)
    rsa-8192.spki.pem: it has 8192 bits; at most 4096 are supported
    rsa-pss.pkcs8.pem: it is PEM of `PRIVATE KEY`, where a public key is needed (PUBLIC KEY or RSA PUBLIC KEY)
    rsa-pss.spki.pem: it is an RSA key restricted to PSS; an RSA key is needed
    x25519.pkcs8.pem: it is PEM of `PRIVATE KEY`, where a public key is needed (PUBLIC KEY or RSA PUBLIC KEY)
    x25519.spki.pem: it is a key of another algorithm (1.3.101.110); an RSA key is needed
    ");
}

#[test]
fn each_size_is_taken_or_refused_by_name() {
    for bits in [3072, 4096] {
        assert_eq!(as_signing_key(&file(&format!("keys/rsa-{bits}.pkcs8.pem"))), "ok");
        assert_eq!(as_verifying_key(&file(&format!("keys/rsa-{bits}.spki.pem"))), "ok");
    }
    let refused = "it has 1024 bits, which is under 2048";
    assert_eq!(as_signing_key(&file("keys/rsa-1024.pkcs8.pem")), refused);
    assert_eq!(as_verifying_key(&file("keys/rsa-1024.spki.pem")), refused);
    for backend in BACKENDS {
        let error = (backend.signing)(&file("keys/rsa-1024.pkcs8.pem")).expect_err("refused");
        let help = "make a larger one, or allow it by name with `RsaSigningKey::allow_small_keys()`";
        assert_eq!(error.help(), help, "{}", backend.name);
    }
}

#[cfg(feature = "rsa")]
#[tokio::test]
async fn small_keys_are_allowed_by_name_down_to_1024_bits() {
    use rampauth_core::{RsaSigningKey, Signer as _, Verifier as _};

    let allowed = RsaSigningKey::allow_small_keys();
    let (message, signature) = (file("rsa-1024/message.bin"), text("rsa-1024/signature.txt"));
    let signing = allowed.signing_key(file("keys/rsa-1024.pkcs8.pem")).expect("a small key");
    assert_eq!(signing.sign(&message).await.expect("a signature").to_base64().expose_secret(), signature);
    let verifying = allowed.verifying_key(file("keys/rsa-1024.spki.pem")).expect("a small key");
    assert!(verifying.verify_base64(&message, &signature));

    assert!(allowed.signing_key(file("keys/partner.pkcs8.pem")).is_ok());
    assert!(allowed.verifying_key(file("keys/rsa-4096.spki.pem")).is_ok());
    let message = |file_name| allowed.signing_key(file(file_name)).expect_err("refused").to_string();
    let too_small = "failed to load the signing key: it has 512 bits, which is under 1024";
    assert_eq!(message("key-files/rsa-512.pkcs8.pem"), too_small);
    let too_large = "failed to load the signing key: it has 8192 bits; at most 4096 are supported";
    assert_eq!(message("key-files/rsa-8192.pkcs8.pem"), too_large);
    let message = allowed.verifying_key(file("key-files/rsa-512.spki.pem")).expect_err("refused").to_string();
    assert_eq!(message, too_small.replace("the signing key", "the provider's public key"));
}

#[test]
fn what_is_broken_is_said_to_be() {
    let pem = text("keys/partner.pkcs8.pem");
    let der = file("key-files/partner.pkcs8.der");
    let no_key = "it is neither PEM, base64 nor DER of a private key";
    let no_end = "its PEM block has no `-----END` line; it may be cut short";
    let not_base64 = "its PEM block does not hold base64";
    let cut = "it decodes, but not to a private key; it may be damaged or cut short";
    let utf16 = "it is text in UTF-16; save it as UTF-8 or ASCII";
    let quoted = "it stands in quotes; leave them off";
    let cut_base64 = "it is the base64 of a PEM file, and damaged or cut short";
    let cut_pem =
        "it is the base64 of a PEM file, and in that its PEM block has no `-----END` line; it may be cut short";
    let end = pem.find("-----END").expect("a last line");
    for (how, input, message) in [
        ("empty", b"".to_vec(), "it is empty"),
        ("blank", b" \r\n\t\n".to_vec(), "it is empty"),
        ("a byte order mark alone", "\u{feff}".into(), "it is empty"),
        ("words", b"correct horse battery staple!".to_vec(), no_key),
        ("a path", b"/etc/partner/private_key.pem".to_vec(), no_key),
        ("bytes", vec![0xff, 0x00, 0x80], no_key),
        ("one DER tag", vec![0x30], no_key),
        ("base64 of something else", STANDARD.encode("a password").into_bytes(), cut),
        ("DER of something else", vec![0x30, 0x03, 0x02, 0x01, 0x00], cut),
        ("UTF-16 without its mark", pem.bytes().flat_map(|byte| [byte, 0]).collect(), utf16),
        ("UTF-16, big end first", pem.bytes().flat_map(|byte| [0, byte]).collect(), utf16),
        ("base64 in quotes", format!("'{}'", body(&pem).replace('\n', "")).into_bytes(), quoted),
        ("base64 of the whole, cut", STANDARD.encode(&pem).as_bytes()[..801].to_vec(), cut_base64),
        ("base64 of the whole, cut where it decodes", STANDARD.encode(&pem).as_bytes()[..800].to_vec(), cut_pem),
        (
            "base64 of the whole, damaged",
            STANDARD.encode(&pem).replacen("LS0tLS1CRUdJTi", "LS0tLS1CRUdJTi*", 1).into_bytes(),
            cut_base64,
        ),
        ("cut in the first line", b"-----BEGIN PRIV".to_vec(), "its PEM block is damaged"),
        ("cut in the base64", pem.as_bytes()[..end / 2].to_vec(), no_end),
        ("cut before the last line", pem.as_bytes()[..end].to_vec(), no_end),
        ("without the first line", pem.as_bytes()[28..].to_vec(), no_key),
        ("a missing line", [&pem.as_bytes()[..28 + 65], &pem.as_bytes()[28 + 2 * 65..]].concat(), cut),
        ("a foreign character", pem.replacen("\nMI", "\nM*", 1).into_bytes(), not_base64),
        ("a PEM block with nothing in it", b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----".to_vec(), cut),
        ("DER cut short", der[..der.len() - 1].to_vec(), cut),
        ("DER cut to its head", der[..4].to_vec(), cut),
        ("DER with a line end after it", [&der[..], b"\n"].concat(), cut),
        ("base64 cut short", body(&pem).as_bytes()[..800].to_vec(), cut),
    ] {
        assert_eq!(as_signing_key(&input), message, "{how}");
    }
    let public = text("keys/partner.spki.pem");
    for (input, message) in [
        (&public.as_bytes()[..200], no_end),
        (&body(&public).as_bytes()[..130], "it decodes, but not to a public key; it may be damaged or cut short"),
        (b"ssh-rsa AAAAB3NzaC1yc2E partner", "it is neither PEM, base64 nor DER of a public key"),
    ] {
        assert_eq!(as_verifying_key(input), message);
    }
}

#[test]
fn a_label_that_nobody_knows_is_not_repeated() {
    let found = "it is PEM of something else, where a private key is needed (PRIVATE KEY or RSA PRIVATE KEY)";
    assert_eq!(as_signing_key(b"-----BEGIN MIIEvQIBADAN-----\nAAAA\n-----END X-----"), found);
    assert_eq!(as_signing_key(b"-----BEGIN \x1b[2J-----\nAAAA\n-----END X-----"), found);
}

#[test]
fn a_private_key_with_a_flipped_bit_is_refused() {
    let der = file("key-files/partner.pkcs1.der");
    for at in 0..der.len() {
        let mut flipped = der.clone();
        flipped[at] ^= 1 << (at % 8);
        assert_ne!(as_signing_key(&flipped), "ok", "byte {at}");
    }
}

/// Most numbers are some public key: what matters is that they are not this one.
#[test]
fn a_public_key_with_a_flipped_bit_is_refused_or_another_key() {
    let (message, signature) = (file("rsa-2048-binary/message.bin"), text("rsa-2048-binary/signature.txt"));
    let der = file("key-files/partner.public.pkcs1.der");
    for at in 0..der.len() {
        let mut flipped = der.clone();
        flipped[at] ^= 1 << (at % 8);
        if as_verifying_key(&flipped) == "ok" {
            for backend in BACKENDS {
                let key = (backend.verifying)(&flipped).expect("loaded a line above");
                assert!(!key.verify_base64(&message, &signature), "byte {at}, {}", backend.name);
            }
        }
    }
}
