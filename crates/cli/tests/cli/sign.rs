//! `sign`: the text and the signature, masked and not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rampauth_core::{RsaVerifyingKey, Verifier as _};
use rampauth_test_kit::keys;
use serde_json::{Value, json};

use crate::support::{Home, SECRET_KEY};

fn home() -> Home {
    Home::at("http://127.0.0.1:9")
}

/// Fails unless the signature shown is the partner's over the text shown.
#[track_caller]
fn assert_signed(shown: &Value) {
    let key = RsaVerifyingKey::parse(keys::PARTNER_SPKI.pem).expect("a key");
    let text = |name: &str| shown[name].as_str().expect("a text");
    assert!(key.verify_base64(text("stringToSign").as_bytes(), text("signature")), "{shown}");
}

#[test]
fn alix_signs_texts_of_the_configuration() {
    let home = home();
    for (profile, masked, revealed) in [
        ("card", "zencardtest|***", format!("zencardtest|{SECRET_KEY}")),
        ("ramp", "zencardtest|Jane@example.com|***", format!("zencardtest|Jane@example.com|{SECRET_KEY}")),
    ] {
        let shown = home.run(&["sign", profile, "--json"]).done().json();
        assert_eq!(shown, json!({"stringToSign": masked, "signature": "***", "algorithm": "RSA-SHA256"}));
        let shown = home.run(&["sign", profile, "--json", "--reveal"]).done().json();
        assert_eq!(shown["stringToSign"], revealed);
        assert_signed(&shown);
    }
    let text = home.run(&["sign", "card"]).stdin("not read").done().output();
    insta::assert_snapshot!(text, @r"
    stringToSign: zencardtest|***
    signature:    ***
    algorithm:    RSA-SHA256
    ");
}

#[test]
fn payby_signs_the_exact_body_given() {
    let home = home();
    let body = "{ \"partnerId\":\"20\", \"bizContent\" : {\"subject\":\"é\",\"refreshToken\":\"hunter2\"}}\n";
    let shown = home.run(&["sign", "payby", "--json"]).stdin(body).done().json();
    let masked = body.replace("hunter2", "***");
    assert_eq!(shown, json!({"stringToSign": masked, "signature": "***", "algorithm": "RSA-SHA256"}));
    let shown = home.run(&["sign", "payby", "--json", "--reveal"]).stdin(body).done().json();
    assert_eq!(shown["stringToSign"], body);
    assert_signed(&shown);
    let refusal = home.run(&["sign", "payby", "--json"]).stdin(b"\xff").done().refusal();
    assert_eq!(refusal, "failed to sign the body: it is not UTF-8");
}

#[test]
fn payby_without_a_body_signs_what_it_would_send() {
    let home = home();
    let shown = home.run(&["sign", "payby", "--json", "--reveal"]).done().json();
    assert_signed(&shown);
    let mut body: Value = serde_json::from_str(shown["stringToSign"].as_str().expect("a text")).expect("JSON");
    assert!(body["requestTime"].take().is_u64());
    let content = json!({"merchantOrderNo": "M1", "subject": "iPhone", "refreshToken": "***"});
    assert_eq!(body, json!({"requestTime": null, "partnerId": "200001200101", "bizContent": content}));
    assert_eq!(home.run(&["sign", "payby", "--json"]).stdin("").done().json()["signature"], "***");
}

#[test]
fn the_other_calls_are_not_signed() {
    for profile in ["user", "onboard"] {
        let refusal = home().run(&["sign", profile, "--json"]).done().refusal();
        assert_eq!(
            refusal,
            "failed to sign: this provider's refresh call is not signed: the token is all that it takes"
        );
    }
}

#[test]
fn one_line_end_of_a_secret_file_is_dropped_and_nothing_of_a_variable() {
    let home = home();
    let shown = |home: &Home| home.run(&["sign", "card", "--json", "--reveal"]).done().json()["stringToSign"].clone();
    for (file, secret) in [("s", "s"), ("s\n", "s"), ("s\r\n", "s"), ("\u{feff}s\n", "s"), ("s s", "s s")] {
        home.write("secret.txt", file);
        assert_eq!(shown(&home), format!("zencardtest|{secret}"), "{file:?}");
    }
    let config = crate::support::profiles("http://127.0.0.1:9");
    home.write("rampauth.toml", config.replace("{ file = \"secret.txt\" }", "{ env = \"SECRET\" }"));
    let run = home.run(&["sign", "card", "--json", "--reveal"]).env("SECRET", "s\n");
    let refusal = run.done().refusal();
    assert!(
        refusal.ends_with("names, `SECRET`, ends in a line end, which would be taken for a part of it"),
        "{refusal}"
    );
}

#[test]
fn keys_are_taken_in_each_of_their_forms() {
    let home = home();
    let sign = || home.run(&["sign", "card", "--json", "--reveal"]).done().json();
    let expected = sign();
    let base64: String = keys::PARTNER_PKCS8.pem.lines().filter(|line| !line.starts_with("---")).collect();
    let der = STANDARD.decode(&base64).expect("base64");
    for key in [keys::PARTNER_PKCS1.pem.replace('\n', "\r\n").into_bytes(), base64.clone().into_bytes(), der] {
        home.write("partner.pem", key);
        assert_eq!(sign(), expected);
    }
    let config = crate::support::profiles("http://127.0.0.1:9");
    home.write("rampauth.toml", config.replace("{ file = \"partner.pem\" }", "{ env = \"KEY\" }"));
    assert_eq!(home.run(&["sign", "card", "--json", "--reveal"]).env("KEY", base64).done().json(), expected);
}
