//! `demo`: five refreshes, a token that is kept, a crash; as tables or as JSON, and nothing left behind.

use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::support::Run;

#[test]
fn the_tables() {
    let done = Run::new(&["demo"]).done();
    assert_eq!(done.code, 0, "{}", done.stderr);
    let lines: Vec<&str> = done.stdout.lines().collect();
    for (line, parts) in lines[3..8].iter().zip([
        ["alix-card", "POST /api/v2/auth/refresh-token", "partnerCode|secretKey · RSA-SHA256", "in 1"],
        [
            "alix-on-off-ramp",
            "POST /api/v2/user-order/refresh-token",
            "partnerCode|email|secretKey · RSA-SHA256",
            "in 1",
        ],
        ["transak-user", "GET /api/v2/auth/refresh", "nothing", "in "],
        ["payby", "POST /sgs/api/oauth2/authz/refresh-token", "the body, byte for byte · RSA-SHA256", "in "],
        ["onboard", "POST /auth/oauth/refresh-token", "nothing", "in "],
    ]) {
        assert_eq!(cells(line)[..4], [parts[0], parts[1], parts[2], "granted"]);
        assert!(cells(line)[4].starts_with(parts[3]) && cells(line)[5] == "yes", "{line}");
    }
    let text = |part: &str| assert!(done.stdout.contains(part), "{part} in {}", done.stdout);
    text("A token of onboard that lives 750 ms, kept fresh\n");
    let kept = cells(lines.iter().find(|line| line.starts_with("│ 3 ")).expect("the kept token"));
    assert_eq!((&kept[..3], kept.len()), (&["3", "3", "4"][..], 6), "{}", done.stdout);
    text("ms: killed; alix-card had granted its request, and the answer was still to come\n");
    text("┆ in doubt ┆");
    text("presented 1 time without an");
    text("ms: settled; the token was presented once more (2 times in all) and granted\n");
    text("The session lives on: generation 3, the access token expires in 14 min");
    assert!(lines.iter().all(|line| line.chars().count() <= 144), "{}", done.stdout);
    assert!(lines.last().expect("a line").starts_with("Next: `rampauth sandbox --write demo`"), "{}", done.stdout);
    insta::assert_snapshot!(done.stderr, @r"
    making keys and starting the sandbox
    refreshing alix-card
    killing a process between sending and saving
    refreshing alix-on-off-ramp
    refreshing transak-user
    refreshing payby
    refreshing onboard
    keeping a short-lived token fresh
    settling the doubt
    ");
}

fn cells(line: &str) -> Vec<&str> {
    line.trim_matches('│').split('┆').map(str::trim).collect()
}

#[test]
fn the_document() {
    let demo = Run::new(&["demo", "--json"]).done().json();
    let members: Vec<&String> = demo.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["crash", "kept", "rows"]);
    let rows = demo["rows"].as_array().expect("rows");
    let expected = [
        ("alix-card", "POST /api/v2/auth/refresh-token", Some("partnerCode|secretKey")),
        ("alix-on-off-ramp", "POST /api/v2/user-order/refresh-token", Some("partnerCode|email|secretKey")),
        ("transak-user", "GET /api/v2/auth/refresh", None),
        ("payby", "POST /sgs/api/oauth2/authz/refresh-token", Some("the body, byte for byte")),
        ("onboard", "POST /auth/oauth/refresh-token", None),
    ];
    assert_eq!(rows.len(), expected.len());
    for (row, (provider, call, signed)) in rows.iter().zip(expected) {
        let expiry = time(&row["accessTokenExpiresAt"]);
        let algorithm = signed.map(|_| "RSA-SHA256");
        assert_eq!(
            *row,
            json!({"provider": provider, "call": call, "signed": signed, "algorithm": algorithm, "outcome": "granted",
                "accessTokenExpiresAt": expiry, "rotated": true})
        );
    }
    what_was_kept(&demo["kept"]);
    what_crashed(&demo["crash"]);
}

fn time(value: &Value) -> &str {
    let time = value.as_str().expect("a time");
    assert!(time.len() == 20 && time.ends_with('Z'), "{time}");
    time
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

fn what_was_kept(kept: &Value) {
    let (reads, waited, slowest) =
        (number(&kept["reads"]), number(&kept["waited"]), number(&kept["slowestReadMicros"]));
    assert_eq!(
        *kept,
        json!({"provider": "onboard", "accessTokenLifetimeMillis": 750, "rotations": 3, "refreshesSent": 3, "readers": 4,
            "reads": reads, "waited": waited, "slowestReadMicros": slowest})
    );
    assert!(reads > waited && reads >= 40, "{kept}");
}

fn what_crashed(crash: &Value) {
    let [killed, doubt, settled] =
        ["killedAfterMillis", "doubtAfterMillis", "settledAfterMillis"].map(|name| number(&crash[name]));
    assert!(killed < doubt && doubt <= settled, "{crash}");
    let status = &crash["status"];
    assert_eq!(
        *crash,
        json!({"provider": "alix-card", "killedAfterMillis": killed, "doubtAfterMillis": doubt, "status": status,
            "settledAfterMillis": settled, "presentations": 2, "generation": 3,
            "accessTokenExpiresAt": time(&crash["accessTokenExpiresAt"])})
    );
    assert_eq!((&status["state"], &status["profile"]), (&json!("in_doubt"), &json!("card")));
    assert_eq!((&status["generation"], &status["claimedUntil"]), (&json!(2), &json!(null)));
    assert_eq!(status["attempt"], json!({"since": time(&status["attempt"]["since"]), "presentations": 1}));
    assert!(status["advice"].as_str().expect("a text").contains("rampauth settle card"), "{status}");
}

#[test]
fn it_needs_no_configuration_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let done = in_folder(&["demo", "--json", "--config", "nowhere.toml"], folder.path());
    assert_eq!(done.wait_with_output().expect("it ends").status.code(), Some(0));
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn without_a_place_for_its_files_it_ends_before_anything_is_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let refusal = Run::new(&["demo", "--json"]).env("TMPDIR", folder.path().join("nowhere")).done().refusal();
    assert!(refusal.starts_with("failed to start the demo: there is no place for temporary files"), "{refusal}");
}

/// Told to stop while the process that it kills is there, it takes that process and its own files with it.
#[cfg(target_os = "linux")]
#[test]
fn told_to_stop_it_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    for (step, signal, code) in [("killing", "INT", 130), ("keeping", "TERM", 143), ("keeping", "HUP", 129)] {
        let (demo, mut stderr) = at_step(folder.path(), step);
        let id = demo.id().to_string();
        assert!(std::process::Command::new("kill").args(["-s", signal, &id]).status().expect("kill runs").success());
        let output = demo.wait_with_output().expect("it ends");
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(code), &b""[..]), "{step}");
        let mut said = String::new();
        std::io::Read::read_to_string(&mut stderr, &mut said).expect("UTF-8");
        assert!(!said.contains("error"), "{said}");
        assert_eq!(names(folder.path()), [""; 0], "{step}");
        assert_eq!(victims(folder.path()), [""; 0], "{step}");
    }
}

fn in_folder(arguments: &[&str], folder: &Path) -> Child {
    let mut command = Run::new(arguments).env("TMPDIR", folder).into_command();
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the binary starts")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

/// The command lines of living processes that name this folder.
#[cfg(target_os = "linux")]
fn victims(folder: &Path) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").expect("processes");
    processes
        .filter_map(|process| std::fs::read_to_string(process.ok()?.path().join("cmdline")).ok())
        .filter(|line| line.contains("demo-victim") && line.contains(&*folder.to_string_lossy()))
        .collect()
}

/// A demo at this step of it; at that of killing with the process that is going to be killed.
#[cfg(target_os = "linux")]
fn at_step(folder: &Path, step: &str) -> (Child, std::io::BufReader<std::process::ChildStderr>) {
    use std::io::BufRead as _;
    // That process lives for a tenth of a second: on a busy machine it may have come and gone unseen.
    for _ in 0..20 {
        let mut demo = in_folder(&["demo"], folder);
        let mut stderr = std::io::BufReader::new(demo.stderr.take().expect("piped"));
        let mut line = String::new();
        while !line.starts_with(step) {
            line.clear();
            assert_ne!(stderr.read_line(&mut line).expect("UTF-8"), 0, "it ended before `{step}`");
        }
        let mut is_there = step != "killing";
        while !is_there && demo.try_wait().expect("a state").is_none() {
            is_there = !victims(folder).is_empty();
        }
        if is_there {
            return (demo, stderr);
        }
    }
    panic!("the process that is killed was never seen");
}
