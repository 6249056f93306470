//! `sandbox`: ready in one line, stopped by a signal, and a folder with all that a client needs.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};

use serde_json::Value;

use crate::support::{Done, Home, Run};

/// A sandbox that is running; killed with the test that fails.
struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    first_line: String,
}

impl Running {
    fn start(arguments: &[&str], folder: &Path) -> Self {
        let mut command = Run::new(&[&["sandbox"], arguments].concat()).into_command();
        command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut first_line = String::new();
        stdout.read_line(&mut first_line).expect("a line");
        Self { child, stdout, first_line }
    }

    /// Ends it with a signal; the exit code and everything after the first line.
    #[cfg(unix)]
    fn stop(mut self, signal: &str) -> Done {
        let id = self.child.id().to_string();
        assert!(std::process::Command::new("kill").args([signal, &id]).status().expect("kill runs").success());
        let code = self.child.wait().expect("an end").code().expect("an exit code, no signal");
        let mut done = Done { code, stdout: String::new(), stderr: String::new() };
        self.stdout.read_to_string(&mut done.stdout).expect("UTF-8");
        self.child.stderr.take().expect("a pipe").read_to_string(&mut done.stderr).expect("UTF-8");
        done
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

#[cfg(unix)]
#[test]
fn one_line_when_it_is_ready_and_both_signals_end_it_with_0() {
    for signal in ["-TERM", "-INT"] {
        let sandbox = Running::start(&[], folder().path());
        let url = sandbox.first_line.trim_end().strip_prefix("sandbox ready at ").expect("the line").to_owned();
        assert!(url.starts_with("http://127.0.0.1:") && !url.ends_with('/'), "{url}");
        let done = sandbox.stop(signal);
        assert_eq!((done.code, done.stdout.as_str(), done.stderr.as_str()), (0, "", ""));
    }
}

#[cfg(unix)]
#[test]
fn json_is_one_line_too_and_requests_are_logged() {
    let around = folder();
    let sandbox = Running::start(&["--json", "--listen", "127.0.0.1:0", "--write", "kit"], around.path());
    let ready: Value = serde_json::from_str(&sandbox.first_line).expect("JSON");
    let url = ready["url"].as_str().expect("a text");
    assert!(url.starts_with("http://127.0.0.1:") && ready.as_object().map(serde_json::Map::len) == Some(1));
    refresh(&around.path().join("kit"), "onboard").json();
    let done = sandbox.stop("-TERM");
    assert_eq!((done.code, done.stdout.as_str()), (0, ""));
    assert!(done.stderr.contains("onboard POST /auth/oauth/refresh-token 200 granted"), "{}", done.stderr);
}

/// As the documentation says: `rampauth --config DIR/rampauth.toml refresh card < DIR/card.json`.
fn refresh(kit: &Path, profile: &str) -> Done {
    let config = kit.join("rampauth.toml");
    let tokens = fs::read(kit.join(format!("{profile}.json"))).expect("the tokens");
    Run::new(&["--config", config.to_str().expect("UTF-8"), "refresh", profile]).stdin(tokens).done()
}

#[test]
fn the_folder_works_at_once_for_all_five() {
    let around = folder();
    let _sandbox = Running::start(&["--write", "a/kit"], around.path());
    let kit = around.path().join("a/kit");
    for profile in ["card", "ramp", "user", "payby", "onboard"] {
        let tokens = refresh(&kit, profile).json();
        assert_eq!(tokens["rotated"], true, "{profile}");
    }
    let mut names: Vec<String> = fs::read_dir(&kit)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    let expected = [
        "alix-secret-key.txt",
        "alix.pub.pem",
        "card.json",
        "onboard.json",
        "partner.pem",
        "payby.json",
        "payby.pub.pem",
        "ramp.json",
        "rampauth.toml",
        "sealing.key",
        "transak-api-key.txt",
        "user.json",
    ];
    assert_eq!(names, expected);
}

#[cfg(unix)]
#[test]
fn only_the_user_may_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let around = folder();
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o7777;
    // One that was there before, open to all, is closed.
    fs::create_dir(around.path().join("open")).expect("a folder");
    fs::set_permissions(around.path().join("open"), fs::Permissions::from_mode(0o755)).expect("opened");
    for name in ["new", "open"] {
        let _sandbox = Running::start(&["--write", name], around.path());
        let kit = around.path().join(name);
        assert_eq!(mode(&kit), 0o700);
        for entry in fs::read_dir(&kit).expect("a folder") {
            let path = entry.expect("an entry").path();
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }
}

#[test]
fn a_folder_that_is_not_empty_needs_force() {
    let home = Home::new("# mine");
    let sandbox = |arguments: &[&str]| home.run(&[&["sandbox", "--json"], arguments].concat()).done();
    let refusal = sandbox(&["--write", "."]).refusal();
    assert_eq!(refusal, "failed to write the folder: . is not empty");
    assert_eq!(fs::read_to_string(home.path().join("rampauth.toml")).expect("a file"), "# mine");
    home.write("file", "");
    let refusal = sandbox(&["--write", "file"]).refusal();
    assert!(refusal.starts_with("failed to write the folder: file cannot be written"), "{refusal}");

    home.write("other.txt", "kept");
    let _sandbox = Running::start(&["--write", ".", "--force"], home.path());
    assert_eq!(fs::read_to_string(home.path().join("other.txt")).expect("a file"), "kept");
    assert_eq!(refresh(home.path(), "card").json()["rotated"], true);
}

#[test]
fn it_listens_on_this_machine_alone() {
    for address in ["0.0.0.0:0", "192.0.2.1:4010", "[::]:0"] {
        let refusal = Run::new(&["sandbox", "--json", "--listen", address]).done().refusal();
        let reason = format!("{address} is not an address of this machine alone");
        assert_eq!(refusal, format!("failed to start the sandbox: {reason}"));
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let refusal = Run::new(&["sandbox", "--json", "--listen", &address]).done().refusal();
    assert_eq!(refusal, format!("failed to start the sandbox: the port of {address} is in use"));
}
