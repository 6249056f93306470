//! One request and its answer on one connection, which nothing else uses. It is driven by whoever waits for the answer, so
//! that it ends with the call, and what has arrived is at hand whenever that is.

use std::future::{Future, poll_fn};
use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;

use super::bounded::Bounded;
use super::connector::Stream;
use super::heard::{Heard, is_malformed};
use crate::json::Json;
use crate::transport::MAX_BODY_LENGTH;

/// The longest head of an answer.
const MAX_HEAD: usize = 128 * 1024;
/// The most headers that are told apart.
const MAX_HEADERS: usize = 512;

/// As much of a response as is there. A body that comes in a single piece, as nearly all do, is not copied.
#[derive(Default)]
pub(super) struct Arrived {
    head: Option<(StatusCode, HeaderMap)>,
    earlier: BytesMut,
    last: Bytes,
    /// All that came, where it is not in the form of HTTP.
    malformed: Option<Heard>,
}

/// Sends the request and reads the answer into `arrived`, to its end or to one byte over the longest body that is read.
pub(super) async fn exchange(
    stream: Box<dyn Stream>,
    request: Request<Full<Bytes>>,
    arrived: &mut Arrived,
) -> hyper::Result<()> {
    let heard = Heard::new(stream);
    let exchanged = over(&heard, request, arrived).await;
    if exchanged.as_ref().is_err_and(is_malformed) {
        arrived.malformed = Some(heard.clone());
        heard.read_on().await;
    }
    exchanged
}

async fn over(heard: &Heard, request: Request<Full<Bytes>>, arrived: &mut Arrived) -> hyper::Result<()> {
    let answered = Arc::new(AtomicBool::new(false));
    let stream = Bounded::new(heard.clone(), Arc::clone(&answered));
    // What is odd in a head that nobody reads is no reason to lose the body.
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .ignore_invalid_headers_in_responses(true)
        .handshake(stream)
        .await?;
    let mut reading = pin!(async move {
        let mut response = sender.send_request(request).await?;
        answered.store(true, Ordering::Relaxed);
        arrived.head = Some((response.status(), mem::take(response.headers_mut())));
        while let Some(frame) = response.frame().await {
            // What else there is are trailers.
            arrived.push(frame?.into_data().unwrap_or_default());
            if arrived.is_too_long() {
                break;
            }
        }
        Ok(())
    });
    let (mut connection, mut open) = (pin!(connection), true);
    poll_fn(|context| {
        // Why it ends badly is told to the reader too.
        open = open && connection.as_mut().poll(context).is_pending();
        reading.as_mut().poll(context)
    })
    .await
}

impl Arrived {
    /// Takes a piece of the body, or as much of it as there is room for.
    fn push(&mut self, piece: Bytes) {
        self.earlier.extend_from_slice(&self.last);
        self.last = piece;
        self.last.truncate(MAX_BODY_LENGTH + 1 - self.earlier.len());
    }

    fn is_too_long(&self) -> bool {
        self.earlier.len() + self.last.len() > MAX_BODY_LENGTH
    }

    /// The response, once its head is there.
    pub(super) fn into_response(mut self) -> Option<Response<Bytes>> {
        let body = if self.earlier.is_empty() {
            self.last
        } else {
            self.earlier.extend_from_slice(&self.last);
            self.earlier.freeze()
        };
        // Of chunks that are none, what came before them may be all that was meant.
        let malformed = self.malformed.filter(|_| self.head.is_none() || Json::parse(&body).is_err());
        if let Some(answer) = malformed.and_then(|heard| heard.answer()) {
            return Some(answer);
        }
        let (status, headers) = self.head?;
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Some(response)
    }
}
