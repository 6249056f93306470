//! A server on a thread of its own that reads a request and answers with bytes it was given, a moment later: so that the
//! caller's thread goes to sleep meanwhile, as it does with every server that is not on the same machine. Whether it did with one
//! that answers at once was a matter of luck, and halved or trebled what a call cost.
//!
//! One thread serves all connections. To send to another thread costs the sender more or less, by where that one sleeps; with
//! a thread for each connection, callers that are compared had each their own luck.

use std::io;
use std::net::TcpListener as StdListener;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

const MOMENT: Duration = Duration::from_micros(300);

/// Serves this answer to every request, on connections that stay open, until the process ends.
///
/// # Panics
///
/// When no loopback port can be had.
pub fn serve(headers: &str, body: &str) -> String {
    let listener = StdListener::bind("127.0.0.1:0").expect("a loopback port");
    listener.set_nonblocking(true).expect("a listener");
    let url = format!("http://{}", listener.local_addr().expect("a bound address"));
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    );
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
        LocalSet::new().block_on(&runtime, async {
            let listener = TcpListener::from_std(listener).expect("a listener");
            while let Ok((connection, _)) = listener.accept().await {
                let answer = answer.clone();
                tokio::task::spawn_local(async move { answer_all(&connection, answer.as_bytes()).await });
            }
        });
    });
    url
}

/// Ends with the connection.
async fn answer_all(connection: &TcpStream, answer: &[u8]) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let mut request = Vec::new();
    loop {
        connection.readable().await?;
        match connection.try_read_buf(&mut request) {
            Ok(0) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            read => drop(read?),
        }
        if is_whole(&request) {
            request.clear();
            // Whoever waits is alone: nobody else is kept waiting by this.
            std::thread::sleep(MOMENT);
            // An answer is shorter than any socket's buffer.
            connection.try_write(answer)?;
        }
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length =
        head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    body.len() >= length.unwrap_or(0)
}
