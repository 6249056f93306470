//! `verify`: good and bad signatures of a provider.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rampauth_core::{RsaSigningKey, Signer as _};
use rampauth_test_kit::keys;
use serde_json::json;

use crate::support::{Done, Home, SECRET_KEY, profiles};

const BODY: &str = "{\"head\": {\"code\":\"0\"}}\n";

fn sign(text: &str) -> String {
    let key = RsaSigningKey::parse(keys::PROVIDER_PKCS8.pem).expect("a key");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let signature = runtime.block_on(key.sign(text.as_bytes())).expect("a signature");
    signature.to_base64().expose_secret().to_owned()
}

fn verify(home: &Home, profile: &str, signature: &str, stdin: Option<&str>) -> Done {
    home.write("signature.txt", signature);
    let run = home.run(&["verify", profile, "--signature-file", "signature.txt", "--json"]);
    match stdin {
        Some(body) => run.stdin(body).done(),
        None => run.done(),
    }
}

#[track_caller]
fn assert_bad(done: &Done) {
    let error = done.error();
    assert_eq!((done.code, &error["kind"], &error["outcome"]), (7, &json!("untrusted"), &json!("not_sent")));
    assert_eq!(error["message"], "failed to verify: the signature is not this provider's");
}

#[test]
fn payby_over_the_exact_body() {
    let home = Home::at("http://127.0.0.1:9");
    let signature = sign(BODY);
    for file in [signature.clone(), format!("{signature}\r\n")] {
        assert_eq!(verify(&home, "payby", &file, Some(BODY)).output(), "{\"valid\":true}\n");
    }
    assert_bad(&verify(&home, "payby", &signature, Some(BODY.trim())));
    assert_bad(&verify(&home, "payby", &sign("else"), Some(BODY)));
    let lines: String =
        signature.as_bytes().chunks(76).map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect();
    assert_eq!(verify(&home, "payby", &lines, Some(BODY)).output(), "{\"valid\":true}\n");
    let url = signature.replace('+', "-").replace('/', "_");
    for (file, reason) in [
        ("not base64 !".to_owned(), "it holds white space; a `+` may have become a space, as it does in a URL"),
        (format!("\"{signature}\""), "it stands in quotes; leave them off"),
        (format!("-_{}", &url[2..]), "it is base64url (`-` and `_`), not standard base64 (`+` and `/`)"),
        ("0f".repeat(256), "it is written in hexadecimal digits, not in base64"),
    ] {
        let refusal = verify(&home, "payby", &file, Some(BODY)).refusal();
        assert_eq!(refusal, format!("failed to read the signature file: {reason}"));
    }
    for empty in [None, Some("")] {
        assert_eq!(verify(&home, "payby", &signature, empty).refusal(), "failed to verify: the body is missing");
    }
    let long = "x".repeat(1024 * 1024 + 1);
    let refusal = verify(&home, "payby", &signature, Some(&long)).refusal();
    assert_eq!(refusal, "failed to read standard input: it is longer than 1 MiB");
}

#[test]
fn alix_on_off_ramp_without_a_body() {
    let home = Home::at("http://127.0.0.1:9");
    assert_eq!(verify(&home, "ramp", &sign(SECRET_KEY), None).json(), json!({"valid": true}));
    assert_bad(&verify(&home, "ramp", &sign("else"), None));
    let config = profiles("http://127.0.0.1:9").replacen("provider_public_key = { file = \"alix.pub.pem\" }\n", "", 1);
    home.write("rampauth.toml", config);
    let refusal = verify(&home, "ramp", &sign(SECRET_KEY), None).refusal();
    let missing = "profile `ramp`, key `provider_public_key` (rampauth.toml:14): it is missing, and needed to verify";
    assert_eq!(refusal, format!("failed to read the configuration: {missing}"));
}

#[test]
fn the_others_do_not_sign() {
    let home = Home::at("http://127.0.0.1:9");
    for profile in ["card", "user", "onboard"] {
        let refusal = verify(&home, profile, &sign("else"), Some(BODY)).refusal();
        assert_eq!(refusal, "failed to verify: this provider does not sign its answers");
    }
}

#[test]
fn a_signature_file_that_is_none() {
    let home = Home::at("http://127.0.0.1:9");
    let read = "failed to read the signature file";
    assert_eq!(verify(&home, "payby", "\n", Some(BODY)).refusal(), format!("{read}: it is empty"));
    home.write("signature.bin", [0x80; 256]);
    let run = home.run(&["verify", "payby", "--signature-file", "signature.bin", "--json"]);
    let refusal = run.stdin(BODY).done().refusal();
    assert_eq!(refusal, format!("{read}: it is not text; write the base64 of these bytes"));
    let cut = STANDARD.encode(&STANDARD.decode(sign(BODY)).expect("base64")[..100]);
    let short = "it is base64 of fewer or more bytes than any RSA signature has; it may be cut short";
    assert_eq!(verify(&home, "payby", &cut, Some(BODY)).refusal(), format!("{read}: {short}"));
    let long = "A".repeat(8 * 1024 + 1);
    assert_eq!(verify(&home, "payby", &long, Some(BODY)).refusal(), format!("{read}: it is longer than 8 KiB"));
    let run = home.run(&["verify", "payby", "--signature-file", "nowhere", "--json"]);
    let refusal = run.stdin(BODY).done().refusal();
    assert_eq!(refusal, format!("{read}: nowhere cannot be read"));
}
