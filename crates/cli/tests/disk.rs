//! A disk that fills up: nothing is sent whose tokens could be lost. Each case runs in a process of its own, on a small disk that it
//! mounts for itself; the provider fills that disk before it answers.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::thread;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use rampauth_test_kit::scripted::response;
use serde_json::Value;

/// A case, what a shell mounts for it in the folder `$1`, and how that shell is started.
const CASES: [(&str, &str, &[&str]); 4] = [
    ("a_stored_refresh_on_a_nearly_full_disk_loses_no_tokens", MEMORY, USER),
    // In steps of less than a page.
    ("a_stored_refresh_on_a_disk_of_small_blocks_loses_no_tokens", SMALL_BLOCKS, ROOT),
    ("a_token_that_is_asked_for_on_a_nearly_full_disk_loses_no_tokens", MEMORY, USER),
    ("tokens_without_a_store_have_a_file_even_on_a_full_disk", MEMORY, USER),
];
const MEMORY: &str = r#"mount -t tmpfs -o size=2m none "$1""#;
const SMALL_BLOCKS: &str =
    r#"truncate -s 4M "$1/disk" && mkfs.ext4 -q -b 1024 -m 0 "$1/disk" && mount -o loop "$1/disk" "$1""#;
const USER: &[&str] = &["unshare", "--user", "--map-root-user", "--mount", "sh"];
/// File systems on a file take root itself.
const ROOT: &[&str] = &["unshare", "--mount", "sh"];

const CONFIG: &str = r#"store = "sqlite:rampauth.db"
[profile.onboard]
provider = "onboard"
base_url = "URL"
timeout_seconds = 30
"#;
const OLD: &str = r#"{"accessToken":"old-a","refreshToken":"old-r","accessTokenExpiresAt":"2020-01-01T00:00:00Z"}"#;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|first| first == "as") {
        let (case, folder) = (args.next().expect("a case"), args.next().expect("a folder"));
        let folder = Path::new(&folder);
        match case.to_str() {
            Some(
                "a_stored_refresh_on_a_nearly_full_disk_loses_no_tokens"
                | "a_stored_refresh_on_a_disk_of_small_blocks_loses_no_tokens",
            ) => {
                nearly_full(folder, &["refresh", "onboard", "--stored", "--json"]);
            }
            Some("a_token_that_is_asked_for_on_a_nearly_full_disk_loses_no_tokens") => {
                nearly_full(folder, &["token", "onboard", "--json"]);
            }
            Some("tokens_without_a_store_have_a_file_even_on_a_full_disk") => store_removed(folder),
            _ => panic!("{case:?} is no case"),
        }
        return ExitCode::SUCCESS;
    }
    let tests = CASES.map(|(name, mount, shell)| Trial::ignorable_test(name, move || run(name, mount, shell)));
    libtest_mimic::run(&Arguments::from_args(), tests.into()).exit_code()
}

/// Runs a case, where this machine lets a test mount something.
fn run(case: &str, mount: &str, shell: &[&str]) -> Result<Completion, Failed> {
    let folder = tempfile::tempdir()?;
    let script = format!(r#"{mount} || exit 77; echo ready; exec "$2" as "$3" "$1""#);
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).args(["-c", &script, "sh"]).arg(folder.path());
    let Ok(ran) = command.arg(std::env::current_exe()?).arg(case).output() else {
        return Ok(Completion::ignored_with("there is no `unshare` here"));
    };
    let (said, complaint) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    if !said.starts_with("ready\n") {
        return Ok(Completion::ignored_with(format!("no disk can be mounted here: {}", complaint.trim())));
    }
    if ran.status.success() { Ok(Completion::Completed) } else { Err(format!("{} {complaint}", ran.status).into()) }
}

/// What takes room on the disk until it is dropped.
struct Full(PathBuf);

impl Full {
    /// Leaves this many bytes free.
    fn but(folder: &Path, free: u64) -> Self {
        let path = folder.join(format!("pad-{free}"));
        let mut file = File::create(&path).expect("a file");
        while file.write_all(&[0; 4096]).is_ok() {}
        let length = file.metadata().expect("a file").len();
        file.set_len(length.saturating_sub(free)).expect("a shorter file");
        Self(path)
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        fs::remove_file(&self.0).expect("the file");
    }
}

fn rampauth(folder: &Path, arguments: &[&str], stdin: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rampauth"));
    for name in ["RAMPAUTH_CONFIG", "RAMPAUTH_LOG", "XDG_STATE_HOME", "HOME"] {
        command.env_remove(name);
    }
    command.args(arguments).current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    drop(child.stdin.take().expect("a pipe").write_all(stdin.as_bytes()));
    child.wait_with_output().expect("its end")
}

/// Runs a command beside a provider that does something before it answers, and gives the number of requests.
fn with_provider(
    folder: &Path,
    listener: &TcpListener,
    arguments: &[&str],
    meanwhile: impl FnOnce() + Send,
) -> (Output, bool) {
    listener.set_nonblocking(true).expect("a listener");
    let ended = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        let provider = scope.spawn(|| {
            while !ended.load(std::sync::atomic::Ordering::SeqCst) {
                let Ok((mut stream, _)) = listener.accept() else {
                    thread::sleep(std::time::Duration::from_millis(1));
                    continue;
                };
                stream.set_nonblocking(false).expect("a stream");
                assert!(stream.read(&mut [0; 4096]).expect("a request") > 0);
                meanwhile();
                let body = r#"{"userId":"u","accessToken":{"token":"new-a","expiry":"2126-11-20T10:30:00Z"},"refreshToken":{"token":"new-r","expiry":"2126-12-20T10:30:00Z"}}"#;
                stream.write_all(&response(200, &[("content-type", "application/json")], body.as_bytes())).expect("an answer");
                return true;
            }
            false
        });
        let output = rampauth(folder, arguments, "");
        ended.store(true, std::sync::atomic::Ordering::SeqCst);
        (output, provider.join().expect("no panic"))
    })
}

fn error(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stderr);
    let document: Value = serde_json::from_str(text.trim()).unwrap_or_else(|_| panic!("{text}"));
    document["error"].clone()
}

/// A folder with an expired session whose refresh token works once.
fn logged_in(folder: &Path, listener: &TcpListener) {
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    fs::write(folder.join("rampauth.toml"), CONFIG.replace("URL", &url)).expect("a configuration");
    let imported = rampauth(folder, &["import", "onboard"], OLD);
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
}

fn nearly_full(disk: &Path, arguments: &[&str]) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (mut refused, mut sent) = (0, 0);
    for free in (0..=128).step_by(2).chain((192..=704).step_by(64)) {
        let folder = disk.join(format!("at-{free}"));
        fs::create_dir(&folder).expect("a folder");
        logged_in(&folder, &listener);
        let full = Full::but(disk, free * 1024);
        // From the request on there is no room at all, whoever took it.
        let mut rest = None;
        let (output, asked) = with_provider(&folder, &listener, arguments, || rest = Some(Full::but(disk, 0)));
        drop((rest, full));
        if asked {
            sent += 1;
            assert!(output.status.success(), "{free} KiB: {output:?}");
            let printed = String::from_utf8_lossy(&output.stdout);
            assert!(printed.contains("new-a"), "{free} KiB: {printed}");
            let stored = rampauth(&folder, &["token", "onboard"], "");
            assert_eq!(String::from_utf8_lossy(&stored.stdout), "new-a\n", "{free} KiB: {stored:?}");
        } else {
            refused += 1;
            let error = error(&output);
            assert_eq!(output.status.code(), Some(2), "{free} KiB: {error}");
            assert_eq!(error["outcome"], "not_sent", "{free} KiB: {error}");
            let text = format!("{} {}", error["message"], error["help"]);
            assert!(text.contains("room"), "{free} KiB: {text}");
            if free % 32 == 0 {
                // With room again the session is as it was.
                let (output, asked) = with_provider(&folder, &listener, arguments, || {});
                assert!(asked && output.status.success(), "{free} KiB: {output:?}");
            }
        }
        fs::remove_dir_all(folder).expect("the folder");
    }
    assert!(refused > 0 && sent > 0, "{refused} refused, {sent} sent: nothing was shown");
}

fn store_removed(disk: &Path) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    logged_in(disk, &listener);
    let mut full = None;
    let (output, asked) = with_provider(disk, &listener, &["refresh", "onboard", "--stored", "--json"], || {
        full = Some(Full::but(disk, 0));
        for file in ["rampauth.db", "rampauth.db-wal", "rampauth.db-shm"] {
            fs::remove_file(disk.join(file)).expect("the store");
        }
        // What that gave back is taken too.
        File::options()
            .append(true)
            .open(disk.join("pad-0"))
            .expect("a file")
            .write_all(&[0; 1 << 20])
            .expect_err("full");
    });
    assert!(asked);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let help = error(&output)["help"].to_string();
    assert!(help.contains("onboard.rescued-1.json"), "{help}");
    let rescued = fs::read_to_string(disk.join("onboard.rescued-1.json")).expect("the tokens");
    assert!(rescued.contains("new-a") && rescued.contains("new-r"), "{rescued}");
    drop(full);
}
