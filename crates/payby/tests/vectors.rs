//! Signatures over exact bytes, against vectors made with openssl.

mod common;

use common::{BASE, Canned, Sign, client, credential};
use rampauth_core::{AwsLcSigningKey, AwsLcVerifyingKey, RsaSigningKey, RsaVerifyingKey};
use rampauth_payby::{KEY_CHECK_STRING_TO_SIGN, Signer, Verifier};
use rampauth_test_kit::vectors::{Case, cases};
use rampauth_test_kit::{keys, vectors_dir};

fn all() -> Vec<Case> {
    cases(vectors_dir!())
}

fn case(name: &str) -> Case {
    all().into_iter().find(|case| case.name == name).expect("the vector")
}

fn body(case: &Case) -> Vec<u8> {
    case.bytes(if case.has("body.json") { "body.json" } else { "body.txt" })
}

/// Private and public key of the side that signed.
fn pair(case: &Case) -> (&'static str, &'static str) {
    match case.name.as_str() {
        "response" => (keys::PROVIDER_PKCS8.pem, keys::PROVIDER_SPKI.pem),
        _ => (keys::PARTNER_PKCS8.pem, keys::PARTNER_SPKI.pem),
    }
}

#[tokio::test]
async fn each_signature_is_the_vectors_with_either_backend() {
    for case in all() {
        let (private, public) = pair(&case);
        let expected = case.text("signature.txt");
        let signers: [Box<dyn Signer>; 2] = [
            Box::new(RsaSigningKey::parse(private).expect("a private key")),
            Box::new(AwsLcSigningKey::parse(private).expect("a private key")),
        ];
        for signer in signers {
            let signature = signer.sign(&body(&case)).await.expect("a signature").to_base64();
            assert_eq!(signature.expose_secret(), expected, "{} by {signer:?}", case.name);
        }
        let verifiers: [Box<dyn Verifier>; 2] = [
            Box::new(RsaVerifyingKey::parse(public).expect("a public key")),
            Box::new(AwsLcVerifyingKey::parse(public).expect("a public key")),
        ];
        for verifier in verifiers {
            assert!(verifier.verify_base64(&body(&case), &expected), "{} by {verifier:?}", case.name);
        }
    }
}

#[test]
fn an_answer_verifies_byte_for_byte_with_the_providers_key_alone() {
    let client = client(BASE, Canned::new(200, Sign::Absent, ""));
    let (response, request) = (case("response"), case("request"));
    let (body, signature) = (body(&response), response.text("signature.txt"));
    assert!(client.verify_response(&body, &signature));
    for at in 0..body.len() {
        let mut changed = body.clone();
        changed[at] ^= 1;
        assert!(!client.verify_response(&changed, &signature), "byte {at}");
    }
    assert!(!client.verify_response(&[&body[..], b"\n"].concat(), &signature));
    assert!(!client.verify_response(&request.bytes("body.json"), &request.text("signature.txt")), "the merchant's key");
    for wrong in ["", "?", signature.trim_end_matches('='), &format!("{signature}\n"), &signature.replace('+', "-")] {
        assert!(!client.verify_response(&body, wrong), "{wrong:?}");
    }
}

#[tokio::test]
async fn the_vectors_answer_is_believed_with_its_signature() {
    let case = case("response");
    let signed = |signature: String| Canned::with_headers(200, &[("sign", signature)], case.bytes("body.json"));
    let error =
        client(BASE, signed(case.text("signature.txt"))).refresh(&credential()).await.expect_err("no token in it");
    assert_eq!(
        error.to_string(),
        "failed to refresh the PayBy tokens: the answer has no `accessToken` (status 200, code 0)"
    );
    assert_eq!(error.verified(), Some(true));
}

#[tokio::test]
async fn the_key_check_sends_the_vectors_bytes_and_signature() {
    let case = case("echo");
    assert_eq!(KEY_CHECK_STRING_TO_SIGN, case.text("body.txt"));
    let http = Canned::new(200, Sign::Good, "test echo");
    client(BASE, http.clone()).check_keys().await.expect("both keys fit");
    let [request] = &http.sent()[..] else { panic!("not one request") };
    assert_eq!(request.body(), &case.bytes("body.txt"));
    assert_eq!(request.headers()["sign"], case.text("signature.txt"));
}
