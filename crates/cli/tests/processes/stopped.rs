//! A process that is stopped past every time limit while its answer comes, as a frozen container is: it finds the answer in
//! its socket and takes it.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rampauth_test_kit::scripted::{Script, ScriptedServer, response};
use serde_json::Value;

use crate::support::{Home, SEALED};

const GRANTED: &str = r#"{"userId":"u-1","accessToken":{"token":"new-access","expiry":"2100-01-01T00:00:00Z"},"refreshToken":{"token":"new-refresh","expiry":"2101-01-01T00:00:00Z"}}"#;
const PRESENTED: &str = r#"{"accessToken":"old-access","refreshToken":"old-refresh"}"#;
/// Longer than the client's timeout and the keeper's deadline: one second, and two.
const STOPPED: Duration = Duration::from_secs(4);

fn signal(name: &str, process: &Child) {
    // A shell has the command built in.
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", process.id())]).status();
    assert!(sent.expect("a shell").success(), "{name}");
}

#[test]
fn a_process_that_was_stopped_takes_the_answer_that_came_meanwhile() {
    for arguments in [&["refresh", "onboard", "--stdin"][..], &["refresh", "onboard", "--stored"]] {
        let server = ScriptedServer::start(Script::Held(response(200, &[], GRANTED)));
        let home = Home::new(&format!(
            "{SEALED}[profile.onboard]\nprovider = \"onboard\"\nbase_url = \"{}\"\ntimeout_seconds = 1\n",
            server.url()
        ));
        home.run(&["import", "onboard"]).stdin(PRESENTED).done().output();
        let mut command = home.run(arguments).into_command();
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = piped.spawn().expect("the binary starts");
        process.stdin.take().expect("a pipe").write_all(PRESENTED.as_bytes()).ok();
        server.wait_for_requests(1);
        signal("STOP", &process);
        server.release();
        thread::sleep(STOPPED);
        signal("CONT", &process);
        let output = process.wait_with_output().expect("the binary ends");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), told.as_ref()), (Some(0), ""), "{arguments:?}");
        let tokens: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!((&tokens["accessToken"], &tokens["refreshToken"]), (&"new-access".into(), &"new-refresh".into()));
        assert_eq!(server.requests().len(), 1, "sent once");
    }
}
