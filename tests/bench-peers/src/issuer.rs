//! Where the tokens come from: an answer that is the same for everybody, and a loopback server that gives it.

use std::io::{BufRead, BufReader, Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How long a token lives: far longer than a run.
pub(crate) const LIFETIME_SECONDS: u64 = 3_600;

/// Gives one token, as often as it is asked, and counts that.
#[derive(Clone, Default)]
pub(crate) struct Issuer(Arc<AtomicUsize>);

impl Issuer {
    /// The token: 200 characters, as an opaque one of the larger providers has.
    pub(crate) fn token() -> String {
        "ya29.token".repeat(20)
    }

    /// The token itself, for those who need no HTTP answer.
    pub(crate) fn issue(&self) -> String {
        self.0.fetch_add(1, Ordering::Relaxed);
        Self::token()
    }

    /// The answer of a token endpoint (RFC 6749, section 5.1).
    pub(crate) fn answer(&self) -> String {
        let token = self.issue();
        format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":{LIFETIME_SECONDS}}}"#)
    }

    pub(crate) fn asked(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// A token endpoint on loopback, on a thread of its own that ends with the process; its URL.
    pub(crate) fn serve(self) -> Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}/token", listener.local_addr()?);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                if let Err(error) = self.answer_one(&connection) {
                    eprintln!("failed to answer a token request: {error}");
                }
            }
        });
        Ok(url)
    }

    fn answer_one(&self, connection: &TcpStream) -> Result<()> {
        let (mut reader, mut length) = (BufReader::new(connection), 0);
        let mut line = String::new();
        while reader.read_line(&mut line)? > 2 {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            line.clear();
        }
        std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
        let body = self.answer();
        write!(
            &*connection,
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    }
}
