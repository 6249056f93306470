//! Whatever arrives: never a panic, never a lost token, and never a token of another user.

mod common;

use common::{Canned, client, config, credential, now};
use proptest::option;
use proptest::prelude::*;
use rampauth_onboard::{Client, Error, ErrorKind, Expiry, OnboardTokens, Outcome, RefreshToken, TokenSet, UserId};

const BASE: &str = "https://external.dev.onboardpay.co";

/// Any JSON value, two levels deep. Boxed, or the generators of a body would not fit on a test thread's stack.
fn json() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("\"\"".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        any::<f64>().prop_filter("JSON has no such number", |value| value.is_finite()).prop_map(|v| format!("{v:e}")),
        any::<String>().prop_map(|text| serde_json::to_string(&text).expect("a JSON text")),
        "[0-9]{4}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9]{1,9})?([Zz]|[+-][0-2][0-9]:[0-5][0-9])?"
            .prop_map(|text| format!("{text:?}")),
    ];
    let list = proptest::collection::vec(leaf.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(",")));
    let object = leaf.clone().prop_map(|value| format!("{{\"token\":{value},\"expiry\":{value}}}"));
    prop_oneof![4 => leaf, 1 => list, 1 => object].boxed()
}

/// `{"token": <token>, "expiry": <anything>, "<anything>": <anything>}`, the last two perhaps absent.
fn token(token: impl Strategy<Value = String> + 'static) -> BoxedStrategy<String> {
    let unknown = option::of(("x[a-z]{0,8}", json()));
    (token, option::of(json()), unknown)
        .prop_map(|(token, expiry, unknown)| {
            let expiry = expiry.map(|value| format!(",\"expiry\":{value}")).unwrap_or_default();
            let unknown = unknown.map(|(name, value)| format!(",{name:?}:{value}")).unwrap_or_default();
            format!("{{\"token\":{token}{expiry}{unknown}}}")
        })
        .boxed()
}

/// An answer that brings `new` as its refresh token, with anything or nothing for everything else.
fn body(user: impl Strategy<Value = String>, new: &'static str) -> impl Strategy<Value = String> {
    let access =
        prop_oneof![option::of(json()), token(json()).prop_map(Some), token(Just("\"a\"".into())).prop_map(Some)];
    let refresh = token(Just(format!("{new:?}")));
    (option::of(user), access, refresh, option::of(json())).prop_map(|(user, access, refresh, code)| {
        let member = |name: &str, value: Option<String>| value.map(|value| format!("{name:?}:{value},"));
        let members = [member("userId", user), member("accessToken", access), member("code", code)];
        let members: String = members.into_iter().flatten().collect();
        format!("{{{members}\"refreshToken\":{refresh}}}")
    })
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

/// The refresh token that a caller gets, as tokens or as salvage.
fn kept(result: &Result<OnboardTokens, Error>) -> Option<&str> {
    let token = match result {
        Ok(tokens) => Some(tokens.refresh_credential().token()),
        Err(error) => error.salvage().and_then(|set| set.refresh_token.as_ref()),
    };
    token.map(RefreshToken::expose_secret)
}

proptest! {
    #[test]
    fn any_answer_is_read_without_a_panic(status in 200_u16..600, body in any::<Vec<u8>>()) {
        let result = block_on(client(BASE, Canned::new(status, body)).refresh(&credential()));
        let error = result.expect_err("no answer by chance");
        prop_assert!(error.outcome() != Outcome::NotSent && !error.help().is_empty());
    }

    #[test]
    fn any_json_and_any_date_are_read_without_a_panic(
        status in 200_u16..600, body in json(), date in "[ -~]{0,40}", retry_after in "[ -~]{0,20}",
    ) {
        let http = Canned::new(status, body).with_header("date", date).with_header("retry-after", retry_after);
        let error = block_on(client(BASE, http).refresh(&credential())).expect_err("no answer by chance");
        prop_assert!(error.salvage().is_none() && !error.help().is_empty());
    }

    #[test]
    fn a_readable_new_refresh_token_is_never_lost(body in body(json(), "the-new-one")) {
        let result = block_on(client(BASE, Canned::new(200, body.as_str())).refresh(&credential()));
        prop_assert_eq!(kept(&result), Some("the-new-one"), "{}", body);
        if let Err(error) = result {
            prop_assert_eq!((error.kind(), error.outcome()), (ErrorKind::Protocol, Outcome::Unknown));
        }
    }

    #[test]
    fn with_both_tokens_and_a_user_no_expiry_costs_anything(
        access in token(Just("\"a\"".to_owned())), refresh in token(Just("\"r\"".to_owned())),
    ) {
        let body = format!(r#"{{"userId":"u-1","accessToken":{access},"refreshToken":{refresh}}}"#);
        let result = block_on(client(BASE, Canned::new(200, body.as_str())).refresh(&credential()));
        let set = TokenSet::from(result.expect(&body));
        prop_assert!(!matches!(set.access_expiry, Expiry::Assumed(_)) && !matches!(set.refresh_expiry, Expiry::Assumed(_)));
        prop_assert_eq!(set.access_token.map(|token| token.expose_secret().to_owned()), Some("a".to_owned()));
        prop_assert_eq!(set.refresh_token.map(|token| token.expose_secret().to_owned()), Some("r".to_owned()));
    }

    #[test]
    fn no_refusal_gives_tokens(status in 300_u16..600, body in body(json(), "the-new-one")) {
        let result = block_on(client(BASE, Canned::new(status, body)).refresh(&credential()));
        prop_assert_eq!(kept(&result), None);
        prop_assert!(result.is_err());
    }

    #[test]
    fn the_old_refresh_token_is_never_taken_for_a_new_one(body in body(json(), "the-refresh-token")) {
        match block_on(client(BASE, Canned::new(200, body.as_str())).refresh(&credential())) {
            Ok(tokens) => prop_assert!(!tokens.rotated()),
            Err(error) => prop_assert!(error.salvage().is_none(), "nothing new came: {}", body),
        }
    }

    #[test]
    fn tokens_of_another_user_are_never_handed_out(
        body in body(prop_oneof![3 => json(), 1 => Just("\"u-1\"".to_owned())], "the-new-one"),
    ) {
        let config = config(BASE).with_user_id(UserId::new("u-1").expect("an id"));
        let client = Client::with_http_client(config, Canned::new(200, body.as_str())).with_clock(now);
        let result = block_on(client.refresh(&credential()));
        // What was generated names u-1, or nobody, or another.
        let named: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        let ours = match &named["userId"] {
            serde_json::Value::Null => true,
            serde_json::Value::String(id) => id.is_empty() || id == "u-1",
            _ => false,
        };
        prop_assert_eq!(kept(&result), ours.then_some("the-new-one"), "{}", body);
        if let Ok(tokens) = result {
            prop_assert_eq!(tokens.user_id().as_str(), "u-1");
        }
    }
}
