//! The codes that Onboard's login and webhooks carry, made by core's HMAC, against vectors from another implementation.

use rampauth_core::HmacSha256Key;
use rampauth_test_kit::vectors::{Case, cases};
use rampauth_test_kit::vectors_dir;

fn key(case: &Case) -> HmacSha256Key {
    HmacSha256Key::new(case.json("inputs.json")["apiSecret"].as_str().expect("a text").as_bytes())
}

#[test]
fn each_code_is_the_vectors() {
    for case in cases(vectors_dir!()) {
        let message = case.bytes("string-to-sign.txt");
        assert_eq!(key(&case).sign_hex(&message), case.text("signature.txt"), "{}", case.name);
    }
}

#[test]
fn the_vectors_code_verifies_and_no_other_does() {
    for case in cases(vectors_dir!()) {
        let (key, message, hex) = (key(&case), case.bytes("string-to-sign.txt"), case.text("signature.txt"));
        let code: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect();
        assert!(key.verify(&message, &code), "{}", case.name);
        for index in 0..code.len() {
            let mut other = code.clone();
            other[index] ^= 1;
            assert!(!key.verify(&message, &other), "{}, byte {index}", case.name);
        }
        assert!(!key.verify(&message, &code[..31]) && !key.verify(&message, &[]), "{}", case.name);
        assert!(!key.verify(&message[1..], &code), "{}", case.name);
        assert!(!HmacSha256Key::new(b"another secret").verify(&message, &code), "{}", case.name);
    }
}

/// `t=<timestamp>&` and the exact JSON: all of a login call's body, the member `data` of a webhook's.
#[test]
fn each_string_to_sign_is_the_timestamp_and_bytes_of_the_body() {
    for case in cases(vectors_dir!()) {
        let timestamp = case.json("inputs.json")["timestamp"].as_u64().expect("a number");
        let (string, body) = (case.text("string-to-sign.txt"), case.text("body.json"));
        let json = string.strip_prefix(&format!("t={timestamp}&")).expect("the timestamp comes first");
        if case.name == "webhook" {
            assert!(body.contains(&format!(r#""data":{json}"#)), "{}", case.name);
        } else {
            assert_eq!(json, body, "{}", case.name);
        }
    }
}
