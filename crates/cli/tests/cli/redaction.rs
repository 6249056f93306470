//! Secrets stay where they are: needles in every place that can hold one, looked for in all that is printed.

use rampauth_test_kit::needle::Needle;
use rampauth_test_kit::scripted::{Script, ScriptedServer, response};
use serde_json::json;

use crate::support::{Done, Home, Run, profiles};

/// Fails if the run printed the needle, or printed nothing at all.
#[track_caller]
fn assert_silent_about(needle: &Needle, done: &Done) {
    needle.assert_absent_from("standard output", &done.stdout);
    needle.assert_absent_from_nonempty("standard error", &done.stderr);
}

/// The run with errors as text, as JSON, and with everything logged.
fn each_way(run: impl Fn(&[&str]) -> Run) -> impl Iterator<Item = Done> {
    let ways = [run(&[]), run(&["--json"]), run(&["--json"]).env("RAMPAUTH_LOG", "trace")];
    ways.into_iter().map(Run::done)
}

#[test]
fn in_the_configuration() {
    let needle = Needle::new("config");
    let card = |secret: &str| {
        format!(
            "[profile.card]\nprovider = \"alix-card\"\nbase_url = \"http://127.0.0.1:9\"\npartner_code = \"p\"\nsecret_key = {secret}\nsigning_key = {{ file = \"partner.pem\" }}\n"
        )
    };
    let valid = card("{ file = \"secret.txt\" }");
    for config in [
        card(&format!("\"{needle}\"")),
        card(&format!("'''\n{needle}'''")),
        card(&format!("[\"{needle}\"]")),
        card(&format!("{{ env = \"{needle}\" }}")),
        card(&format!("{{ file = \"{needle}\" }}")),
        card(&format!("{{ env = [\"{needle}\"] }}")),
        card(&format!("{{ value = \"{needle}\" }}")),
        card(&format!("{{ {needle} = 1 }}")),
        card(&format!("{{ env = \"{needle}=\" }}")),
        card(&needle.to_string()),
        card(&format!("\"{needle}")),
        format!("{valid}secret_key = \"{needle}\"\n"),
        format!("{valid}api_key = \"{needle}\"\n"),
        format!("{valid}timeout_seconds = \"{needle}\"\n"),
        format!("{valid}environment = \"{needle}\"\n"),
        valid.replace("alix-card", needle.as_str()),
        valid.replace("\"p\"", &format!("\"|{needle}\"")),
        valid.replace("http://127.0.0.1:9", &format!("https://user:{needle}@example.com")),
        valid.replace("http://127.0.0.1:9", &format!("http://example.com/{needle}")),
        valid.replace("http://127.0.0.1:9", &format!("https://example.com/?key={needle}")),
        format!("sealing_key = \"{needle}\"\n{valid}"),
        format!("store = \"mysql://user:{needle}@host\"\n{valid}"),
    ] {
        needle.assert_held_in("the configuration", &config);
        let home = Home::new(&config);
        for done in each_way(|more| home.run(&[&["sign", "card"], more].concat())) {
            assert_eq!(done.code, 2, "{config}");
            assert_silent_about(&needle, &done);
        }
    }
}

#[test]
fn in_a_secret_that_cannot_be_used() {
    let needle = Needle::new("secret");
    let text = profiles("http://127.0.0.1:9")
        .replace("\"transak-user\"\n", "\"transak-user\"\napi_key = { env = \"GIVEN\" }\n");
    let home = Home::new(&text.replace("{ file = \"partner.pem\" }", "{ env = \"GIVEN\" }"));
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{needle}\n-----END PRIVATE KEY-----\n");
    for (profile, value) in [("user", format!("{needle}\n")), ("card", needle.to_string()), ("card", pem)] {
        let stdin = r#"{"accessToken":"a","refreshToken":"r"}"#;
        let run = |more: &[&str]| home.run(&[&["refresh", profile], more].concat()).env("GIVEN", &value).stdin(stdin);
        for done in each_way(run) {
            assert_eq!(done.code, 2, "{}", done.stderr);
            assert_silent_about(&needle, &done);
        }
    }
}

#[test]
fn on_the_command_line() {
    let needle = Needle::new("argument");
    for arguments in [
        &[needle.as_str()][..],
        &["refresh", "card", needle.as_str()],
        &["refresh", "card", &format!("--token={needle}")],
        &["refresh", "card", &format!("--stdin={needle}")],
        &["sandbox", "--listen", needle.as_str()],
    ] {
        for done in each_way(|more| Run::new(&[arguments, more].concat())) {
            assert_eq!(done.code, 2);
            assert_silent_about(&needle, &done);
        }
    }
}

#[test]
fn on_standard_input() {
    let needle = Needle::new("stdin");
    let home = Home::at("http://127.0.0.1:9");
    for stdin in [
        needle.to_string(),
        format!("{{\"refreshToken\":{needle}}}"),
        format!("\"{needle}\""),
        format!("[\"{needle}\"]"),
        format!(r#"{{"refreshToken":["{needle}"]}}"#),
        format!(r#"{{"refreshToken":{{"{needle}":"{needle}"}}}}"#),
        format!(r#"{{"refreshToken":"{needle}\n"}}"#),
        format!(r#"{{"refreshToken":"{needle}é"}}"#),
        format!(r#"{{"refreshToken":"{needle}","refreshToken":"{needle}"}}"#),
        format!(r#"{{"{needle}":"{needle}"}}"#),
        format!(r#"{{"refreshToken":"r","accessToken":["{needle}"]}}"#),
        format!(r#"{{"refreshToken":"r","refreshTokenExpiresAt":"{needle}"}}"#),
        // Well-formed, and it cannot be sent.
        format!(r#"{{"refreshToken":"{needle}"}}"#),
    ] {
        for done in each_way(|more| home.run(&[&["refresh", "card"], more].concat()).stdin(&stdin)) {
            assert!(done.code == 2 || done.code == 6, "{}", done.stderr);
            assert_silent_about(&needle, &done);
        }
    }
    for stdin in [needle.to_string(), format!("{needle}.{needle}.{needle}")] {
        for done in each_way(|more| Run::new(&[&["decode"], more].concat()).stdin(&stdin)) {
            assert_eq!(done.code, 2);
            assert_silent_about(&needle, &done);
        }
    }
}

#[test]
fn in_what_a_server_answers() {
    let needle = Needle::new("answer");
    let error = format!(
        r#"{{"success":false,"message":"{needle}","error":{{"message":"{needle}","errorCode":"{needle}é"}},"errorCode":["{needle}"],"code":"{needle} ","head":{{"code":"400","applyStatus":"{needle}","msg":"{needle}"}}}}"#
    );
    let tokens = format!(
        r#"{{"success":false,"errorCode":1,"accessToken":"{needle}","refreshToken":"{needle}","data":{{"accessToken":["{needle}"],"refreshToken":"{needle}"}},"userId":"{needle}"}}"#
    );
    let headers = [
        ("location", format!("https://example.com/{needle}")),
        ("sign", needle.to_string()),
        ("retry-after", needle.to_string()),
        ("set-cookie", needle.to_string()),
        ("www-authenticate", needle.to_string()),
    ];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    for profile in ["card", "ramp", "user", "payby", "onboard"] {
        for (status, body) in [
            (200, &error),
            (200, &tokens),
            (200, &format!("<html>{needle}")),
            (302, &error),
            (400, &error),
            (401, &error),
            (500, &error),
        ] {
            needle.assert_held_in("the answer", body);
            let server = ScriptedServer::start(Script::Raw(response(status, &headers, body.as_bytes())));
            let home = Home::at(&server.url());
            let run = home.run(&["refresh", profile, "--json"]).env("RAMPAUTH_LOG", "trace");
            let done = run.stdin(r#"{"accessToken":"a","refreshToken":"r"}"#).done();
            assert!([3, 4, 5, 7].contains(&done.code), "{}", done.stderr);
            assert_silent_about(&needle, &done);
        }
    }
    let garbled = ScriptedServer::start(Script::Raw(format!("HTTP/1.1 {needle}\r\n{needle}\r\n\r\n").into_bytes()));
    let home = Home::at(&garbled.url());
    let run = home.run(&["refresh", "card", "--json"]).env("RAMPAUTH_LOG", "trace");
    let done = run.stdin(r#"{"refreshToken":"r"}"#).done();
    assert_eq!(done.code, 5);
    assert_silent_about(&needle, &done);
}

#[test]
fn while_everything_goes_well() {
    let [old, new, secret] = ["old", "new", "secret"].map(Needle::new);
    let body = format!(r#"{{"success":true,"data":{{"accessToken":"{new}","refreshToken":"{new}"}},"errorCode":0}}"#);
    let server = ScriptedServer::start(Script::Raw(response(200, &[], body.as_bytes())));
    let home = Home::at(&server.url());
    home.write("secret.txt", secret.as_str());
    let stdin = json!({"accessToken": old.as_str(), "refreshToken": old.as_str()}).to_string();
    let done = home.run(&["refresh", "card"]).env("RAMPAUTH_LOG", "trace").stdin(&stdin).done();
    assert_eq!(done.code, 0, "{}", done.stderr);
    new.assert_held_in("standard output", &done.stdout);
    old.assert_held_in("the request", &String::from_utf8_lossy(&server.requests()[0].raw));
    for needle in [&old, &secret] {
        needle.assert_absent_from_nonempty("standard output", &done.stdout);
    }
    for needle in [&old, &new, &secret] {
        needle.assert_absent_from_nonempty("standard error", &done.stderr);
    }
    let sign = |more: &[&str]| home.run(&[&["sign", "card"], more].concat()).env("RAMPAUTH_LOG", "trace").done();
    assert_silent_about(&secret, &sign(&[]));
    secret.assert_held_in("what is revealed", &sign(&["--reveal"]).stdout);
}

#[test]
fn in_a_jwt_and_in_a_body_to_sign() {
    let needle = Needle::new("masked");
    let decode =
        |more: &[&str]| Run::new(&[&["decode"], more].concat()).env("RAMPAUTH_LOG", "trace").stdin(needle.jwt()).done();
    let done = decode(&[]);
    assert_eq!(done.code, 0);
    needle.assert_absent_from_nonempty("standard output", &done.stdout);
    needle.assert_absent_from("standard error", &done.stderr);
    needle.assert_held_in("what is revealed", &decode(&["--reveal"]).stdout);

    let home = Home::at("http://127.0.0.1:9");
    for body in [
        needle.to_string(),
        format!("[\"{needle}\"]"),
        format!(
            r#"{{"bizContent":{{"refreshToken":"{needle}","refreshToken":"{needle}","x":["{needle}",{{"y":"\"{needle}"}}]}}}}"#
        ),
    ] {
        let done = home.run(&["sign", "payby"]).stdin(&body).done();
        assert_eq!(done.code, 0);
        needle.assert_absent_from_nonempty("standard output", &done.stdout);
        needle.assert_held_in("what is revealed", &home.run(&["sign", "payby", "--reveal"]).stdin(&body).done().stdout);
    }
}
