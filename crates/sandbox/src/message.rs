//! A request as a provider reads it, and the answer it gives: no web framework beyond this file's two types.

use axum::http::header::{CONTENT_TYPE, TRANSFER_ENCODING};
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::event::Verdict;

/// A request that reached a known path with the right method.
#[derive(Clone, Copy)]
pub(crate) struct Incoming<'a> {
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

impl<'a> Incoming<'a> {
    /// The header's value, if it is there. The error is the reason for refusing it.
    pub(crate) fn header(&self, name: &str) -> Result<Option<&'a str>, String> {
        let mut values = self.headers.get_all(name).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(format!("header {name} came more than once"));
        }
        value.to_str().map(Some).map_err(|_| format!("header {name} holds something other than visible ASCII"))
    }

    /// The header's value, which must be there and not empty.
    pub(crate) fn required(&self, name: &str) -> Result<&'a str, String> {
        match self.header(name)? {
            None => Err(format!("header {name} is missing")),
            Some("") => Err(format!("header {name} is empty")),
            Some(value) => Ok(value),
        }
    }

    /// `content-type: application/json`, with or without parameters.
    pub(crate) fn is_json(&self) -> Result<(), String> {
        let value = self.required(CONTENT_TYPE.as_str())?;
        let kind = value.split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case("application/json") {
            Ok(())
        } else {
            Err("content-type is not application/json".to_owned())
        }
    }

    /// Nothing in the body, and nothing announced.
    pub(crate) fn has_no_body(&self) -> Result<(), String> {
        if !self.body.is_empty() {
            return Err("the call has no body, yet one came".to_owned());
        }
        if self.headers.contains_key(TRANSFER_ENCODING) {
            return Err("the call has no body, yet transfer-encoding announces one".to_owned());
        }
        Ok(())
    }

    /// Whether the header was sent at all, whatever it holds.
    pub(crate) fn carries(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }
}

/// What is sent back, and what the log says of it.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
    /// The `sign` header.
    pub(crate) sign: Option<String>,
    /// The `allow` header.
    pub(crate) allow: Option<&'static str>,
    pub(crate) verdict: Verdict,
    pub(crate) reason: String,
}

impl Answer {
    pub(crate) fn granted(body: &Value, reason: impl Into<String>) -> Self {
        Self::json(StatusCode::OK, body, Verdict::Granted, reason.into())
    }

    pub(crate) fn refused(status: StatusCode, body: &Value, reason: impl Into<String>) -> Self {
        Self::json(status, body, Verdict::Refused, reason.into())
    }

    pub(crate) fn failed(status: StatusCode, body: &Value, reason: impl Into<String>) -> Self {
        Self::json(status, body, Verdict::Failed, reason.into())
    }

    fn json(status: StatusCode, body: &Value, verdict: Verdict, reason: String) -> Self {
        Self {
            status,
            content_type: "application/json",
            body: body.to_string().into_bytes(),
            sign: None,
            allow: None,
            verdict,
            reason,
        }
    }
}
