//! `refresh --file`, and the empty file that a shell makes of `< FILE > FILE`.

use std::fs;
use std::path::Path;

use rampauth_sandbox::Call;
use rampauth_test_kit::needle::Needle;
use serde_json::{Value, json};

use crate::support::{Done, Home, Kit, PROFILES, sandbox};

const TOKENS: &str = r#"{"accessToken":"a","refreshToken":"r"}"#;

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).expect("the file")).expect("JSON")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn the_new_tokens_take_the_files_place_and_can_be_refreshed_again() {
    let sandbox = sandbox();
    let kit = Kit::of(&sandbox);
    let folder = kit.home.path();
    for (profile, call) in PROFILES {
        let file = format!("{profile}.json");
        let (before, there) = (read(&folder.join(&file)), names(folder));
        assert_eq!(kit.home.run(&["refresh", profile, "--file", &file]).done().output(), "");
        let after = read(&folder.join(&file));
        assert_ne!(after["accessToken"], before["accessToken"]);
        assert_eq!(after["rotated"], true);
        let done = kit.home.run(&["refresh", profile, "--json", "--file", &file]).done().json();
        let (times, again) = (["accessTokenExpiresAt", "refreshTokenExpiresAt"], read(&folder.join(&file)));
        assert_ne!(again["accessToken"], after["accessToken"]);
        assert_eq!(done, json!({"path": file, times[0]: again[times[0]], times[1]: again[times[1]], "rotated": true}));
        assert_eq!(names(folder), there, "{call}: nothing is left beside it");
    }
}

#[cfg(unix)]
#[test]
fn who_may_read_it_stays_and_a_link_stays_a_link() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
    let sandbox = sandbox();
    let kit = Kit::of(&sandbox);
    let folder = kit.home.path();
    fs::create_dir(folder.join("kept")).expect("a folder");
    fs::rename(folder.join("card.json"), folder.join("kept/tokens.json")).expect("moved");
    symlink("kept/tokens.json", folder.join("card.json")).expect("a link");
    for mode in [0o600, 0o640, 0o400] {
        let file = folder.join("kept/tokens.json");
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("permissions");
        let before = fs::metadata(&file).expect("the file");
        assert_eq!(kit.home.run(&["refresh", "card", "--file", "card.json"]).done().output(), "");
        let after = fs::metadata(&file).expect("the file");
        assert_ne!(after.ino(), before.ino(), "it was replaced, not written over");
        assert_eq!((after.mode() & 0o777, after.uid(), after.gid()), (mode, before.uid(), before.gid()));
        assert!(fs::symlink_metadata(folder.join("card.json")).expect("the link").is_symlink());
    }
    assert_eq!(names(&folder.join("kept")), ["tokens.json"]);
}

#[test]
fn a_refresh_that_fails_leaves_the_file_as_it_is() {
    let sandbox = sandbox();
    let kit = Kit::of(&sandbox);
    let folder = kit.home.path();
    kit.home.write("other.json", TOKENS);
    let there = names(folder);
    let done = kit.home.run(&["refresh", "card", "--json", "--file", "other.json"]).done();
    assert_ne!((done.code, done.stdout.as_str()), (0, ""), "the sandbox knows no such token");
    assert_eq!(
        (fs::read_to_string(folder.join("other.json")).expect("the file").as_str(), names(folder)),
        (TOKENS, there)
    );
}

/// Runs the refresh of `kept/card.json`, changes something while the request is under way, and checks that nothing is lost.
#[cfg(unix)]
fn assert_kept_elsewhere(change: impl FnOnce(&Path), message: &str) {
    use crate::provider::Provider;
    use crate::started::Started;
    let provider = Provider::start();
    let home = Home::at(&provider.url());
    fs::create_dir(home.path().join("kept")).expect("a folder");
    home.write("kept/card.json", TOKENS);
    let command = Started::with_input(home.run(&["refresh", "card", "--json", "--file", "kept/card.json"]), "");
    provider.answer_next(|| change(&home.path().join("kept/card.json")));
    let done = command.end();
    let error = done.error();
    assert_eq!((done.code, &error["kind"], &error["outcome"]), (1, &json!("internal"), &json!("unknown")));
    let said = error["message"].as_str().expect("a text");
    assert!(said.starts_with(&format!("failed to replace the file of tokens: kept/card.json {message}")), "{said}");
    assert!(error["help"].as_str().expect("a text").contains("card.rescued-1.json"), "{error}");
    assert_eq!(read(&home.path().join("card.rescued-1.json"))["refreshToken"], "s");
}

#[cfg(unix)]
#[test]
fn a_file_that_somebody_else_changed_is_not_replaced_and_the_tokens_are_kept_elsewhere() {
    let changed = "was changed or removed meanwhile, and is not replaced";
    assert_kept_elsewhere(|file| fs::write(file, "other").expect("written"), changed);
    assert_kept_elsewhere(|file| fs::remove_file(file).expect("removed"), changed);
    assert_kept_elsewhere(|file| fs::remove_dir_all(file.parent().expect("a folder")).expect("removed"), changed);
}

#[cfg(unix)]
#[test]
fn a_signal_while_the_request_is_under_way_does_not_keep_it_from_being_replaced() {
    use crate::provider::Provider;
    use crate::started::Started;
    let provider = Provider::start();
    let home = Home::at(&provider.url());
    home.write("card.json", TOKENS);
    let command = Started::with_input(home.run(&["refresh", "card", "--file", "card.json"]), "");
    provider.answer_next(|| command.signal("TERM"));
    assert_eq!(command.end().code, 143);
    assert_eq!(read(&home.path().join("card.json"))["refreshToken"], "s");
}

/// A file that takes no tokens, by its name.
fn refused(home: &Home, file: &str) -> Done {
    home.run(&["refresh", "card", "--json", "--file", file]).done()
}

#[test]
fn what_is_wrong_with_a_file_is_said_before_anything_is_sent() {
    let sandbox = sandbox();
    let kit = Kit::of(&sandbox);
    kit.home.write("empty.json", "");
    kit.home.write("long.json", vec![b' '; 1024 * 1024 + 1]);
    kit.home.write("text.json", "secret");
    kit.home.write("less.json", "{}");
    fs::create_dir(kit.home.path().join("folder")).expect("a folder");
    for (file, reason) in [
        ("nowhere.json", "nowhere.json cannot be read"),
        ("folder", "folder is a folder"),
        ("empty.json", "empty.json is empty"),
        ("long.json", "long.json is longer than 1 MiB"),
        ("text.json", "they are not JSON (line 1, column 1)"),
        ("less.json", "`refreshToken` is missing"),
        #[cfg(unix)]
        ("/dev/null", "/dev/null is not a regular file"),
    ] {
        let done = refused(&kit.home, file);
        assert_eq!(done.refusal(), format!("failed to read the tokens: {reason}"));
        assert!(!done.error()["help"].as_str().expect("a text").contains("standard input"), "{}", done.stderr);
    }
    let needle = Needle::new("file");
    kit.home.write("secret.json", format!("{{\"refreshToken\":\"{needle}\n"));
    for done in [refused(&kit.home, "secret.json"), kit.home.run(&["refresh", "card", "--file", "secret.json"]).done()]
    {
        needle.assert_absent_from_nonempty("standard error", &done.stderr);
    }
    assert_eq!(sandbox.events().len(), 0);
}

/// Root may write anywhere: here a command may not.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn without_roots_powers<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    use rustix::thread::{CapabilitiesSecureBits, set_capabilities_secure_bits};
    std::thread::scope(|scope| {
        let run = scope.spawn(|| {
            if rustix::process::geteuid().is_root() {
                set_capabilities_secure_bits(CapabilitiesSecureBits::NO_ROOT).expect("fewer capabilities for children");
            }
            run()
        });
        run.join().expect("no panic")
    })
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn a_folder_that_takes_no_file_is_found_out_before_anything_is_sent() {
    use std::os::unix::fs::PermissionsExt as _;
    let closed = fs::Permissions::from_mode(0o500);
    let sandbox = sandbox();
    let kit = Kit::of(&sandbox);
    let folder = kit.home.path().join("closed");
    fs::create_dir(&folder).expect("a folder");
    fs::copy(kit.home.path().join("card.json"), folder.join("card.json")).expect("a copy");
    fs::set_permissions(&folder, closed.clone()).expect("permissions");
    let done = without_roots_powers(|| refused(&kit.home, "closed/card.json"));
    let message = "no file can be written beside closed/card.json, where the new tokens go first";
    assert!(done.refusal().starts_with(&format!("failed to replace the file of tokens: {message}")), "{}", done.stderr);
    assert_eq!(sandbox.events().len(), 0);
    // And the same too late: it has been sent by then.
    without_roots_powers(|| {
        let close = |file: &Path| fs::set_permissions(file.parent().expect("a folder"), closed).expect("permissions");
        assert_kept_elsewhere(close, "cannot be replaced");
    });
}

#[cfg(unix)]
#[test]
fn an_empty_file_on_standard_input_is_refused_and_the_trap_is_named() {
    let sandbox = sandbox();
    let kit = Kit::of(&sandbox);
    kit.import("card").output();
    let message = "failed to read standard input: the file on it is empty, as `refresh PROFILE < FILE > FILE` makes it: a shell \
                   empties FILE before it is read";
    for script in [r#"exec "$@" < card.json > card.json"#, r#"exec "$@" --stdin < card.json > card.json"#] {
        let done = kit.home.run(&["refresh", "card", "--json"]).through_shell(script).done();
        assert_eq!(done.refusal(), message, "{script}");
        let help = done.error()["help"].as_str().expect("a text").to_owned();
        assert!(help.contains("--file FILE") && help.contains("--stored"), "{help}");
    }
    assert_eq!(sandbox.events().len(), 0);
    // What is asked for expressly is done, whatever stands on standard input.
    let done = kit.home.run(&["refresh", "card", "--stored"]).through_shell(r#"exec "$@" < card.json"#).done();
    assert_eq!((done.code, sandbox.events().len()), (0, 1), "{}", done.stderr);
    assert_eq!(sandbox.events()[0].call, Some(Call::AlixCard));
}
