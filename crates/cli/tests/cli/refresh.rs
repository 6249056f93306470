//! `refresh` against the sandbox: tokens in, tokens out.

use std::time::Duration;

use rampauth_sandbox::{Call, Sandbox};
use serde_json::{Value, json};

use crate::support::{Done, Home, PROFILES, as_input, sandbox, start};

/// The five profiles for this sandbox, secrets in files and one in the environment.
fn home(sandbox: &Sandbox) -> Home {
    let (credentials, url) = (sandbox.credentials(), sandbox.url());
    let home = Home::new(&format!(
        r#"
[profile.card]
provider = "alix-card"
base_url = "{url}"
partner_code = "{partner_code}"
secret_key = {{ env = "ALIX_SECRET_KEY" }}
signing_key = {{ file = "partner.pem" }}

[profile.ramp]
provider = "alix-on-off-ramp"
base_url = "{url}/"
partner_code = "{partner_code}"
secret_key = {{ env = "ALIX_SECRET_KEY" }}
signing_key = {{ file = "partner.pem" }}
provider_public_key = {{ file = "alix.pub.pem" }}
email = "{email}"
lang = "vi"

[profile.user]
provider = "transak-user"
base_url = "{url}"
api_key = {{ file = "api-key.txt" }}

[profile.payby]
provider = "payby"
base_url = "{url}"
partner_id = "{partner_id}"
signing_key = {{ file = "partner.pem" }}
provider_public_key = {{ file = "payby.pub.pem" }}
merchant_order_no = "M965739182419"
subject = "iPhone"
refresh_token_field = "{field}"
send_partner_id = false

[profile.onboard]
provider = "onboard"
base_url = "{url}"
user_id = "{user_id}"
"#,
        partner_code = credentials.alix.partner_code,
        email = credentials.alix.email,
        partner_id = credentials.payby.partner_id,
        field = credentials.payby.refresh_token_field,
        user_id = credentials.onboard.user_id,
    ));
    home.write("partner.pem", &credentials.alix.signing_key);
    home.write("alix.pub.pem", &credentials.alix.provider_public_key);
    home.write("payby.pub.pem", &credentials.payby.provider_public_key);
    home.write("api-key.txt", &credentials.transak.api_key);
    home
}

fn refresh(home: &Home, sandbox: &Sandbox, profile: &str, stdin: &str) -> Done {
    let secret = &sandbox.credentials().alix.secret_key;
    home.run(&["refresh", profile, "--json"]).env("ALIX_SECRET_KEY", secret).stdin(stdin).done()
}

#[test]
fn every_provider_and_the_output_is_input_again() {
    let sandbox = sandbox();
    let home = home(&sandbox);
    for (profile, call) in PROFILES {
        let issued = sandbox.issue(call);
        let mut presented = as_input(&issued);
        for _ in 0..2 {
            sandbox.advance(Duration::from_secs(1));
            let output = refresh(&home, &sandbox, profile, &presented).output();
            let tokens: Value = serde_json::from_str(&output).expect("JSON");
            let members: Vec<&String> = tokens.as_object().expect("an object").keys().collect();
            assert_eq!(
                members,
                ["accessToken", "accessTokenExpiresAt", "refreshToken", "refreshTokenExpiresAt", "rotated"]
            );
            assert_eq!(tokens["rotated"], true);
            assert_ne!(tokens["accessToken"], json!(issued.access_token));
            let expiry = tokens["accessTokenExpiresAt"].as_str().expect("a time");
            assert!(expiry.len() == 20 && expiry.ends_with('Z'), "{expiry}");
            assert_eq!(tokens["refreshToken"].is_null(), call == Call::TransakUser);
            // Neither PayBy's answer nor that of Alix's on/off-ramp tells an end of the refresh token, and Transak has none.
            let told = !matches!(call, Call::TransakUser | Call::PayBy | Call::AlixOnOffRamp);
            assert_eq!(tokens["refreshTokenExpiresAt"].is_string(), told, "{output}");
            presented = output;
        }
    }
    assert_eq!(sandbox.events().iter().filter(|event| event.status == 200).count(), 10);
}

#[test]
fn the_access_token_may_be_null_or_expired_where_another_is_presented() {
    let sandbox = sandbox();
    let home = home(&sandbox);
    for access in ["null", "\"dead\",\"accessTokenExpiresAt\":\"2020-01-01T00:00:00Z\""] {
        for (profile, call) in PROFILES.into_iter().filter(|(_, call)| *call != Call::TransakUser) {
            let token = sandbox.issue(call).refresh_token.expect("a refresh token");
            let stdin = format!(r#"{{"accessToken":{access},"refreshToken":"{token}","rotated":7,"else":[]}}"#);
            assert_eq!(refresh(&home, &sandbox, profile, &stdin).json()["rotated"], true);
        }
    }
}

#[test]
fn a_refresh_token_past_its_end_is_not_sent_and_neither_is_a_dead_user_token() {
    let sandbox = start(Sandbox::builder().access_lifetime(Duration::ZERO));
    let home = home(&sandbox);
    for (profile, call) in PROFILES {
        let issued = sandbox.issue(call);
        let stdin = json!({"accessToken": issued.access_token, "refreshToken": issued.refresh_token,
            "refreshTokenExpiresAt": "2020-01-01T00:00:00Z"});
        let done = refresh(&home, &sandbox, profile, &stdin.to_string());
        let error = done.error();
        assert_eq!((done.code, &error["kind"], &error["outcome"]), (4, &json!("login_needed"), &json!("not_sent")));
    }
    assert_eq!(sandbox.events().len(), 0);
}

#[test]
fn stdin_is_read_when_it_is_asked_for() {
    let sandbox = sandbox();
    let home = home(&sandbox);
    let secret = &sandbox.credentials().alix.secret_key;
    let run = home.run(&["--json", "refresh", "--stdin", "card"]).env("ALIX_SECRET_KEY", secret);
    assert_eq!(run.stdin(as_input(&sandbox.issue(Call::AlixCard))).done().json()["rotated"], true);
}

#[cfg(target_os = "linux")]
#[test]
fn tokens_that_cannot_be_printed_are_kept_in_a_file() {
    let sandbox = sandbox();
    let home = home(&sandbox);
    let full = std::fs::File::options().write(true).open("/dev/full").expect("the full device");
    let secret = &sandbox.credentials().alix.secret_key;
    let run = home.run(&["refresh", "card", "--json"]).env("ALIX_SECRET_KEY", secret).stdout(full);
    let done = run.stdin(as_input(&sandbox.issue(Call::AlixCard))).done();
    let error = done.error();
    assert_eq!((done.code, &error["kind"], &error["outcome"]), (1, &json!("internal"), &json!("unknown")));
    assert_eq!(sandbox.events().len(), 1);

    // They are kept, and are as good as printed.
    assert!(error["help"].as_str().expect("a text").contains("card.rescued-1.json"), "{error}");
    let rescued = std::fs::read_to_string(home.path().join("card.rescued-1.json")).expect("the tokens");
    assert_eq!(refresh(&home, &sandbox, "card", &rescued).json()["rotated"], true);
}
