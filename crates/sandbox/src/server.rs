//! HTTP: one handler for every request, which routes, answers, dates and logs it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{self, DefaultBodyLimit};
use axum::http::header::{ALLOW, CONTENT_TYPE, DATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::Response;
use jiff::fmt::rfc2822::DateTimePrinter;
use serde_json::json;
use tokio::time::sleep;

use crate::arranged;
use crate::clock::timestamp;
use crate::event::Event;
use crate::message::{Answer, Incoming};
use crate::route;
use crate::state::State;

/// The largest request body that is looked at, in bytes. The largest honest one is under 4 KiB.
const LARGEST_BODY: usize = 64 * 1024;

/// Up to here a body that is too large is read all the same: most clients send theirs to its end before they read an answer, and
/// would see nothing but a broken connection.
const LARGEST_DRAINED: usize = 1024 * 1024;

pub(crate) fn router(state: Arc<State>) -> Router {
    Router::new().fallback(handle).layer(DefaultBodyLimit::max(LARGEST_DRAINED)).with_state(state)
}

/// Carries a request out to its end, whether or not its client still waits for the answer, as behind a gateway.
async fn handle(
    extract::State(state): extract::State<Arc<State>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    tokio::spawn(answer(state, method, uri, headers, body)).await.unwrap_or_else(|_| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

async fn answer(
    state: Arc<State>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let (there, back) = state.options.latency;
    travel(there).await;
    let route = route::find(uri.path());
    let answer = match (route, body) {
        (None, _) => route::not_found(uri.path()),
        (Some(route), _) if route.method != method => route::wrong_method(route),
        (Some(_), Err(rejection)) => unreadable(&rejection),
        (Some(_), Ok(body)) if body.len() > LARGEST_BODY => too_large(),
        (Some(route), Ok(body)) => arranged::answer(&state, route, Incoming { headers: &headers, body: &body }),
    };
    let at = state.clock.now();
    state.log.push(Event {
        at,
        call: route.and_then(|route| route.call),
        method: shown_method(&method).to_owned(),
        path: route::shown(uri.path()),
        status: answer.status.as_u16(),
        verdict: answer.verdict,
        reason: answer.reason,
    });

    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = answer.status;
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&timestamp(at)).ok();
    let fields = [
        (DATE, date),
        (CONTENT_TYPE, Some(answer.content_type.to_owned())),
        (ALLOW, answer.allow.map(str::to_owned)),
        (HeaderName::from_static("sign"), answer.sign),
    ];
    for (name, value) in fields {
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    travel(back).await;
    response
}

async fn travel(time: Duration) {
    if !time.is_zero() {
        sleep(time).await;
    }
}

fn unreadable(rejection: &BytesRejection) -> Answer {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        _ => Answer::refused(StatusCode::BAD_REQUEST, &json!({"error": "Bad Request"}), "the body ended early"),
    }
}

fn too_large() -> Answer {
    Answer::refused(
        StatusCode::PAYLOAD_TOO_LARGE,
        &json!({"error": "Payload Too Large"}),
        format!("the body is larger than {LARGEST_BODY} bytes"),
    )
}

/// A method of HTTP's own, or `***`: anything else is the client's text.
fn shown_method(method: &Method) -> &str {
    let known = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::HEAD,
        Method::OPTIONS,
        Method::CONNECT,
        Method::PATCH,
        Method::TRACE,
    ];
    if known.contains(method) { method.as_str() } else { "***" }
}
