//! Whatever arrives: never a panic, never a lost token, never a needless logout.

mod common;

use common::{Canned, DAY, NOW, client, jwt, presented, user_token};
use proptest::prelude::*;
use rampauth_transak::{ErrorKind, Outcome, UserToken};

const BASE: &str = "https://api-gateway-stg.transak.com";

/// A value for a place where something else belongs, right or odd.
fn odd_value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        Just("\"\"".to_owned()),
        Just("[]".to_owned()),
        Just("{\"a\":1}".to_owned()),
        Just("1002".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        "[ -~]{0,40}".prop_map(|text| serde_json::to_string(&text).expect("a JSON text")),
    ]
}

/// An error object of any shape.
fn error_object() -> impl Strategy<Value = String> {
    let odd = || proptest::option::of(odd_value());
    (odd(), odd(), odd(), odd()).prop_map(|(code, message, name, additional)| {
        let members = [("errorCode", code), ("message", message), ("name", name), ("additionalMessage", additional)];
        let members: Vec<_> =
            members.into_iter().filter_map(|(name, value)| Some(format!("\"{name}\":{}", value?))).collect();
        format!("{{{}}}", members.join(","))
    })
}

/// A success body that holds this token once, with anything beside it.
fn body(token: String) -> impl Strategy<Value = String> {
    let beside = proptest::option::of(prop_oneof![odd_value(), error_object()]);
    (beside, any::<bool>(), odd_value()).prop_map(move |(error, first, unknown)| {
        let data = format!("\"data\":{{\"ttl\":{unknown},\"accessToken\":\"{token}\"}}");
        match error.map(|error| format!("\"error\":{error}")) {
            None => format!("{{{data},\"x\":{unknown}}}"),
            Some(error) if first => format!("{{{error},{data}}}"),
            Some(error) => format!("{{{data},{error}}}"),
        }
    })
}

/// The token that a refresh brought out of an answer, as its result or as salvage.
fn brought(status: u16, body: &str) -> (Option<String>, Option<ErrorKind>) {
    let result = block_on(client(BASE, Canned::new(status, body)).refresh(&user_token(&presented())));
    match result {
        Ok(token) => (Some(token.access_token().expose_secret().to_owned()), None),
        Err(error) => {
            let token = error.salvage().and_then(|set| set.access_token.as_ref());
            (token.map(|token| token.expose_secret().to_owned()), Some(error.kind()))
        }
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

proptest! {
    #[test]
    fn any_answer_is_read_without_a_panic(status in 200_u16..600, body in any::<Vec<u8>>()) {
        let result = block_on(client(BASE, Canned::new(status, body)).refresh(&user_token("t")));
        let error = result.expect_err("no answer by chance");
        prop_assert!(error.outcome() != Outcome::NotSent && !error.help().is_empty());
        prop_assert!(error.kind() != ErrorKind::LoginNeeded, "no dead token by chance");
    }

    #[test]
    fn a_readable_new_token_is_never_lost(
        (token, body) in prop_oneof![
            Just("opaque".to_owned()),
            (NOW + 1..NOW + 400 * DAY).prop_map(|expiry| jwt("new", expiry)),
            "[!-~&&[^\"\\\\]]{1,60}",
        ].prop_flat_map(|token| (Just(token.clone()), body(token)))
    ) {
        let (kept, kind) = brought(200, &body);
        prop_assert_eq!(kept, Some(token), "{}", body);
        prop_assert!(matches!(kind, None | Some(ErrorKind::Protocol)), "{}", body);
    }

    #[test]
    fn a_token_that_is_old_or_dead_is_never_handed_out(
        body in prop_oneof![Just(presented()), (0..=NOW).prop_map(|expiry| jwt("dead", expiry))].prop_flat_map(body)
    ) {
        prop_assert_eq!(brought(200, &body), (None, Some(ErrorKind::Protocol)), "{}", body);
    }

    #[test]
    fn a_login_is_asked_for_by_code_1002_with_400_or_401_alone(
        status in prop_oneof![200_u16..600, Just(400), Just(401)],
        error in error_object(),
        code in prop_oneof![Just("1002"), Just("\"1002\""), Just("1001"), Just("\"1002 \""), Just("null")],
    ) {
        let body = format!(r#"{{"error":{{"nested":{error},"message":"Access token is expired","errorCode":{code}}}}}"#);
        let dead = matches!(status, 400 | 401) && matches!(code, "1002" | "\"1002\"");
        let (token, kind) = brought(status, &body);
        prop_assert_eq!(kind == Some(ErrorKind::LoginNeeded), dead, "{} {}", status, body);
        prop_assert!(token.is_none());
    }

    #[test]
    fn a_token_is_refused_or_sent_as_it_is(token in "\\PC{0,20}|[ -~]{1,80}|(?i:bearer)[ .a-z]{0,5}") {
        match UserToken::new(token.as_str()) {
            Ok(accepted) => {
                let http = Canned::new(200, "");
                prop_assert!(block_on(client(BASE, http.clone()).refresh(&accepted)).is_err());
                let sent = http.sent();
                prop_assert_eq!(sent[0].headers()["authorization"].as_bytes(), token.as_bytes());
                prop_assert!(!token.to_ascii_lowercase().starts_with("bearer "));
            }
            Err(error) => prop_assert_eq!((error.kind(), error.outcome()), (ErrorKind::Input, Outcome::NotSent)),
        }
    }
}
