//! A process that is stopped past every time limit while its answer comes, as a frozen container is: it finds the answer in
//! its socket and takes it, whichever of the five calls it made.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rampauth_core::{RsaSigningKey, Signer as _};
use rampauth_test_kit::keys;
use rampauth_test_kit::scripted::{Script, ScriptedServer, response};
use serde_json::{Value, json};

use crate::support::{Home, SEALED, SECRET_KEY, profiles};

const PAIR: &str = r#"{"accessToken":"old-access","refreshToken":"old-refresh"}"#;
/// `{"alg":"HS256"}`, `{"exp":4070908800}` and `{"exp":4102444800}`: the first days of 2099 and 2100.
const OLD_JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjQwNzA5MDg4MDB9.c3RvcmVk";
const NEW_JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjQxMDI0NDQ4MDB9.bmV3";
/// Longer than the client's timeout and the keeper's deadline: one second, and two.
const STOPPED: Duration = Duration::from_secs(4);

/// One of the five calls: the tokens that are sent, the provider's answer, and the tokens in it.
struct Call {
    profile: &'static str,
    stored: String,
    answer: Vec<u8>,
    granted: [Value; 2],
}

fn signed_by_the_provider(text: &str) -> String {
    let key = RsaSigningKey::parse(keys::PROVIDER_PKCS8.pem).expect("a key");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let signature = runtime.block_on(key.sign(text.as_bytes())).expect("a signature");
    signature.to_base64().expose_secret().to_owned()
}

fn calls() -> [Call; 5] {
    let pair = [json!("new-access"), json!("new-refresh")];
    let members = json!({"accessToken": pair[0], "refreshToken": pair[1]});
    let call = |profile, answer: Vec<u8>| Call { profile, stored: PAIR.to_owned(), answer, granted: pair.clone() };
    let plain = |document: Value| response(200, &[], document.to_string());
    let mut ramp = members.clone();
    ramp["signature"] = signed_by_the_provider(SECRET_KEY).into();
    let payby = json!({"head": {"applyStatus": "SUCCESS", "code": "0", "msg": "m"}, "body": members}).to_string();
    let sign = signed_by_the_provider(&payby);
    let onboard = json!({
        "userId": "u-1",
        "accessToken": {"token": pair[0], "expiry": "2100-01-01T00:00:00Z"},
        "refreshToken": {"token": pair[1], "expiry": "2101-01-01T00:00:00Z"},
    });
    [
        call("card", plain(json!({"success": true, "message": "m", "data": members, "errorCode": 0}))),
        call("ramp", plain(ramp)),
        Call {
            profile: "user",
            stored: json!({"accessToken": OLD_JWT}).to_string(),
            answer: plain(json!({"data": {"accessToken": NEW_JWT}})),
            granted: [json!(NEW_JWT), Value::Null],
        },
        call("payby", response(200, &[("sign", &sign)], payby)),
        call("onboard", plain(onboard)),
    ]
}

fn signal(name: &str, process: &Child) {
    // A shell has the command built in.
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", process.id())]).status();
    assert!(sent.expect("a shell").success(), "{name}");
}

fn takes_the_answer(call: &Call, tokens_from: &str) {
    let Call { profile, stored, answer, granted } = call;
    let server = ScriptedServer::start(Script::Held(answer.clone()));
    let profiles = profiles(&server.url()).replace("timeout_seconds = 30", "timeout_seconds = 1");
    let home = Home::new(&format!("{SEALED}{profiles}"));
    home.run(&["import", profile]).stdin(stored).done().output();
    let mut command = home.run(&["refresh", profile, tokens_from]).into_command();
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = piped.spawn().expect("the binary starts");
    process.stdin.take().expect("a pipe").write_all(stored.as_bytes()).ok();
    server.wait_for_requests(1);
    signal("STOP", &process);
    server.release();
    thread::sleep(STOPPED);
    signal("CONT", &process);
    let output = process.wait_with_output().expect("the binary ends");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), told.as_ref()), (Some(0), ""), "{profile} {tokens_from}");
    let tokens: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!([&tokens["accessToken"], &tokens["refreshToken"]], [&granted[0], &granted[1]], "{profile}");
    assert_eq!(server.requests().len(), 1, "{profile} {tokens_from}: sent once");
}

#[test]
fn a_process_that_was_stopped_takes_the_answer_that_came_meanwhile() {
    let calls = calls();
    thread::scope(|scope| {
        for call in &calls {
            for tokens_from in ["--stdin", "--stored"] {
                scope.spawn(|| takes_the_answer(call, tokens_from));
            }
        }
    });
}
