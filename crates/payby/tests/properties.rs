//! Whatever arrives: never a panic, never a lost token, and never one from a body that PayBy did not sign.

mod common;

use common::{BASE, Canned, Sign, client, config, now};
use proptest::prelude::*;
use rampauth_payby::{
    Client, ErrorKind, MerchantOrderNo, Outcome, PayByCredential, PayByTokens, RefreshToken, SecretBytes, Subject,
    refresh_string_to_sign,
};
use serde_json::Value;

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

/// Heads that grant, refuse, contradict themselves, or are none.
fn head() -> impl Strategy<Value = String> {
    let word = |words: &'static [&'static str]| {
        let word = proptest::sample::select(words).prop_map(str::to_owned);
        prop_oneof![4 => word, 1 => odd_value()]
    };
    let status = word(&["\"SUCCESS\"", "\"success\"", "\"FAIL\"", "\"ERROR\"", "null"]);
    let code = word(&["\"0\"", "0", "\"400\"", "\"402\"", "\"404\"", "\"500\"", "\"62001\"", "\"58\"", "\" 0\""]);
    prop_oneof![
        9 => (status, code).prop_map(|(status, code)| format!("\"head\":{{\"applyStatus\":{status},\"code\":{code}}}")),
        1 => odd_value().prop_map(|value| format!("\"head\":{value}")),
    ]
}

/// An answer that brings this refresh token among odd company.
fn answer(refresh_token: &'static str) -> impl Strategy<Value = String> {
    const NAMES: &[&str] =
        &["accessToken", "access_token", "expiresIn", "expires_in", "expiresAt", "expires_at", "other"];
    let member = (proptest::sample::select(NAMES), odd_value());
    let members = proptest::collection::vec(member.prop_map(|(name, value)| format!(",\"{name}\":{value}")), 0..5);
    let spelling = proptest::sample::select(&["refreshToken", "refresh_token"][..]);
    (head(), spelling, members).prop_map(move |(head, spelling, members)| {
        format!("{{{head},\"body\":{{\"{spelling}\":\"{refresh_token}\"{}}}}}", members.concat())
    })
}

fn refresh(status: u16, sign: Sign, body: impl Into<Vec<u8>>) -> Result<PayByTokens, rampauth_payby::Error> {
    let credential = PayByCredential::new("the-old-one").expect("a token");
    let client = client(BASE, Canned::new(status, sign, body));
    block_on(client.refresh(&credential))
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

fn any_sign() -> impl Strategy<Value = Sign> {
    proptest::sample::select(&[Sign::Good, Sign::Stale, Sign::Foreign, Sign::Garbage, Sign::Blank, Sign::Absent][..])
}

fn not_good() -> impl Strategy<Value = Sign> {
    proptest::sample::select(&[Sign::Stale, Sign::Foreign, Sign::Garbage, Sign::Blank, Sign::Absent][..])
}

proptest! {
    #[test]
    fn any_answer_is_read_without_a_panic(status in 200_u16..600, sign in any_sign(), body in any::<Vec<u8>>()) {
        let error = refresh(status, sign, body.clone()).expect_err("no answer by chance");
        prop_assert!(error.outcome() != Outcome::NotSent && !error.help().is_empty());
        prop_assert_eq!(error.verified(), Some(sign == Sign::Good));
        let http = Canned::new(status, sign, body);
        let checked = block_on(Client::with_http_client(config(BASE), http).with_clock(now).check_keys());
        prop_assert!(checked.is_err() || (sign == Sign::Good && status < 300));
    }

    #[test]
    fn a_readable_new_refresh_token_that_is_signed_is_never_lost(
        status in 200_u16..600, body in answer("the-new-one"),
    ) {
        let result = refresh(status, Sign::Good, body.as_str());
        let kept = match &result {
            Ok(tokens) => {
                prop_assert!(tokens.rotated() && status < 300);
                Some(tokens.refresh_credential().token())
            }
            Err(error) => {
                prop_assert_eq!(error.verified(), Some(true));
                prop_assert_eq!(error.body().is_some(), error.kind() == ErrorKind::Protocol);
                // Nothing that brings tokens passes for a refusal, but by its status.
                prop_assert!(error.outcome() == Outcome::Unknown || (400..500).contains(&status), "{} {}", error, body);
                error.salvage().and_then(|set| set.refresh_token.as_ref())
            }
        };
        prop_assert_eq!(kept.map(RefreshToken::expose_secret), Some("the-new-one"), "{}", body);
    }

    #[test]
    fn nothing_is_taken_from_a_body_that_is_not_signed(
        status in 200_u16..600, sign in not_good(), body in answer("the-new-one"),
    ) {
        let error = refresh(status, sign, body.as_str()).expect_err("nothing is granted");
        prop_assert!(error.salvage().is_none());
        prop_assert_eq!(error.verified(), Some(false));
        // Kept for a person, and said to be nobody's word.
        let unread = matches!(error.kind(), ErrorKind::Protocol | ErrorKind::Untrusted);
        prop_assert_eq!(error.body().map(SecretBytes::expose_secret), unread.then_some(body.as_bytes()));
        if !matches!(sign, Sign::Absent | Sign::Blank) && status < 300 {
            prop_assert_eq!((error.kind(), error.outcome()), (ErrorKind::Untrusted, Outcome::Unknown));
        }
    }

    #[test]
    fn an_old_refresh_token_is_never_taken_for_a_new_one(body in answer("the-old-one")) {
        match refresh(200, Sign::Good, body.as_str()) {
            Ok(tokens) => prop_assert!(!tokens.rotated()),
            Err(error) => prop_assert!(error.salvage().is_none(), "nothing new came: {}", body),
        }
    }

    #[test]
    fn the_string_to_sign_is_json_that_says_what_was_given(
        token in "[!-~]{1,80}", number in ".{1,64}", subject in ".{1,12}", name in "[a-z]{1,9}x", text in ".{0,30}",
    ) {
        let number = MerchantOrderNo::new(number).expect("64 characters at most");
        let subject = Subject::new(subject).expect("12 characters at most");
        let config =
            config(BASE).with_subject(subject.clone()).with_extra_text(name.as_str(), &text).expect("a free name");
        let token = RefreshToken::new(token).expect("a token");
        let string = refresh_string_to_sign(&config, &token, &number, now()).expect("a body");
        let json: Value = serde_json::from_str(string.expose_secret()).expect("JSON");
        let content = &json["bizContent"];
        prop_assert_eq!(&json["requestTime"], 1_581_493_898_000_u64);
        prop_assert_eq!(&json["partnerId"], "200001200101");
        prop_assert_eq!(&content["merchantOrderNo"], number.as_str());
        prop_assert_eq!(&content["subject"], subject.as_str());
        prop_assert_eq!(&content["refreshToken"], token.expose_secret());
        prop_assert_eq!(&content[name.as_str()], text.as_str());
        let members = ["requestTime", "partnerId", "bizContent", "merchantOrderNo", "subject", "refreshToken"];
        let places: Vec<_> = members.iter().map(|name| string.expose_secret().find(&format!("\"{name}\":"))).collect();
        prop_assert!(places.is_sorted() && places.iter().all(Option::is_some));
    }
}
