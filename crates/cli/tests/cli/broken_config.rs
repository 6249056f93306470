//! What is wrong with a configuration, one mistake at a time: named by profile and key, before anything is sent.

use std::fs;

use rampauth_test_kit::keys;
use rampauth_test_kit::scripted::{Script, ScriptedServer};

use crate::support::{Done, Home, profiles};

const TOKENS: &str = r#"{"accessToken":"a","refreshToken":"r"}"#;

/// A valid profile, its lines 2 to 6; what is in braces is replaced in each case.
const CARD: [(&str, &str); 5] = [
    ("provider", "\"alix-card\""),
    ("base_url", "\"http://127.0.0.1:9\""),
    ("partner_code", "\"zencardtest\""),
    ("secret_key", "{ file = \"secret.txt\" }"),
    ("signing_key", "{ file = \"partner.pem\" }"),
];

/// The profile with one line replaced, left out (an empty one), or added.
pub(crate) fn card(change: &str) -> String {
    let changed = change.split(' ').next().unwrap_or_default();
    let mut text = "[profile.card]\n".to_owned();
    for (key, value) in CARD {
        if key != changed {
            text.push_str(&format!("{key} = {value}\n"));
        } else {
            text.push_str(&format!("{change}\n"));
        }
    }
    if CARD.iter().all(|(key, _)| *key != changed) {
        text.push_str(&format!("{change}\n"));
    }
    text
}

pub(crate) fn refresh(home: &Home, profile: &str) -> Done {
    home.run(&["refresh", profile, "--json"]).env("EMPTY", "").stdin(TOKENS).done()
}

#[track_caller]
fn assert_refused(config: &str, profile: &str, message: &str) {
    let refusal = refresh(&Home::new(config), profile).refusal();
    assert_eq!(refusal, format!("failed to read the configuration: {message}"), "{config}");
}

#[test]
fn the_profile_is_valid_before_it_is_broken() {
    let done = refresh(&Home::new(&card("")), "card");
    assert_eq!((done.code, &done.error()["kind"]), (6, &"unreachable".into()));
}

#[test]
fn one_mistake_in_a_profile() {
    let public = "it is PEM of `PUBLIC KEY`, where a private key is needed (PRIVATE KEY or RSA PRIVATE KEY)";
    let every = "key `refresh_at_least_every_seconds` (rampauth.toml:7): it is not a whole number from 60 to 31536000";
    let warning = "key `expiry_warning_seconds` (rampauth.toml:7): it is not a whole number from 0 to 31536000";
    let timeout = "key `timeout_seconds` (rampauth.toml:7): it is not a whole number from 1 to 300";
    let loopback = "plain http is only for this machine (127.0.0.0/8, [::1], localhost); use https";
    let one_of = "it takes exactly one of `env` and `file`";
    for (change, message) in [
        ("hunter2 = 1", "key `hunter2` (rampauth.toml:7): there is no such key here"),
        ("email = \"jane@example.com\"", "key `email` (rampauth.toml:7): there is no such key here"),
        (
            "provider = \"hunter2\"",
            "key `provider` (rampauth.toml:2): it is none of alix-card, alix-on-off-ramp, transak-user, payby, onboard",
        ),
        ("provider = true", "key `provider` (rampauth.toml:2): it is not a text in quotes"),
        ("base_url = \"http://example.com\"", &format!("key `base_url` (rampauth.toml:3): {loopback}")),
        ("base_url = \"http://127.0.0.1.example.com\"", &format!("key `base_url` (rampauth.toml:3): {loopback}")),
        (
            "base_url = \"https://jane:hunter2@example.com\"",
            "key `base_url` (rampauth.toml:3): it holds a user name or password; leave that out",
        ),
        (
            "base_url = \"https://example.com/?x\"",
            "key `base_url` (rampauth.toml:3): it has a query (`?…`); leave that out",
        ),
        (
            "base_url = \"https://example.com/#x\"",
            "key `base_url` (rampauth.toml:3): it has a fragment (`#…`); leave that out",
        ),
        ("base_url = [\"https://example.com\"]", "key `base_url` (rampauth.toml:3): it is not a text in quotes"),
        (
            "environment = \"sandbox\"",
            "key `base_url` (rampauth.toml:3): there is `environment` too; keep one of the two",
        ),
        (
            "provider = \"alix-crad\"",
            "key `provider` (rampauth.toml:2): it is none of alix-card, alix-on-off-ramp, transak-user, payby, onboard; \
             perhaps `alix-card`",
        ),
        ("secret_kye = 1", "key `secret_kye` (rampauth.toml:7): there is no such key here; perhaps `secret_key`"),
        (
            "user_email = \"a|b\"",
            "key `user_email` (rampauth.toml:7): it holds a `|`, which separates the parts of the string to sign",
        ),
        ("partner_code = 7", "key `partner_code` (rampauth.toml:4): it is not a text in quotes"),
        ("partner_code = \"\"", "key `partner_code` (rampauth.toml:4): it is empty"),
        (
            "partner_code = \"a|b\"",
            "key `partner_code` (rampauth.toml:4): it holds a `|`, which separates the parts of the string to sign",
        ),
        (
            "secret_key = \"hunter2\"",
            "key `secret_key` (rampauth.toml:5): it is given inline, where a secret must not stand",
        ),
        (
            "secret_key = [\"hunter2\"]",
            "key `secret_key` (rampauth.toml:5): it is given inline, where a secret must not stand",
        ),
        ("secret_key = { value = \"hunter2\" }", &format!("key `secret_key` (rampauth.toml:5): {one_of}")),
        ("secret_key = {}", &format!("key `secret_key` (rampauth.toml:5): {one_of}")),
        ("secret_key = { env = \"A\", file = \"b\" }", &format!("key `secret_key` (rampauth.toml:5): {one_of}")),
        ("secret_key = { env = 7 }", "key `secret_key` (rampauth.toml:5): `env` and `file` take a text in quotes"),
        ("secret_key = { env = \"\" }", "key `secret_key` (rampauth.toml:5): the name in it is empty"),
        ("secret_key = { env = \"A=B\" }", "key `secret_key` (rampauth.toml:5): no variable can have the name in it"),
        (
            "secret_key = { env = \"$SECRET\" }",
            "key `secret_key` (rampauth.toml:5): the name in it begins with `$`, which is no part of a variable's name",
        ),
        // It could be the secret itself.
        (
            "secret_key = { env = \"hunter2\" }",
            "key `secret_key` (rampauth.toml:5): the environment variable that it names is not set",
        ),
        (
            "secret_key = { env = \"AKIAIOSFODNN7EXAMPLE\" }",
            "key `secret_key` (rampauth.toml:5): the environment variable that it names is not set",
        ),
        (
            "secret_key = { env = \"RAMPAUTH_TEST_UNSET\" }",
            "key `secret_key` (rampauth.toml:5): the environment variable that it names, `RAMPAUTH_TEST_UNSET`, is not set",
        ),
        (
            "secret_key = { env = \"EMPTY\" }",
            "key `secret_key` (rampauth.toml:5): the environment variable that it names, `EMPTY`, is empty",
        ),
        (
            "secret_key = { file = \"nowhere\" }",
            "key `secret_key` (rampauth.toml:5): the file that it names, `nowhere`, cannot be read",
        ),
        (
            "signing_key = \"partner.pem\"",
            "key `signing_key` (rampauth.toml:6): it is given inline, where a secret must not stand",
        ),
        (
            "signing_key = { file = \"nowhere.pem\" }",
            "key `signing_key` (rampauth.toml:6): the file that it names, `nowhere.pem`, cannot be read",
        ),
        ("signing_key = { file = \"alix.pub.pem\" }", &format!("key `signing_key` (rampauth.toml:6): {public}")),
        (
            "signing_key = { file = \"secret.txt\" }",
            "key `signing_key` (rampauth.toml:6): it is neither PEM, base64 nor DER of a private key",
        ),
        ("timeout_seconds = 0", timeout),
        ("timeout_seconds = 301", timeout),
        ("timeout_seconds = -1", timeout),
        ("timeout_seconds = 1.5", timeout),
        ("timeout_seconds = \"30\"", timeout),
        ("timeout_seconds = 99999999999999999999", timeout),
        ("refresh_at_least_every_seconds = 59", every),
        ("refresh_at_least_every_seconds = 31536001", every),
        ("refresh_at_least_every_seconds = \"3600\"", every),
        ("expiry_warning_seconds = -1", warning),
        ("expiry_warning_seconds = 31536001", warning),
        ("expiry_warning_seconds = false", warning),
    ] {
        assert_refused(&card(change), "card", &format!("profile `card`, {message}"));
    }
}

#[test]
fn a_key_that_is_missing() {
    for (left_out, message) in [
        ("provider ", ", key `provider` (rampauth.toml:1): it is missing"),
        ("base_url ", " (rampauth.toml:1): it needs one of `environment` and `base_url`"),
        ("partner_code ", ", key `partner_code` (rampauth.toml:1): it is missing"),
        ("secret_key ", ", key `secret_key` (rampauth.toml:1): it is missing"),
        ("signing_key ", ", key `signing_key` (rampauth.toml:1): it is missing"),
    ] {
        assert_refused(&card(left_out).replace(left_out, ""), "card", &format!("profile `card`{message}"));
    }
}

#[test]
fn one_mistake_elsewhere() {
    for (config, message) in [
        ("", "there is no profile `card` in rampauth.toml; it has no profile at all"),
        ("profiles = 1\n", "top level, key `profiles` (rampauth.toml:1): there is no such key here; perhaps `profile`"),
        ("\nprofile = []\n", "top level, key `profile` (rampauth.toml:2): it is not a table"),
        ("[profile.\"\"]\nprovider = \"onboard\"\n", "profile `` (rampauth.toml:1): a profile needs a name"),
        ("[profile]\ncard = 1\n", "profile `card` (rampauth.toml:2): it is not a table, written `[profile.card]`"),
        (
            "store = \"mysql://jane:hunter2@host\"\n",
            "top level, key `store` (rampauth.toml:1): it is no store that is known; write `sqlite:FILE`",
        ),
        ("store = \"sqlite:\"\n", "top level, key `store` (rampauth.toml:1): it names no file; write `sqlite:FILE`"),
        (
            "store = \"sqlite://rampauth.db\"\n",
            "top level, key `store` (rampauth.toml:1): what follows `//` is read as a host; write `sqlite:rampauth.db`",
        ),
        (
            "store = \"sqlite:rampauth.db?mode=rwc\"\n",
            "top level, key `store` (rampauth.toml:1): options after a `?` are not taken; write `sqlite:rampauth.db`",
        ),
        ("store = 7\n", "top level, key `store` (rampauth.toml:1): it is not a text in quotes"),
        (
            "sealing_key = \"hunter2\"\n",
            "top level, key `sealing_key` (rampauth.toml:1): it is given inline, where a secret must not stand",
        ),
        (
            "store = \"memory:\"\nstore = \"memory:\"\n",
            "rampauth.toml:2: key `store` is there twice (first at rampauth.toml:1)",
        ),
        ("# é\nstore = hunter2\n", "rampauth.toml:2: a bare word stands where a text in quotes belongs"),
        ("[profile.card\n", "rampauth.toml:1: a table's name without its closing `]`"),
    ] {
        assert_refused(config, "card", message);
    }
}

#[test]
fn one_mistake_in_the_profile_of_another_provider() {
    let text = profiles("http://127.0.0.1:9");
    for (profile, line, replacement, key, reason) in [
        (
            "ramp",
            "email = \"Jane@example.com\"",
            "email = \"a|b\"",
            "email",
            "it holds a `|`, which separates the parts of the string to sign",
        ),
        ("ramp", "email = \"Jane@example.com\"", "email = \"a\"\nlang = \"fr\"", "lang", "it is none of en, cn, vi"),
        (
            "user",
            "provider = \"transak-user\"\nbase_url = \"http://127.0.0.1:9\"",
            "provider = \"transak-user\"\nenvironment = \"sandbox\"",
            "environment",
            "this provider's are staging, production",
        ),
        (
            "onboard",
            "provider = \"onboard\"\nbase_url = \"http://127.0.0.1:9\"",
            "provider = \"onboard\"\nenvironment = \"production\"",
            "environment",
            "this provider's are staging",
        ),
        ("onboard", "user_id = \"u-1\"", "user_id = \"\"", "user_id", "it is empty"),
        (
            "payby",
            "subject = \"iPhone\"",
            "subject = \"thirteen chars\"",
            "subject",
            "it has 14 characters; at most 12 are allowed",
        ),
        (
            "payby",
            "partner_id = \"200001200101\"",
            "partner_id = \"2000012001011\"",
            "partner_id",
            "it has 13 characters; at most 12 are allowed",
        ),
        (
            "payby",
            "subject = \"iPhone\"",
            "content_language = \"englishness\"",
            "content_language",
            "it has 11 characters; at most 10 are allowed",
        ),
        (
            "payby",
            "subject = \"iPhone\"",
            "send_partner_id = \"yes\"",
            "send_partner_id",
            "it is neither true nor false",
        ),
        (
            "payby",
            "subject = \"iPhone\"",
            "refresh_token_field = \"subject\"",
            "refresh_token_field",
            "it is the name of another field of the body",
        ),
    ] {
        assert!(text.contains(line), "{line}");
        let broken = text.replace(line, replacement);
        let start = broken.find(&format!("[profile.{profile}]")).expect("the profile");
        let at = start + broken[start..].find(&format!("\n{key} =")).expect("the key") + 1;
        let number = broken[..at].lines().count() + 1;
        // The whole file is refused, whichever profile is asked for.
        let message = format!("profile `{profile}`, key `{key}` (rampauth.toml:{number}): {reason}");
        assert_refused(&broken, "card", &message);
    }
}

#[test]
fn the_environments_are_the_providers_own() {
    for (profile, environments) in [
        ("card", &["sandbox", "production"][..]),
        ("ramp", &["sandbox", "production"]),
        ("user", &["staging", "production"]),
        ("payby", &["staging", "production"]),
        ("onboard", &["staging"]),
    ] {
        for environment in environments {
            let text = profiles("http://127.0.0.1:9");
            let text = text.replace("base_url = \"http://127.0.0.1:9\"", "environment = \"none\"");
            let start = text.find(&format!("[profile.{profile}]")).expect("the profile");
            let end = text[start..].find("\n[profile").map_or(text.len(), |length| start + length);
            let valid = text[start..end].replace("none", environment);
            let refusal = refresh(&Home::new(&valid), "nope").refusal();
            assert!(refusal.ends_with(&format!("it has {profile}")), "{refusal}");
        }
    }
}

#[test]
fn files_that_are_no_configuration() {
    let home = Home::new("");
    let load = |name: &str| home.run(&["--config", name, "sign", "card", "--json"]).done().refusal();
    home.write("bytes.toml", b"\xff");
    home.write("long.toml", vec![b'#'; 1024 * 1024 + 1]);
    fs::create_dir(home.path().join("folder.toml")).expect("a folder");
    let read = "failed to read the configuration";
    assert_eq!(load("nowhere.toml"), format!("{read}: nowhere.toml cannot be read"));
    assert_eq!(load("folder.toml"), format!("{read}: folder.toml cannot be read"));
    let utf16 = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    home.write("utf16.toml", utf16("\u{feff}[profile.card]\n"));
    assert_eq!(load("utf16.toml"), format!("{read}: utf16.toml is text in UTF-16; save it as UTF-8"));
    home.write("mark.toml", format!("\u{feff}{}", card("")));
    home.write("no-mark.toml", card(""));
    let signed = |name: &str| home.run(&["--config", name, "sign", "card", "--json"]).done().json();
    assert_eq!(signed("mark.toml"), signed("no-mark.toml"));
    assert_eq!(load("bytes.toml"), format!("{read}: bytes.toml is not UTF-8"));
    assert_eq!(load("long.toml"), format!("{read}: long.toml is longer than 1 MiB"));
}

#[test]
fn the_file_is_found_by_argument_then_variable_then_name() {
    let home = Home::new("[profile.by-name]\nprovider = \"onboard\"\nenvironment = \"staging\"\n");
    for name in ["by-variable", "by-argument"] {
        home.write(name, format!("[profile.{name}]\nprovider = \"onboard\"\nenvironment = \"staging\"\n"));
    }
    let seen = |arguments: &[&str], variable: &str| {
        let refusal = home.run(arguments).env("RAMPAUTH_CONFIG", variable).done().refusal();
        refusal.rsplit(' ').next().expect("a word").to_owned()
    };
    assert_eq!(seen(&["sign", "x", "--json"], ""), "by-name");
    assert_eq!(seen(&["sign", "x", "--json"], "by-variable"), "by-variable");
    assert_eq!(seen(&["--config", "by-argument", "sign", "x", "--json"], "by-variable"), "by-argument");
    assert_eq!(seen(&["sign", "x", "--json", "--config", "by-argument"], "by-variable"), "by-argument");
}

#[test]
fn secrets_are_looked_at_only_where_they_are_needed() {
    let server = ScriptedServer::start(Script::Raw(Vec::new()));
    let text = profiles(&server.url());
    let home = Home::new(
        &text.replace("signing_key = { file = \"partner.pem\" }", "signing_key = { env = \"RAMPAUTH_TEST_UNSET\" }"),
    );
    assert_eq!(refresh(&home, "card").code, 2);
    assert_eq!(server.connections(), 0);
    assert_eq!(refresh(&home, "onboard").code, 5);
    assert_eq!(server.connections(), 1);
}

#[test]
fn paths_are_relative_to_the_file() {
    let home = Home::new("");
    fs::create_dir(home.path().join("inside")).expect("a folder");
    home.write("inside/rampauth.toml", card(""));
    home.write("inside/secret.txt", "s");
    home.write("inside/partner.pem", keys::PARTNER_PKCS1.pem);
    fs::remove_file(home.path().join("partner.pem")).expect("removed");
    let sign = home.run(&["--config", "inside/rampauth.toml", "sign", "card", "--reveal", "--json"]).done().json();
    assert_eq!(sign["stringToSign"], "zencardtest|s");
}
