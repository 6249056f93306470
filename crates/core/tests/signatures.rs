//! Signatures: what `openssl` makes is what every backend makes and takes, and nothing else is taken.
#![cfg(any(feature = "rsa", feature = "aws-lc-rs"))]

mod backends;

use std::sync::Arc;
use std::time::Duration;

use backends::BACKENDS;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rampauth_core::{Error, Signature, Signer, Verifier};
use rampauth_test_kit::vectors::{self, Case};
use rampauth_test_kit::{keys, vectors_dir};

/// The cases with an RSA signature and the name of each one's key, as `ORIGIN.md` gives it. Keys under 2048 bits, which
/// the backends' common face refuses, are proven with the loading of keys.
fn cases() -> Vec<(Case, &'static str)> {
    let signed = vectors::cases(vectors_dir!()).into_iter().filter(|case| case.has("signature.txt"));
    let with_key = signed.filter_map(|case| match case.name.as_str() {
        "rsa-2048-binary" | "rsa-2048-empty" | "rsa-2048-leading-zero" => Some((case, "partner")),
        "rsa-3072" => Some((case, "rsa-3072")),
        "rsa-4096" => Some((case, "rsa-4096")),
        "rsa-1024" => None,
        other => panic!("which key signed `{other}`?"),
    });
    with_key.collect()
}

fn case(name: &str) -> Case {
    let found = cases().into_iter().map(|(case, _)| case).find(|case| case.name == name);
    found.expect(name)
}

fn key_file(name: &str) -> Vec<u8> {
    std::fs::read(vectors_dir!().join("keys").join(name)).expect(name)
}

#[tokio::test]
async fn every_backend_makes_the_bytes_that_openssl_makes() {
    for (case, key) in cases() {
        for backend in BACKENDS {
            let key = (backend.signing)(&key_file(&format!("{key}.pkcs8.pem"))).expect("a key");
            let signature = key.sign(&case.bytes("message.bin")).await.expect("a signature");
            assert_eq!(
                signature.to_base64().expose_secret(),
                case.text("signature.txt"),
                "{} {}",
                backend.name,
                case.name
            );
            assert_eq!(STANDARD.encode(signature.expose_secret()), case.text("signature.txt"));
        }
    }
}

#[test]
fn every_backend_takes_the_signature_that_openssl_made_and_no_other() {
    for (case, key) in cases() {
        let (message, encoded) = (case.bytes("message.bin"), case.text("signature.txt"));
        let signature = STANDARD.decode(&encoded).expect("base64");
        for backend in BACKENDS {
            let what = format!("{} {}", backend.name, case.name);
            let key = (backend.verifying)(&key_file(&format!("{key}.spki.pem"))).expect("a key");
            assert!(key.verify(&message, &signature) && key.verify_base64(&message, &encoded), "{what}");

            for at in [0, 1, signature.len() / 2, signature.len() - 1] {
                let mut flipped = signature.clone();
                flipped[at] ^= 1;
                assert!(!key.verify(&message, &flipped), "{what}: bit flipped in byte {at} of the signature");
            }
            for (how, changed) in [
                ("empty", Vec::new()),
                ("without its last byte", signature[..signature.len() - 1].to_vec()),
                ("without its first byte", signature[1..].to_vec()),
                ("a byte longer", [&signature[..], &[0]].concat()),
                ("after a zero", [&[0], &signature[..]].concat()),
                ("twice", [&signature[..], &signature[..]].concat()),
                ("zeros", vec![0; signature.len()]),
                ("ones, over the modulus", vec![0xff; signature.len()]),
                ("its base64", encoded.clone().into_bytes()),
            ] {
                assert!(!key.verify(&message, &changed), "{what}: {how}");
            }
            for (how, other) in [("longer", [&message[..], b"\0"].concat()), ("other", b"needle".to_vec())] {
                assert!(!key.verify(&other, &signature), "{what}: message {how}");
            }
            for at in 0..message.len() {
                let mut flipped = message.clone();
                flipped[at] ^= 0x80;
                assert!(!key.verify(&flipped, &signature), "{what}: bit flipped in byte {at} of the message");
            }
        }
    }
}

#[test]
fn another_key_takes_nothing() {
    for (case, _) in cases() {
        for backend in BACKENDS {
            let other = (backend.verifying)(keys::PROVIDER_SPKI.pem.as_bytes()).expect("a key");
            let taken = other.verify_base64(&case.bytes("message.bin"), &case.text("signature.txt"));
            assert!(!taken, "{} {}", backend.name, case.name);
        }
    }
}

#[test]
fn base64_is_read_to_the_letter() {
    let case = case("rsa-2048-empty");
    let (message, encoded) = (case.bytes("message.bin"), case.text("signature.txt"));
    for backend in BACKENDS {
        let key = (backend.verifying)(keys::PARTNER_SPKI.pem.as_bytes()).expect("a key");
        assert!(key.verify_base64(&message, &encoded));
        let url_safe = encoded.replace('+', "-").replace('/', "_");
        assert_ne!(url_safe, encoded, "the vector must tell the alphabets apart");
        for other in
            ["", "*", &url_safe, encoded.trim_end_matches('='), &format!("{encoded}\n"), &format!(" {encoded}")]
        {
            assert!(!key.verify_base64(&message, other), "{other:?}");
        }
    }
}

/// A key somewhere else: the answer takes a while, and comes on another thread.
#[derive(Debug)]
struct RemoteKey(Box<dyn Signer>);

#[async_trait::async_trait]
impl Signer for RemoteKey {
    async fn sign(&self, message: &[u8]) -> Result<Signature, Error> {
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(5)).await;
        self.0.sign(message).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signer_that_takes_its_time_works_behind_a_shared_pointer() {
    let key = (BACKENDS[0].signing)(keys::PARTNER_PKCS8.pem.as_bytes()).expect("a key");
    let signer: Arc<dyn Signer> = Arc::new(RemoteKey(key));
    let case = case("rsa-2048-binary");
    let message = case.bytes("message.bin");
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            // The shared pointer is a signer too, so that a provider can be given either.
            let (signer, message): (Arc<Arc<dyn Signer>>, _) = (Arc::new(Arc::clone(&signer)), message.clone());
            tokio::spawn(async move { signer.sign(&message).await })
        })
        .collect();
    for task in tasks {
        let signature = task.await.expect("a task that ends").expect("a signature");
        assert_eq!(signature.to_base64().expose_secret(), case.text("signature.txt"));
    }
    let verifier: Arc<dyn Verifier> =
        Arc::from((BACKENDS[0].verifying)(keys::PARTNER_SPKI.pem.as_bytes()).expect("a key"));
    assert!(Arc::new(verifier).verify_base64(&message, &case.text("signature.txt")));
}
