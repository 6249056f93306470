//! A provider on this machine that is reached as in production: over TLS with a CA of its own, and through a proxy that tunnels.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rampauth_test_kit::scripted::response;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Trusted by nobody who is not told to.
pub(crate) const CA: &str = include_str!("../tls/ca.pem");
const CERTIFICATE: &str = include_str!("../tls/server.pem");
const KEY: &str = include_str!("../tls/server.key");

/// What came over each connection, as far as it was read.
type Seen = Arc<Mutex<Vec<String>>>;

/// `card` at `https://provider.test`, a name that no resolver knows: it grants every refresh.
pub(crate) struct TlsProvider {
    address: SocketAddr,
    seen: Seen,
}

impl TlsProvider {
    pub(crate) fn start() -> Self {
        let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).expect("a certificate");
        let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).expect("its key");
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(vec![certificate], key))
            .expect("a configuration");
        let config = Arc::new(config);
        let (address, seen) = serve(move |stream, seen| {
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
            let mut stream = StreamOwned::new(connection, stream);
            // A client that does not accept the certificate hangs up.
            let Ok(request) = receive(&mut stream) else { return };
            seen.lock().expect("no panic").push(request);
            let body = r#"{"success":true,"data":{"accessToken":"b","refreshToken":"s"},"errorCode":0}"#;
            stream.write_all(&response(200, &[], body)).expect("an answer");
            stream.conn.send_close_notify();
            stream.flush().expect("an answer");
        });
        Self { address, seen }
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.lock().expect("no panic").clone()
    }
}

/// A proxy that makes tunnels to this provider, whatever host it is asked for.
pub(crate) struct ConnectProxy {
    address: SocketAddr,
    seen: Seen,
}

impl ConnectProxy {
    pub(crate) fn to(provider: &TlsProvider) -> Self {
        let provider = provider.address;
        let (address, seen) = serve(move |mut client, seen| {
            let Ok(request) = receive(&mut client) else { return };
            seen.lock().expect("no panic").push(request);
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").expect("an answer");
            let server = TcpStream::connect(provider).expect("the provider");
            let (from, to) = (client.try_clone().expect("a handle"), server.try_clone().expect("a handle"));
            let upwards = thread::spawn(move || pass(from, to));
            pass(server, client);
            upwards.join().expect("no panic");
        });
        Self { address, seen }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The heads of what it was asked for.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.lock().expect("no panic").clone()
    }
}

/// Each connection on a thread of its own, until the test ends.
fn serve(serve: impl Fn(TcpStream, &Seen) + Send + Sync + 'static) -> (SocketAddr, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("the port bound");
    let (seen, serve) = (Seen::default(), Arc::new(serve));
    thread::spawn({
        let seen = Arc::clone(&seen);
        move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let (seen, serve) = (Arc::clone(&seen), Arc::clone(&serve));
                thread::spawn(move || serve(stream, &seen));
            }
        }
    });
    (address, seen)
}

/// A whole request: its head, and as much of a body as that promises.
fn receive(from: &mut impl Read) -> io::Result<String> {
    let mut request = Vec::new();
    loop {
        let mut chunk = [0; 4_096];
        match from.read(&mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => request.extend_from_slice(&chunk[..length]),
        }
        let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let promised = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if body.len() >= promised.unwrap_or(0) {
            return Ok(String::from_utf8_lossy(&request).into_owned());
        }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    // Either side may hang up.
    io::copy(&mut from, &mut to).ok();
    to.shutdown(Shutdown::Write).ok();
}
