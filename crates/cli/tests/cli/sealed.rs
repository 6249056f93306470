//! Sealed tokens: what is in the file, a wrong key, a change of keys, and what is said where there is no key.

use std::fs;
use std::path::Path;

use rampauth_keeper::StoreExt as _;
use rampauth_store_sqlite::SqliteStore;
use rampauth_test_kit::needle::Needle;
use rampauth_test_kit::scripted::{Script, ScriptedServer, response};
use serde_json::{Value, json};

use crate::support::{Done, Home, Kit, SEALED, SEALING_KEY, profiles, sandbox};

/// The ids of [`SEALING_KEY`] and [`OTHER_KEY`].
const ID: &str = "7519570fd162df1d";
const OTHER_ID: &str = "29d49b8705af3086";
const OTHER_KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n";
const TOKENS: &str = r#"{"accessToken":"a-1","refreshToken":"r-1","accessTokenExpiresAt":"2126-11-20T09:30:00Z"}"#;
const OF_A_NEW_LOGIN: &str =
    r#"{"accessToken":"a-2","refreshToken":"r-2","accessTokenExpiresAt":"2126-11-20T09:30:00Z"}"#;

/// Everything that is in the store's files, one after the other.
fn files(folder: &Path) -> Vec<u8> {
    let names = ["rampauth.db", "rampauth.db-wal"].map(|name| folder.join(name));
    names.iter().filter_map(|name| fs::read(name).ok()).flatten().collect()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Every record of the store. The files may hold older ones besides, in a log that has not come round.
fn records(folder: &Path) -> String {
    let store = SqliteStore::open(folder.join("rampauth.db")).expect("a store");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let mut text = String::new();
        for key in store.all_keys().await.expect("the keys") {
            let record = store.load(&key).await.expect("a record that can be read").expect("a record");
            text.push_str(record.to_json().expose_secret());
        }
        text
    })
}

/// The five profiles with this at the top of the file.
fn home_with(top: &str, base_url: &str) -> Home {
    Home::new(&format!("store = \"sqlite:rampauth.db\"\n{top}\n{}", profiles(base_url)))
}

/// Every command that opens sealed tokens.
fn opening(home: &Home) -> impl Iterator<Item = (&'static str, Done)> {
    let commands = ["import", "token", "refresh"].into_iter();
    commands.map(|command| (command, home.run(&[command, "card", "--json"]).stdin(if_import(command)).done()))
}

fn if_import(command: &str) -> &'static str {
    if command == "import" { OF_A_NEW_LOGIN } else { "" }
}

#[test]
fn no_byte_of_a_token_is_in_the_files() {
    let sandbox = sandbox();
    let kit = Kit::of(&sandbox);
    // Kept open, so that the log stays beside the file.
    let store = SqliteStore::open(kit.home.path().join("rampauth.db")).expect("a store");
    let mut tokens = Vec::new();
    for profile in ["card", "ramp", "user", "payby", "onboard"] {
        kit.import(profile).output();
        let given: Value = serde_json::from_str(&kit.tokens(profile)).expect("JSON");
        let granted = kit.home.run(&["refresh", profile]).done().json();
        let token = kit.home.run(&["token", profile]).done().output();
        assert_eq!(token.trim_end(), granted["accessToken"], "{profile}");
        for document in [given, granted] {
            tokens.extend(["accessToken", "refreshToken"].map(|name| document[name].as_str().map(str::to_owned)));
        }
    }
    let bytes = files(kit.home.path());
    assert!(holds(&bytes, "sealed-1:") && holds(&bytes, ID) && kit.home.path().join("rampauth.db-wal").exists());
    let tokens: Vec<_> = tokens.into_iter().flatten().collect();
    assert_eq!(tokens.len(), 4 * 4 + 2);
    for token in &tokens {
        assert!(!holds(&bytes, token) && !holds(&bytes, &token[..8]), "a token is in the file");
    }
    drop(store);

    // Unsealed it is there to be found.
    let home = home_with("", sandbox.url());
    home.run(&["import", "onboard"]).stdin(kit.tokens("onboard")).done();
    let given: Value = serde_json::from_str(&kit.tokens("onboard")).expect("JSON");
    assert!(holds(&files(home.path()), given["refreshToken"].as_str().expect("a token")));
}

#[test]
fn a_wrong_key_is_refused_by_name_and_changes_nothing() {
    let server = ScriptedServer::start(Script::Stalled);
    let home = home_with("sealing_key = { env = \"KEY\" }", &server.url());
    let with = |arguments: &[&str], key: &str, stdin: &str| home.run(arguments).env("KEY", key.trim_end()).stdin(stdin);
    with(&["import", "card"], SEALING_KEY, TOKENS).done().output();
    with(&["import", "user"], OTHER_KEY, TOKENS).done().output();
    // Kept open, so that the files change with what is stored and with nothing else.
    let store = SqliteStore::open(home.path().join("rampauth.db")).expect("a store");
    let before = (files(home.path()), records(home.path()));
    for command in ["import", "token", "refresh"] {
        let done = with(&[command, "card", "--json"], OTHER_KEY, if_import(command)).done();
        let reason = format!("are sealed with key {ID}, which is not among the keys given");
        assert!(done.refusal().ends_with(&reason), "{command}: {done:?}");
        assert_eq!(done.error()["kind"], "config");
        let help = done.error()["help"].as_str().expect("a text").to_owned();
        assert!(help.contains("`readable_keys`") && help.contains("rampauth forget card"), "{help}");
        assert!(!help.contains("Keeper::"), "{help}");
    }
    assert!((files(home.path()), records(home.path())) == before, "the file has changed");
    drop(store);
    // A session of that key is not concerned, and neither is who needs no token.
    assert_eq!(with(&["token", "user"], OTHER_KEY, "").done().output(), "a-1\n");
    for key in [OTHER_KEY, "", "no key at all"] {
        let document = with(&["status", "--json"], key, "").done().json();
        let states: Vec<_> = document["sessions"].as_array().expect("rows").iter().map(|row| &row["state"]).collect();
        assert_eq!(states, ["ready", "ready"]);
    }
    let document = with(&["forget", "card", "--json"], OTHER_KEY, "").done().json();
    assert_eq!(document["forgotten"], true);
    with(&["import", "card", "--replace"], OTHER_KEY, TOKENS).done().output();
    assert_eq!(with(&["token", "card"], OTHER_KEY, "").done().output(), "a-1\n");
    assert_eq!(server.connections(), 0);
}

#[test]
fn without_the_key_sealed_tokens_are_not_taken_for_damaged() {
    let home = Home::stored_at("http://127.0.0.1:9");
    home.run(&["import", "card"]).stdin(TOKENS).done().output();
    let text = fs::read_to_string(home.path().join("rampauth.toml")).expect("the configuration");
    home.write("rampauth.toml", text.replace("sealing_key", "# sealing_key"));
    for (command, done) in opening(&home) {
        let reason = format!("are sealed with key {ID}, and no key is given");
        assert!(done.refusal().ends_with(&reason), "{command}: {done:?}");
    }
}

#[test]
fn keys_are_changed_while_everything_can_be_read() {
    let home = Home::stored_at("http://127.0.0.1:9");
    home.write("new.key", OTHER_KEY);
    for profile in ["card", "user"] {
        home.run(&["import", profile]).stdin(TOKENS).done().output();
    }
    let configure = |top: &str| {
        let config = format!("store = \"sqlite:rampauth.db\"\n{top}\n{}", profiles("http://127.0.0.1:9"));
        home.write("rampauth.toml", config);
    };
    configure("sealing_key = { file = \"new.key\" }\nreadable_keys = [\n{ file = \"sealing.key\" },\n]");
    assert_eq!(home.run(&["token", "card"]).done().output(), "a-1\n");
    home.run(&["import", "onboard"]).stdin(TOKENS).done().output();
    let key = |profile: &str, provider: &str| format!("{provider}/127.0.0.1:9/{profile}");
    let [card, user] = [key("card", "alix-card"), key("user", "transak-user")];
    let onboard = key("onboard", "onboard");
    let expected = json!({"sealingKey": OTHER_ID, "resealed": [card, user], "current": [onboard]});
    assert_eq!(home.run(&["reseal", "--json"]).done().json(), expected);
    let said = format!("sealed anew with key {OTHER_ID}: 0; sealed with it already: 3\n");
    assert_eq!(home.run(&["reseal"]).done().output(), said);
    configure("sealing_key = { file = \"new.key\" }");
    fs::remove_file(home.path().join("sealing.key")).expect("the old key");
    for profile in ["card", "user", "onboard"] {
        assert_eq!(home.run(&["token", profile]).done().output(), "a-1\n");
    }
    let records = records(home.path());
    assert!(records.contains(OTHER_ID) && !records.contains(ID), "the old key is still named: {records}");
}

#[test]
fn what_is_unsealed_is_sealed_by_reseal() {
    const AT: &str = "http://127.0.0.1:9";
    let home = home_with("store_timeout_seconds = 1", AT);
    home.run(&["import", "card"]).stdin(TOKENS).done();
    // Somebody who has the file open, and reads what it is now.
    let other = home.database();
    other.execute_batch("BEGIN; SELECT count(*) FROM session").expect("a reader");
    home.write("rampauth.toml", format!("{SEALED}store_timeout_seconds = 1\n{}", profiles(AT)));
    assert_eq!(home.run(&["token", "card"]).done().output(), "a-1\n");
    let done = home.run(&["reseal"]).done();
    assert!(done.stderr.contains("its log may hold older bytes"), "{}", done.stderr);
    assert_eq!(done.stdout, format!("sealed anew with key {ID}: 1; sealed with it already: 0\n"));
    let document = home.run(&["token", "card", "--json"]).done().json();
    assert_eq!(document["accessToken"], "a-1");
    let records = records(home.path());
    assert!(records.contains(ID) && !records.contains("r-1") && !records.contains("a-1"), "{records}");
    assert!(holds(&files(home.path()), "r-1"), "for the reader, who still sees it");
    other.execute_batch("COMMIT").expect("the reader's end");
    assert_eq!(
        home.run(&["reseal"]).done().output(),
        format!("sealed anew with key {ID}: 0; sealed with it already: 1\n")
    );
    let bytes = files(home.path());
    assert!(holds(&bytes, ID) && !holds(&bytes, "r-1"), "neither in the file nor in its log");
}

#[test]
fn what_reseal_cannot_read_it_names_and_the_others_are_done() {
    let home = home_with("sealing_key = { env = \"KEY\" }\nreadable_keys = [{ env = \"OLD\" }]", "http://127.0.0.1:9");
    let with = |arguments: &[&str], key: &str, old: &str| {
        home.run(arguments).env("KEY", key.trim_end()).env("OLD", old.trim_end()).stdin(TOKENS)
    };
    let third = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
    with(&["import", "card"], third, third).done().output();
    with(&["import", "user"], SEALING_KEY, SEALING_KEY).done().output();
    let done = with(&["reseal", "--json"], OTHER_KEY, SEALING_KEY).done();
    // One line of JSON for each session that was left, and the error last.
    let lines: Vec<Value> =
        done.stderr.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let [named, error] = lines.as_slice() else { panic!("two lines: {}", done.stderr) };
    assert_eq!(named["fields"]["key"], "alix-card/127.0.0.1:9/card");
    assert!(named["fields"]["error"].as_str().is_some_and(|why| why.ends_with("which is not among the keys given")));
    let help = "give the key of this id under `readable_keys`; if it is lost: rampauth forget card, have the person log in, then: \
                rampauth import card < tokens.json";
    assert_eq!((&named["fields"]["help"], &error["error"]["help"]), (&json!(help), &json!(help)));
    let counted =
        "failed to seal the tokens anew: 1 session was left unchanged, named above; 1 are sealed with the present key";
    assert_eq!(error["error"]["message"], counted);
    assert_eq!(done.code, 2);
    assert_eq!(with(&["token", "user"], OTHER_KEY, OTHER_KEY).done().output(), "a-1\n");
    assert_eq!(with(&["token", "card"], third, third).done().output(), "a-1\n");
}

#[test]
fn reseal_needs_a_key_and_no_store() {
    let home = home_with("", "http://127.0.0.1:9");
    let refusal = home.run(&["reseal", "--json"]).done().refusal();
    assert_eq!(
        refusal,
        "failed to read the configuration: top level, key `sealing_key` (rampauth.toml:1): it is missing, and says what to seal \
         with"
    );
    let home = Home::stored_at("http://127.0.0.1:9");
    let expected = json!({"sealingKey": ID, "resealed": [], "current": []});
    assert_eq!(home.run(&["reseal", "--json"]).done().json(), expected);
    assert!(!home.path().join("rampauth.db").exists());
}

#[test]
fn a_key_that_is_none_is_refused_before_anything_is_stored() {
    let server = ScriptedServer::start(Script::Stalled);
    let sealing = "top level, key `sealing_key` (rampauth.toml:2)";
    let readable = "top level, key `readable_keys` (rampauth.toml:3)";
    let key = SEALING_KEY.trim_end();
    for (top, value, place, reason) in [
        ("sealing_key = { file = \"k\" }", "", sealing, "the file that it names is empty"),
        ("sealing_key = { file = \"k\" }", "\n", sealing, "the file that it names is empty"),
        ("sealing_key = { file = \"nowhere\" }", "", sealing, "the file that it names, `nowhere`, cannot be read"),
        ("sealing_key = { env = \"K\" }", "", sealing, "the environment variable that it names, `K`, is empty"),
        (
            "sealing_key = { env = \"NOT_SET\" }",
            "",
            sealing,
            "the environment variable that it names, `NOT_SET`, is not set",
        ),
        ("sealing_key = { env = \"K\" }", "hunter2 hunter2", sealing, "it is not base64"),
        ("sealing_key = { env = \"K\" }", &key[..40], sealing, "it is not 32 bytes in base64"),
        ("sealing_key = { env = \"K\" }", &key[1..], sealing, "it is not base64"),
        ("sealing_key = \"hunter2\"", "", sealing, "it is given inline, where a secret must not stand"),
        ("sealing_key = [{ env = \"K\" }]", key, sealing, "it is given inline, where a secret must not stand"),
        (
            "sealing_key = { file = \"sealing.key\" }\nreadable_keys = [{ env = \"K\" }]",
            "hunter2",
            readable,
            "it is not base64",
        ),
        (
            "sealing_key = { file = \"sealing.key\" }\nreadable_keys = { env = \"K\" }",
            key,
            readable,
            "it is not a list of places of secrets",
        ),
        (
            "sealing_key = { file = \"sealing.key\" }\nreadable_keys = [\"hunter2\"]",
            "",
            readable,
            "it is given inline, where a secret must not stand",
        ),
        (
            "readable_keys = [{ env = \"K\" }]",
            key,
            "top level, key `readable_keys` (rampauth.toml:2)",
            "it is given without `sealing_key`, which says what to seal with from now on",
        ),
    ] {
        let home = home_with(top, &server.url());
        home.write("k", value);
        for command in [&["import", "card", "--json"][..], &["keep", "--json"], &["reseal", "--json"]] {
            let done = home.run(command).env("K", value).stdin(TOKENS).done();
            assert_eq!(done.refusal(), format!("failed to read the configuration: {place}: {reason}"), "{command:?}");
            assert!(!done.stderr.contains("hunter2") && !done.stderr.contains(&key[1..20]), "{}", done.stderr);
        }
        assert!(!home.path().join("rampauth.db").exists());
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn tokens_that_are_stored_unsealed_are_spoken_of_once() {
    const SAID: &str = "tokens are stored unsealed";
    let home = home_with("", "http://127.0.0.1:9");
    let import = |profile: &str| home.run(&["import", profile]).stdin(TOKENS).done();
    let first = import("card");
    assert_eq!((first.code, first.stderr.matches(SAID).count(), first.stdout.as_str()), (0, 1, ""), "{first:?}");
    assert_eq!(import("user").output(), "");
    assert_eq!(home.run(&["token", "card"]).done().output(), "a-1\n");
    home.run(&["status"]).done().output();
    // `import` says so when it has stored something, not when it could not.
    let empty = home_with("", "http://127.0.0.1:9");
    assert!(!empty.run(&["import", "card"]).stdin("{}").done().stderr.contains(SAID));
    let sealed = Home::stored_at("http://127.0.0.1:9");
    assert_eq!(sealed.run(&["import", "card"]).stdin(TOKENS).done().output(), "");
}

#[test]
fn neither_the_key_nor_a_token_is_said_by_anything() {
    let [old, new] = ["old", "new"].map(Needle::new);
    // A needle's letters are base64 already, and 43 of them and `=` are 32 bytes.
    let key = Needle::new("key-of-more-than-enough-letters").as_str().replace(['-', '_'], "/");
    let key = format!("{}A=", &key[..42]);
    let body = format!(r#"{{"success":true,"data":{{"accessToken":"{new}","refreshToken":"{new}"}},"errorCode":0}}"#);
    let server = ScriptedServer::start(Script::Raw(response(200, &[], body.as_bytes())));
    let home = home_with("sealing_key = { env = \"KEY\" }", &server.url());
    let stdin = json!({"accessToken": old.as_str(), "refreshToken": old.as_str()}).to_string();
    let run = |arguments: &[&str], key: &str| {
        home.run(arguments).env("KEY", key).env("RAMPAUTH_LOG", "trace").stdin(&stdin).done()
    };
    let shown = |done: &Done| format!("{}\n{}", done.stdout, done.stderr).contains(&key[..12]);
    for (arguments, code) in [
        (&["import", "card"][..], 0),
        (&["refresh", "card", "--stored"], 0),
        (&["reseal", "--json"], 0),
        (&["status", "--json"], 0),
        (&["settle", "card"], 0),
    ] {
        let done = run(arguments, &key);
        assert_eq!(done.code, code, "{arguments:?}: {}", done.stderr);
        old.assert_absent_from_nonempty("standard error", &done.stderr);
        new.assert_absent_from("standard error", &done.stderr);
        assert!(!shown(&done), "{arguments:?}");
    }
    for wrong in [SEALING_KEY.trim_end(), &key[..40], &key[1..]] {
        for arguments in [&["token", "card", "--json"], &["refresh", "card", "--stored"]] {
            let done = run(arguments, wrong);
            assert_eq!((done.code, done.stdout.as_str()), (2, ""));
            new.assert_absent_from_nonempty("standard error", &done.stderr);
            assert!(!shown(&done) && !done.stderr.contains(&wrong[1..12]), "{}", done.stderr);
        }
    }
}
