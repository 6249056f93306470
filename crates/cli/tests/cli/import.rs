//! `import`: which forms it takes, what it refuses, and what it leaves alone.

use rampauth_sandbox::Call;
use rampauth_test_kit::needle::Needle;
use serde_json::{Value, json};

use crate::support::{Done, Home, Kit, SEALED, profiles, sandbox};

const LATER: &str = "2126-11-20T09:30:00Z";

/// The plain form, with an access token of the same number.
fn pair(refresh_token: &str) -> String {
    json!({"accessToken": format!("access-{refresh_token}"), "refreshToken": refresh_token, "accessTokenExpiresAt": LATER})
        .to_string()
}

/// Two profiles of one provider, and one of another.
fn two_names() -> Home {
    let url = "http://127.0.0.1:9";
    let second = format!("[profile.second]\nprovider = \"onboard\"\nbase_url = \"{url}\"\n");
    Home::new(&format!("{SEALED}{}{second}", profiles(url)))
}

fn import(home: &Home, arguments: &[&str], stdin: impl AsRef<[u8]>) -> Done {
    home.run(&[&["import", "--json"], arguments].concat()).stdin(stdin).done()
}

#[track_caller]
fn assert_imported(done: Done, generation: u64) {
    let document = done.json();
    assert_eq!((&document["generation"], &document["imported"]), (&json!(generation), &json!(true)), "{document}");
}

#[track_caller]
fn assert_left_alone(done: Done, generation: u64) {
    let document = done.json();
    assert_eq!((&document["generation"], &document["imported"]), (&json!(generation), &json!(false)), "{document}");
}

fn token(home: &Home, profile: &str) -> String {
    home.run(&["token", profile]).done().output().trim_end().to_owned()
}

#[test]
fn a_providers_own_answer_and_oauths_names_are_taken() {
    let home = two_names();
    let alix = json!({"success": true, "message": "ok", "errorCode": 0, "data": {"accessToken": "alix", "refreshToken": "r1",
        "accessTokenExpiresAt": "4950000000", "refreshTokenExpiresAt": "4960000000"}});
    let transak = json!({"data": {"ttl": 2_592_000, "created": "2126-11-20T09:30:00Z", "accessToken": "transak"}});
    let payby = json!({"head": {"applyStatus": "SUCCESS", "code": "0", "msg": "", "traceCode": "t"},
        "body": {"accessToken": "payby", "refreshToken": "r2", "expiresIn": 3_600}});
    let onboard = json!({"userId": "u-1", "accessToken": {"token": "onboard", "expiry": LATER},
        "refreshToken": {"token": "r3", "expiry": LATER}});
    let oauth = json!({"access_token": "oauth", "refresh_token": "r4", "expires_in": 3_600, "token_type": "bearer"});
    for (profile, answer, access) in [
        ("card", alix, "alix"),
        ("user", transak, "transak"),
        ("payby", payby, "payby"),
        ("onboard", onboard, "onboard"),
        ("ramp", oauth, "oauth"),
    ] {
        assert_imported(import(&home, &[profile], answer.to_string()), 1);
        assert_eq!(token(&home, profile), access);
    }
}

#[test]
fn refresh_takes_the_same_forms() {
    let home = Home::at("http://127.0.0.1:9");
    let answer = r#"{"userId":"u-1","accessToken":{"token":"a"},"refreshToken":{"token":"r"}}"#;
    assert_eq!(home.run(&["refresh", "onboard"]).stdin(answer).done().code, 6, "read, and nobody listens there");
    let refused =
        home.run(&["refresh", "card", "--json"]).stdin(r#"{"success":false,"errorCode":32}"#).done().refusal();
    assert_eq!(refused, "failed to read the tokens: they are a provider's answer that refuses, not tokens");
}

#[test]
fn what_sending_would_refuse_is_refused_before_it_is_stored() {
    let home = two_names();
    let charset = "it holds a character other than printable ASCII (a line break, perhaps)";
    let bearer = "it starts with `Bearer `, which is no part of the token; leave it off";
    let header = "it starts with the name of a header; leave that off";
    for (profile, tokens, message) in [
        ("card", r#"{"refreshToken":"Bearer r"}"#, format!("read `refreshToken`: {bearer}")),
        ("user", r#"{"accessToken":"bearer a"}"#, format!("read `accessToken`: {bearer}")),
        ("onboard", r#"{"refreshToken":"X-Auth-Token : r"}"#, format!("read `refreshToken`: {header}")),
        ("payby", r#"{"accessToken":"access-token:a","refreshToken":"r"}"#, format!("read `accessToken`: {header}")),
        ("card", "{\"refreshToken\":\"r\\n\"}", format!("read `refreshToken`: {charset}")),
        (
            "card",
            r#"{"refresh-token":"r"}"#,
            "read the tokens: `refreshToken` is missing; `refresh-token` is there, and its name is `refreshToken`"
                .to_owned(),
        ),
        (
            "card",
            r#"{"error":"invalid_grant"}"#,
            "read the tokens: they are a provider's answer that refuses, not tokens".to_owned(),
        ),
        (
            "onboard",
            r#"{"userId":"u-2","refreshToken":{"token":"r"}}"#,
            "read the tokens: `userId` is not the `user_id` of the profile: they are another person's".to_owned(),
        ),
    ] {
        assert_eq!(import(&home, &[profile], tokens).refusal(), format!("failed to {message}"), "{tokens}");
    }
    for (profile, tokens) in [
        ("card", r#"{"refreshToken":"r","refreshTokenExpiresAt":"2020-01-01T00:00:00Z"}"#),
        ("user", r#"{"accessToken":"a","accessTokenExpiresAt":"2020-01-01T00:00:00Z"}"#),
    ] {
        let done = import(&home, &[profile], tokens);
        let error = done.error();
        assert_eq!((done.code, &error["kind"], &error["outcome"]), (4, &json!("login_needed"), &json!("not_sent")));
    }
    assert!(!home.path().join("rampauth.db").exists());
}

#[test]
fn what_may_not_have_been_meant_is_said() {
    let home = two_names();
    let said = |tokens: &str| {
        let done = home.run(&["import", "card", "--replace"]).stdin(tokens).done();
        assert_eq!((done.code, done.stdout.as_str()), (0, ""), "{}", done.stderr);
        done.stderr
    };
    let misspelt = said(r#"{"refreshToken":"r1","accessTokenExpireAt":"2126-11-20T09:30:00Z"}"#);
    assert!(
        misspelt.contains("`accessTokenExpireAt` is no known member; perhaps `accessTokenExpiresAt`"),
        "{misspelt}"
    );
    let unknown = said(r#"{"refreshToken":"r2","accessToken":"a"}"#);
    assert!(unknown.contains("nobody knows when the access token expires"), "{unknown}");
    assert_eq!(said(r#"{"refreshToken":"r3"}"#), "", "there is no access token whose expiry could be known");
}

#[test]
fn a_deployment_may_import_its_seed_each_time_it_runs() {
    let sandbox = sandbox();
    let kit = Kit::of(&sandbox);
    let seed = kit.tokens("card");
    let home = &kit.home;
    assert_imported(import(home, &["card", "--if-none"], &seed), 1);
    assert_left_alone(import(home, &["card", "--if-none"], &seed), 1);
    for _ in 0..10 {
        home.run(&["refresh", "card", "--stored"]).done().json();
    }
    assert_left_alone(import(home, &["card", "--if-none"], &seed), 11);
    assert_left_alone(import(home, &["card", "--if-none"], ""), 11);
    let said = home.run(&["import", "card", "--if-none"]).stdin(&seed).done().output();
    assert_eq!(said, "`card` has a session that is alive: it was left as it is\n");

    // Without the option a token that is probably spent takes no session's place.
    let known =
        "failed to import the tokens: this refresh token was imported or sent for `card` before, and is probably spent";
    assert_eq!(import(home, &["card"], &seed).refusal(), known);
    // Nor does it after a logout, with the option or without.
    home.run(&["forget", "card"]).done().output();
    for arguments in [&["card"][..], &["card", "--if-none"]] {
        assert_eq!(import(home, arguments, &seed).refusal(), known);
    }
    assert_imported(import(home, &["card", "--replace"], &seed), 12);
    let fresh = sandbox.issue(Call::AlixCard);
    home.run(&["forget", "card"]).done().output();
    assert_imported(import(home, &["card", "--if-none"], json!({"refreshToken": fresh.refresh_token}).to_string()), 13);
}

#[test]
fn a_token_that_was_sent_is_known_too() {
    let sandbox = sandbox();
    let kit = Kit::of(&sandbox);
    kit.import("onboard").output();
    let second = kit.home.run(&["refresh", "onboard", "--stored"]).done().json();
    // It is the session's own now, and it is sent after this.
    assert!(import(&kit.home, &["onboard"], second.to_string()).refusal().contains("imported or sent"));
    kit.home.run(&["refresh", "onboard", "--stored"]).done().json();
    assert!(import(&kit.home, &["onboard"], second.to_string()).refusal().contains("imported or sent"));
}

#[test]
fn a_dead_session_gives_way_to_a_login() {
    let sandbox = sandbox();
    let kit = Kit::of(&sandbox);
    kit.import("onboard").output();
    sandbox.advance(std::time::Duration::from_secs(400 * 86_400));
    let done = kit.home.run(&["refresh", "onboard", "--stored"]).done();
    assert_eq!(done.code, 4, "{}", done.stderr);
    assert_imported(import(&kit.home, &["onboard", "--if-none"], pair("new")), 2);
}

#[test]
fn one_token_has_one_session() {
    let home = two_names();
    assert_imported(import(&home, &["onboard"], pair("r1")), 1);
    let refused = "failed to import the tokens: this refresh token belongs to the session of `onboard`";
    for arguments in [&["second"][..], &["second", "--replace"], &["second", "--if-none"]] {
        assert_eq!(import(&home, arguments, pair("r1")).refusal(), refused);
    }
    assert_imported(import(&home, &["second"], pair("r2")), 1);
    // Under another name, once that is forgotten.
    home.run(&["forget", "onboard"]).done().output();
    assert_imported(import(&home, &["second"], pair("r1")), 2);
}

#[test]
fn nothing_of_the_tokens_is_repeated() {
    let needle = Needle::new("import");
    let home = two_names();
    for tokens in [
        json!({"refreshToken": format!("Bearer {needle}")}),
        json!({"refreshToken": {"token": [needle.as_str()]}}),
        json!({"refresh_token": needle.as_str(), "refreshToken": format!("{needle}2")}),
        json!({"refreshTokn": needle.as_str()}),
        json!({needle.as_str(): "r"}),
        json!({"refreshToken": "r", "expires_in": needle.as_str()}),
        json!({"success": false, "errorCode": needle.as_str(), "message": needle.as_str()}),
        json!({"error": needle.as_str(), "refreshToken": needle.as_str()}),
        json!({"userId": needle.as_str(), "refreshToken": {"token": needle.as_str()}}),
    ] {
        let tokens: Value = tokens;
        needle.assert_held_in("standard input", &tokens.to_string());
        for way in [&[][..], &["--json"]] {
            let run = home.run(&[&["import", "onboard"], way].concat()).env("RAMPAUTH_LOG", "trace");
            let done = run.stdin(tokens.to_string()).done();
            assert_eq!(done.code, 2, "{}", done.stderr);
            needle.assert_absent_from_nonempty("standard error", &done.stderr);
        }
    }
}
