//! Whatever arrives: never a panic, and never a lost token.

mod common;

use common::{Canned, card, on_off_ramp};
use proptest::prelude::*;
use rampauth_alix::{CardCredential, ErrorKind, OnOffRampCredential, Outcome, RefreshToken};

const BASE: &str = "https://sandbox.alixpay.com";

/// A value for a place where a token or a time belongs, right or odd.
fn odd_value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        Just("\"\"".to_owned()),
        Just("[]".to_owned()),
        Just("{\"a\":1}".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        any::<f64>().prop_map(|value| format!("{value:?}").replace("NaN", "0").replace("inf", "1e400")),
        "[ -~]{0,40}".prop_map(|text| serde_json::to_string(&text).expect("a JSON text")),
    ]
}

/// Where the tokens stand, and what `data` is when they do not stand in it.
fn places() -> impl Strategy<Value = Option<Option<String>>> {
    prop_oneof![Just(None), proptest::option::of(odd_value().boxed()).prop_map(Some)]
}

fn body(new_refresh_token: &'static str) -> impl Strategy<Value = String> {
    let odd = || proptest::option::of(odd_value());
    (places(), odd(), odd(), odd(), odd(), odd()).prop_map(move |(bare, access, at, ed, success, code)| {
        let member = |name: &str, value: Option<String>| value.map(|value| format!(",\"{name}\":{value}"));
        let tokens =
            [member("accessToken", access), member("accessTokenExpiresAt", at), member("refreshTokenExpiredAt", ed)];
        let flags: String = [member("success", success), member("errorCode", code)].into_iter().flatten().collect();
        let tokens: String = tokens.into_iter().flatten().collect();
        let tokens = format!("\"refreshToken\":\"{new_refresh_token}\"{tokens}");
        match bare {
            None => format!("{{\"data\":{{{tokens}}}{flags}}}"),
            Some(data) => format!("{{{tokens}{}{flags}}}", member("data", data).unwrap_or_default()),
        }
    })
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

proptest! {
    #[test]
    fn any_answer_is_read_without_a_panic(status in 200_u16..600, body in any::<Vec<u8>>()) {
        let credential = CardCredential::new("t").expect("a token");
        let result = block_on(card(BASE, Canned::new(status, body)).refresh(&credential));
        let error = result.expect_err("no answer by chance");
        prop_assert!(error.outcome() != Outcome::NotSent && !error.help().is_empty());
    }

    #[test]
    fn a_readable_new_refresh_token_is_never_lost(body in body("the-new-one")) {
        let credential = OnOffRampCredential::new("the-old-one").expect("a token");
        let result = block_on(on_off_ramp(BASE, Canned::new(200, body.as_str())).refresh(&credential));
        let kept = match &result {
            Ok(tokens) => Some(tokens.refresh_credential().token()),
            Err(error) => {
                prop_assert_eq!((error.kind(), error.outcome()), (ErrorKind::Protocol, Outcome::Unknown));
                error.salvage().and_then(|set| set.refresh_token.as_ref())
            }
        };
        prop_assert_eq!(kept.map(RefreshToken::expose_secret), Some("the-new-one"), "{}", body);
    }

    #[test]
    fn a_lost_code_or_token_is_never_invented(body in body("the-old-one")) {
        let credential = CardCredential::new("the-old-one").expect("a token");
        match block_on(card(BASE, Canned::new(200, body.as_str())).refresh(&credential)) {
            Ok(tokens) => prop_assert!(!tokens.rotated()),
            Err(error) => prop_assert!(error.salvage().is_none(), "nothing new came: {}", body),
        }
    }
}
