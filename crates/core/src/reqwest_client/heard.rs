//! What came over a connection, byte for byte: where it is not in the form that HTTP asks for, it is all that is left of the
//! answer, and may hold the only copy of new tokens.

use std::error::Error as StdError;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use hyper::rt::{Read as _, ReadBuf};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::connector::Stream;

/// The most that is kept: the longest head, and the longest body with what frames it.
const MOST: usize = 256 * 1024;
/// The most that is read at a time.
pub(super) const PIECE: usize = 8 * 1024;
/// How long nothing may come before it counts as the end: nobody can say how much is still to come.
const QUIET: Duration = Duration::from_millis(500);

/// A connection, and what came over it. hyper reads from it; once hyper has given up, what is still to come is read here.
#[derive(Clone)]
pub(super) struct Heard(Arc<Mutex<Wire>>);

pub(super) struct Wire {
    pub(super) stream: Box<dyn Stream>,
    /// What was read, piece by piece: a single text that grows would leave copies behind.
    pieces: Vec<Zeroizing<Vec<u8>>>,
    length: usize,
}

impl Heard {
    pub(super) fn new(stream: Box<dyn Stream>) -> Self {
        Self(Arc::new(Mutex::new(Wire { stream, pieces: Vec::new(), length: 0 })))
    }

    pub(super) fn wire(&self) -> MutexGuard<'_, Wire> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads on to the end of the connection, until nothing comes any more, or as far as it is kept.
    pub(super) async fn read_on(&self) {
        let mut piece = Zeroizing::new(vec![0; PIECE]);
        while self.wire().length < MOST {
            let reading = poll_fn(|context| self.wire().poll_read(context, &mut piece));
            match timeout(QUIET, reading).await {
                Ok(Ok(read)) if read > 0 => {}
                _ => return,
            }
        }
    }

    /// The last answer that began, with those of its headers that can be read and all that follows its head.
    pub(super) fn answer(&self) -> Option<Response<Bytes>> {
        let all = Zeroizing::new(self.wire().pieces.iter().map(|piece| &piece[..]).collect::<Vec<_>>().concat());
        let mut rest = &all[..];
        loop {
            let status = rest.strip_prefix(b"HTTP/1.")?.split(|byte| *byte == b' ').nth(1)?.get(..3)?;
            let status = StatusCode::from_bytes(status).ok()?;
            let (head, body) = split(rest)?;
            // Others follow an interim answer.
            if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
                rest = body;
                continue;
            }
            let mut response = Response::new(Bytes::copy_from_slice(body));
            (*response.status_mut(), *response.headers_mut()) = (status, headers(head));
            return Some(response);
        }
    }
}

impl Wire {
    /// Reads as much as is there and has room; 0 at the end.
    pub(super) fn poll_read(&mut self, context: &mut Context<'_>, piece: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(piece);
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer.unfilled()))?;
        let read = buffer.filled();
        let kept = &read[..read.len().min(MOST - self.length)];
        self.pieces.push(Zeroizing::new(kept.to_vec()));
        self.length += kept.len();
        Poll::Ready(Ok(read.len()))
    }
}

/// The lines before the first empty one, and what stands behind it.
fn split(answer: &[u8]) -> Option<(&[u8], &[u8])> {
    let ends = answer.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let mut splits = ends.filter_map(|end| {
        let (head, after) = answer.split_at(end);
        Some((head, after.strip_prefix(b"\r\n").or_else(|| after.strip_prefix(b"\n"))?))
    });
    splits.next()
}

fn headers(head: &[u8]) -> HeaderMap {
    let lines = head.split(|byte| *byte == b'\n').skip(1);
    let headers = lines.filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
        Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?))
    });
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        // Full at 32,768 headers.
        if map.try_append(name, value).is_err() {
            break;
        }
    }
    map
}

/// Whether something came that is not in the form of HTTP, in contrast to something that did not come.
pub(super) fn is_malformed(error: &hyper::Error) -> bool {
    let causes =
        std::iter::successors(Some(error as &(dyn StdError + 'static)), |cause| <dyn StdError>::source(*cause));
    let mut kinds = causes.filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    // These two are what hyper says of chunks.
    error.is_parse() || kinds.any(|kind| matches!(kind, io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData))
}
