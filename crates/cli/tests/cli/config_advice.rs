//! Secrets and keys as people have them, and advice that helps: examples, nearest names, and paths as they were understood.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rampauth_test_kit::keys;

use crate::broken_config::{card, refresh};
use crate::support::Home;

#[test]
fn files_that_are_no_secret() {
    let home = Home::new(&card("secret_key = { file = \"given\" }"));
    for (content, message) in [
        (&b""[..], "is empty"),
        (b"\n", "is empty"),
        (b"\r\n", "is empty"),
        (b"\xff", "is not UTF-8"),
        (b"s\0e\0c\0", "is text in UTF-16; save it as UTF-8"),
        (b"\"secret\"\n", "stands in quotes, which would be taken for a part of it"),
        (b"secret \n", "starts or ends with white space, which would be taken for a part of it"),
        (b"secret\n\n", "ends in a line end, which would be taken for a part of it"),
        (b"sec\tret", "holds a control character (U+0009)"),
        (&vec![b'x'; 64 * 1024 + 1], "is longer than 64 KiB"),
    ] {
        home.write("given", content);
        let place = "failed to read the configuration: profile `card`, key `secret_key` (rampauth.toml:5)";
        assert_eq!(refresh(&home, "card").refusal(), format!("{place}: the file that it names {message}"));
    }
    home.write("given", "\u{feff}secret\r\n");
    assert_eq!(refresh(&home, "card").code, 6);
    home.write("given", vec![b'x'; 64 * 1024]);
    assert_eq!(refresh(&home, "card").code, 6);
}

#[test]
fn a_file_that_cannot_be_read_is_named_as_it_was_understood() {
    for (written, help) in [
        ("~/partner.pem", "`~` is not expanded: write the whole path"),
        ("${HOME}/partner.pem", "variables in a path are not expanded"),
        ("keys/partner.pem", "paths are relative to the folder of the configuration"),
    ] {
        let home = Home::new("");
        fs::create_dir(home.path().join("inside")).expect("a folder");
        home.write("inside/rampauth.toml", card(&format!("signing_key = {{ file = \"{written}\" }}")));
        home.write("inside/secret.txt", "s");
        let done = home.run(&["--config", "inside/rampauth.toml", "sign", "card", "--json"]).done();
        let message = format!(
            "failed to read the configuration: profile `card`, key `signing_key` (inside/rampauth.toml:6): the file that it \
             names, `inside/{written}`, cannot be read"
        );
        assert_eq!(done.refusal(), message);
        let error = done.error();
        assert!(error["help"].as_str().expect("a text").starts_with(help), "{error}");
    }
}

#[test]
fn a_path_that_a_shell_left_as_it_is_is_named_in_arguments_too() {
    let home = Home::at("http://127.0.0.1:9");
    let no_tilde = "`~` is not expanded: write the whole path";
    for (arguments, help) in [
        (&["status", "--config=~/rampauth.toml"][..], no_tilde),
        (&["refresh", "card", "--file=~/card.json"], no_tilde),
        (&["refresh", "card", "--file=$HOME/card.json"], "variables in a path are not expanded: write the whole path"),
        (&["verify", "payby", "--signature-file=~/signature"], no_tilde),
    ] {
        let error = home.run(&[arguments, &["--json"]].concat()).done().error();
        assert_eq!(error["help"], help, "{arguments:?}");
    }
}

#[test]
fn advice_is_an_example() {
    let help = |config: &str| refresh(&Home::new(config), "card").error()["help"].as_str().expect("a text").to_owned();
    assert_eq!(help(&card("partner_code = 7")), "write, for example: partner_code = \"zencardtest\"");
    assert_eq!(help(&card("timeout_seconds = 0")), "write, for example: timeout_seconds = 30");
    let onboard = "[profile.card]\nprovider = \"onboard\"\nenvironment = \"production\"\n";
    assert_eq!(help(onboard), "write, for example: environment = \"staging\"");
    // The example would be what stands there already.
    let home = Home::new(&card("signing_key = { file = \"given\" }"));
    for (content, advice) in [
        ("", "put the secret alone there, without anything around it"),
        ("not a key", "give your own private RSA key of 2048 to 4096 bits there: PEM, base64 or DER"),
    ] {
        home.write("given", content);
        assert_eq!(refresh(&home, "card").error()["help"], advice);
    }
    let not_set = help(&card("secret_key = { env = \"RAMPAUTH_TEST_UNSET\" }"));
    assert_eq!(not_set, "set the variable where this command runs, or name a file: { file = \"PATH\" }");
    let small = fs::read(keys::PARTNER_PKCS8.path().with_file_name("rsa-1024.pkcs8.pem")).expect("a small key");
    let home = Home::new(&card("signing_key = { file = \"small.pem\" }"));
    home.write("small.pem", small);
    let done = refresh(&home, "card");
    let (refusal, error) = (done.refusal(), done.error());
    assert!(refusal.ends_with("it has 1024 bits, which is under 2048"), "{refusal}");
    let advice = error["help"].as_str().expect("a text");
    assert!(advice.contains("openssl genpkey") && !advice.contains("allow_small_keys"), "{advice}");
}

#[test]
fn the_nearest_profile_is_named() {
    let refusal = refresh(&Home::new(&card("")), "crad").refusal();
    let message = "there is no profile `crad` in rampauth.toml; perhaps `card`; it has card";
    assert_eq!(refusal, format!("failed to read the configuration: {message}"));
}

#[test]
fn a_key_is_read_from_a_variable_as_ci_systems_keep_it() {
    let sign = |key: &str| {
        let home = Home::new(&card("signing_key = { env = \"KEY\" }"));
        home.run(&["sign", "card", "--reveal", "--json"]).env("KEY", key).done().json()
    };
    let pem = keys::PARTNER_PKCS8.pem;
    let expected = sign(pem);
    for key in [pem.replace('\n', "\\n"), pem.replace('\n', "\r\n"), STANDARD.encode(pem), format!("\u{feff}{pem}")] {
        assert_eq!(sign(&key), expected);
    }
    let home = Home::new(&card("signing_key = { file = \"-----BEGIN PRIVATE KEY-----\" }"));
    let refusal = refresh(&home, "card").refusal();
    assert!(refusal.ends_with("it holds a key itself, where the path of a file belongs"), "{refusal}");
}
