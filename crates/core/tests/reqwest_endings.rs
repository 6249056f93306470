//! The ready-made HTTP client and answers that end badly, late or never: what has arrived is handed over, and a server that
//! does not stop sending holds nobody else.
#![cfg(feature = "reqwest")]

use std::sync::LazyLock;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use rampauth_core::{HttpClient, MAX_BODY_LENGTH, Outcome, ReqwestClient, TransportError, TransportFailure};
use rampauth_test_kit::scripted::{Ending, Script, ScriptedServer, response};
use tokio::time::Instant;
use tower_layer::Layer;
use tower_service::Service;

const TIMEOUT: Duration = Duration::from_secs(2);
const JSON: &str = r#"{"accessToken":"a","refreshToken":"r"}"#;

/// Built once: that reads the certificates of the system.
static CLIENT: LazyLock<ReqwestClient> =
    LazyLock::new(|| ReqwestClient::builder().timeout(TIMEOUT).build().expect("a client"));

fn request(server: &ScriptedServer) -> Request<Bytes> {
    let uri = format!("{}/refresh", server.url()).parse().expect("a URL");
    rampauth_core::request(Method::POST, uri, "rampauth-test/1.0", Bytes::from_static(b"token=1"))
}

/// Starts a server and sends it one request, which must be the only one it gets.
async fn exchange(script: Script) -> Result<Response<Bytes>, TransportError> {
    let server = ScriptedServer::start(script);
    let answer = CLIENT.send(request(&server)).await;
    server.assert_exactly_one_request_async().await;
    answer
}

/// An answer with this body whose end is missing, told by each of the ways in which HTTP tells where a body ends.
fn without_an_end(status: u16, body: &str) -> [Vec<u8>; 2] {
    let too_long = (body.len() + 1).to_string();
    let chunk = format!("{:x}\r\n{body}\r\n", body.len());
    let chunked = format!("HTTP/1.1 {status} \r\nx-odd: 1\r\ntransfer-encoding: chunked\r\n\r\n{chunk}");
    [response(status, &[("x-odd", "1"), ("content-length", &too_long)], body), chunked.into_bytes()]
}

#[tokio::test]
async fn what_arrived_before_a_bad_end_is_handed_over() {
    let endings = [
        (Ending::Closed, TransportFailure::Interrupted),
        (Ending::Reset, TransportFailure::Interrupted),
        (Ending::Stalled, TransportFailure::Timeout),
    ];
    let mut cases = tokio::task::JoinSet::new();
    LazyLock::force(&CLIENT);
    for (status, body) in [(200, JSON), (200, r#"{"acce"#), (401, JSON), (503, "<")] {
        for answer in without_an_end(status, body) {
            for (ending, failure) in endings {
                let what = format!("{} {ending:?}", String::from_utf8_lossy(&answer));
                let script = Script::Partial { answer: answer.clone(), ending };
                cases.spawn(async move {
                    let error = exchange(script).await.expect_err(&what);
                    assert_eq!(error.failure(), failure, "{what}");
                    let partial = error.partial_response().expect(&what);
                    assert_eq!((partial.status().as_u16(), &partial.body()[..]), (status, body.as_bytes()), "{what}");
                    assert_eq!(partial.headers()["x-odd"], "1", "{what}");
                });
            }
        }
    }
    assert_eq!(cases.join_all().await.len(), 24);
}

#[tokio::test]
async fn of_a_long_body_all_pieces_are_handed_over() {
    let body: Vec<u8> = (0..MAX_BODY_LENGTH).map(|at| (at / 251) as u8).collect();
    let answer = response(200, &[("content-length", &(body.len() + 1).to_string())], &body);
    let error = exchange(Script::Partial { answer, ending: Ending::Closed }).await.expect_err("no end");
    assert!(error.partial_response().expect("a part").body() == &body);
}

#[tokio::test]
async fn without_a_whole_head_there_is_nothing_to_hand_over() {
    for script in [
        Script::CloseAfterRequest,
        Script::TruncatedHead,
        Script::Stalled,
        Script::Partial { answer: b"HTTP/1.1 200 \r\ncontent-length: 1\r\n".to_vec(), ending: Ending::Reset },
        Script::Partial { answer: b"HTTP/1.1 100 \r\n\r\n".to_vec(), ending: Ending::Stalled },
    ] {
        let what = format!("{script:?}");
        assert!(exchange(script).await.expect_err(&what).partial_response().is_none(), "{what}");
    }
    let server = ScriptedServer::start(Script::Refused);
    let error = CLIENT.send(request(&server)).await.expect_err("refused");
    assert!(error.partial_response().is_none());
}

/// The whole runtime stands still past the timeout, as it does where a process is stopped; the answer came meanwhile.
#[tokio::test]
async fn an_answer_that_lies_in_the_socket_when_the_time_is_up_is_read() {
    let server = ScriptedServer::start(Script::Held(response(200, &[], JSON)));
    let sending = CLIENT.send(request(&server));
    let stop = async {
        while server.requests().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.release();
        thread::sleep(2 * TIMEOUT);
    };
    let (answer, ()) = tokio::join!(sending, stop);
    assert_eq!(answer.expect("an answer").body(), JSON);
}

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
const EARLY_HINTS: &[u8] = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n";

#[tokio::test]
async fn interim_answers_without_end_end_the_call_in_time_and_an_honest_one_beside_it_does_not_wait() {
    for (bytes, every, expected) in [
        (CONTINUE.to_vec(), Duration::from_millis(20), TransportFailure::Timeout),
        // As fast as it goes: over the bound long before the timeout.
        (CONTINUE.repeat(10_000), Duration::ZERO, TransportFailure::Interrupted),
        (EARLY_HINTS.repeat(5_000), Duration::ZERO, TransportFailure::Interrupted),
    ] {
        let flood = ScriptedServer::start(Script::Repeated { bytes, every });
        let honest = ScriptedServer::start(Script::Raw(response(200, &[], JSON)));
        let started = Instant::now();
        let flooded = async {
            let error = CLIENT.send(request(&flood)).await.expect_err("no end");
            (error.failure(), error.partial_response().is_some())
        };
        let beside = async { CLIENT.send(request(&honest)).await.expect("an answer").into_body() };
        let (ended, body) = tokio::join!(flooded, beside);
        assert!(started.elapsed() < 3 * TIMEOUT, "{:?}", started.elapsed());
        assert_eq!((ended, &body[..]), ((expected, false), JSON.as_bytes()));
    }
}

#[tokio::test]
async fn an_answer_after_interim_ones_is_read() {
    let mut answer = CONTINUE.repeat(1_000);
    answer.extend(EARLY_HINTS);
    answer.extend(response(200, &[], JSON));
    assert_eq!(exchange(Script::Raw(answer)).await.expect("an answer").body(), JSON);
}

/// What a server or a proxy writes into a head that nobody reads is no reason to lose the body.
#[tokio::test]
async fn an_answer_with_an_odd_head_is_read() {
    for (what, lines) in [
        ("300 headers", "x-odd: 1\r\n".repeat(300)),
        ("white space before a colon", "x-odd : 1\r\n".to_owned()),
        ("a folded line", "x-odd: 1,\r\n 2,\r\n\t3\r\n".to_owned()),
        ("a name that is none", "(odd): 1\r\n".to_owned()),
        ("a line without a name", "PHP Warning in line 12\r\n: 1\r\n".to_owned()),
        ("control characters in a value", "x-odd: a\u{1}b\r\n".to_owned()),
        ("a value that is not ASCII", "x-odd: \u{fc}\r\n".to_owned()),
    ] {
        let length = JSON.len();
        let answer = format!("HTTP/1.1 200\r\n{lines}x-kept: 1\r\ncontent-length: {length}\r\n\r\n{JSON}");
        let answer =
            exchange(Script::Raw(answer.into_bytes())).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert_eq!(answer.body(), JSON, "{what}");
        assert_eq!(answer.headers()["x-kept"], "1", "{what}");
    }
}

/// Nobody can say where such an answer ends, and its tokens may be the only copy.
#[tokio::test]
async fn an_answer_that_is_not_in_the_form_of_http_is_handed_over_as_it_came() {
    let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let whole = format!("{chunks}{:x}\r\n{JSON}\r\n", JSON.len());
    for (what, answer, body) in [
        ("no chunks", format!("{chunks}{JSON}"), JSON.to_owned()),
        (
            "a chunk that is longer than it says",
            format!("{chunks}5\r\n{JSON}\r\n0\r\n\r\n"),
            format!("5\r\n{JSON}\r\n0\r\n\r\n"),
        ),
        ("no last chunk that could be read", format!("{whole}zero\r\n"), JSON.to_owned()),
        ("a trailer that is none", format!("{whole}0\r\nodd\r\n\r\n"), JSON.to_owned()),
        (
            "two lengths",
            format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 9\r\n\r\n{JSON}"),
            JSON.to_owned(),
        ),
        ("a length that is none", format!("HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n{JSON}"), JSON.to_owned()),
        (
            "chunks before there were any",
            format!("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{JSON}"),
            JSON.to_owned(),
        ),
        ("2,000 headers", format!("HTTP/1.1 200 OK\n{}\n{JSON}", "x-odd: 1\n".repeat(2_000)), JSON.to_owned()),
        (
            "an interim answer before it",
            format!("HTTP/1.1 103 \r\nlink: x\r\n\r\nHTTP/1.1 200\r\ncontent-length: x\r\n\r\n{JSON}"),
            JSON.to_owned(),
        ),
    ] {
        let error = exchange(Script::Raw(answer.into_bytes())).await.expect_err(what);
        assert_eq!(error.failure(), TransportFailure::Interrupted, "{what}");
        let why = std::error::Error::source(&error).expect(what).to_string();
        assert_eq!(why, "what came is not in the form of HTTP", "{what}");
        let partial = error.partial_response().expect(what);
        assert_eq!((partial.status().as_u16(), &partial.body()[..]), (200, body.as_bytes()), "{what}");
    }
    // The connection stays open, and the body comes later than what is odd in its head.
    let head = b"HTTP/1.1 200 OK\r\nSign :  s \r\n(odd): 1\r\ncontent-length: x\r\n\r\n".to_vec();
    let started = Instant::now();
    let script = Script::Partial { answer: [&head[..], JSON.as_bytes()].concat(), ending: Ending::Stalled };
    let error = exchange(script).await.expect_err("a length that is none");
    assert_eq!((error.failure(), started.elapsed() < TIMEOUT), (TransportFailure::Interrupted, true));
    let answer = error.partial_response().expect("an answer");
    assert_eq!((answer.body(), answer.headers().len()), (&Bytes::from(JSON), 2));
    assert_eq!(answer.headers()["sign"], "s");
    // Without the end of a head, and without a head at all, there is no answer.
    for answer in
        ["HTTP/1.1 200 OK\r\ncontent-length: x\r\n{}", "SSH-2.0-OpenSSH_9.9\r\n\r\n{}", "HTTP/1.1 2\r\n\r\n{}"]
    {
        let error = exchange(Script::Raw(answer.into())).await.expect_err(answer);
        assert!(error.partial_response().is_none(), "{answer}");
    }
}

/// Makes no connection, as a limit on connections does while other calls hold all of them.
#[derive(Clone)]
struct NoneFree;

#[derive(Clone)]
struct NeverReady<S>(S);

impl<S> Layer<S> for NoneFree {
    type Service = NeverReady<S>;

    fn layer(&self, service: S) -> NeverReady<S> {
        NeverReady(service)
    }
}

impl<S: Service<Destination>, Destination> Service<Destination> for NeverReady<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Pending
    }

    fn call(&mut self, destination: Destination) -> S::Future {
        self.0.call(destination)
    }
}

#[tokio::test]
async fn a_call_that_waits_for_a_connection_until_its_time_is_up_has_sent_nothing() {
    let server = ScriptedServer::start(Script::Raw(response(200, &[], "{}")));
    // The time to connect begins once a connection may be made.
    let base = reqwest::Client::builder().connector_layer(NoneFree);
    let time = Duration::from_millis(200);
    let client = ReqwestClient::from_builder(base).timeout(time).build().expect("a client");
    let started = Instant::now();
    let error = client.send(request(&server)).await.expect_err("none is free");
    assert!((time..TIMEOUT).contains(&started.elapsed()), "{:?}", started.elapsed());
    assert_eq!(error.failure(), TransportFailure::Unreachable);
    assert_eq!(error.into_error("refresh the tokens").outcome(), Outcome::NotSent);
    assert_eq!(server.connections(), 0);
}
