use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::*;

const JSON: &[u8] = br#"{"accessToken":"a","refreshToken":"r","more":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).expect("a vector");
    encoder.finish().expect("a vector")
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).expect("a vector");
    encoder.finish().expect("a vector")
}

fn raw(text: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).expect("a vector");
    encoder.finish().expect("a vector")
}

fn decoded(codings: &[&str], body: impl Into<Vec<u8>>) -> Decoded {
    let mut headers = HeaderMap::new();
    for coding in codings {
        headers.append(header::CONTENT_ENCODING, coding.parse().expect("a header"));
    }
    decode(&headers, &Bytes::from(body.into()))
}

#[track_caller]
fn whole(codings: &[&str], body: impl Into<Vec<u8>>) -> Bytes {
    match decoded(codings, body) {
        Decoded::Whole(text) => text,
        other => panic!("{codings:?}: {other:?}"),
    }
}

#[track_caller]
fn cut(codings: &[&str], body: impl Into<Vec<u8>>) -> Bytes {
    match decoded(codings, body) {
        Decoded::Cut(text) => text,
        other => panic!("{codings:?}: {other:?}"),
    }
}

fn is_plain(codings: &[&str], body: &[u8]) -> bool {
    matches!(decoded(codings, body), Decoded::Plain)
}

fn is_unreadable(codings: &[&str], body: impl Into<Vec<u8>>) -> bool {
    matches!(decoded(codings, body), Decoded::Unreadable)
}

#[test]
fn gzip_and_both_forms_of_deflate_are_undone() {
    for name in ["gzip", "x-gzip", "GZip", " gzip ", "identity, gzip", "gzip,"] {
        assert_eq!(whole(&[name], gzip(JSON)), JSON, "{name}");
    }
    for body in [zlib(JSON), raw(JSON)] {
        assert_eq!(whole(&["deflate"], body), JSON);
    }
}

#[test]
fn codings_upon_codings_are_undone_from_the_last() {
    assert_eq!(whole(&["deflate, gzip"], gzip(&zlib(JSON))), JSON);
    assert_eq!(whole(&["deflate", "gzip"], gzip(&raw(JSON))), JSON);
    let four = gzip(&gzip(&zlib(&gzip(JSON))));
    assert_eq!(whole(&["gzip, deflate", "gzip, gzip"], four.clone()), JSON);
    // One more than is undone; and two of which one is not known.
    assert!(is_unreadable(&["gzip, deflate, gzip, gzip, gzip"], gzip(&four)));
    assert!(is_unreadable(&["gzip, br"], gzip(JSON)));
}

#[test]
fn what_is_not_compressed_stays_as_it_is() {
    for codings in [&[][..], &["identity"], &["", "Identity"]] {
        assert!(is_plain(codings, JSON) && is_plain(codings, b"<html>") && is_plain(codings, &gzip(JSON)));
    }
    // The label is wrong.
    for name in ["gzip", "deflate", "br", "utf-8", "\u{fc}"] {
        assert!(is_plain(&[name], JSON) && is_plain(&[name], b"\r\n {}"), "{name}");
    }
}

#[test]
fn what_cannot_be_decoded_is_unreadable() {
    for name in ["br", "zstd", "compress", "utf-8", "\u{fc}"] {
        assert!(is_unreadable(&[name], gzip(JSON)), "{name}");
    }
    assert!(is_unreadable(&["gzip"], zlib(JSON)));
    assert!(is_unreadable(&["gzip"], "<html>"));
    assert!(is_unreadable(&["gzip"], ""));
    assert!(is_unreadable(&["gzip"], &gzip(JSON)[..10]));
}

#[test]
fn of_a_cut_or_damaged_body_as_much_is_taken_as_there_is() {
    let long: Vec<u8> = (0..60_000_u32).flat_map(|at| (at % 251).to_be_bytes()).take(60_000).collect();
    for (name, body) in [("gzip", gzip(&long)), ("deflate", zlib(&long)), ("deflate", raw(&long))] {
        // The check sum, where there is one, is the end; a raw stream ends with its last bits.
        let lacking = cut(&[name], &body[..body.len() - 1]);
        assert!(long.starts_with(&lacking) && !lacking.is_empty(), "{name}: {}", lacking.len());
        let half = cut(&[name], &body[..body.len() / 2]);
        assert!(long.starts_with(&half) && half.len() < long.len(), "{name}: {}", half.len());
    }
    let mut damaged = gzip(JSON);
    let check_sum = damaged.len() - 8;
    damaged[check_sum] ^= 1;
    assert_eq!(cut(&["gzip"], damaged), JSON);
    let inner = gzip(JSON);
    assert_eq!(cut(&["gzip, gzip"], gzip(&inner[..inner.len() - 3])), JSON, "the inner one");
    let outer = gzip(&inner);
    assert!(matches!(decoded(&["gzip, gzip"], &outer[..outer.len() - 1]), Decoded::Cut(text) if text == JSON));
}

#[test]
fn a_file_of_several_members_is_one_body_and_what_follows_it_is_nothing() {
    let mut body = gzip(&JSON[..10]);
    body.extend(gzip(&JSON[10..]));
    assert_eq!(whole(&["gzip"], body.clone()), JSON);
    body.extend(b"\0\0\0\0");
    assert_eq!(whole(&["gzip"], body.clone()), JSON);
    let mut body = zlib(JSON);
    body.extend(b"\r\n");
    assert_eq!(whole(&["deflate"], body), JSON);
}

#[test]
fn what_is_decoded_is_as_bounded_as_what_is_not() {
    for length in [MAX_BODY_LENGTH - 1, MAX_BODY_LENGTH, MAX_BODY_LENGTH + 1] {
        let text = vec![b' '; length];
        for (name, body) in [("gzip", gzip(&text)), ("deflate", zlib(&text)), ("deflate", raw(&text))] {
            assert_eq!(whole(&[name], body).len(), length, "{name}");
        }
    }
    // As long as can be: an end that is missing is still missed, and what follows still read.
    let longest = gzip(&[b' '; MAX_BODY_LENGTH]);
    assert_eq!(cut(&["gzip"], &longest[..longest.len() - 1]).len(), MAX_BODY_LENGTH);
    assert_eq!(whole(&["gzip"], [longest.clone(), gzip(b" ")].concat()).len(), MAX_BODY_LENGTH + 1);
    // So is what is coded once more.
    let inner = gzip(JSON);
    let padded = [inner.clone(), vec![0; MAX_BODY_LENGTH - inner.len()]].concat();
    assert_eq!(whole(&["gzip, gzip"], gzip(&padded)), JSON);
    let bomb = gzip(&vec![b' '; 4 << 20]);
    assert_eq!(whole(&["gzip"], gzip(&bomb)).len(), bomb.len());
    assert_eq!(whole(&["gzip, gzip"], gzip(&bomb)).len(), MAX_BODY_LENGTH + 1);
    // A bomb inside of one: the inner one is over the bound before it is opened.
    let stored = gzip(&zlib_without_compression(&[b' '; 2 * MAX_BODY_LENGTH]));
    assert_eq!(whole(&["deflate, gzip"], stored).len(), MAX_BODY_LENGTH + 1);
    // What travels is bounded too.
    let mut body = gzip(JSON);
    body.resize(MAX_BODY_LENGTH, 0);
    assert_eq!(whole(&["gzip"], body.clone()), JSON);
    body.push(0);
    assert!(is_unreadable(&["gzip"], body));
}

fn zlib_without_compression(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(text).expect("a vector");
    encoder.finish().expect("a vector")
}
