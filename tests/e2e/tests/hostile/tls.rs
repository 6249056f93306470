//! TLS that ends without a farewell (`close_notify`), as some gateways end it: after a whole document nothing is lost, whichever
//! of the five calls it answers.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use rampauth_core::{ErrorKind, Outcome, ReqwestClient};
use rampauth_test_kit::keys;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};

use crate::subject::{Call, TIMEOUT, refresh_at};
use crate::{ALL, is_stored, says_no_token};

/// Of 127.0.0.1, signed with the partner's key.
fn certificate() -> Vec<u8> {
    let file = "../../crates/core/tests/vectors/key-files/localhost.pem";
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("the certificate")
}

/// Answers one request with these bytes and closes the connection without a `close_notify`; its URL.
fn without_farewell(answer: Vec<u8>) -> String {
    let certificate = CertificateDer::from_pem_slice(&certificate()).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(keys::PARTNER_PKCS8.pem.as_bytes()).expect("its key");
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(vec![certificate], key))
        .expect("a configuration");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("https://{}", listener.local_addr().expect("the port bound"));
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("a connection");
        let mut connection = ServerConnection::new(Arc::new(config)).expect("a connection");
        let mut stream = Stream::new(&mut connection, &mut socket);
        assert!(stream.read(&mut [0; 65_536]).expect("a request") > 0);
        stream.write_all(&answer).expect("a reader");
    });
    url
}

async fn play(call: Call, answer: Vec<u8>) -> crate::subject::End {
    let client = ReqwestClient::builder().timeout(TIMEOUT).root_certificate(certificate()).build().expect("a client");
    refresh_at(&without_farewell(answer), call, client).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_document_is_stored_although_tls_ends_without_a_farewell() {
    for call in ALL {
        let document = call.document();
        // The length says where it ends.
        let what = "with a length";
        let end = play(call, call.answer(None, document.as_bytes(), document.as_bytes()).await).await;
        assert!(end.result.is_ok(), "{call:?}, {what}: {:?}", end.result);
        is_stored(call, what, &end);
        says_no_token(call, what, &end);
        // The end of the connection would, and somebody else can have made that end.
        let what = "without a length";
        let head = call.head(None, document.as_bytes()).await;
        let end = play(call, format!("{head}\r\n{document}").into_bytes()).await;
        let error = end.result.as_ref().expect_err(what);
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Interrupted, Outcome::Unknown), "{call:?}, {what}");
        is_stored(call, what, &end);
        says_no_token(call, what, &end);
    }
}
