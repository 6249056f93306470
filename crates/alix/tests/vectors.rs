//! The strings to sign and their signatures, stage by stage, against vectors made with openssl.

use rampauth_alix::{
    Email, PartnerCode, SecretKey, Signer, Verifier, card_string_to_sign, on_off_ramp_string_to_sign,
    response_string_to_sign,
};
use rampauth_core::{RsaSigningKey, RsaVerifyingKey};
use rampauth_test_kit::vectors::{Case, cases};
use rampauth_test_kit::{keys, vectors_dir};

fn input(case: &Case, name: &str) -> String {
    case.json("inputs.json")[name].as_str().expect("a text input").to_owned()
}

fn string_to_sign(case: &Case) -> String {
    let partner_code = || PartnerCode::new(input(case, "partnerCode")).expect("a partner code");
    let secret_key = SecretKey::new(input(case, "secretKey")).expect("a secret key");
    let string = match case.name.as_str() {
        name if name.starts_with("card-refresh") => card_string_to_sign(&partner_code(), &secret_key),
        name if name.starts_with("on-off-ramp-refresh") => {
            let email = Email::new(input(case, "email")).expect("an e-mail address");
            on_off_ramp_string_to_sign(&partner_code(), &email, &secret_key)
        }
        "on-off-ramp-response" => response_string_to_sign(&secret_key),
        name => panic!("the vector {name} is checked by nothing"),
    };
    string.expose_secret().to_owned()
}

/// The vector of the order webhook waits for its code; `cargo xtask vectors` checks it with openssl meanwhile.
fn is_of_a_call(case: &Case) -> bool {
    case.name != "order-webhook"
}

#[test]
fn each_string_to_sign_is_the_vectors() {
    for case in cases(vectors_dir!()).iter().filter(|case| is_of_a_call(case)) {
        assert_eq!(string_to_sign(case), case.text("string-to-sign.txt"), "{}", case.name);
    }
}

#[tokio::test]
async fn each_signature_is_the_vectors() {
    let partner = RsaSigningKey::parse(keys::PARTNER_PKCS8.pem).expect("the partner's key");
    let provider = RsaSigningKey::parse(keys::PROVIDER_PKCS8.pem).expect("the provider's key");
    for case in cases(vectors_dir!()).iter().filter(|case| is_of_a_call(case)) {
        let key = if case.name == "on-off-ramp-response" { &provider } else { &partner };
        let signature = key.sign(string_to_sign(case).as_bytes()).await.expect("a signature").to_base64();
        assert_eq!(signature.expose_secret(), case.text("signature.txt"), "{}", case.name);
    }
}

#[test]
fn the_answers_signature_verifies_with_the_providers_key_alone() {
    let case = cases(vectors_dir!()).into_iter().find(|case| case.name == "on-off-ramp-response").expect("the vector");
    let verifies = |pem| {
        let key = RsaVerifyingKey::parse(pem).expect("a public key");
        key.verify_base64(string_to_sign(&case).as_bytes(), &case.text("signature.txt"))
    };
    assert!(verifies(keys::PROVIDER_SPKI.pem) && !verifies(keys::PARTNER_SPKI.pem));
}
