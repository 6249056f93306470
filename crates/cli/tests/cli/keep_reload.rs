//! `keep` and SIGHUP: the configuration and all secrets read again, at any time, and nothing lost for it.

use std::fs;
use std::io::Write as _;
use std::process::Command;

use rampauth_sandbox::Call;

use crate::keep::Keeping;
use crate::provider::Provider;
use crate::support::{Home, Kit, SEALED, profiles, sandbox};

/// Expired: refreshed as soon as somebody keeps it.
const DEAD: &str = r#"{"accessToken":"a","refreshToken":"r","accessTokenExpiresAt":"2020-01-01T00:00:00Z"}"#;
const FRESH: &str = r#"{"accessToken":"a","refreshToken":"r","accessTokenExpiresAt":"2126-01-01T00:00:00Z"}"#;
const READ: &str = "the configuration was read again";
const REFUSED: &str = "the configuration is not taken over, and everything goes on as before";

/// A configuration of these profiles alone.
fn config(url: &str, top: &str, names: &[&str]) -> String {
    let all = profiles(url);
    let sections = all.split("[profile.").filter(|section| names.iter().any(|name| section.starts_with(name)));
    format!(
        "{top}store_timeout_seconds = 1\n{}",
        sections.map(|section| format!("[profile.{section}")).collect::<String>()
    )
}

fn reload(home: &Home, keeping: &mut Keeping, config: &str) {
    home.write("rampauth.toml", config);
    keeping.signal("-HUP");
}

#[test]
fn profiles_that_are_added_and_removed_are_kept_and_let_go() {
    let both = config("http://127.0.0.1:9", SEALED, &["card", "user"]);
    let card = config("http://127.0.0.1:9", SEALED, &["card"]);
    let home = Home::new(&both);
    home.run(&["import", "card"]).stdin(FRESH).done().output();
    home.run(&["import", "user"]).stdin(FRESH).done().output();
    home.write("rampauth.toml", &card);
    let mut keeping = Keeping::start(&home, &[], "");
    assert!(keeping.until("keeping the session").contains("profile=card"));
    let line = keeping.until("no profile of the configuration claims this stored session");
    assert!(line.contains("transak-user/127.0.0.1:9/user"), "{line}");

    reload(&home, &mut keeping, &both);
    assert!(keeping.until(READ).contains("profiles=2 added=1 removed=0"));
    assert!(keeping.until("keeping the session").contains("profile=user"));

    let user = config("http://127.0.0.1:9", SEALED, &["user"]);
    reload(&home, &mut keeping, &user);
    assert!(keeping.until("its session is let go").contains("profile=card"));
    assert!(keeping.until(READ).contains("profiles=1 added=0 removed=1"));
    let line = keeping.until("no profile of the configuration claims this stored session");
    assert!(line.contains("alix-card/127.0.0.1:9/card"), "{line}");
    // What others store is looked at again and again; each session is named once.
    home.run(&["import", "user", "--replace"]).stdin(FRESH).done().output();
    assert!(keeping.until("keeping the session").contains("generation=2"));
    let (code, log) = keeping.stop("-TERM");
    assert_eq!((code, log.matches("claims this stored session").count()), (Some(0), 2), "{log}");
}

#[test]
fn new_secrets_are_used_from_then_on() {
    let sandbox = sandbox();
    let kit = Kit::of(&sandbox);
    let secret = fs::read_to_string(kit.home.path().join("secret.txt")).expect("the secret");
    kit.home.write("secret.txt", "another");
    let tokens = sandbox.issue(Call::AlixCard);
    let dead = serde_json::json!({"refreshToken": tokens.refresh_token}).to_string();
    kit.home.run(&["import", "card"]).stdin(dead).done().output();
    let mut keeping = Keeping::start(&kit.home, &[], "");
    keeping.until("a refresh failed");
    kit.home.write("secret.txt", secret);
    keeping.signal("-HUP");
    keeping.until(READ);
    keeping.until("refreshed");
    let (code, log) = keeping.stop("-TERM");
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn a_profile_that_changes_or_goes_finishes_what_is_under_way_with_its_old_settings() {
    for removed in [false, true] {
        let provider = Provider::start();
        let home = Home::new(&config(&provider.url(), SEALED, &["card", "user"]));
        home.run(&["import", "card"]).stdin(DEAD).done().output();
        let mut keeping = Keeping::start(&home, &[], "");
        let new = match removed {
            true => config(&provider.url(), SEALED, &["user"]),
            // Of another keeper, for its claims are of another length.
            false => config(&provider.url(), SEALED, &["card", "user"]).replacen("= 30", "= 20", 1),
        };
        provider.answer_next(|| {
            reload(&home, &mut keeping, &new);
            keeping.until(READ);
        });
        assert!(keeping.until(" refreshed").contains("generation=2"));
        if !removed {
            assert!(keeping.until("keeping the session").contains("generation=2"));
        }
        let (code, log) = keeping.stop("-TERM");
        assert_eq!((code, log.matches("in doubt").count()), (Some(0), 0), "{log}");
        home.write("rampauth.toml", config(&provider.url(), SEALED, &["card"]));
        assert_eq!(home.run(&["token", "card"]).done().output(), "b\n");
    }
}

#[test]
fn a_faulty_configuration_changes_nothing_and_is_named() {
    let good = config("http://127.0.0.1:9", SEALED, &["card", "user"]);
    let home = Home::new(&good);
    home.run(&["import", "card"]).stdin(FRESH).done().output();
    let mut keeping = Keeping::start(&home, &[], "");
    keeping.until("started");
    let other = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n";
    home.write("other.key", other);
    let top = |top: &str| config("http://127.0.0.1:9", top, &["card"]);
    for (faulty, message) in [
        ("[profile".to_owned(), "rampauth.toml:1"),
        (top(SEALED).replace("secret.txt", "nowhere.txt"), "profile `card`, key `secret_key`"),
        (top(&SEALED.replace("rampauth.db", "other.db")), "`store` cannot change while `keep` runs"),
        (top(SEALED).replace("seconds = 1\n", "seconds = 2\n"), "`store_timeout_seconds` cannot change"),
        (top("store = \"sqlite:rampauth.db\"\n"), "`sealing_key` is not there any more"),
        (top(&SEALED.replace("sealing.key", "other.key")), "is not among the new ones"),
    ] {
        reload(&home, &mut keeping, &faulty);
        let line = keeping.until(REFUSED);
        assert!(line.contains(message) && line.contains("help=\""), "{message}: {line}");
    }
    // All of it is as before, and a good one is taken.
    home.write("rampauth.toml", &good);
    home.run(&["import", "user"]).stdin(FRESH).done().output();
    assert!(keeping.until("keeping the session").contains("profile=user"));
    keeping.signal("-HUP");
    keeping.until(READ);
    let (code, log) = keeping.stop("-TERM");
    assert_eq!((code, log.matches("let go").count()), (Some(0), 0), "{log}");
    assert!(!home.path().join("other.db").exists());
}

#[test]
fn another_sealing_key_is_taken_with_the_old_one_beside_it() {
    let sandbox = sandbox();
    let kit = Kit::of(&sandbox);
    kit.import("card").output();
    // One session of a key that is not given yet.
    kit.home.write("other.key", "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n");
    let file = kit.home.path().join("rampauth.toml");
    let old = fs::read_to_string(&file).expect("the configuration");
    let other = old.replace("sealing.key", "other.key");
    kit.home.write("rampauth.toml", &other);
    kit.import("onboard").output();
    kit.home.write("rampauth.toml", &old);
    let mut keeping = Keeping::start(&kit.home, &[], "");
    assert!(keeping.until("the session cannot be read").contains("profile=onboard"));
    let both = other.replacen("sealing_key", "readable_keys = [{ file = \"sealing.key\" }]\nsealing_key", 1);
    reload(&kit.home, &mut keeping, &both);
    keeping.until(READ);
    assert!(keeping.until("keeping the session").contains("profile=onboard"));
    // From now on the new key seals.
    let tokens = sandbox.issue(Call::AlixCard);
    let due = serde_json::json!({"refreshToken": tokens.refresh_token}).to_string();
    kit.home.write("rampauth.toml", &old);
    kit.home.run(&["import", "card"]).stdin(due).done().output();
    assert!(keeping.until(" refreshed").contains("profile=card"));
    let (code, log) = keeping.stop("-TERM");
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(kit.home.run(&["token", "card"]).done().code, 2, "sealed with the new key");
    kit.home.write("rampauth.toml", &other);
    kit.home.run(&["token", "card"]).done().output();
}

/// A home whose secret comes through a pipe: `keep` waits for it while it starts, and once it has been written to, it is known
/// that signals are listened to.
fn with_a_pipe() -> Home {
    let home = Home::new(&config("http://127.0.0.1:9", &SEALED.replace("rampauth.db", "kept.db"), &["card"]));
    fs::remove_file(home.path().join("secret.txt")).expect("the secret");
    let pipe = home.path().join("secret.txt");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    home
}

#[test]
fn a_hangup_while_it_starts_has_the_configuration_read_once_more() {
    let home = with_a_pipe();
    let pipe = home.path().join("secret.txt");
    let mut keeping = Keeping::start(&home, &[], "");
    // Opened as soon as the other end is.
    let mut secret = fs::File::options().write(true).open(&pipe).expect("the pipe");
    keeping.signal("-HUP");
    secret.write_all(b"secret").expect("written");
    drop(secret);
    keeping.until("started");
    fs::write(&pipe, "secret").expect("written again");
    keeping.until(READ);
    assert_eq!(keeping.stop("-TERM").0, Some(0));
}

#[test]
fn it_can_be_stopped_while_it_starts() {
    let home = with_a_pipe();
    let pipe = home.path().join("secret.txt");
    for signal in ["-TERM", "-INT"] {
        let keeping = Keeping::start(&home, &[], "");
        let secret = fs::File::options().write(true).open(&pipe).expect("the pipe");
        let (code, log) = keeping.stop(signal);
        drop(secret);
        assert_eq!((code, log.as_str()), (Some(0), ""), "{signal}");
    }
    // The same while it waits for a store that another process has.
    let config = fs::read_to_string(home.path().join("rampauth.toml")).expect("the configuration");
    home.write("rampauth.toml", config.replace("store_timeout_seconds = 1", "store_timeout_seconds = 60"));
    let other = rusqlite::Connection::open(home.path().join("kept.db")).expect("a database");
    other.execute_batch("BEGIN EXCLUSIVE").expect("a lock");
    let keeping = Keeping::start(&home, &[], "");
    fs::write(&pipe, "secret").expect("written");
    std::thread::sleep(std::time::Duration::from_millis(200));
    let (code, log) = keeping.stop("-TERM");
    assert_eq!((code, log.as_str()), (Some(0), ""));
}

#[test]
fn what_others_may_write_is_named_at_the_start() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new(&config("http://127.0.0.1:9", SEALED, &["card"]));
    let file = home.path().join("rampauth.toml");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).expect("a mode");
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o770)).expect("a mode");
    let mut keeping = Keeping::start(&home, &[], "");
    assert!(keeping.until("can be written by everyone").contains("rampauth.toml"));
    keeping.until("can be written by its group");
    let line = keeping.until("tokens that the store does not take are written to");
    assert!(line.ends_with(&home.path().display().to_string()), "{line}");
    assert_eq!(keeping.stop("-TERM").0, Some(0));
}
