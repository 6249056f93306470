//! A server on a thread of its own that reads a request and answers with bytes it was given, a moment later: so that the
//! caller's thread goes to sleep meanwhile, as it does with every server that is not on the same machine. Whether it did with one
//! that answers at once was a matter of luck, and halved or trebled what a call cost.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

const MOMENT: Duration = Duration::from_micros(300);

/// Serves this answer to every request, on connections that stay open, until the process ends.
///
/// # Panics
///
/// When no loopback port can be had.
pub fn serve(headers: &str, body: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let url = format!("http://{}", listener.local_addr().expect("a bound address"));
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    );
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let answer = answer.clone();
            std::thread::spawn(move || answer_all(&connection, answer.as_bytes()));
        }
    });
    url
}

/// Ends with the connection.
fn answer_all(connection: &TcpStream, answer: &[u8]) -> Option<()> {
    connection.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(connection);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink()).ok()?;
        std::thread::sleep(MOMENT);
        (&*connection).write_all(answer).ok()?;
    }
}
