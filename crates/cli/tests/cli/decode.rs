//! `decode`: the times of a JWT, and its claims when asked.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::Run;

/// The access token of the sample answer in the Alix documentation ("Refresh Token", card; read 2026-11).
const ALIX_SAMPLE: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzaWduIjoicmpnUURlOFFWbG5QOUFKTCIsInBhcnRuZXJDb2RlIjoiemVuY2FyZHRlc3QiLCJpYXQiOjE3MzEzMTM5NzgsImV4cCI6MTczMTMxNDg3OH0.7iBLv8Ib6UHbxlrtfjnMzvhpkdYlldSkaXe6RRUI4eQ";

#[test]
fn a_vendors_sample() {
    let decoded = Run::new(&["decode"]).stdin(format!("{ALIX_SAMPLE}\n")).done().output();
    assert_eq!(
        decoded,
        "{\"algorithm\":\"HS256\",\"issuedAt\":\"2024-11-11T08:32:58Z\",\"notBefore\":null,\"expiresAt\":\"2024-11-11T08:47:58Z\",\"verified\":false}\n"
    );
    let decoded: Value = Run::new(&["--json", "decode", "--reveal"]).stdin(ALIX_SAMPLE).done().json();
    let claims =
        json!({"sign": "rjgQDe8QVlnP9AJL", "partnerCode": "zencardtest", "iat": 1731313978, "exp": 1731314878});
    assert_eq!(decoded["claims"], claims);
}

#[test]
fn what_is_not_a_jwt_is_refused() {
    let shape = "it is not three parts of base64url between dots, the first two JSON objects";
    let long = format!("{}.e30.x", "A".repeat(65_536));
    let endless = "A".repeat(1024 * 1024 + 1);
    for (stdin, reason) in [
        ("", "read the JWT: there is none on standard input"),
        ("\n", &*format!("read the JWT: {shape}")),
        ("opaque", &format!("read the JWT: {shape}")),
        ("a.b.c", &format!("read the JWT: {shape}")),
        ("Bearer a.b.c", "read the JWT: it starts with `Bearer `, which is no part of the token; leave it off"),
        ("Authorization: Bearer a.b.c", "read the JWT: it starts with the name of a header; leave that off"),
        (r#"{"accessToken":"a.b.c"}"#, "read the JWT: it is JSON, where a token alone belongs"),
        (&long, "read the JWT: it is longer than 65,536 bytes"),
        (&endless, "read standard input: it is longer than 1 MiB"),
    ] {
        let refusal = Run::new(&["decode", "--json"]).stdin(stdin).done().refusal();
        assert_eq!(refusal, format!("failed to {reason}"));
    }
    let none = Run::new(&["decode", "--json"]).done().refusal();
    assert_eq!(none, "failed to read the JWT: there is none on standard input");
    let bytes = Run::new(&["decode", "--json"]).stdin(b"\xff.e30.x").done().refusal();
    assert_eq!(bytes, "failed to read the JWT: it is not UTF-8");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    use std::io::{Read as _, Write as _};
    let mut command = Run::new(&["decode", "--json"]).into_command();
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a child");
    // The token comes last, so that nothing has been written when the pipe closes.
    drop(child.stdout.take());
    child.stdin.take().expect("a pipe").write_all(ALIX_SAMPLE.as_bytes()).expect("written");
    assert_eq!(child.wait().expect("an end").code(), Some(0));
    let mut stderr = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut stderr).expect("UTF-8");
    assert_eq!(stderr, "");
}
