//! As much of HTTP/1.1 as a scripted server needs: read a request, write an answer.

use std::io::{ErrorKind, Read};

/// A request as it came over the connection.
#[derive(Clone, Debug)]
pub struct RawRequest {
    /// The method, as sent.
    pub method: String,
    /// The request target: path and query, as sent.
    pub path: String,
    /// The headers in their order, names as sent (a client may send them in lower case), duplicates kept.
    pub headers: Vec<(String, String)>,
    /// The body, a chunked one put together.
    pub body: Vec<u8>,
    /// Every byte received, head included.
    pub raw: Vec<u8>,
}

impl RawRequest {
    /// The first header of this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(held, _)| held.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// The bytes of an HTTP/1.1 answer, for `Script::Raw`.
///
/// `content-length` (the body's true one) and `connection: close` are added unless `headers` names them, so that an
/// answer can lie about its length, or promise to keep open a connection that then closes.
pub fn response(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let length = body.len().to_string();
    let added = [("content-length", length.as_str()), ("connection", "close")];
    let missing = added.iter().filter(|(name, _)| !headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name)));

    let mut bytes = format!("HTTP/1.1 {status} \r\n").into_bytes();
    for (name, value) in headers.iter().chain(missing) {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

/// What a connection brought until a request was whole or the connection ended.
#[derive(Debug)]
pub(crate) enum Received {
    Whole(RawRequest),
    Part(Vec<u8>),
    Nothing,
}

pub(crate) fn receive(mut from: impl Read) -> Received {
    let mut raw = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        if let Some(request) = parse(&raw) {
            return Received::Whole(request);
        }
        match from.read(&mut chunk) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return if raw.is_empty() { Received::Nothing } else { Received::Part(raw) },
            Ok(n) => raw.extend_from_slice(&chunk[..n]),
        }
    }
}

/// The request in `raw`, or `None` as long as it is not whole (or never will be).
fn parse(raw: &[u8]) -> Option<RawRequest> {
    let (head, rest) = split(raw, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let mut request_line = lines.next()?.split(' ');
    let (method, path) = (request_line.next()?.to_owned(), request_line.next()?.to_owned());
    let headers = lines
        .map(|line| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned())))
        .collect::<Option<Vec<_>>>()?;

    let mut request = RawRequest { method, path, headers, body: Vec::new(), raw: raw.to_vec() };
    request.body = if request.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        dechunk(rest)?
    } else {
        let length = request.header("content-length").map_or(Ok(0), str::parse).ok()?;
        rest.get(..length)?.to_vec()
    };
    Some(request)
}

fn dechunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let (size, after) = split(rest, b"\r\n")?;
        let size = std::str::from_utf8(size).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            // Trailers, of which there are usually none, end with an empty line.
            return (after.starts_with(b"\r\n") || split(after, b"\r\n\r\n").is_some()).then_some(body);
        }
        body.extend_from_slice(after.get(..size)?);
        rest = after.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

fn split<'a>(bytes: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let found = bytes.windows(at.len()).position(|window| window == at)?;
    Some((&bytes[..found], &bytes[found + at.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands its bytes out one at a time, the way that finds every mistake at a boundary.
    struct Dripping<'a>(&'a [u8]);

    impl Read for Dripping<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let n = self.0.len().min(1);
            into[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    fn whole(bytes: &[u8]) -> RawRequest {
        match receive(Dripping(bytes)) {
            Received::Whole(request) => request,
            other => panic!("expected a whole request, got {other:?}"),
        }
    }

    #[test]
    fn a_request_is_taken_apart() {
        let bytes = b"POST /a/b?c=d HTTP/1.1\r\nHost: x\r\nX-Two: 1\r\nx-two:  2 \r\nContent-Length: 4\r\n\r\n\r\n\r\n";
        let request = whole(bytes);
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/a/b?c=d"));
        assert_eq!(request.header("x-two"), Some("1"));
        assert_eq!(request.headers[2], ("x-two".to_owned(), "2".to_owned()));
        assert_eq!(request.body, b"\r\n\r\n");
        assert_eq!(request.raw, bytes);
    }

    #[test]
    fn a_request_without_a_length_has_no_body() {
        assert!(whole(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").body.is_empty());
        assert!(whole(b"GET / HTTP/1.1\r\n\r\n").headers.is_empty());
    }

    #[test]
    fn a_chunked_body_is_put_together() {
        let head = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        for end in ["0\r\n\r\n", "0\r\nchecksum: 1\r\n\r\n"] {
            assert_eq!(
                whole(format!("{head}3\r\nabc\r\nA;x=y\r\n0123456789\r\n{end}").as_bytes()).body,
                b"abc0123456789"
            );
        }
    }

    #[test]
    fn what_ends_early_is_a_part_and_nothing_is_nothing() {
        for part in [
            "POST / HTTP/1.1\r\nhost: x\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\n1234",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
            "no request line\r\nno header\r\n\r\n",
            "\0",
        ] {
            match receive(part.as_bytes()) {
                Received::Part(bytes) => assert_eq!(bytes, part.as_bytes()),
                other => panic!("expected a part of {part:?}, got {other:?}"),
            }
        }
        assert!(matches!(receive(&b""[..]), Received::Nothing));
    }

    #[test]
    fn an_answer_says_its_true_length_and_that_it_closes_unless_told_otherwise() {
        assert_eq!(
            response(200, &[("x-a", "1"), ("x-a", "2")], "ok"),
            b"HTTP/1.1 200 \r\nx-a: 1\r\nx-a: 2\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"
        );
        assert_eq!(
            response(503, &[("Content-Length", "9"), ("Connection", "keep-alive")], b""),
            b"HTTP/1.1 503 \r\nContent-Length: 9\r\nConnection: keep-alive\r\n\r\n"
        );
    }
}
