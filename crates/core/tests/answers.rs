//! Answers as they come: whole, compressed, too long, or without their end. Whatever is in them is read, and what was not
//! read is kept.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request, Response};
use rampauth_core::json::{Json, JsonObject};
use rampauth_core::{
    AccessToken, Answer, Error, ErrorKind, Expiry, HttpClient, MAX_BODY_LENGTH, Outcome, RefreshToken, SecretBytes,
    TokenSet, TransportError, TransportFailure, request,
};

const ACTION: &str = "refresh the tokens";
const GRANTED: &[u8] = br#"{"a":"access","r":"refresh"}"#;
/// `GRANTED` by `gzip -9n`.
const GZIPPED: &[u8] = &[
    31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 74, 84, 178, 82, 74, 76, 78, 78, 45, 46, 86, 210, 81, 42, 2, 114, 138,
    82, 211, 138, 82, 139, 51, 148, 106, 1, 156, 188, 74, 26, 28, 0, 0, 0,
];

/// What a server answers, and how the connection ended if it ended badly.
#[derive(Clone)]
struct Server {
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    body: Bytes,
    ending: Option<TransportFailure>,
}

#[async_trait]
impl HttpClient for Server {
    async fn send(&self, _request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let mut response = Response::builder().status(self.status);
        for (name, value) in &self.headers {
            response = response.header(*name, *value);
        }
        let response = response.body(self.body.clone()).expect("a response");
        match self.ending {
            None => Ok(response),
            Some(failure) => Err(TransportError::new(failure).with_source("the cause").with_partial_response(response)),
        }
    }
}

fn server(status: u16, body: impl AsRef<[u8]>) -> Server {
    Server { status, headers: Vec::new(), body: Bytes::copy_from_slice(body.as_ref()), ending: None }
}

impl Server {
    fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    fn ending(mut self, failure: TransportFailure) -> Self {
        self.ending = Some(failure);
        self
    }
}

fn clock() -> SystemTime {
    UNIX_EPOCH
}

fn asked() -> Request<Bytes> {
    request(Method::POST, "https://api.example.com/".parse().expect("a URI"), "test", Bytes::new())
}

/// The rules of a provider: the status alone decides, unless it is a success; `a` and `r` are the tokens, both needed.
fn read(answer: &Answer) -> Result<TokenSet, Error> {
    if let Some(error) = answer.status_error() {
        return Err(error);
    }
    let json = answer.json()?;
    read_members(answer, json.as_object().ok_or_else(|| answer.protocol_error("no object"))?)
}

fn read_members(answer: &Answer, body: &JsonObject<'_>) -> Result<TokenSet, Error> {
    let text = |name| body.text(name).ok().flatten().map(|text| text.expose_secret().to_owned());
    if text("no").is_some() {
        return Err(answer
            .error(ErrorKind::Refused, Outcome::Refused, "the provider refused")
            .with_provider_code("no"));
    }
    let refresh = text("r").and_then(|text| RefreshToken::new(text).ok());
    let with_refresh = |set: TokenSet| refresh.clone().map(|refresh| set.with_refresh_token(refresh, Expiry::Unknown));
    match text("a").and_then(|text| AccessToken::new(text).ok()) {
        Some(access) if refresh.is_some() => {
            Ok(with_refresh(TokenSet::new().with_access_token(access, Expiry::Unknown)).expect("a refresh token"))
        }
        _ => Err(answer.protocol_error("a token is missing").with_salvage(with_refresh(TokenSet::new()))),
    }
}

async fn refresh(server: Server) -> Result<TokenSet, Error> {
    Answer::receive_tokens(&server, &clock, asked(), ACTION, read).await
}

fn tokens(set: &TokenSet) -> [&str; 2] {
    let access = set.access_token.as_ref().map_or("-", AccessToken::expose_secret);
    [access, set.refresh_token.as_ref().map_or("-", RefreshToken::expose_secret)]
}

/// What an error says, and what it keeps.
fn kept(error: &Error) -> (String, Option<[&str; 2]>, Option<&[u8]>) {
    let says = format!("{} {}: {error}", error.kind().as_str(), error.outcome().as_str());
    (says, error.salvage().map(tokens), error.body().map(SecretBytes::expose_secret))
}

#[tokio::test]
async fn a_whole_success_without_its_end_recovers_the_tokens() {
    for (ending, says) in [
        (
            TransportFailure::Interrupted,
            "interrupted unknown: failed to refresh the tokens: the connection broke before the whole answer was there (status 200)",
        ),
        (
            TransportFailure::Timeout,
            "timeout unknown: failed to refresh the tokens: no whole answer came in time (status 200)",
        ),
    ] {
        let error = refresh(server(200, GRANTED).ending(ending)).await.expect_err("no end");
        assert_eq!(kept(&error), (says.to_owned(), Some(["access", "refresh"]), None));
        // Some of the tokens, and the document for whoever finds more in it.
        let lacking = br#"{"r":"refresh"}"#;
        let error = refresh(server(200, lacking).ending(ending)).await.expect_err("no end");
        assert_eq!(kept(&error), (says.to_owned(), Some(["-", "refresh"]), Some(&lacking[..])));
        // A document that is not whole.
        let error = refresh(server(200, &GRANTED[..20]).ending(ending)).await.expect_err("no end");
        assert_eq!(kept(&error), (says.to_owned(), None, Some(&GRANTED[..20])));
        // A refusal whose end is missing is no refusal.
        let refused = br#"{"no":"no"}"#;
        let error = refresh(server(200, refused).ending(ending)).await.expect_err("no end");
        assert_eq!(kept(&error).0, says.replace("200)", "200, code no)"));
        assert_eq!(kept(&error).2, Some(&refused[..]));
        // Nothing of a body.
        let error = refresh(server(200, "").ending(ending)).await.expect_err("no end");
        assert_eq!(kept(&error), (says.to_owned(), None, None));
        assert!(std::error::Error::source(&error).is_some(), "the cause");
    }
}

#[tokio::test]
async fn a_status_that_is_no_success_says_what_it_says_with_or_without_the_end() {
    for status in [302, 400, 401, 404, 408, 429, 500, 503] {
        let whole = server(status, GRANTED).header("retry-after", "7");
        let expected = refresh(whole.clone()).await.expect_err("no success");
        let error = refresh(whole.ending(TransportFailure::Interrupted)).await.expect_err("no success");
        assert_eq!(kept(&error), kept(&expected));
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    }
}

/// A signature that does not fit a part of a body says nothing about who sent it.
#[tokio::test]
async fn a_part_of_an_answer_is_not_untrusted() {
    for status in [200, 400] {
        let untrusted = |answer: &Answer| -> Result<TokenSet, Error> {
            assert_eq!(answer.is_whole(), answer.body() == GRANTED);
            Err(answer.error(ErrorKind::Untrusted, Outcome::Unknown, "not signed").with_verified(false))
        };
        for (server, expected) in [
            (server(status, GRANTED), ErrorKind::Untrusted),
            (server(status, &GRANTED[..9]).ending(TransportFailure::Interrupted), ErrorKind::Interrupted),
        ] {
            let error = Answer::receive_tokens(&server, &clock, asked(), ACTION, untrusted).await.expect_err("neither");
            assert_eq!((error.kind(), error.outcome()), (expected, Outcome::Unknown));
            assert_eq!((error.status(), error.verified()), (Some(status), Some(false)));
        }
    }
}

#[tokio::test]
async fn a_call_without_tokens_takes_whole_answers_alone() {
    let receive = |server: Server| async move { Answer::receive(&server, &clock, asked(), ACTION).await };
    assert!(receive(server(200, GRANTED)).await.expect("an answer").is_whole());
    let error = receive(server(200, GRANTED).ending(TransportFailure::Timeout)).await.expect_err("no end");
    let says = "timeout unknown: failed to refresh the tokens: no whole answer came in time (status 200)";
    assert_eq!(kept(&error), (says.to_owned(), None, Some(GRANTED)));
}

#[tokio::test]
async fn a_compressed_answer_is_as_good_as_any() {
    let gzipped = |body: &[u8]| server(200, body).header("content-encoding", "gzip");
    assert_eq!(tokens(&refresh(gzipped(GZIPPED)).await.expect("tokens")), ["access", "refresh"]);
    assert_eq!(tokens(&refresh(gzipped(GRANTED)).await.expect("tokens")), ["access", "refresh"], "a wrong label");
    let unknown = server(200, GRANTED).header("content-encoding", "br");
    assert_eq!(tokens(&refresh(unknown).await.expect("tokens")), ["access", "refresh"], "a wrong label");

    let cut = &GZIPPED[..GZIPPED.len() - 3];
    let says = "interrupted unknown: failed to refresh the tokens: the answer is compressed, and its end is missing or \
                damaged (status 200)";
    let error = refresh(gzipped(cut)).await.expect_err("no end");
    assert_eq!(kept(&error), (says.to_owned(), Some(["access", "refresh"]), None));
    // The end is missing for the same reason, and the connection's word goes first.
    let error = refresh(gzipped(cut).ending(TransportFailure::Timeout)).await.expect_err("no end");
    assert_eq!((error.kind(), error.salvage().map(tokens)), (ErrorKind::Timeout, Some(["access", "refresh"])));

    let says = "protocol unknown: failed to refresh the tokens: the answer is compressed in a way that was not asked for \
                and cannot be read (status 200)";
    let error = refresh(server(200, GZIPPED).header("content-encoding", "br")).await.expect_err("unreadable");
    assert_eq!(kept(&error), (says.to_owned(), None, Some(GZIPPED)));
}

#[test]
fn a_body_of_the_longest_length_is_read_and_one_byte_more_is_not() {
    let mut body = GRANTED.to_vec();
    body.resize(MAX_BODY_LENGTH, b' ');
    let answer = |body: &[u8]| {
        let response = Response::new(Bytes::copy_from_slice(body));
        Answer::new(response, UNIX_EPOCH, ACTION)
    };
    assert!(matches!(answer(&body).json(), Ok(Json::Object(_))));
    body.push(b' ');
    let error = answer(&body).json().map(|_| ()).expect_err("too long");
    assert_eq!(error.to_string(), "failed to refresh the tokens: the answer is longer than 64 KiB (status 200)");
}

#[tokio::test]
async fn tokens_are_recovered_from_the_one_object_among_other_text() {
    for (body, expected) in [
        (r#"notice: {"a":"access","r":"refresh"}"#, Some(["access", "refresh"])),
        // What can be read of an object that is refused counts too.
        (r#"notice: {"r":"refresh"}"#, Some(["-", "refresh"])),
        (r#"{"status":"ok"}{"a":"access","r":"refresh"}"#, Some(["access", "refresh"])),
        // The same tokens twice are no contradiction, others are.
        (r#"{"a":"access","r":"refresh"}{"r":"refresh","a":"access"}"#, Some(["access", "refresh"])),
        (r#"{"a":"access","r":"refresh"}{"a":"other","r":"refresh"}"#, None),
        (r#"{"a":"access","r":"refresh"}{"a":"access","r":"other"}"#, None),
        (r#"{"a":"access","r":"refresh"}{"r":"refresh"}"#, None),
        ("notice: {}", None),
    ] {
        let answer = Answer::new(Response::new(Bytes::copy_from_slice(body.as_bytes())), UNIX_EPOCH, ACTION);
        let read = |object: &JsonObject<'_>| read_members(&answer, object);
        let error = answer.read_tokens(read).expect_err("it is not one document");
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Protocol, Outcome::Unknown), "{body}");
        assert_eq!(error.salvage().map(tokens), expected, "{body}");
    }
}

#[test]
fn headers_and_trust_are_handed_on() {
    let response = Response::builder().header("x-request-id", "7").body(Bytes::new()).expect("a response");
    let answer = Answer::new(response, UNIX_EPOCH, ACTION);
    assert_eq!(answer.headers()["x-request-id"], "7");
    let error = || answer.protocol_error("odd");
    assert_eq!(error().verified(), None);
    for verified in [true, false] {
        assert_eq!(error().with_verified(verified).verified(), Some(verified));
    }
}

#[test]
fn a_redirection_is_named_as_one() {
    for status in [300, 302, 307, 399] {
        let response = Response::builder().status(status).body(Bytes::new()).expect("a response");
        let error = Answer::new(response, UNIX_EPOCH, ACTION).status_error().expect("no success");
        let says = format!("failed to {ACTION}: the provider redirected, which is never followed (status {status})");
        assert_eq!(error.to_string(), says);
    }
}
