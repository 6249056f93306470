//! What belongs to no provider: paths, methods, sizes, concurrency, the clock, starting and stopping.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use rampauth_sandbox::{Call, Sandbox, StartError, Verdict};
use serde_json::json;

use crate::support::{Client, raw, seconds};

const PATHS: [(&str, &str, Option<Call>); 6] = [
    ("POST", "/api/v2/user-order/refresh-token", Some(Call::AlixOnOffRamp)),
    ("POST", "/api/v2/auth/refresh-token", Some(Call::AlixCard)),
    ("GET", "/api/v2/auth/refresh", Some(Call::TransakUser)),
    ("POST", "/sgs/api/oauth2/authz/refresh-token", Some(Call::PayBy)),
    ("POST", "/auth/oauth/refresh-token", Some(Call::Onboard)),
    ("POST", "/sgs/verifySign", None),
];

#[tokio::test]
async fn an_unknown_path_is_404_and_says_what_was_meant() {
    let client = Client::start().await;
    for (path, reason) in [
        ("/", "no such path"),
        (
            "/v2/auth/refresh-token?x=needle",
            "no such path; POST /api/v2/auth/refresh-token (alix-card) was probably meant: /api is missing at its start",
        ),
    ] {
        let reply = client.send("POST", path, &[], "").await;
        assert_eq!(reply.refused(404, reason), json!({"error": "Not Found"}));
        assert_eq!(reply.event.call, None);
        assert!(!reply.event.to_string().contains("needle"), "the query is not shown");
    }
}

#[tokio::test]
async fn a_wrong_method_is_405_and_names_the_right_one() {
    let client = Client::start().await;
    for (method, path, call) in PATHS {
        let wrong = if method == "GET" { "POST" } else { "GET" };
        let reply = client.send(wrong, path, &[], "").await;
        assert_eq!((reply.status, reply.event.verdict, reply.event.call), (405, Verdict::Refused, call));
        assert_eq!(reply.header("allow"), Some(method));
        assert_eq!(reply.json(), json!({"error": "Method Not Allowed"}));
        let start = format!("wrong method: the call is {method} {path} (");
        assert!(reply.event.reason.starts_with(&start), "{}", reply.event);
    }
    let reply = client.send("POST", "/api/v2/auth/refresh", &[], "").await;
    assert!(reply.event.reason.ends_with("; POST /api/v2/auth/refresh-token is alix-card"), "{}", reply.event);
    assert_eq!(client.send("NEEDLE", "/", &[], "").await.event.method, "***");
}

#[tokio::test]
async fn a_body_is_read_up_to_its_bound() {
    let client = Client::start().await;
    let json = [("content-type", "application/json")];
    for (method, path, call) in PATHS {
        let reply = client.send(method, path, &json, " ".repeat(64 * 1024 + 1)).await;
        reply.refused(413, "the body is larger than 65536 bytes");
        assert_eq!(reply.event.call, call);
    }
    let reply = client.send("POST", PATHS[0].1, &json, " ".repeat(64 * 1024)).await;
    assert_eq!((reply.status, reply.event.reason.starts_with("the body is not JSON")), (400, true));
    // Read to its end before it is refused, as far as a client may be careless rather than hostile.
    for length in [64 * 1024 + 1, 1024 * 1024] {
        client
            .send("POST", PATHS[0].1, &json, " ".repeat(length))
            .await
            .refused(413, "the body is larger than 65536 bytes");
    }
    // Announced without a length.
    let chunk = format!("{:x}\r\n{}\r\n0\r\n\r\n", 65_537, " ".repeat(65_537));
    let head = "POST /api/v2/auth/refresh-token HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked";
    assert!(raw(&client.sandbox, &format!("{head}\r\n\r\n{chunk}")).starts_with("HTTP/1.1 413 "));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_presentations_of_one_token_exactly_one_is_granted() {
    let sandbox = Sandbox::start().await.expect("a sandbox");
    for round in 0..20 {
        let token = sandbox.issue(Call::Onboard).refresh_token.expect("a refresh token");
        let request = format!(
            "POST /auth/oauth/refresh-token HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\nx-auth-token: {token}\r\n\r\n"
        );
        let barrier = std::sync::Barrier::new(8);
        let granted = std::thread::scope(|scope| {
            let presentations: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        raw(&sandbox, &request).starts_with("HTTP/1.1 200 ")
                    })
                })
                .collect();
            presentations.into_iter().filter_map(|one| one.join().expect("an answer").then_some(())).count()
        });
        assert_eq!(granted, 1, "round {round}");
    }
    let events = sandbox.events();
    assert_eq!(events.iter().filter(|event| event.verdict == Verdict::Granted).count(), 20);
    assert_eq!(events.iter().filter(|event| event.reason == "refresh token was already used").count(), 140);
}

#[tokio::test]
async fn the_clock_moves_every_answer_and_every_token() {
    let client = Client::start().await;
    let before = client.sandbox.now();
    client.sandbox.advance(Duration::from_secs(1_000_000));
    let moved = client.sandbox.now().duration_since(before).expect("later");
    assert!((1_000_000..1_000_060).contains(&moved.as_secs()));
    let reply = client.send("GET", "/", &[], "").await;
    let date = reply.header("date").expect("a date").replace("GMT", "+0000");
    let date = jiff::fmt::rfc2822::parse(&date).expect("an HTTP date").timestamp().as_second();
    assert!(seconds(client.sandbox.now()).abs_diff(u64::try_from(date).expect("after 1970")) <= 5);
    assert_eq!(reply.headers.get_all("date").iter().count(), 1);
    let issued = client.sandbox.issue(Call::AlixCard);
    let left = issued.access_token_expires_at.duration_since(client.sandbox.now()).expect("alive");
    assert!((890..=900).contains(&left.as_secs()));

    // However far it is moved, it stays a time that can be printed.
    client.sandbox.advance(Duration::MAX);
    client.sandbox.advance(Duration::MAX);
    assert_eq!(client.send("GET", "/", &[], "").await.status, 404);
}

#[tokio::test]
async fn every_access_token_takes_the_chosen_lifetime() {
    let builder = Sandbox::builder().access_lifetime(Duration::from_millis(7_900));
    let sandbox = builder.start().await.expect("a sandbox");
    for call in Call::ALL {
        let tokens = sandbox.issue(call);
        let left = seconds(tokens.access_token_expires_at) - seconds(sandbox.now());
        // Onboard counts the fraction too.
        let most = if call == Call::Onboard { 8 } else { 7 };
        assert!((2..=most).contains(&left), "{call}: {left}");
        assert_eq!(tokens.refresh_token.is_some(), call != Call::TransakUser);
        let another = sandbox.issue(call);
        assert_ne!(tokens.access_token, another.access_token);
    }
    let endless = Sandbox::builder().access_lifetime(Duration::MAX).start().await.expect("a sandbox");
    endless.advance(Duration::MAX);
    endless.issue(Call::Onboard);
}

#[tokio::test]
async fn it_listens_on_loopback_alone() {
    for addr in ["0.0.0.0:0", "192.0.2.1:0", "[::]:0"] {
        let addr: SocketAddr = addr.parse().expect("an address");
        let error = Sandbox::builder().listen(addr).start().await.expect_err("off loopback");
        assert!(matches!(error, StartError::OffLoopback(refused) if refused == addr));
        assert_eq!(
            error.to_string(),
            format!("failed to start the sandbox on {addr}: it listens on loopback alone, such as 127.0.0.1 or [::1]")
        );
    }
    let sandbox = Sandbox::start().await.expect("a sandbox");
    assert_eq!(sandbox.url(), format!("http://{}", sandbox.addr()));
    assert!(sandbox.addr().ip().is_loopback() && sandbox.addr().port() != 0);
}

#[tokio::test]
async fn a_port_in_use_is_said_to_be_so() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = taken.local_addr().expect("its address");
    let error = Sandbox::builder().listen(addr).start().await.expect_err("the port is taken");
    assert!(matches!(error, StartError::InUse(_)));
    assert_eq!(error.to_string(), format!("failed to start the sandbox on {addr}: the port is in use"));
}

#[tokio::test]
async fn stopping_frees_the_port_whatever_hangs_on_it() {
    let client = Client::start().await;
    let addr = client.sandbox.addr();
    // A connection kept alive, and one that never says a word.
    client.send("GET", "/", &[], "").await;
    let _silent = TcpStream::connect(addr).expect("a connection");
    tokio::time::timeout(Duration::from_secs(5), client.sandbox.stop()).await.expect("it stops");
    let again = Sandbox::builder().listen(addr).start().await.expect("the port is free again");
    assert_eq!(again.addr(), addr);
    drop(again);
    // Nobody waits for a dropped one; it goes by itself.
    for _ in 0..100 {
        if TcpStream::connect(addr).is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    unreachable!("a dropped sandbox still answers");
}

#[test]
fn it_needs_no_runtime_of_the_caller_and_no_turn_on_the_callers_thread() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let sandbox = runtime.block_on(Sandbox::start()).expect("a sandbox");
    drop(runtime);
    assert!(raw(&sandbox, "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").starts_with("HTTP/1.1 404 "));
}

#[test]
fn it_moves_between_threads() {
    fn assert_shared<T: Send + Sync + 'static>() {}
    fn assert_sent<T: Send>(_: &T) {}
    assert_shared::<Sandbox>();
    assert_shared::<StartError>();
    assert_sent(&Sandbox::start());
    assert_sent(&Sandbox::builder().on_event(|_| {}).start());
}
