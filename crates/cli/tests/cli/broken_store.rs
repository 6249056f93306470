//! A store that cannot be used: said by file and key, with the right exit code, and left as it is.

use std::path::PathBuf;

use rampauth_test_kit::scripted::{Script, ScriptedServer};
use serde_json::{Value, json};

use crate::support::{Done, Home, Run};

const TOKENS: &str = r#"{"accessToken":"a","refreshToken":"r","accessTokenExpiresAt":"2126-11-20T09:30:00Z"}"#;
const OF_A_NEW_LOGIN: &str = r#"{"accessToken":"a","refreshToken":"s","accessTokenExpiresAt":"2126-11-20T09:30:00Z"}"#;
const COMMANDS: [&str; 7] = ["import", "token", "refresh", "settle", "forget", "status", "keep"];

/// `card` and `onboard` are logged in, at a provider that must not be asked.
struct Setting {
    server: ScriptedServer,
    home: Home,
}

impl Setting {
    fn new() -> Self {
        let server = ScriptedServer::start(Script::Stalled);
        let home = Home::hastily_stored_at(&server.url());
        for profile in ["card", "onboard"] {
            home.run(&["import", profile]).stdin(TOKENS).done().output();
        }
        Self { server, home }
    }

    fn file(&self) -> PathBuf {
        self.home.path().join("rampauth.db")
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.file()).expect("the store")
    }

    fn key(&self, profile: &str) -> String {
        let provider = if profile == "card" { "alix-card" } else { profile };
        format!("{provider}/{}/{profile}", self.server.address())
    }

    fn command(&self, command: &str) -> Run {
        let mut arguments = vec![command, "--json"];
        if !matches!(command, "status" | "keep") {
            arguments.push("card");
        }
        let run = self.home.run(&arguments);
        if command == "import" { run.stdin(OF_A_NEW_LOGIN) } else { run }
    }

    /// That this was said of the file, that the file is as it was, and that no provider was asked.
    #[track_caller]
    fn refused(&self, done: &Done, code: i32, why: &str, before: &[u8]) {
        let error = done.error();
        let message = error["message"].as_str().expect("a text");
        assert_eq!((done.code, &error["outcome"]), (code, &json!("not_sent")), "{error}");
        assert!(message.contains(why), "{error}");
        assert!(message.contains(&format!("{} ", self.file().display())), "{error}");
        assert!(self.bytes() == before, "the file is as it was: {error}");
        assert_eq!(self.server.connections(), 0);
    }

    /// Both sessions are as they were.
    #[track_caller]
    fn is_whole(&self) {
        for profile in ["card", "onboard"] {
            assert_eq!(self.home.run(&["token", profile]).done().output(), "a\n", "{profile}");
        }
    }
}

#[test]
fn a_store_of_a_newer_version_is_left_to_the_newer_program() {
    let setting = Setting::new();
    setting.home.database().pragma_update(None, "user_version", 9).expect("a newer version");
    let before = setting.bytes();
    for command in COMMANDS {
        let why = "has version 9, and this program knows up to 2; update the program";
        setting.refused(&setting.command(command).done(), 2, why, &before);
    }
    setting.home.database().pragma_update(None, "user_version", 2).expect("the version before");
    setting.is_whole();
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn a_store_that_may_not_be_written_is_refused_before_anything_is_sent() {
    use std::os::unix::fs::PermissionsExt as _;
    let set_mode = |path: PathBuf, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a file of ours");
    };
    let setting = Setting::new();
    let before = setting.bytes();
    for command in COMMANDS {
        set_mode(setting.file(), 0o400);
        let done = without_privileges(setting.command(command));
        set_mode(setting.file(), 0o600);
        setting.refused(&done, 2, "is read-only", &before);
    }
    setting.is_whole();

    // Its log cannot be made beside it. What set the store up may have left one: whoever closes it last removes it.
    let setting = Setting::new();
    let reader = setting.home.database();
    reader.query_row("SELECT count(*) FROM session", [], |row| row.get::<_, i64>(0)).expect("a store");
    drop(reader);
    let (folder, before) = (setting.home.path().to_owned(), setting.bytes());
    for command in COMMANDS {
        set_mode(folder.clone(), 0o500);
        let done = without_privileges(setting.command(command));
        set_mode(folder.clone(), 0o700);
        setting.refused(&done, 2, "rampauth.db ", &before);
    }
    setting.is_whole();
}

/// Runs it with the rights that permissions give, even for root.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn without_privileges(run: Run) -> Done {
    with_fewer_rights(|| run.done())
}

/// The same for whatever processes this starts.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn with_fewer_rights<T: Send>(start: impl FnOnce() -> T + Send) -> T {
    use rustix::thread::{CapabilitiesSecureBits, set_capabilities_secure_bits};

    let limited = move || {
        // Where this is not root there is nothing to take.
        if rustix::process::geteuid().is_root() {
            set_capabilities_secure_bits(CapabilitiesSecureBits::NO_ROOT).expect("fewer capabilities for children");
        }
        start()
    };
    std::thread::scope(|scope| scope.spawn(limited).join().expect("no panic"))
}

#[cfg(unix)]
#[test]
fn a_store_that_cannot_be_shared_or_opened_is_named_as_what_it_is() {
    let setting = Setting::new();
    let before = setting.bytes();
    let other = setting.home.path().join("other.db");
    std::fs::hard_link(setting.file(), &other).expect("a second name");
    for command in COMMANDS {
        setting.refused(&setting.command(command).done(), 2, "has more than one name (hard links)", &before);
    }
    std::fs::remove_file(other).expect("one name");
    for command in ["import", "token", "refresh", "settle", "forget", "status"] {
        // From one file, which the system loads libraries with, to what the store's log would lack: nothing panics half-way.
        for files in 4..=16 {
            let limited = format!(r#"ulimit -n {files}; exec "$@""#);
            let done = setting.command(command).through_shell(&limited).done();
            let error = done.error();
            let message = error["message"].as_str().expect("a text");
            assert!(message.starts_with("failed to start: too many files are open"), "{error}");
            assert_eq!((done.code, &error["outcome"], &error["kind"]), (2, &json!("not_sent"), &json!("config")));
        }
    }
    // What is enough to start is enough for the rest.
    let enough = setting.command("status").through_shell(r#"ulimit -n 28; exec "$@""#).done();
    assert_eq!(enough.code, 0, "{}", enough.stderr);
    setting.is_whole();
    for file in ["rampauth.db", "rampauth.db-wal", "rampauth.db-shm"] {
        drop(std::fs::remove_file(setting.home.path().join(file)));
    }
    std::fs::create_dir(setting.file()).expect("a folder");
    for command in COMMANDS {
        let refusal = setting.command(command).done().refusal();
        assert!(refusal.contains("rampauth.db is a folder; name a file in it"), "{refusal}");
    }
    assert_eq!(setting.server.connections(), 0);
}

#[cfg(unix)]
#[test]
fn a_full_disk_takes_nothing_and_breaks_nothing() {
    let setting = Setting::new();
    let before = setting.bytes();
    // No file may grow over some pages, and going over it is an error and no signal.
    let limited = r#"trap '' XFSZ; ulimit -f 72; exec "$@""#;
    let large = json!({"accessToken": "x".repeat(60_000), "refreshToken": "y".repeat(60_000)}).to_string();
    let done = setting.home.run(&["import", "card", "--json"]).through_shell(limited).stdin(large).done();
    setting.refused(&done, 2, "could not be written", &before);
    let message = done.error()["message"].as_str().expect("a text").to_owned();
    assert!(message.contains(&format!("failed to save {}", setting.key("card"))), "{message}");
    setting.is_whole();
}

#[test]
fn a_store_that_another_writer_has_is_waited_for_and_no_longer_than_was_said() {
    let setting = Setting::new();
    let before = setting.bytes();
    let other = setting.home.database();
    other.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    for command in ["import", "refresh", "forget"] {
        let done = setting.command(command).done();
        setting.refused(&done, 1, "was locked by another process for 800ms", &before);
        assert!(done.error()["message"].as_str().expect("a text").contains(&setting.key("card")), "{done:?}");
        assert_eq!(done.error()["help"], "try again");
    }
    // Reading waits for nobody.
    setting.is_whole();
    assert_eq!(setting.command("status").done().json()["sessions"].as_array().map(Vec::len), Some(2));
    other.execute_batch("ROLLBACK").expect("the lock is free");
    setting.command("forget").done().output();
}

#[test]
fn a_damaged_record_stops_its_own_session_until_it_is_set_aside() {
    let setting = Setting::new();
    let database = setting.home.database();
    let changed =
        database.execute("UPDATE session SET record = replace(record, '2126', '2127') WHERE key LIKE '%/card'", []);
    assert_eq!(changed, Ok(1));
    let row = |from: &str| -> Vec<u8> {
        let query = format!("SELECT CAST(record AS BLOB) FROM {from} WHERE key LIKE '%/card'");
        database.query_row(&query, [], |row| row.get(0)).expect("a row")
    };
    let damaged = row("session");
    for command in ["import", "token", "refresh", "settle"] {
        let done = setting.command(command).done();
        let error = done.error();
        let message = error["message"].as_str().expect("a text");
        assert_eq!((done.code, &error["outcome"]), (2, &json!("not_sent")), "{error}");
        let why = format!("{}: {} holds a damaged record of it", setting.key("card"), setting.file().display());
        assert!(message.contains(&why), "{error}");
        assert!(error["help"].as_str().expect("a text").contains("rampauth forget PROFILE"), "{error}");
    }
    assert!(row("session") == damaged, "nothing was written over");
    assert_eq!(setting.home.run(&["token", "onboard"]).done().output(), "a\n", "the other session goes on");

    let document = setting.command("status").done().json();
    let rows = document["sessions"].as_array().expect("rows");
    let of = |profile: &str| rows.iter().find(|row| row["profile"] == profile).expect("a row");
    assert_eq!((&of("card")["state"], &of("card")["generation"]), (&json!("unreadable"), &Value::Null));
    let advice = of("card")["advice"].as_str().expect("a text");
    assert!(advice.contains("damaged record") && advice.contains("`rampauth forget card`"), "{advice}");
    assert_eq!((&of("onboard")["state"], &of("onboard")["advice"]), (&json!("ready"), &json!("nothing")));
    let table = setting.home.run(&["status"]).done().output();
    assert!(table.contains("unreadable") && table.contains("rampauth forget card"), "{table}");

    let said = setting.command("forget").done().json();
    assert_eq!(said, json!({"key": setting.key("card"), "forgotten": true, "setAside": true}));
    assert!(row("damaged") == damaged, "byte for byte");
    let said = setting.command("forget").done().json();
    assert_eq!(said, json!({"key": setting.key("card"), "forgotten": false, "setAside": false}));
    let imported = setting.command("import").done().json();
    assert_eq!(imported, json!({"key": setting.key("card"), "generation": 2, "imported": true}), "generations go on");
    setting.is_whole();

    database.execute("UPDATE session SET sum = zeroblob(32) WHERE key LIKE '%/card'", []).expect("damaged again");
    let said = setting.home.run(&["forget", "card"]).done().output();
    assert!(said.starts_with("set the damaged record of `card` aside, into the table `damaged`"), "{said}");
    assert_eq!(setting.server.connections(), 0);
}
