//! The ready-made HTTP client on the wire: one call is one request, answers come as they travel, and a failure is right
//! about how far the request got.
#![cfg(feature = "reqwest")]

use std::future::Future;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use httpmock::MockServer;
use rampauth_core::{
    Error, ErrorKind, HttpClient, MAX_BODY_LENGTH, Outcome, ReqwestClient, ReqwestClientBuilder, TransportError,
    TransportFailure,
};
use rampauth_test_kit::logs::render_error;
use rampauth_test_kit::scripted::{Script, ScriptedServer, response};
use rampauth_test_kit::vectors_dir;
use tokio::time::Instant;

const TIMEOUT: Duration = Duration::from_millis(500);
/// `{"a":1}` in gzip.
const GZIPPED: &[u8] =
    &[31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 74, 84, 178, 50, 172, 5, 0, 175, 172, 27, 86, 7, 0, 0, 0];

fn builder() -> ReqwestClientBuilder {
    ReqwestClient::builder().timeout(TIMEOUT)
}

fn request(method: Method, url: &str, body: &'static str) -> Request<Bytes> {
    let uri = url.parse().expect("a URL");
    rampauth_core::request(method, uri, "rampauth-test/1.0", Bytes::from_static(body.as_bytes()))
}

/// Sends; a call that no timeout ends fails the test in place of standing still.
async fn send(client: &ReqwestClient, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
    tokio::time::timeout(TIMEOUT * 20, client.send(request)).await.expect("a call that ends")
}

async fn get(client: &ReqwestClient, url: &str) -> Result<Response<Bytes>, TransportError> {
    send(client, request(Method::GET, url, "")).await
}

/// Starts a server and sends it one request, which must be the only one it gets.
async fn exchange(client: &ReqwestClient, script: Script) -> Result<Response<Bytes>, TransportError> {
    let server = ScriptedServer::start(script);
    let answer = send(client, request(Method::POST, &format!("{}/refresh", server.url()), "token=1")).await;
    assert_eq!(server.assert_exactly_one_request_async().await.body, b"token=1");
    answer
}

#[tokio::test]
async fn each_failure_says_how_far_the_request_got_and_is_not_tried_again() {
    let client = builder().build().expect("a client");
    let every = Duration::from_millis(20);
    for script in [
        Script::ResetAfterRequest,
        Script::CloseAfterRequest,
        Script::TruncatedHead,
        Script::TruncatedBody { status: 200, promised: 100, sent: 10 },
        Script::Raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"a\"".to_vec()),
        Script::Raw(b"no HTTP at all\r\n\r\n".to_vec()),
        Script::Stalled,
        Script::SlowBody { status: 200, every, length: 1_000 },
    ] {
        let slow = matches!(script, Script::Stalled | Script::SlowBody { .. });
        let what = format!("{script:?}");
        let started = Instant::now();
        let error = exchange(&client, script).await.expect_err(&what);
        assert!(started.elapsed() < TIMEOUT * 6, "{what}: {:?}", started.elapsed());
        let expected = if slow { TransportFailure::Timeout } else { TransportFailure::Interrupted };
        assert_eq!(error.failure(), expected, "{what}");
        let error = error.into_error("refresh the tokens");
        let kind = if slow { ErrorKind::Timeout } else { ErrorKind::Interrupted };
        assert_eq!((error.kind(), error.outcome(), error.is_transient()), (kind, Outcome::Unknown, false), "{what}");
    }
}

#[tokio::test]
async fn a_connection_closed_before_the_request_was_read_is_not_made_again() {
    let server = ScriptedServer::start(Script::CloseOnAccept);
    let client = builder().build().expect("a client");
    let error = get(&client, &server.url()).await.expect_err("closed");
    assert_eq!(error.failure(), TransportFailure::Interrupted);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent() {
    let unreachable = |error: TransportError| {
        assert_eq!(error.failure(), TransportFailure::Unreachable, "{}", render_error(&error));
        let error = error.into_error("refresh the tokens");
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unreachable, Outcome::NotSent));
        assert!(error.is_transient());
    };
    let client = builder().build().expect("a client");
    let refusing = ScriptedServer::start(Script::Refused);
    unreachable(get(&client, &refusing.url()).await.expect_err("refused"));

    // A server that never answers a TLS hello: connecting has its own, shorter time.
    let client = builder().timeout(TIMEOUT * 10).connect_timeout(TIMEOUT / 2).build().expect("a client");
    let stalled = ScriptedServer::start(Script::Stalled);
    let started = Instant::now();
    unreachable(get(&client, &stalled.url().replace("http:", "https:")).await.expect_err("no TLS"));
    assert!((TIMEOUT / 2..TIMEOUT * 5).contains(&started.elapsed()), "{:?}", started.elapsed());
}

#[tokio::test]
async fn the_timeout_is_over_the_whole_call() {
    let client = builder().build().expect("a client");
    for script in [Script::Stalled, Script::SlowBody { status: 200, every: Duration::from_millis(20), length: 1_000 }] {
        let server = ScriptedServer::start(script);
        let started = Instant::now();
        get(&client, &server.url()).await.expect_err("out of time");
        assert!((TIMEOUT..TIMEOUT * 4).contains(&started.elapsed()), "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let client = builder().build().expect("a client");
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = ScriptedServer::start(Script::Raw(response(200, &[], "{}")));
        let answer = exchange(&client, Script::Raw(response(status, &[("location", &elsewhere.url())], "moved"))).await;
        let answer = answer.expect("an answer");
        assert_eq!((answer.status().as_u16(), &answer.body()[..]), (status, &b"moved"[..]));
        assert_eq!(answer.headers()["location"], elsewhere.url());
        assert_eq!(elsewhere.connections(), 0, "nothing follows, so no header goes with it");
    }
}

#[tokio::test]
async fn a_failing_provider_is_asked_once() {
    let client = builder().build().expect("a client");
    for status in [408, 425, 429, 500, 502, 503, 504] {
        let answer = exchange(&client, Script::Raw(response(status, &[("retry-after", "0")], "later"))).await;
        assert_eq!(answer.expect("an answer").status().as_u16(), status);
    }
}

#[tokio::test]
async fn a_compressed_body_comes_as_it_travels() {
    let client = builder().build().expect("a client");
    for coding in ["gzip", "br", "deflate", "zstd"] {
        let answer = exchange(&client, Script::Raw(response(200, &[("content-encoding", coding)], GZIPPED))).await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.body(), GZIPPED, "{coding}");
        assert_eq!(answer.headers()["content-encoding"], coding);
    }
}

#[tokio::test]
async fn what_is_sent_is_what_was_asked_and_nothing_else() {
    let client = builder().build().expect("a client");
    let overridden = builder().user_agent("shop/2.1").build().expect("a client");
    for (client, user_agent) in [(&client, "rampauth-test/1.0"), (&overridden, "shop/2.1")] {
        for (method, body, length) in [
            (Method::GET, "", None),
            (Method::POST, "", None),
            (Method::POST, "a=ö", Some("4")),
            (Method::PUT, "x", Some("1")),
        ] {
            let server = ScriptedServer::start(Script::Raw(response(204, &[], "")));
            let url = format!("{}/a%20b?c=d&c=%2F", server.url());
            client.send(request(method.clone(), &url, body)).await.expect("an answer");
            let sent = server.assert_exactly_one_request_async().await;
            assert_eq!((sent.method.as_str(), sent.path.as_str()), (method.as_str(), "/a%20b?c=d&c=%2F"));
            assert_eq!(sent.body, body.as_bytes());
            let mut headers = sent.headers.clone();
            headers.sort();
            let host = server.address().to_string();
            let expected = [
                ("accept", "application/json"),
                ("accept-encoding", "identity"),
                ("host", &host),
                ("user-agent", user_agent),
            ];
            let mut expected: Vec<_> =
                expected.into_iter().chain(length.map(|length| ("content-length", length))).collect();
            expected.sort_unstable();
            let expected: Vec<_> =
                expected.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            assert_eq!(headers, expected);
        }
    }
}

#[tokio::test]
async fn a_whole_exchange_with_an_ordinary_server() {
    let server = MockServer::start_async().await;
    let mock = server
        .mock_async(|when, then| {
            when.method("POST").path("/v1/refresh").header("x-token", "t").body(r#"{"a":1}"#);
            then.status(201).header("x-one", "1").header("x-one", "2").body(r#"{"b":2}"#);
        })
        .await;
    let client = ReqwestClient::new().expect("a client");
    for sender in [client.clone(), client] {
        let mut request = request(Method::POST, &server.url("/v1/refresh"), r#"{"a":1}"#);
        request.headers_mut().insert("x-token", "t".parse().expect("a header"));
        let answer = sender.send(request).await.expect("an answer");
        assert_eq!((answer.status(), &answer.body()[..]), (StatusCode::CREATED, &br#"{"b":2}"#[..]));
        assert_eq!(answer.headers().get_all("x-one").iter().collect::<Vec<_>>(), ["1", "2"]);
    }
    mock.assert_calls_async(2).await;
}

#[tokio::test]
async fn every_call_goes_to_its_own_url() {
    let server = MockServer::start_async().await;
    let client = builder().build().expect("a client");
    let paths = ["/one", "/One", "/one?x=1"];
    let at = |path: &'static str| {
        server.mock(|when, then| {
            let when = when.path(&path[..4]);
            match path.len() {
                4 => when.query_param_missing("x"),
                _ => when.query_param("x", "1"),
            };
            then.status(200).body(path);
        })
    };
    let mocks = paths.map(at);
    for path in paths.into_iter().chain(paths).chain(["/one?x=1", "http"]) {
        let url = if path == "http" { "http://elsewhere.test/one?x=1".to_owned() } else { server.url(path) };
        match send(&client, request(Method::GET, &url, "")).await {
            Ok(answer) => assert_eq!(answer.body(), path),
            Err(error) => assert_eq!((error.failure(), path), (TransportFailure::Unusable, "http")),
        }
    }
    assert_eq!(mocks.map(|mock| mock.calls()), [2, 2, 3]);
}

#[tokio::test]
async fn a_body_is_read_to_one_byte_over_the_limit() {
    let client = builder().build().expect("a client");
    for (length, read) in [
        (0, 0),
        (MAX_BODY_LENGTH, MAX_BODY_LENGTH),
        (MAX_BODY_LENGTH + 1, MAX_BODY_LENGTH + 1),
        (16 * MAX_BODY_LENGTH, MAX_BODY_LENGTH + 1),
    ] {
        let body: Vec<u8> = (0..length).map(|at| (at / 251) as u8).collect();
        let answer = exchange(&client, Script::Raw(response(200, &[], body.clone()))).await.expect("an answer");
        assert_eq!((answer.status(), answer.body().len()), (StatusCode::OK, read));
        assert!(answer.body()[..] == body[..read], "the first {read} bytes");
    }
}

/// Answers one request with a body that has no end, until the client hangs up. Gives the number of bytes it got rid of.
fn endless() -> (String, JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("the port bound"));
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        assert!(stream.read(&mut [0; 4096]).expect("a request") > 0);
        stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\n\r\n").expect("a reader");
        let chunk = [b'x'; 4096];
        (0..).take_while(|_| stream.write_all(&chunk).is_ok()).count() * chunk.len()
    });
    (url, server)
}

#[tokio::test]
async fn a_body_without_end_ends_the_reading_and_keeps_the_status() {
    let (url, server) = endless();
    let answer = get(&builder().build().expect("a client"), &url).await.expect("an answer");
    assert_eq!((answer.status().as_u16(), answer.body().len()), (503, MAX_BODY_LENGTH + 1));
    let written = tokio::task::spawn_blocking(|| server.join().expect("a server that ends")).await.expect("joined");
    assert!(written < 64 << 20, "the client hung up, but only after {written} bytes");
}

#[tokio::test]
async fn plain_http_goes_to_this_machine_alone() {
    let server = ScriptedServer::start(Script::Raw(response(200, &[], "{}")));
    let base = reqwest::Client::builder().resolve("provider.test", server.address());
    let client = ReqwestClient::from_builder(base).timeout(TIMEOUT).build().expect("a client");
    let port = server.address().port();
    for (url, cause) in [
        (format!("http://provider.test:{port}/"), "plain http is only for this machine"),
        (format!("http://127.0.0.1.provider.test:{port}/"), "plain http is only for this machine"),
        (format!("http://[::1]provider.test:{port}/"), "the URL has no valid form"),
        ("/no/scheme".to_owned(), "plain http is only for this machine"),
        (format!("ftp://127.0.0.1:{port}/"), "builder error"),
    ] {
        let error = get(&client, &url).await.expect_err(&url);
        assert_eq!(error.failure(), TransportFailure::Unusable, "{url}");
        assert!(render_error(&error).contains(cause), "{url}: {error:?}");
        let error = error.into_error("refresh the tokens");
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Internal, Outcome::NotSent));
    }
    assert_eq!(server.connections(), 0);
    // The way there is open: it is the address that was refused.
    let error = get(&client, &format!("https://provider.test:{port}/")).await.expect_err("no TLS");
    assert_eq!((error.failure(), server.connections()), (TransportFailure::Unreachable, 1));
    let error = get(&client, &format!("http://provider.test:{port}/")).await.expect_err("plain after all");
    assert_eq!((error.failure(), server.connections()), (TransportFailure::Unusable, 1));
}

#[test]
fn outside_a_runtime_it_says_so() {
    let server = ScriptedServer::start(Script::Raw(response(200, &[], "{}")));
    let client = builder().build().expect("a client");
    let url = server.url();
    let mut sending = pin!(client.send(request(Method::GET, &url, "")));
    let Poll::Ready(Err(error)) = sending.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("an error at once");
    };
    assert_eq!(error.failure(), TransportFailure::Unusable);
    assert!(render_error(&error).contains("it needs a tokio runtime with I/O and time enabled, and none is running"));
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_builder_of_reqwest_does_not_change_the_rules() {
    let gzip = &[("content-encoding", "gzip")][..];
    let elsewhere = ScriptedServer::start(Script::Raw(response(200, &[], "{}")));
    let retries = reqwest::retry::for_host("127.0.0.1").no_budget().classify_fn(|attempt| match attempt.status() {
        Some(StatusCode::OK) => attempt.success(),
        _ => attempt.retryable(),
    });
    let base = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::limited(5))
        .retry(retries)
        .gzip(true)
        .referer(true)
        .proxy(reqwest::Proxy::all(elsewhere.url()).expect("a proxy"))
        .timeout(Duration::from_secs(60))
        .user_agent("base/1");
    let client = ReqwestClient::from_builder(base).timeout(TIMEOUT).build().expect("a client");

    let moved = response(302, &[("location", &elsewhere.url())], "moved");
    assert_eq!(exchange(&client, Script::Raw(moved)).await.expect("an answer").status().as_u16(), 302);
    assert_eq!(exchange(&client, Script::Raw(response(503, &[], ""))).await.expect("an answer").status().as_u16(), 503);
    assert_eq!(exchange(&client, Script::Raw(response(200, gzip, GZIPPED))).await.expect("an answer").body(), GZIPPED);
    assert!(exchange(&client, Script::ResetAfterRequest).await.is_err());
    let error = exchange(&client, Script::Stalled).await.expect_err("our timeout");
    assert_eq!(error.failure(), TransportFailure::Timeout);

    let server = ScriptedServer::start(Script::Raw(response(200, &[], "{}")));
    get(&client, &server.url()).await.expect("an answer");
    let sent = server.assert_exactly_one_request_async().await;
    assert_eq!(sent.header("user-agent"), Some("rampauth-test/1.0"));
    assert_eq!((sent.header("accept-encoding"), sent.header("referer")), (Some("identity"), None));
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn unusable_settings_are_named() {
    let refused = |builder: ReqwestClientBuilder| -> String {
        let error: Error = builder.build().expect_err("refused");
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Config, Outcome::NotSent));
        error.to_string().strip_prefix("failed to build the HTTP client: ").expect("the action first").to_owned()
    };
    let shorter = "the connect timeout must be shorter than the timeout";
    assert_eq!(refused(builder().connect_timeout(TIMEOUT)), shorter);
    assert_eq!(refused(builder().connect_timeout(TIMEOUT * 2)), shorter);
    assert_eq!(refused(builder().timeout(Duration::ZERO)), shorter);
    assert!(builder().connect_timeout(TIMEOUT - Duration::from_nanos(1)).build().is_ok());
    assert_eq!(refused(builder().user_agent("a\nb")), "the user agent is not legal in a header");
    assert_eq!(refused(builder().proxy("")), "the proxy is not a URL that can be used");

    let pem = |file: &str| std::fs::read(vectors_dir!().join(file)).expect(file);
    let no_certificate = "the root certificate is not PEM of a certificate";
    let cut = pem("key-files/certificate.pem")[..300].to_vec();
    for other in [Vec::new(), b"words".to_vec(), pem("keys/partner.spki.pem"), pem("key-files/openssh.pem"), cut] {
        assert_eq!(refused(builder().root_certificate(other)), no_certificate);
    }
    assert!(builder().root_certificate(pem("key-files/certificate.pem")).build().is_ok());
}
