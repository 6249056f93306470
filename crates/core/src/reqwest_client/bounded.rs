//! A connection that reads in small pieces, lets others run between them, and ends where no answer begins.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::task::yield_now;
use zeroize::Zeroizing;

use super::heard::{Heard, PIECE};

/// After how many bytes in a row others run. A runtime looks for what came to them, and for timers, then.
const TURN: usize = 64 * 1024;
/// How much may come before an answer: interim answers, and its own head.
const MAX_BEFORE_ANSWER: usize = 256 * 1024;

pub(super) struct Bounded {
    heard: Heard,
    piece: Zeroizing<Box<[u8]>>,
    /// Read since others ran last.
    in_a_row: usize,
    turn_of_others: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Read before the answer.
    before: usize,
    answered: Arc<AtomicBool>,
}

impl Bounded {
    /// `answered` says that the head of the answer is there.
    pub(super) fn new(heard: Heard, answered: Arc<AtomicBool>) -> Self {
        let piece = Zeroizing::new(vec![0; PIECE].into_boxed_slice());
        Self { heard, piece, in_a_row: 0, turn_of_others: None, before: 0, answered }
    }
}

impl Read for Bounded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.in_a_row >= TURN {
            let turn = this.turn_of_others.get_or_insert_with(|| Box::pin(yield_now()));
            ready!(turn.as_mut().poll(context));
            (this.in_a_row, this.turn_of_others) = (0, None);
        }
        if this.before > MAX_BEFORE_ANSWER && !this.answered.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::Error::other("256 KiB came, and no answer among them")));
        }
        let room = cursor.remaining().min(PIECE);
        let Poll::Ready(read) = this.heard.wire().poll_read(context, &mut this.piece[..room]) else {
            this.in_a_row = 0;
            return Poll::Pending;
        };
        let read = &this.piece[..read?];
        this.in_a_row += read.len();
        this.before = this.before.saturating_add(read.len());
        cursor.put_slice(read);
        Poll::Ready(Ok(()))
    }
}

impl Write for Bounded {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.heard.wire().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.heard.wire().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.heard.wire().stream).poll_shutdown(context)
    }
}
