//! `keep`: rotations without anybody asking, sessions that come and go, and an orderly end.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rampauth_core::{Clock as _, SystemClock};
use rampauth_sandbox::{Call, Sandbox};
use rampauth_test_kit::needle::Needle;
use rampauth_test_kit::scripted::{Script, ScriptedServer, response};
use serde_json::{Value, json};

use crate::exit_codes::payby;
use crate::support::{Home, Kit, Run, SEALED, as_input, profiles, sandbox, start};

/// A keeper that is running; killed with the test that fails.
pub(crate) struct Keeping {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Keeping {
    pub(crate) fn start(home: &Home, arguments: &[&str], filter: &str) -> Self {
        Self::of(home.run(&[&["keep"], arguments].concat()).env("RAMPAUTH_LOG", filter))
    }

    pub(crate) fn of(run: Run) -> Self {
        let mut child = run
            .into_command()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines() {
                drop(sender.send(line.expect("UTF-8")));
            }
        });
        Self { child, lines, seen: Vec::new() }
    }

    /// The next line that holds this text.
    #[track_caller]
    pub(crate) fn until(&mut self, text: &str) -> String {
        loop {
            match self.lines.recv_timeout(Duration::from_secs(30)) {
                Ok(line) => {
                    self.seen.push(line);
                    if let Some(line) = self.seen.last().filter(|line| line.contains(text)) {
                        return line.clone();
                    }
                }
                Err(_) => panic!("no line with {text:?}: {:#?}", self.seen),
            }
        }
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(std::process::Command::new("kill").args([signal, &id]).status().expect("kill runs").success());
    }

    /// Ends it; the exit code, and all that it logged.
    pub(crate) fn stop(self, signal: &str) -> (Option<i32>, String) {
        self.signal(signal);
        self.end()
    }

    /// Waits until it has ended; the exit code, and all that it logged.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().expect("an end").code();
        while let Ok(line) = self.lines.recv() {
            self.seen.push(line);
        }
        (code, self.seen.join("\n"))
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn refused(sandbox: &Sandbox) -> usize {
    sandbox.events().iter().filter(|event| event.status != 200).count()
}

#[test]
fn a_short_lived_token_is_rotated_until_it_is_stopped() {
    let sandbox = start(Sandbox::builder().access_lifetime(Duration::from_secs(4)));
    let kit = Kit::of(&sandbox);
    kit.import("card").output();
    let mut keeping = Keeping::start(&kit.home, &["--log-format", "json"], "");
    let line: Value = serde_json::from_str(&keeping.until("keeping the session")).expect("JSON");
    assert_eq!(line["fields"]["profile"], "card");
    for _ in 0..2 {
        let line: Value = serde_json::from_str(&keeping.until("\"refreshed\"")).expect("JSON");
        assert_eq!((&line["level"], &line["fields"]["profile"]), (&json!("INFO"), &json!("card")));
    }
    let (code, log) = keeping.stop("-TERM");
    assert_eq!((code, refused(&sandbox)), (Some(0), 0), "{log}");
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{log}");
    assert!(sandbox.events().len() >= 2);
}

#[test]
fn a_refresh_token_alone_is_refreshed_at_once() {
    let sandbox = sandbox();
    let kit = Kit::of(&sandbox);
    let alone = json!({"refreshToken": sandbox.issue(Call::AlixCard).refresh_token}).to_string();
    kit.home.run(&["import", "card"]).stdin(alone).done().output();
    let mut keeping = Keeping::start(&kit.home, &[], "");
    assert!(keeping.until("refreshed").contains("generation=2"));
    let (code, log) = keeping.stop("-TERM");
    assert_eq!((code, refused(&sandbox), sandbox.events().len()), (Some(0), 0, 1), "{log}");
    assert!(!kit.home.run(&["token", "card"]).done().output().is_empty());
}

#[test]
fn sessions_that_come_go_and_begin_anew_are_seen() {
    let sandbox = sandbox();
    let kit = Kit::of(&sandbox);
    let mut keeping = Keeping::start(&kit.home, &[], "");
    for profile in ["card", "onboard", "payby", "ramp", "user"] {
        keeping.until(&format!("no session yet: rampauth import {profile}"));
    }
    kit.import("card").output();
    keeping.until("keeping the session");
    kit.home.run(&["import", "card"]).stdin(as_input(&sandbox.issue(Call::AlixCard))).done().output();
    assert!(keeping.until("keeping the session").contains("generation=2"));
    kit.home.run(&["forget", "card"]).done().output();
    keeping.until("the session was removed");
    let (code, log) = keeping.stop("-INT");
    assert_eq!((code, log.matches("no session yet").count()), (Some(0), 5), "{log}");
    assert_eq!(sandbox.events().len(), 0);
}

#[test]
fn a_profile_that_cannot_work_stops_it_at_the_start() {
    let home = Home::stored_at("http://127.0.0.1:9");
    std::fs::remove_file(home.path().join("secret.txt")).expect("the secret");
    let refusal = home.run(&["keep", "--json"]).done().refusal();
    assert!(refusal.contains("profile `card`, key `secret_key`"), "{refusal}");
    assert!(!home.path().join("rampauth.db").exists());
}

#[test]
fn tokens_that_the_store_never_took_are_in_a_private_file_at_the_end() {
    use std::io::{Read as _, Write as _};
    use std::os::unix::fs::PermissionsExt as _;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let home = Home::hastily_stored_at(&format!("http://{}", listener.local_addr().expect("an address")));
    let live = r#"{"accessToken":"o","refreshToken":"p","accessTokenExpiresAt":"2126-01-01T00:00:00Z"}"#;
    home.run(&["import", "onboard"]).stdin(live).done().output();
    let dead = r#"{"accessToken":"a","refreshToken":"r","accessTokenExpiresAt":"2020-01-01T00:00:00Z"}"#;
    home.run(&["import", "card"]).stdin(dead).done().output();
    let mut keeping = Keeping::start(&home, &[], "");
    let (mut stream, _) = listener.accept().expect("a refresh");
    assert!(stream.read(&mut [0; 4_096]).expect("a request") > 0);
    // The token is spent, and another writer has the store from now on.
    let other = home.database();
    other.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let body = r#"{"success":true,"data":{"accessToken":"b","refreshToken":"s"},"errorCode":0}"#;
    stream.write_all(&response(200, &[], body.as_bytes())).expect("an answer");
    drop(stream);
    let line = keeping.until("new tokens could not be saved");
    assert!(line.contains("rampauth.db was locked by another process for 800ms"), "{line}");
    let (code, log) = keeping.stop("-TERM");
    assert_eq!(code, Some(1), "{log}");
    let file = home.path().join("card.rescued-1.json");
    assert!(log.contains(&file.file_name().expect("a name").to_string_lossy().into_owned()), "{log}");
    assert_eq!(std::fs::metadata(&file).expect("the tokens").permissions().mode() & 0o777, 0o600);
    other.execute_batch("ROLLBACK").expect("the lock is free");
    assert_eq!(home.run(&["token", "onboard"]).done().output(), "o\n", "the other session is as it was");
    let rescued = std::fs::read(&file).expect("the tokens");
    home.run(&["import", "card"]).stdin(rescued).done().output();
    assert_eq!(home.run(&["token", "card"]).done().output(), "b\n");
}

#[test]
fn every_session_that_the_store_never_took_is_named_with_its_file() {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let config = profiles(&format!("http://{}", listener.local_addr().expect("an address")));
    let card = config.split("[profile.").find(|section| section.starts_with("card")).expect("a profile");
    let other = card.replacen("card", "other", 1);
    let home = Home::new(&format!("{SEALED}store_timeout_seconds = 1\n{config}[profile.{other}"));
    let dead = r#"{"accessToken":"a","refreshToken":"r","accessTokenExpiresAt":"2020-01-01T00:00:00Z"}"#;
    for profile in ["card", "other"] {
        let dead = dead.replace(r#""r""#, &format!(r#""r-{profile}""#));
        home.run(&["import", profile]).stdin(dead).done().output();
    }
    let mut keeping = Keeping::start(&home, &[], "");
    let mut streams = [(); 2].map(|()| listener.accept().expect("a refresh").0);
    for stream in &mut streams {
        assert!(stream.read(&mut [0; 4_096]).expect("a request") > 0);
    }
    let writer = home.database();
    writer.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let body = r#"{"success":true,"data":{"accessToken":"b","refreshToken":"s"},"errorCode":0}"#;
    for mut stream in streams {
        stream.write_all(&response(200, &[], body.as_bytes())).expect("an answer");
    }
    for _ in 0..2 {
        keeping.until("new tokens could not be saved");
    }
    let (code, log) = keeping.stop("-TERM");
    assert_eq!(code, Some(1), "{log}");
    for profile in ["card", "other"] {
        let line = log.lines().find(|line| line.contains(&format!("{profile}.rescued-1.json"))).expect("a line");
        assert!(line.contains(&format!("profile={profile}")), "{line}");
        assert!(home.path().join(format!("{profile}.rescued-1.json")).exists());
    }
}

#[test]
fn a_doubt_says_why_since_when_and_what_comes_next() {
    let server = ScriptedServer::start(Script::Raw(response(502, &[], b"bad gateway")));
    let home = Home::stored_at(&server.url());
    let dead = r#"{"accessToken":"a","refreshToken":"r","accessTokenExpiresAt":"2020-01-01T00:00:00Z"}"#;
    home.run(&["import", "card"]).stdin(dead).done().output();
    let mut keeping = Keeping::start(&home, &["--log-format", "json"], "");
    let line: Value = serde_json::from_str(&keeping.until("in doubt")).expect("JSON");
    let fields = &line["fields"];
    assert_eq!(
        [&fields["kind"], &fields["outcome"], &fields["status"]],
        [&json!("server"), &json!("unknown"), &json!(502)]
    );
    assert!(fields["since"].as_str().is_some_and(|since| since.ends_with('Z')), "{line}");
    assert!(fields["help"].as_str().is_some_and(|help| help.contains("keep the tokens")), "{line}");
    let message = fields["message"].as_str().expect("a message");
    assert!(message.contains("presented once more") && !message.contains("rampauth settle"), "{line}");
    assert_eq!(keeping.stop("-TERM").0, Some(0));
}

#[test]
fn a_doubt_that_is_left_to_a_person_says_so_and_keeps_what_was_answered() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = ScriptedServer::start(payby("0", true));
    let home = Home::stored_at(&server.url());
    let tokens = r#"{"accessToken":"a","refreshToken":"r","accessTokenExpiresAt":"2020-01-01T00:00:00Z"}"#;
    home.run(&["import", "payby"]).stdin(tokens).done().output();
    let mut keeping = Keeping::start(&home, &[], "");
    let line = keeping.until("in doubt");
    for part in ["rampauth settle payby", "kind=\"protocol\"", "outcome=\"unknown\"", "payby.answer-1.json"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    let file = home.path().join("payby.answer-1.json");
    assert_eq!(std::fs::metadata(&file).expect("the answer").permissions().mode() & 0o777, 0o600);
    let kept = std::fs::read_to_string(&file).expect("the answer");
    assert!(kept.contains(r#""applyStatus":"SUCCESS""#), "{kept}");
    assert_eq!((keeping.stop("-TERM").0, server.connections()), (Some(0), 1));
}

#[test]
fn a_failed_refresh_says_what_failed_and_whether_a_token_is_left() {
    let server = ScriptedServer::start(Script::Refused);
    let home = Home::stored_at(&server.url());
    let tokens = |expiry| format!(r#"{{"accessToken":"a","refreshToken":"r","accessTokenExpiresAt":"{expiry}"}}"#);
    home.run(&["import", "card"]).stdin(tokens("2020-01-01T00:00:00Z")).done().output();
    let mut keeping = Keeping::start(&home, &[], "");
    let line = keeping.until("a refresh failed");
    assert!(line.contains("Connection refused") && line.contains("help=\"check the address"), "{line}");
    assert!(line.contains("no access token") && !line.contains("as good as before"), "{line}");
    assert_eq!(keeping.stop("-TERM").0, Some(0));
    // Due when two thirds of its life are over, for a claim is long beside it.
    let soon = SystemClock.now() + Duration::from_secs(15);
    let soon = jiff::Timestamp::try_from(soon).expect("in the calendar").as_second();
    let soon = jiff::Timestamp::from_second(soon).expect("in the calendar").to_string();
    home.run(&["import", "user"]).stdin(tokens(&soon)).done().output();
    let mut keeping = Keeping::start(&home, &[], "");
    let line = keeping.until("as good as before");
    assert!(line.contains("profile=user"), "{line}");
    assert_eq!(keeping.stop("-TERM").0, Some(0));
}

#[test]
fn a_damaged_session_stops_no_other_and_is_kept_again_once_it_began_anew() {
    let sandbox = start(Sandbox::builder().access_lifetime(Duration::from_secs(4)));
    let kit = Kit::of(&sandbox);
    kit.import("onboard").output();
    kit.import("card").output();
    kit.home.database().execute("UPDATE session SET sum = zeroblob(32) WHERE key LIKE '%/card'", []).expect("damaged");
    let mut keeping = Keeping::start(&kit.home, &[], "");
    assert!(keeping.until("the session cannot be read").contains("profile=card"));
    assert!(keeping.until("refreshed").contains("onboard"));
    kit.home.run(&["forget", "card"]).done().output();
    kit.home.run(&["import", "card"]).stdin(as_input(&sandbox.issue(Call::AlixCard))).done().output();
    let line = keeping.until("keeping the session");
    assert!(line.contains("profile=card") && line.contains("generation=2"), "{line}");
    let (code, log) = keeping.stop("-TERM");
    assert_eq!((code, log.matches("the session cannot be read").count()), (Some(0), 1), "{log}");
}

#[test]
fn the_process_that_holds_a_claim_can_be_found() {
    use std::io::Read as _;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let home = Home::stored_at(&format!("http://{}", listener.local_addr().expect("an address")));
    let dead = r#"{"accessToken":"a","refreshToken":"r","accessTokenExpiresAt":"2020-01-01T00:00:00Z"}"#;
    home.run(&["import", "card"]).stdin(dead).done().output();
    let mut keeping = Keeping::start(&home, &["--log-format", "json"], "");
    let line: Value = serde_json::from_str(&keeping.until("owner")).expect("JSON");
    assert_eq!(line["fields"]["pid"], keeping.child.id());
    let (mut stream, _) = listener.accept().expect("a refresh");
    assert!(stream.read(&mut [0; 4_096]).expect("a request") > 0);
    let row = home.run(&["status", "--json"]).done().json()["sessions"][0].take();
    assert_eq!((&row["state"], &row["claimedBy"]), (&json!("refreshing"), &line["fields"]["owner"]));
}

#[test]
fn what_is_stored_unsealed_is_said_once_at_the_start() {
    let home = Home::new(&format!("store = \"sqlite:rampauth.db\"\n{}", profiles("http://127.0.0.1:9")));
    let mut keeping = Keeping::start(&home, &[], "");
    keeping.until("no session yet: rampauth import user");
    let tokens = r#"{"accessToken":"a","refreshToken":"r","accessTokenExpiresAt":"2126-11-20T09:30:00Z"}"#;
    home.run(&["import", "card"]).stdin(tokens).done().output();
    keeping.until("keeping the session");
    let (code, log) = keeping.stop("-TERM");
    assert_eq!((code, log.matches("tokens are stored unsealed").count()), (Some(0), 1), "{log}");
    assert!(log.lines().next().is_some_and(|line| line.contains("tokens are stored unsealed")), "{log}");
}

#[test]
fn a_session_with_a_strange_key_is_named_and_the_others_are_kept() {
    let sandbox = sandbox();
    let kit = Kit::of(&sandbox);
    kit.import("card").output();
    kit.home.write("sealing.key", "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n");
    kit.import("user").output();
    let mut keeping = Keeping::start(&kit.home, &[], "");
    let line = keeping.until("the session cannot be read");
    assert!(line.contains("profile=card") && line.contains("are sealed with key 7519570fd162df1d"), "{line}");
    assert!(line.contains("help=\"give the key of this id under `readable_keys`"), "{line}");
    assert!(keeping.until("keeping the session").contains("profile=user"));
    let (code, log) = keeping.stop("-TERM");
    assert_eq!((code, log.matches("the session cannot be read").count()), (Some(0), 1), "{log}");
    assert!(!log.contains("unsealed"), "{log}");
}

#[test]
fn no_token_is_logged() {
    let [old, new, secret] = ["old", "new", "secret"].map(Needle::new);
    let body = format!(r#"{{"success":true,"data":{{"accessToken":"{new}","refreshToken":"{new}"}},"errorCode":0}}"#);
    let answer = Script::Raw(response(200, &[], body.as_bytes()));
    let server = ScriptedServer::start(Script::Then(vec![Script::CloseAfterRequest, answer]));
    let home = Home::stored_at(&server.url());
    home.write("secret.txt", secret.as_str());
    let tokens = json!({"accessToken": old.as_str(), "refreshToken": old.as_str(),
        "accessTokenExpiresAt": "2020-01-01T00:00:00Z"});
    home.run(&["import", "card"]).stdin(tokens.to_string()).done().output();
    let mut keeping = Keeping::start(&home, &[], "trace");
    keeping.until("in doubt");
    keeping.until("the doubt is settled");
    let (code, log) = keeping.stop("-TERM");
    assert_eq!(code, Some(0));
    for needle in [&old, &new, &secret] {
        needle.assert_absent_from_nonempty("the log", &log);
    }
    assert_eq!(server.connections(), 2);
}
