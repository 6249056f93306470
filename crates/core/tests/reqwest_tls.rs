//! A server whose certificate is not accepted: nothing is sent, and the help names certificates.
#![cfg(feature = "reqwest")]

use std::io::Read as _;
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

fn certificate() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/key-files/certificate.pem");
    std::fs::read(path).expect("the certificate")
}

/// Takes one connection under a certificate that nobody signed and that names no host. Gives what came through it.
fn server() -> (SocketAddr, JoinHandle<Vec<u8>>) {
    let certificate = CertificateDer::from_pem_slice(&certificate()).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(keys::PARTNER_PKCS8.pem.as_bytes()).expect("its key");
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(vec![certificate], key))
        .expect("a configuration");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("the port bound");
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut connection = ServerConnection::new(Arc::new(config)).expect("a connection");
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
    for client in [client(), client().root_certificate(certificate())] {
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
