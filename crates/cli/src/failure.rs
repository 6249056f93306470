//! From an error to what is printed on standard error and to the exit code.

use std::error::Error as StdError;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use rampauth_core::{Error, ErrorKind};
use serde::Serialize;

use crate::{provider_message, terminal};

/// Prints the error, as one line of JSON if that is wanted, and gives the exit code.
pub(crate) fn report(error: &Error, json: bool) -> ExitCode {
    let stderr = io::stderr();
    let text = if json { as_json(error) } else { as_text(error, terminal::has_colour(&stderr)) };
    // There is nobody left to tell when this fails.
    drop(writeln!(stderr.lock(), "{text}"));
    ExitCode::from(exit_code(error.kind()))
}

/// 2: nothing was sent. 3: refused. 4: log in again. 5: sent, outcome unknown. 6: not processed. 7: not trusted. 1: ours.
pub(crate) fn exit_code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Config | ErrorKind::Input => 2,
        ErrorKind::Unauthorized | ErrorKind::Forbidden | ErrorKind::Refused | ErrorKind::WrongEndpoint => 3,
        ErrorKind::LoginNeeded => 4,
        ErrorKind::Timeout | ErrorKind::Interrupted | ErrorKind::Server | ErrorKind::Protocol => 5,
        ErrorKind::RateLimited | ErrorKind::Unreachable => 6,
        ErrorKind::Untrusted => 7,
        _ => 1,
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: Report<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    kind: &'static str,
    outcome: &'static str,
    message: String,
    status: Option<u16>,
    code: Option<&'a str>,
    retry_after_seconds: Option<u64>,
    provider_message: Option<String>,
    help: &'a str,
}

fn as_json(error: &Error) -> String {
    let report = Report {
        kind: error.kind().as_str(),
        outcome: error.outcome().as_str(),
        message: message(error),
        status: error.status(),
        code: error.provider_code(),
        retry_after_seconds: error.retry_after().map(seconds),
        provider_message: error.provider_message().map(provider_message::shown),
        help: error.help(),
    };
    serde_json::to_string(&Envelope { error: report }).expect("texts and numbers have a JSON form")
}

fn as_text(error: &Error, colour: bool) -> String {
    let (red, bold, plain) = if colour { ("\x1b[1;31m", "\x1b[1m", "\x1b[0m") } else { ("", "", "") };
    let mut text = format!("{red}error:{plain} {}\n", message(error));
    if let Some(wait) = error.retry_after() {
        text.push_str(&format!("  {bold}wait:{plain} {} s\n", seconds(wait)));
    }
    if let Some(said) = error.provider_message() {
        text.push_str(&format!("  {bold}provider:{plain} {}\n", provider_message::shown(said)));
    }
    text + &format!("  {bold}help:{plain} {}", error.help())
}

/// Rounded up: a call a fraction too early is one too many again.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// The error's text and its first cause, which says most (`Connection refused`); what lies between repeats.
pub(crate) fn message(error: &Error) -> String {
    let mut text = error.to_string();
    let causes = std::iter::successors(error.source(), |cause| <dyn StdError>::source(*cause));
    if let Some(first) = causes.last().map(ToString::to_string)
        && !text.contains(&first)
    {
        text = format!("{text}: {first}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    use rampauth_core::{Outcome, TransportError, TransportFailure};

    fn limited() -> Error {
        Error::new(ErrorKind::RateLimited, Outcome::Refused, "refresh", "too many")
            .with_provider_code("402")
            .with_retry_after(Some(Duration::from_millis(1_500)))
    }

    #[test]
    fn the_providers_own_message_is_shown_without_what_could_be_a_secret() {
        let error = limited().with_provider_message("too many calls of jane@example.com");
        assert!(as_text(&error, false).contains("\n  provider: too many calls of ***\n"), "{}", as_text(&error, false));
        assert!(as_json(&error).contains(r#""providerMessage":"too many calls of ***""#), "{}", as_json(&error));
    }

    #[test]
    fn all_eight_members_are_always_there() {
        let cause = TransportError::new(TransportFailure::Unreachable).with_source("Connection refused");
        insta::assert_snapshot!(as_json(&cause.into_error("refresh")), @r#"{"error":{"kind":"unreachable","outcome":"not_sent","message":"failed to refresh: no connection could be made, nothing was sent: Connection refused","status":null,"code":null,"retryAfterSeconds":null,"providerMessage":null,"help":"check the address and the network, then try again; nothing was sent"}}"#);
        insta::assert_snapshot!(as_json(&limited()), @r#"{"error":{"kind":"rate_limited","outcome":"refused","message":"failed to refresh: too many","status":null,"code":"402","retryAfterSeconds":2,"providerMessage":null,"help":"wait before the next call"}}"#);
    }

    #[test]
    fn people_get_lines_and_colour_only_where_it_is_wanted() {
        insta::assert_snapshot!(as_text(&limited(), false), @r"
        error: failed to refresh: too many
          wait: 2 s
          help: wait before the next call
        ");
        assert!(as_text(&limited(), true).starts_with("\x1b[1;31merror:\x1b[0m failed"));
    }

    #[test]
    fn every_kind_has_the_exit_code_of_its_row() {
        use ErrorKind as K;
        for (code, kinds) in [
            (1, vec![K::Internal]),
            (2, vec![K::Config, K::Input]),
            (3, vec![K::Unauthorized, K::Forbidden, K::Refused, K::WrongEndpoint]),
            (4, vec![K::LoginNeeded]),
            (5, vec![K::Timeout, K::Interrupted, K::Server, K::Protocol]),
            (6, vec![K::RateLimited, K::Unreachable]),
            (7, vec![K::Untrusted]),
        ] {
            for kind in kinds {
                assert_eq!(exit_code(kind), code, "{kind:?}");
            }
        }
    }
}
