//! `import`, `token` and `refresh` with the stored session.

#[cfg(unix)]
use std::sync::Mutex;
use std::time::Duration;

use rampauth_core::{Clock as _, Expiry, SystemClock};
use rampauth_keeper::{Operation, SessionId, SessionKey, StoreExt as _, StoredTokens, TokenDigest};
use rampauth_sandbox::{Call, Sandbox};
use rampauth_store_sqlite::SqliteStore;
use rampauth_test_kit::scripted::{Ending, Script, ScriptedServer, response};
use serde_json::{Value, json};

use crate::exit_codes::payby;
#[cfg(unix)]
use crate::provider::Provider;
use crate::support::{Home, Kit, as_input, sandbox};

fn granted(sandbox: &Sandbox) -> usize {
    sandbox.events().iter().filter(|event| event.status == 200).count()
}

#[test]
fn what_is_imported_is_given_out_without_a_call() {
    let sandbox = sandbox();
    let kit = Kit::of(&sandbox);
    for profile in ["card", "ramp", "user", "payby", "onboard"] {
        assert_eq!(kit.import(profile).output(), "");
        let given: Value = serde_json::from_str(&kit.tokens(profile)).expect("JSON");
        let token = kit.home.run(&["token", profile]).done().output();
        assert_eq!(token, format!("{}\n", given["accessToken"].as_str().expect("a text")));
        let document = kit.home.run(&["token", profile, "--json"]).done().json();
        let expected =
            json!({"accessToken": given["accessToken"], "accessTokenExpiresAt": given["accessTokenExpiresAt"]});
        assert_eq!(document, expected);
    }
    assert_eq!(sandbox.events().len(), 0);
}

#[test]
fn a_login_takes_the_place_of_what_is_there() {
    let sandbox = sandbox();
    let kit = Kit::of(&sandbox);
    let import = |tokens: &str| kit.home.run(&["import", "card", "--json"]).stdin(tokens).done().json();
    let key = format!("alix-card/{}/card", sandbox.addr());
    assert_eq!(import(&kit.tokens("card")), json!({"key": key, "generation": 1, "imported": true}));
    let second = sandbox.issue(Call::AlixCard);
    assert_eq!(import(&as_input(&second)), json!({"key": key, "generation": 2, "imported": true}));
    let token = kit.home.run(&["token", "card"]).done().output();
    assert_eq!(token.trim_end(), second.access_token);
}

#[cfg(unix)]
#[test]
fn only_the_user_may_read_the_store() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = sandbox();
    let kit = Kit::of(&sandbox);
    kit.import("card").output();
    let mode = std::fs::metadata(kit.home.path().join("rampauth.db")).expect("the store").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_stored_refresh_prints_what_it_stored() {
    let sandbox = sandbox();
    let kit = Kit::of(&sandbox);
    for (index, profile) in ["card", "ramp", "user", "payby", "onboard"].into_iter().enumerate() {
        kit.import(profile).output();
        sandbox.advance(Duration::from_secs(1));
        for (turn, arguments) in [&["refresh", profile][..], &["refresh", profile, "--stored"]].into_iter().enumerate()
        {
            let tokens = kit.home.run(arguments).done().json();
            let members: Vec<&String> = tokens.as_object().expect("an object").keys().collect();
            let expected = ["accessToken", "accessTokenExpiresAt", "refreshToken", "refreshTokenExpiresAt", "rotated"];
            assert_eq!(members, expected);
            assert_eq!(tokens["rotated"], true, "{profile}");
            let token = kit.home.run(&["token", profile]).done().output();
            assert_eq!(token.trim_end(), tokens["accessToken"]);
            assert_eq!(granted(&sandbox), 2 * index + turn + 1);
            sandbox.advance(Duration::from_secs(1));
        }
    }
}

#[test]
fn four_who_find_it_expired_make_one_refresh() {
    let sandbox = sandbox();
    let kit = Kit::of(&sandbox);
    let issued = sandbox.issue(Call::AlixCard);
    let expired = json!({"accessToken": issued.access_token, "refreshToken": issued.refresh_token,
        "accessTokenExpiresAt": "2020-01-01T00:00:00Z"});
    kit.home.run(&["import", "card"]).stdin(expired.to_string()).done().output();
    let given = std::thread::scope(|scope| {
        let asking = [0; 4].map(|_| scope.spawn(|| kit.home.run(&["token", "card"]).done()));
        asking.map(|run| run.join().expect("no panic").output())
    });
    assert!(given.iter().all(|token| *token == given[0]));
    assert_ne!(given[0].trim_end(), issued.access_token);
    // The sandbox takes a refresh token once.
    assert_eq!(sandbox.events().len(), 1);
}

#[cfg(unix)]
#[test]
fn tokens_that_the_store_does_not_take_are_kept_in_a_file() {
    // It is gone, or it can still be read.
    for gone in [true, false] {
        for command in ["refresh", "token", "settle"] {
            let provider = Provider::start();
            let home = Home::hastily_stored_at(&provider.url());
            provider.log_in(&home, command);
            let other = Mutex::new(home.database());
            // The token is spent by then.
            let mut done = provider.answer(home.run(&[command, "card", "--json"]), || {
                if gone {
                    for file in ["rampauth.db", "rampauth.db-wal", "rampauth.db-shm"] {
                        std::fs::remove_file(home.path().join(file)).expect("the store");
                    }
                } else {
                    other.lock().expect("no panic").execute_batch("BEGIN IMMEDIATE").expect("a lock");
                }
            });
            drop(other);
            // A command that prints the new tokens prints these too, for nobody else has them.
            if command == "refresh" {
                let printed: Value = serde_json::from_str(&done.stdout).expect("JSON");
                assert_eq!((&printed["refreshToken"], &printed["rotated"]), (&json!("s"), &json!(true)), "{printed}");
                done.stdout.clear();
            }
            let error = done.error();
            assert_eq!(
                (done.code, &error["kind"], &error["outcome"]),
                (1, &json!("internal"), &json!("unknown")),
                "{command}: {error}"
            );
            assert!(error["message"].as_str().expect("a text").contains("rampauth.db"), "{error}");
            assert!(error["help"].as_str().expect("a text").contains("card.rescued-1.json"), "{command}: {error}");
            let rescued = std::fs::read(home.path().join("card.rescued-1.json")).expect("the tokens");
            home.run(&["import", "card"]).stdin(rescued).done().output();
            assert_eq!(home.run(&["token", "card"]).done().output(), "b\n", "{command}");
        }
    }
}

#[test]
fn an_answer_that_payby_signed_and_that_cannot_be_read_is_kept_wherever_the_session_is_stored() {
    for command in ["refresh", "token", "settle"] {
        let answers = [Script::CloseAfterRequest, payby("0", true)];
        let server = ScriptedServer::start(Script::Then(answers[usize::from(command != "settle")..].to_vec()));
        let home = Home::stored_at(&server.url());
        let tokens = r#"{"accessToken":"a","refreshToken":"r","accessTokenExpiresAt":"2020-01-01T00:00:00Z"}"#;
        home.run(&["import", "payby"]).stdin(tokens).done().output();
        if command == "settle" {
            assert_eq!(home.run(&["refresh", "payby"]).done().code, 5);
        }
        let done = home.run(&[command, "payby", "--json"]).done();
        let error = done.error();
        assert_eq!((done.code, &error["kind"], &error["outcome"]), (5, &json!("protocol"), &json!("unknown")));
        assert!(error["help"].as_str().expect("a text").contains("payby.answer-1.json"), "{error}");
        let kept = std::fs::read_to_string(home.path().join("payby.answer-1.json")).expect("the answer");
        assert!(kept.contains(r#""applyStatus":"SUCCESS""#), "{kept}");
    }
}

#[test]
fn a_token_that_is_still_usable_hides_no_answer_that_only_a_person_can_read() {
    let server = ScriptedServer::start(payby("0", true));
    let home = Home::stored_at(&server.url());
    let soon = SystemClock.now() + Duration::from_secs(55);
    let written = jiff::Timestamp::try_from(soon).expect("in the calendar");
    // An hour of its life is over, and a refresh is waited for in the last minute.
    let payload =
        json!({"accessToken": "a", "refreshToken": "r", "accessExpiry": {"at": written}, "refreshExpiry": "unknown"});
    let began = soon - Duration::from_secs(3_600);
    let mut tokens = StoredTokens::new(payload.to_string().as_str().into(), TokenDigest::of("r"), began);
    (tokens.access, tokens.access_expiry) = (Some(TokenDigest::of("a")), Expiry::At(soon));
    let key = SessionKey::parse(format!("payby/{}/payby", server.address())).expect("a key");
    let put = Operation::Put { session: SessionId::from_random(1), expect: None, tokens };
    let store = SqliteStore::open(home.path().join("rampauth.db")).expect("a store");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(store.apply(&key, put)).expect("a login");

    let done = home.run(&["token", "payby"]).done();
    assert_eq!((done.code, done.stdout.as_str(), server.connections()), (0, "a\n", 1), "{}", done.stderr);
    assert!(done.stderr.contains("payby.answer-1.json"), "{}", done.stderr);
    assert!(home.path().join("payby.answer-1.json").exists());
}

/// `{"exp":1600000000}`: long past.
const DEAD: &str = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE2MDAwMDAwMDB9.c2ln";

#[test]
fn a_login_without_times_is_refreshed_by_what_its_access_token_says() {
    let sandbox = sandbox();
    let kit = Kit::of(&sandbox);
    let issued = sandbox.issue(Call::AlixCard);
    let tokens = json!({"accessToken": DEAD, "refreshToken": issued.refresh_token});
    kit.home.run(&["import", "card"]).stdin(tokens.to_string()).done().output();
    let token = kit.home.run(&["token", "card"]).done().output();
    assert!(sandbox.number(token.trim_end()).is_some(), "a new one: {token}");
    assert_eq!(sandbox.events().len(), 1);
    // What would be presented there is dead itself, and of no use in the store.
    let tokens = json!({"accessToken": DEAD}).to_string();
    let done = kit.home.run(&["import", "user", "--json"]).stdin(tokens).done();
    let error = done.error();
    assert_eq!((done.code, &error["kind"], &error["outcome"]), (4, &json!("login_needed"), &json!("not_sent")));
    assert_eq!(sandbox.events().len(), 1);
}

#[test]
fn without_a_session_a_login_is_what_helps() {
    let server = ScriptedServer::start(Script::Stalled);
    let home = Home::stored_at(&server.url());
    for arguments in [&["token", "card"][..], &["refresh", "card"], &["refresh", "card", "--stored"]] {
        let done = home.run(&[arguments, &["--json"]].concat()).done();
        let error = done.error();
        assert_eq!((done.code, &error["kind"], &error["outcome"]), (4, &json!("login_needed"), &json!("not_sent")));
        let message = "failed to find the session: there is no session of `card` in the store yet";
        assert_eq!((error["message"].as_str(), server.connections()), (Some(message), 0));
    }
    // Asking makes no file.
    assert!(!home.path().join("rampauth.db").exists());
}

#[test]
fn a_store_that_keeps_nothing_or_is_of_another_kind_is_refused() {
    let server = ScriptedServer::start(Script::Stalled);
    let tokens = r#"{"accessToken":"a","refreshToken":"r"}"#;
    let stored = Home::stored_at(&server.url());
    let text = std::fs::read_to_string(stored.path().join("rampauth.toml")).expect("the configuration");
    let unsupported = "this store is not supported yet, only `sqlite:FILE` is";
    for (top, key, reason) in [
        ("store = \"memory:\"", "`store` (rampauth.toml:1)", "`memory:` forgets every session when the command ends"),
        ("store = \"postgres://u:hunter2@h/d\"", "`store` (rampauth.toml:1)", unsupported),
        ("store = \"redis://h\"", "`store` (rampauth.toml:1)", unsupported),
        ("", "`store` (rampauth.toml:1)", "it is missing, and says where sessions are kept"),
    ] {
        let home = Home::new(&text.replace("store = \"sqlite:rampauth.db\"", top));
        for command in ["import", "token", "refresh", "settle", "forget", "status", "reseal", "keep"] {
            let mut arguments = vec![command, "--json"];
            if !matches!(command, "status" | "reseal" | "keep") {
                arguments.push("card");
            }
            let mut run = home.run(&arguments);
            if command == "import" {
                run = run.stdin(tokens);
            }
            let refusal = run.done().refusal();
            assert_eq!(
                refusal,
                format!("failed to read the configuration: top level, key {key}: {reason}"),
                "{command}"
            );
        }
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_store_file_that_is_not_ours_is_left_as_it_is() {
    let server = ScriptedServer::start(Script::Stalled);
    let home = Home::stored_at(&server.url());
    for text in ["not a database at all, and long enough to be looked at", "SQLite format 3\0 garbage"] {
        home.write("rampauth.db", text);
        for command in ["import", "token", "refresh", "settle", "forget", "status", "reseal", "keep"] {
            let mut arguments = vec![command, "--json"];
            if !matches!(command, "status" | "reseal" | "keep") {
                arguments.push("card");
            }
            let run = home.run(&arguments);
            let run = if command == "import" { run.stdin(r#"{"refreshToken":"r"}"#) } else { run };
            let refusal = run.done().refusal();
            assert!(refusal.starts_with("failed to open the store: ") && refusal.contains("rampauth.db"), "{refusal}");
        }
        assert_eq!(std::fs::read(home.path().join("rampauth.db")).expect("the file"), text.as_bytes());
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn import_reads_what_refresh_reads() {
    let home = Home::stored_at("http://127.0.0.1:9");
    let import = |stdin: &str| home.run(&["import", "card", "--json"]).stdin(stdin).done().refusal();
    assert_eq!(import(""), "failed to read standard input: there are no tokens on it");
    assert_eq!(import("{}"), "failed to read the tokens: `refreshToken` is missing");
    assert!(!home.path().join("rampauth.db").exists());
}

#[test]
fn the_tokens_of_an_answer_without_its_end_are_stored() {
    let body = r#"{"userId":"u-1","accessToken":{"token":"new-access","expiry":"2100-01-01T00:00:00Z"},"refreshToken":{"token":"new-refresh"}}"#;
    let cut = response(200, &[("content-length", "999")], body);
    let server = ScriptedServer::start(Script::Partial { answer: cut, ending: Ending::Reset });
    let home = Home::stored_at(&server.url());
    let presented = r#"{"accessToken":"old-access","refreshToken":"old-refresh"}"#;
    home.run(&["import", "onboard"]).stdin(presented).done().output();
    let done = home.run(&["refresh", "onboard", "--stored", "--json"]).done();
    let tokens = home.run(&["token", "onboard"]).done().output();
    assert_eq!((tokens.trim(), server.requests().len()), ("new-access", 1), "{done:?}");
}
