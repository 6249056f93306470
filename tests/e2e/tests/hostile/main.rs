//! Hostile answers over real sockets, to each of the five calls as a keeper makes them: what becomes of the tokens that came,
//! what the caller is told, and in which state the session is afterwards.

mod dead;
mod subject;
mod tls;

use std::time::Duration;

use rampauth_core::{ErrorKind, Outcome, SecretBytes};
use rampauth_keeper::State;
use rampauth_test_kit::logs::render_error;
use rampauth_test_kit::odd;
use rampauth_test_kit::scripted::{Ending, Script, response};

use subject::{Call, End, NEW_ACCESS, NEW_REFRESH, STORED_REFRESH, play, play_in_doubt};

const ALL: [Call; 5] = [Call::AlixCard, Call::AlixOnOffRamp, Call::TransakUser, Call::PayBy, Call::Onboard];

/// What was granted or recovered is stored, and the next refresh sends it.
#[track_caller]
fn is_stored(call: Call, what: &str, end: &End) {
    assert_eq!((end.state, end.generation), (State::Ready, 2), "{call:?}, {what}");
    assert_eq!(end.tokens, call.granted(), "{call:?}, {what}");
}

/// Nothing came that could be stored, and the tokens that were there still are.
#[track_caller]
fn is_kept(call: Call, what: &str, end: &End, state: State) {
    assert_eq!((end.state, end.generation), (state, 1), "{call:?}, {what}");
    assert_eq!(end.tokens, call.stored(), "{call:?}, {what}");
}

/// No token is in what an error or an event shows.
#[track_caller]
fn says_no_token(call: Call, what: &str, end: &End) {
    let shown = end.result.as_ref().err().map(|error| format!("{}{}", render_error(error), error.help()));
    let shown = shown.unwrap_or_default() + &end.events;
    let (access, _) = call.granted();
    for needle in [NEW_ACCESS, NEW_REFRESH, STORED_REFRESH, &access] {
        assert!(!shown.contains(needle), "{call:?}, {what}: {shown}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_odd_and_read_by_nobody_is_granted() {
    for call in ALL {
        let document = call.document();
        let mut answers: Vec<_> = odd::harmless(&document).into_iter().map(|(what, body)| (what, None, body)).collect();
        for (coding, body) in odd::compressed(&document) {
            answers.push((coding.to_owned(), Some(coding), body));
        }
        assert!(answers.len() > 30);
        // Signatures cover what is decoded.
        let mut scripts = Vec::new();
        for (_, coding, body) in &answers {
            let signed = if coding.is_some() { document.as_bytes() } else { body };
            scripts.push(Script::Raw(call.answer(*coding, body, signed).await));
        }
        let ends = play(call, scripts).await;
        for ((what, ..), end) in answers.iter().zip(&ends) {
            assert!(end.result.is_ok(), "{call:?}, {what}: {:?}", end.result);
            is_stored(call, what, end);
            says_no_token(call, what, end);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_among_other_text_are_stored_and_the_caller_is_told_of_it() {
    for call in ALL {
        let answers = odd::surrounded(&call.document());
        let mut scripts = Vec::new();
        for (_, body) in &answers {
            scripts.push(Script::Raw(call.answer(None, body, body).await));
        }
        let ends = play(call, scripts).await;
        for ((what, _), end) in answers.iter().zip(&ends) {
            let error = end.result.as_ref().expect_err(what);
            assert_eq!((error.kind(), error.outcome()), (ErrorKind::Protocol, Outcome::Unknown), "{call:?}, {what}");
            is_stored(call, what, end);
            says_no_token(call, what, end);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_before_a_bad_end_are_stored_however_the_connection_ends() {
    for call in ALL {
        let document = call.document();
        let head = call.head(None, document.as_bytes()).await;
        let too_long = format!("{head}content-length: {}\r\n\r\n{document}", document.len() + 1);
        let chunk = format!("{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n{document}\r\n", document.len());
        let mut cases: Vec<_> = [
            ("no chunks", "transfer-encoding: chunked"),
            ("two lengths", "content-length: 2\r\ncontent-length: 9"),
            ("no number as the length", "content-length: many"),
        ]
        .into_iter()
        .map(|(what, framing)| {
            let answer = format!("{head}{framing}\r\n\r\n{document}");
            (what.to_owned(), Script::Raw(answer.into_bytes()), ErrorKind::Interrupted)
        })
        .collect();
        for (what, answer) in [("a length that is not reached", too_long), ("no last chunk", chunk)] {
            for (ending, kind) in [
                (Ending::Closed, ErrorKind::Interrupted),
                (Ending::Reset, ErrorKind::Interrupted),
                (Ending::Stalled, ErrorKind::Timeout),
            ] {
                let script = Script::Partial { answer: answer.clone().into_bytes(), ending };
                cases.push((format!("{what}, {ending:?}"), script, kind));
            }
        }
        let ends = play(call, cases.iter().map(|(_, script, _)| script.clone()).collect()).await;
        for ((what, _, kind), end) in cases.iter().zip(&ends) {
            let error = end.result.as_ref().expect_err(what);
            assert_eq!((error.kind(), error.outcome()), (*kind, Outcome::Unknown), "{call:?}, {what}");
            is_stored(call, what, end);
            says_no_token(call, what, end);
        }
    }
}

/// Bytes that cannot be read on a success may hold the only copy of the tokens: the error has them, and shows nothing of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_kept_in_the_error() {
    for call in ALL {
        let document = call.document();
        let utf16: Vec<u8> = document.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let open = document[..document.len() - 1].to_owned();
        let answers = [
            ("another coding", Some("br"), b"\x0b\x02\x80tokens".to_vec()),
            ("a coding that is not what it is called", Some("gzip"), b"\x1f\x8b\x08tokens".to_vec()),
            ("UTF-16", None, utf16),
            ("a page", None, b"<html>tokens</html>".to_vec()),
            ("a text that holds the document", None, format!("{document:?}").into_bytes()),
            ("nothing but NUL bytes", None, vec![0; 9]),
        ];
        let mut scripts = Vec::new();
        for (_, coding, body) in &answers {
            scripts.push(Script::Raw(call.answer(*coding, body, body).await));
        }
        let ends = play(call, scripts).await;
        for ((what, _, body), end) in answers.iter().zip(&ends) {
            let error = end.result.as_ref().expect_err(what);
            assert_eq!((error.kind(), error.outcome()), (ErrorKind::Protocol, Outcome::Unknown), "{call:?}, {what}");
            assert_eq!(error.body().map(SecretBytes::expose_secret), Some(&body[..]), "{call:?}, {what}");
            is_kept(call, what, end, State::Doubtful);
            says_no_token(call, what, end);
        }
        // Cut within the document: as much as came.
        let answer = response(200, &[("content-length", "9999")], &open);
        let [end] = &play(call, vec![Script::Raw(answer)]).await[..] else { panic!("one") };
        let error = end.result.as_ref().expect_err("cut");
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Interrupted, Outcome::Unknown), "{call:?}");
        assert_eq!(error.body().map(SecretBytes::expose_secret), Some(open.as_bytes()), "{call:?}");
        says_no_token(call, "cut", end);
    }
}

/// A gateway's page says nothing of the session: no status ends it, and none but a 5xx leaves a doubt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateways_page_ends_no_session_whatever_its_status() {
    use ErrorKind::{Forbidden, RateLimited, Refused, Server, Unauthorized, WrongEndpoint};
    let cases = [
        (400, Refused, Outcome::Refused),
        (401, Unauthorized, Outcome::Refused),
        (403, Forbidden, Outcome::Refused),
        (404, WrongEndpoint, Outcome::Refused),
        (429, RateLimited, Outcome::Refused),
        (500, Server, Outcome::Unknown),
        (502, Server, Outcome::Unknown),
    ];
    let pages = ["<html><h1>401</h1></html>", "", r#"{"message":"Unauthorized"}"#, "\u{feff}{}", "null"];
    for call in ALL {
        for page in pages {
            let scripts = cases.iter().map(|(status, ..)| Script::Raw(response(*status, &[], page)));
            let ends = play(call, scripts.collect()).await;
            for ((status, kind, outcome), end) in cases.iter().zip(&ends) {
                let what = format!("{status} {page}");
                let error = end.result.as_ref().expect_err(&what);
                assert_eq!((error.kind(), error.outcome()), (*kind, *outcome), "{call:?}, {what}");
                let state = if *outcome == Outcome::Unknown { State::Doubtful } else { State::Ready };
                is_kept(call, &what, end, state);
            }
        }
    }
}

/// Nor does it say what became of a token that is in doubt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateways_page_resolves_no_doubt() {
    let pages = [
        "<html><h1>400 Bad Request</h1></html>",
        "",
        r#"{"message":"Bad Request"}"#,
        r#"{"message":"no Route matched with those values","request_id":"1"}"#,
        r#"{"status":400,"title":"Bad Request"}"#,
        r#"{"code":"400"}"#,
    ];
    for call in ALL {
        for status in [400, 401, 403, 404, 413, 422, 429, 431] {
            let scripts = pages.map(|page| Script::Raw(response(status, &[], page)));
            for (page, end) in pages.iter().zip(&play_in_doubt(call, scripts.to_vec()).await) {
                let what = format!("{status} {page}");
                assert_eq!(end.result.as_ref().expect_err(&what).outcome(), Outcome::Refused, "{call:?}, {what}");
                is_kept(call, &what, end, State::Doubtful);
            }
        }
    }
}

/// A refusal of the caller, its keys or its clock says nothing of the token. Any other one of the endpoint's own says that an earlier
/// sending was carried out, where no code for a dead token is published.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_refusal_of_the_token_resolves_a_doubt() {
    use State::{Doubtful, LoginNeeded};
    let payby = |status: &str, code: &str, message: &str| {
        format!(r#"{{"head":{{"applyStatus":"{status}","code":"{code}","msg":"{message}"}}}}"#)
    };
    let alix = |body: &str| body.to_owned();
    for (call, body, state) in [
        (Call::PayBy, payby("FAIL", "400", "REQUESTTIME_TOO_EARLY"), Doubtful),
        (Call::PayBy, payby("FAIL", "400", "REQUESTTIME_TOO_LATER"), Doubtful),
        (Call::PayBy, payby("FAIL", "403", "UNAUTHORIZED"), Doubtful),
        (Call::PayBy, payby("ERROR", "62001", "the signature is wrong"), Doubtful),
        (Call::PayBy, payby("FAIL", "402", "RATE_LIMIT_REJECT"), Doubtful),
        (Call::PayBy, payby("FAIL", "404", "SERVICE_NOT_AVAILABLE"), Doubtful),
        (Call::PayBy, payby("FAIL", "400", "INVALID_PARAMETER"), LoginNeeded),
        (Call::PayBy, payby("FAIL", "62001", "the token is spent"), LoginNeeded),
        (Call::AlixCard, alix(r#"{"success":false,"message":"m","data":null,"errorCode":32}"#), LoginNeeded),
        (Call::AlixOnOffRamp, alix(r#"{"error":"Invalid request"}"#), LoginNeeded),
    ] {
        // Signed as a success is, for PayBy's refusals ride on status 200.
        let refusal = match call {
            Call::PayBy => call.answer(None, body.as_bytes(), body.as_bytes()).await,
            _ => response(400, &[], &body),
        };
        let [end] = &play_in_doubt(call, vec![Script::Raw(refusal)]).await[..] else { panic!("one") };
        assert_eq!(end.result.as_ref().expect_err(&body).outcome(), Outcome::Refused, "{call:?}, {body}");
        is_kept(call, &body, end, state);
    }
}

/// The endpoint's own word ends a session where one is documented, and nowhere else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_endpoints_own_word_ends_a_session() {
    let onboard = r#"{"code":"UNAUTHORIZED","message":"Unauthorized request"}"#;
    let transak = r#"{"error":{"statusCode":401,"message":"Unauthorized","errorCode":1002}}"#;
    for call in ALL {
        let scripts = [onboard, transak].map(|body| Script::Raw(response(401, &[], body)));
        let ends = play(call, scripts.to_vec()).await;
        for (word, end) in ["onboard", "transak"].into_iter().zip(&ends) {
            let is_its_own = matches!((call, word), (Call::Onboard, "onboard") | (Call::TransakUser, "transak"));
            let error = end.result.as_ref().expect_err(word);
            let kind = if is_its_own { ErrorKind::LoginNeeded } else { ErrorKind::Unauthorized };
            assert_eq!((error.kind(), error.outcome()), (kind, Outcome::Refused), "{call:?}, {word}");
            is_kept(call, word, end, if is_its_own { State::LoginNeeded } else { State::Ready });
        }
    }
}

/// One server never stops, and the other call is as fast as ever.
#[tokio::test(flavor = "current_thread")]
async fn interim_answers_without_end_hold_no_other_session() {
    const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
    for call in ALL {
        let flood = Script::Repeated { bytes: CONTINUE.repeat(10_000), every: Duration::ZERO };
        let document = call.document();
        let honest = Script::Raw(call.answer(None, document.as_bytes(), document.as_bytes()).await);
        let (flooded, served) = tokio::join!(play(call, vec![flood]), play(call, vec![honest]));
        let error = flooded[0].result.as_ref().expect_err("no end");
        assert_eq!(error.outcome(), Outcome::Unknown, "{call:?}");
        assert!(flooded[0].took < subject::TIMEOUT + Duration::from_secs(2), "{call:?}: {:?}", flooded[0].took);
        is_kept(call, "flooded", &flooded[0], State::Doubtful);
        assert!(served[0].took < subject::TIMEOUT, "{call:?}: {:?}", served[0].took);
        is_stored(call, "honest", &served[0]);
    }
}

/// Answers that are long and bring nothing, in the forms that take the longest to look through.
#[tokio::test(flavor = "current_thread")]
async fn a_long_answer_without_tokens_is_looked_through_at_once() {
    const LENGTH: usize = rampauth_core::MAX_BODY_LENGTH;
    let filled = |part: &str| part.repeat(LENGTH / part.len());
    let bodies = [
        filled("{}"),
        filled("{} "),
        filled("{"),
        filled(r#"{"":"#),
        filled(r#"{"data":"#),
        filled(r#"{"accessToken":{}}"#),
        filled(r#"{"head":{},"body":{}}"#),
        filled(r#"{"a":1,"#),
        filled("\""),
    ];
    for call in ALL {
        let mut scripts = Vec::new();
        for body in &bodies {
            scripts.push(Script::Raw(call.answer(None, body.as_bytes(), body.as_bytes()).await));
        }
        for (body, end) in bodies.iter().zip(&play(call, scripts).await) {
            let error = end.result.as_ref().expect_err("no tokens");
            assert_eq!(error.body().map(|body| body.expose_secret().len()), Some(body.len()), "{call:?}");
            // Gone through once for each of its parts it takes minutes; a machine that is busy makes seconds of once.
            assert!(end.took < subject::TIMEOUT * 10, "{call:?}, {}: {:?}", &body[..8], end.took);
        }
    }
}
