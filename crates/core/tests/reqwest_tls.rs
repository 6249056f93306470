//! TLS: a server whose certificate is not accepted, or that does not speak TLS, gets nothing, and the help says what to
//! look at; one that ends without a farewell loses none of what it said.
#![cfg(feature = "reqwest")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use rampauth_core::{ErrorKind, HttpClient as _, Outcome, ReqwestClient, TransportFailure, request};
use rampauth_test_kit::keys;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};

/// A certificate that nobody signed and that names no host.
const OF_NOBODY: &str = "certificate.pem";
const OF_LOCALHOST: &str = "localhost.pem";

fn certificate(file: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/key-files");
    std::fs::read(folder.join(file)).expect("the certificate")
}

fn config(file: &str) -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_slice(&certificate(file)).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(keys::PARTNER_PKCS8.pem.as_bytes()).expect("its key");
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(vec![certificate], key))
        .expect("a configuration");
    Arc::new(config)
}

/// Takes one connection under the certificate of nobody. Gives what came through it.
fn server() -> (SocketAddr, JoinHandle<Vec<u8>>) {
    let config = config(OF_NOBODY);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("the port bound");
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut connection = ServerConnection::new(config).expect("a connection");
        let mut heard = Vec::new();
        Stream::new(&mut connection, &mut stream).read_to_end(&mut heard).expect_err("the client does not go on");
        heard
    });
    (address, server)
}

#[tokio::test]
async fn a_certificate_that_is_not_accepted_is_named_and_nothing_is_sent() {
    let client = || ReqwestClient::builder().timeout(Duration::from_secs(30));
    // Signed by nobody; and trusted, yet for another host.
    for client in [client(), client().root_certificate(certificate(OF_NOBODY))] {
        let (address, server) = server();
        let uri = format!("https://{address}/refresh").parse().expect("a URI");
        let request = request(Method::POST, uri, "test", Bytes::from_static(b"needle"));
        let error = client.build().expect("a client").send(request).await.expect_err("refused");
        assert_eq!(error.failure(), TransportFailure::Certificate);
        let error = error.into_error("refresh the tokens");
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unreachable, Outcome::NotSent));
        let reason = "failed to refresh the tokens: the server's certificate was not accepted, nothing was sent";
        assert_eq!(error.to_string(), reason);
        assert!(error.help().contains("CA certificates"), "{}", error.help());
        assert_eq!(server.join().expect("a server that ends"), b"");
    }
}

/// Answers one request with these bytes and closes the connection without a `close_notify`.
fn without_farewell(answer: Vec<u8>) -> SocketAddr {
    let config = config(OF_LOCALHOST);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("the port bound");
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("a connection");
        let mut connection = ServerConnection::new(config).expect("a connection");
        let mut stream = Stream::new(&mut connection, &mut socket);
        assert!(stream.read(&mut [0; 4096]).expect("a request") > 0);
        stream.write_all(&answer).expect("a reader");
    });
    address
}

#[tokio::test]
async fn an_answer_that_ends_without_a_farewell_is_not_lost() {
    const BODY: &str = r#"{"accessToken":"a"}"#;
    let client = ReqwestClient::builder().root_certificate(certificate(OF_LOCALHOST)).build().expect("a client");
    let send = |answer: String| {
        let uri = format!("https://{}/refresh", without_farewell(answer.into_bytes())).parse().expect("a URI");
        client.send(request(Method::POST, uri, "test", Bytes::from_static(b"needle")))
    };
    // The length says where it ends.
    let whole = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{BODY}", BODY.len());
    assert_eq!(send(whole).await.expect("an answer").body(), BODY);
    // The end of the connection would, and somebody else can have made that end.
    let error = send(format!("HTTP/1.1 200 OK\r\n\r\n{BODY}")).await.expect_err("no end");
    assert_eq!(error.failure(), TransportFailure::Interrupted);
    assert_eq!(error.partial_response().expect("a part").body(), BODY);
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_named_and_nothing_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let uri = format!("https://{}/refresh", listener.local_addr().expect("the port bound")).parse().expect("a URI");
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").expect("an answer");
        let mut heard = Vec::new();
        // The client's end may come as a reset.
        drop(stream.read_to_end(&mut heard));
        heard
    });
    let request = request(Method::POST, uri, "test", Bytes::from_static(b"needle"));
    let client = ReqwestClient::builder().timeout(Duration::from_secs(30)).build().expect("a client");
    let error = client.send(request).await.expect_err("no TLS");
    assert_eq!(error.failure(), TransportFailure::NoTls);
    let error = error.into_error("refresh the tokens");
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unreachable, Outcome::NotSent));
    let reason = "failed to refresh the tokens: the server at that port does not speak TLS, nothing was sent";
    assert_eq!(error.to_string(), reason);
    assert!(error.help().starts_with("check the port of the base URL"), "{}", error.help());
    drop(client);
    let heard = server.join().expect("a server that ends");
    assert!(!heard.windows(6).any(|part| part == b"needle"), "the request was not sent");
}
