//! Undoes the compression of a body that was asked for uncompressed and came compressed all the same.
//!
//! gzip and deflate, alone or one upon the other (RFC 9110, section 8.4.1). Servers and caches in front of them apply these
//! two whatever a request says; br and zstd are sent to those who ask for them.

use bytes::Bytes;
use flate2::{Decompress, FlushDecompress, Status};
use http::{HeaderMap, header};
use zeroize::Zeroizing;

use crate::transport::MAX_BODY_LENGTH;

/// How many codings are undone, one after the other.
const MAX_CODINGS: usize = 4;
/// The window of zlib, in bits: the largest, which reads what was made with any.
const WINDOW_BITS: u8 = 15;

/// What becomes of a body.
#[derive(Debug)]
pub(crate) enum Decoded {
    /// It is not compressed.
    Plain,
    /// It says that it is compressed, and in a way that cannot be undone. It stays as it came, for a label can be wrong.
    Unreadable,
    /// All of it, or more than [`MAX_BODY_LENGTH`] bytes.
    Whole(Bytes),
    /// The compressed data end too soon, or break off in what is none: as much as could be decoded.
    Cut(Bytes),
}

#[derive(Clone, Copy)]
enum Coding {
    Gzip,
    Deflate,
}

/// Decodes a body as its `content-encoding` says. What is decoded of it is never much longer than [`MAX_BODY_LENGTH`].
pub(crate) fn decode(headers: &HeaderMap, body: &Bytes) -> Decoded {
    let codings = match codings(headers) {
        Some(codings) if codings.is_empty() => return Decoded::Plain,
        // A proxy may have undone the coding and left the label. No compressed JSON begins like this.
        _ if body.trim_ascii_start().starts_with(b"{") => return Decoded::Plain,
        Some(codings) if codings.len() <= MAX_CODINGS && body.len() <= MAX_BODY_LENGTH => codings,
        _ => return Decoded::Unreadable,
    };
    let (mut whole, mut decoded) = (true, Text::default());
    // They are named in the order in which they were applied.
    for (at, coding) in codings.iter().rev().enumerate() {
        let input = std::mem::take(&mut decoded);
        let input = if at == 0 { &body[..] } else { &input };
        let ended;
        (decoded, ended) = coding.undo(input);
        whole &= ended;
        if decoded.len() > MAX_BODY_LENGTH {
            return Decoded::Whole(Bytes::from_owner(decoded));
        }
    }
    match (whole, decoded.is_empty()) {
        (true, _) => Decoded::Whole(Bytes::from_owner(decoded)),
        (false, false) => Decoded::Cut(Bytes::from_owner(decoded)),
        (false, true) => Decoded::Unreadable,
    }
}

/// The codings that the headers name; `None` when one of them is not known here.
fn codings(headers: &HeaderMap) -> Option<Vec<Coding>> {
    let values = headers.get_all(header::CONTENT_ENCODING).into_iter().map(|value| value.to_str().ok());
    let mut codings = Vec::new();
    for value in values {
        for name in value?.split(',').map(str::trim) {
            codings.push(match name.to_ascii_lowercase().as_str() {
                "" | "identity" => continue,
                "gzip" | "x-gzip" => Coding::Gzip,
                "deflate" => Coding::Deflate,
                _ => return None,
            });
        }
    }
    Some(codings)
}

/// Decoded bytes. They can be tokens, so they are wiped when the last holder drops them; nothing here makes them grow, for
/// that would leave copies behind.
type Text = Zeroizing<Vec<u8>>;

impl Coding {
    /// What the input decodes to, up to one byte more than the longest body, and whether that is all of it.
    fn undo(self, input: &[u8]) -> (Text, bool) {
        match self {
            Self::Gzip => inflate(input, Decompress::new_gzip(WINDOW_BITS), |rest| {
                rest.starts_with(GZIP).then(|| Decompress::new_gzip(WINDOW_BITS))
            }),
            // The name stands for the zlib format, and some servers send its content without the frame.
            Self::Deflate => match inflate(input, Decompress::new(true), |_| None) {
                (text, false) if text.is_empty() => inflate(input, Decompress::new(false), |_| None),
                done => done,
            },
        }
    }
}

/// The first bytes of each of the members that a gzip file is made of.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// Inflates a stream, and then those that `next` finds in what is left.
fn inflate(mut input: &[u8], first: Decompress, next: impl Fn(&[u8]) -> Option<Decompress>) -> (Text, bool) {
    let mut text = Text::new(Vec::with_capacity(MAX_BODY_LENGTH + 1));
    let mut state = first;
    loop {
        let (read, written) = (state.total_in(), text.len());
        let status = state.decompress_vec(input, &mut text, FlushDecompress::None);
        let progress = state.total_in() > read || text.len() > written;
        // Never more than there is: it was read from this very slice.
        input = &input[(state.total_in() - read) as usize..];
        match status {
            _ if text.len() > MAX_BODY_LENGTH => return (text, true),
            Ok(Status::StreamEnd) => match next(input) {
                Some(another) => state = another,
                None => return (text, true),
            },
            Ok(_) if progress => {}
            _ => return (text, false),
        }
    }
}

#[cfg(test)]
mod tests;
