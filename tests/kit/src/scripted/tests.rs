use super::*;

const REQUEST: &str = "POST /refresh?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}";

fn connect(server: &ScriptedServer) -> TcpStream {
    let stream = TcpStream::connect(server.address()).expect("a server that listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout set");
    stream
}

/// Sends the request and returns all that came back until the end, and the error that ended it, if one did.
fn exchange(server: &ScriptedServer) -> (Vec<u8>, Option<io::ErrorKind>) {
    let mut stream = connect(server);
    stream.write_all(REQUEST.as_bytes()).expect("a request sent");
    let mut answer = Vec::new();
    let error = stream.read_to_end(&mut answer).err();
    (answer, error.map(|error| error.kind()))
}

#[track_caller]
fn assert_answer(script: Script, expected: &[u8]) {
    let server = ScriptedServer::start(script);
    let (answer, error) = exchange(&server);
    assert_eq!(String::from_utf8_lossy(&answer), String::from_utf8_lossy(expected));
    assert_eq!(error, None);
    let request = server.assert_exactly_one_request();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/refresh?a=b"));
    assert_eq!((request.header("host"), request.body.as_slice()), (Some("x"), &b"{}"[..]));
    assert_eq!(request.raw, REQUEST.as_bytes());
    assert_eq!(server.connections(), 1);
}

#[test]
fn refused() {
    let server = ScriptedServer::start(Script::Refused);
    for _ in 0..3 {
        let error = TcpStream::connect(server.address()).expect_err("nobody listens");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
    TcpListener::bind(server.address()).expect_err("the port is taken");
    assert_eq!((server.connections(), server.requests().len()), (0, 0));
}

#[test]
fn close_on_accept() {
    let server = ScriptedServer::start(Script::CloseOnAccept);
    assert_eq!(connect(&server).read(&mut [0; 1]).expect("an end of stream"), 0);
    assert_eq!((server.connections(), server.requests().len(), server.partial_requests().len()), (1, 0, 0));
}

#[test]
fn reset_after_request() {
    let server = ScriptedServer::start(Script::ResetAfterRequest);
    assert_eq!(exchange(&server), (Vec::new(), Some(io::ErrorKind::ConnectionReset)));
    server.assert_exactly_one_request();
}

#[test]
fn close_after_request() {
    assert_answer(Script::CloseAfterRequest, b"");
}

#[test]
fn truncated_head() {
    assert_answer(Script::TruncatedHead, b"HTTP/1.1 20");
}

#[test]
fn truncated_body() {
    assert_answer(
        Script::TruncatedBody { status: 502, promised: 9, sent: 3 },
        b"HTTP/1.1 502 \r\ncontent-type: application/json\r\ncontent-length: 9\r\nconnection: close\r\n\r\nxxx",
    );
}

#[test]
fn slow_body() {
    assert_answer(
        Script::SlowBody { status: 200, every: Duration::from_millis(1), length: 3 },
        b"HTTP/1.1 200 \r\ncontent-type: application/json\r\ncontent-length: 3\r\nconnection: close\r\n\r\n   ",
    );
}

#[test]
fn slow_body_outlasts_a_timeout_and_stops_with_the_server() {
    let every = Duration::from_secs(3600);
    let server = ScriptedServer::start(Script::SlowBody { status: 200, every, length: 1 });
    let mut stream = connect(&server);
    stream.write_all(REQUEST.as_bytes()).expect("a request sent");
    let mut head = vec![0; head(200, 1).len()];
    stream.read_exact(&mut head).expect("the head at once");
    stream.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout set");
    assert_still_open(&mut stream);
    drop(server);
    assert_eq!(stream.read(&mut [0; 1]).expect("an end of stream"), 0);
}

#[test]
fn stalled_until_the_server_stops() {
    let server = ScriptedServer::start(Script::Stalled);
    let address = server.address();
    let mut stream = connect(&server);
    stream.write_all(REQUEST.as_bytes()).expect("a request sent");
    assert_eq!(server.wait_for_requests(1)[0].body, b"{}");
    stream.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout set");
    assert_still_open(&mut stream);
    drop(server);
    assert_eq!(stream.read(&mut [0; 1]).expect("an end of stream"), 0);
    TcpStream::connect(address).expect_err("the listener is gone");
}

#[track_caller]
fn assert_still_open(stream: &mut TcpStream) {
    let error = stream.read(&mut [0; 1]).expect_err("no byte and no end").kind();
    assert!(matches!(error, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut), "{error:?}");
}

#[test]
fn raw_bytes_are_sent_as_they_are() {
    assert_answer(Script::Raw(b"\x00\xffnot HTTP".to_vec()), b"\x00\xffnot HTTP");
    let huge = response(200, &[("a", "1"), ("a", "2")], vec![b'{'; 1 << 20]);
    assert_answer(Script::Raw(huge.clone()), &huge);
}

#[test]
fn each_connection_gets_its_script_and_the_last_one_stays() {
    let server = ScriptedServer::start(Script::Then(vec![Script::TruncatedHead, Script::Raw(b"second".to_vec())]));
    let answers = [(); 3].map(|()| exchange(&server).0);
    assert_eq!(answers, [&b"HTTP/1.1 20"[..], b"second", b"second"]);
    assert_eq!((server.connections(), server.requests().len()), (3, 3));
}

#[test]
fn a_part_of_a_request_is_counted_apart() {
    let server = ScriptedServer::start(Script::Stalled);
    let mut stream = connect(&server);
    stream.write_all(&REQUEST.as_bytes()[..20]).expect("half a request sent");
    drop(stream);
    drop(server.shared.wait(PATIENCE, |state| !state.partial.is_empty()));
    assert_eq!(server.partial_requests(), [&REQUEST.as_bytes()[..20]]);
    assert!(server.requests().is_empty());
}

#[test]
#[should_panic(expected = r#"expected exactly one request, got ["POST /refresh?a=b", "POST /refresh?a=b"]"#)]
fn a_second_request_is_one_too_many() {
    let server = ScriptedServer::start(Script::TruncatedHead);
    exchange(&server);
    thread::scope(|scope| {
        // Comes while the assertion waits.
        scope.spawn(|| {
            thread::sleep(GRACE / 4);
            exchange(&server);
        });
        server.assert_exactly_one_request();
    });
}

#[test]
#[should_panic(expected = "and 1 in part")]
fn a_part_of_a_second_request_is_too_much() {
    let server = ScriptedServer::start(Script::CloseAfterRequest);
    exchange(&server);
    connect(&server).write_all(b"POST").expect("four bytes sent");
    server.assert_exactly_one_request();
}

#[tokio::test]
async fn an_async_test_sees_the_one_request_of_a_task() {
    let server = ScriptedServer::start(Script::Raw(response(200, &[], "ok")));
    tokio::spawn(exchange_async(server.address()));
    assert_eq!(server.assert_exactly_one_request_async().await.body, b"{}");
}

#[tokio::test]
#[should_panic(expected = "expected exactly one request, got [")]
async fn an_async_test_sees_the_second_request_of_a_task() {
    let server = ScriptedServer::start(Script::CloseAfterRequest);
    let address = server.address();
    tokio::spawn(async move {
        exchange_async(address).await;
        exchange_async(address).await;
    });
    server.assert_exactly_one_request_async().await;
}

async fn exchange_async(address: SocketAddr) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("a server that listens");
    stream.write_all(REQUEST.as_bytes()).await.expect("a request sent");
    stream.read_to_end(&mut Vec::new()).await.expect("an answer");
}

#[test]
#[should_panic(expected = "the body would be whole")]
fn a_truncated_body_must_be_truncated() {
    ScriptedServer::start(Script::Then(vec![Script::TruncatedBody { status: 200, promised: 3, sent: 3 }]));
}

#[test]
#[should_panic(expected = "Refused inside Then")]
fn a_listening_port_cannot_refuse() {
    ScriptedServer::start(Script::Then(vec![Script::Stalled, Script::Refused]));
}

#[test]
#[should_panic(expected = "no script for the first connection")]
fn a_sequence_has_a_first_script() {
    ScriptedServer::start(Script::Then(Vec::new()));
}

#[test]
fn a_part_of_an_answer_and_each_ending() {
    let partial = |ending| Script::Partial { answer: b"HTTP/1.1 200 \r\n\r\n{".to_vec(), ending };
    assert_answer(partial(Ending::Closed), b"HTTP/1.1 200 \r\n\r\n{");

    let server = ScriptedServer::start(partial(Ending::Reset));
    let (answer, error) = exchange(&server);
    assert_eq!((&answer[..], error), (&b"HTTP/1.1 200 \r\n\r\n{"[..], Some(io::ErrorKind::ConnectionReset)));

    let server = ScriptedServer::start(partial(Ending::Stalled));
    let mut stream = connect(&server);
    stream.write_all(REQUEST.as_bytes()).expect("a request sent");
    stream.read_exact(&mut [0; 18]).expect("the part");
    stream.set_read_timeout(Some(GRACE)).expect("a timeout set");
    let error = stream.read(&mut [0; 1]).expect_err("open, and nothing comes").kind();
    assert!([io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut].contains(&error), "{error:?}");
}

#[test]
fn held_until_released() {
    let server = ScriptedServer::start(Script::Held(b"answer".to_vec()));
    let mut stream = connect(&server);
    stream.write_all(REQUEST.as_bytes()).expect("a request sent");
    stream.set_read_timeout(Some(GRACE)).expect("a timeout set");
    stream.read(&mut [0; 1]).expect_err("nothing comes yet");
    server.release();
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout set");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    assert_eq!(answer, b"answer");
    assert_eq!(exchange(&server).0, b"answer", "later connections too");
    // One that nobody releases ends with its server.
    let held = ScriptedServer::start(Script::Held(Vec::new()));
    connect(&held).write_all(REQUEST.as_bytes()).expect("a request sent");
    held.wait_for_requests(1);
}

#[test]
fn repeated_until_the_client_goes() {
    for every in [Duration::ZERO, Duration::from_millis(1)] {
        let server = ScriptedServer::start(Script::Repeated { bytes: b"again ".to_vec(), every });
        let mut stream = connect(&server);
        stream.write_all(REQUEST.as_bytes()).expect("a request sent");
        let mut answer = [0; 18];
        stream.read_exact(&mut answer).expect("three of them");
        assert_eq!(&answer, b"again again again ");
    }
}
