//! Every byte that is sent, and what is read from a signed answer.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use common::{
    BASE, Canned, Own, Sign, at, client, config, credential, environment, expand, now, partner_id, provider_key,
};
use rampauth_core::{AwsLcSigningKey, AwsLcVerifyingKey, RsaSigningKey};
use rampauth_payby::{
    ApiVersion, Client, Config, ContentLanguage, Environment, Expiry, MerchantOrderNo, PayByCredential, PayByTokens,
    Presents, Refresh, RefreshTime, RefreshToken, Rotation, Subject, TokenSet, TransportFailure, Verifier, WhenUnknown,
    refresh_string_to_sign,
};
use rampauth_test_kit::keys;

const GRANTED: &str = r#""accessToken":"a""#;

async fn request_of(config: Config) -> String {
    let http = Canned::granting(GRANTED);
    let client = Client::with_http_client(config, http.clone()).with_clock(now);
    client.refresh(&credential()).await.expect("granted");
    http.request()
}

#[tokio::test]
async fn refresh_request() {
    insta::assert_snapshot!(request_of(config(BASE)).await);
}

#[tokio::test]
async fn refresh_request_with_every_option() {
    let config = config(&format!("{BASE}/prefix/"))
        .with_refresh_token_field("oauth2RefreshToken")
        .and_then(|config| config.with_extra_text("grantType", "refresh \"token\"\n"))
        .and_then(|config| config.with_extra_json("scope", r#" {"z": [1, 2.50], "a": null} "#))
        .expect("legal fields")
        .with_subject(Subject::with_limit("كتاب عن القهوة", 64).expect("a subject"))
        .with_content_language(ContentLanguage::new("en").expect("a language"))
        .with_api_version(ApiVersion::new("v1").expect("a version"));
    insta::assert_snapshot!(request_of(config).await);
}

#[tokio::test]
async fn refresh_request_without_partner_id_in_the_body() {
    insta::assert_snapshot!(request_of(config(BASE).with_send_partner_id(false)).await);
}

#[tokio::test]
async fn key_check_request() {
    let http = Canned::new(200, Sign::Good, "test echo");
    client(BASE, http.clone()).check_keys().await.expect("both keys fit");
    insta::assert_snapshot!(http.request());
}

#[tokio::test]
async fn the_string_to_sign_is_the_body_and_either_backend_signs_it_alike() {
    let order_no = MerchantOrderNo::new("M965739182419").expect("an order number");
    let string = refresh_string_to_sign(&config(BASE), credential().token(), &order_no, now()).expect("a body");
    let mut other = config(BASE);
    other.signer = Arc::new(AwsLcSigningKey::parse(keys::PARTNER_PKCS8.pem).expect("the partner's key"));

    let requests = [request_of(config(BASE)).await, request_of(other).await];
    assert_eq!(requests[0], requests[1]);
    let (head, body) = requests[0].split_once("\n\n").expect("head and body");
    assert_eq!(body, string.expose_secret());
    let sign = head.lines().find_map(|line| line.strip_prefix("sign: ")).expect("a signature");
    let partner = AwsLcVerifyingKey::parse(keys::PARTNER_SPKI.pem).expect("the partner's public key");
    assert!(partner.verify_base64(body.as_bytes(), sign));
}

#[tokio::test]
async fn each_attempt_has_its_own_time_number_and_signature() {
    let http = Canned::granting(GRANTED);
    let seconds = AtomicU64::new(0);
    let clock = move || now() + Duration::from_secs(seconds.fetch_add(1, Ordering::SeqCst));
    let signing_key = RsaSigningKey::parse(keys::PARTNER_PKCS8.pem).expect("the partner's key");
    let config = Config::new(environment(BASE), partner_id(), signing_key);
    let client = Client::with_http_client(config, http.clone()).with_clock(clock);
    for _ in 0..2 {
        client.refresh(&credential()).await.expect("granted");
    }
    let sent = http.sent();
    let partner = AwsLcVerifyingKey::parse(keys::PARTNER_SPKI.pem).expect("the partner's public key");
    let parts: Vec<_> = sent
        .iter()
        .map(|request| {
            let sign = request.headers()["sign"].to_str().expect("text").to_owned();
            assert!(request.headers()["sign"].is_sensitive());
            assert!(partner.verify_base64(request.body(), &sign));
            let body: serde_json::Value = serde_json::from_slice(request.body()).expect("JSON");
            let number = body["bizContent"]["merchantOrderNo"].as_str().expect("a number").to_owned();
            assert_eq!(body["bizContent"]["subject"], "refresh", "the default");
            (body["requestTime"].as_u64().expect("an integer"), number, sign)
        })
        .collect();
    let [(first_time, first_number, first_sign), (time, number, sign)] = &parts[..] else { panic!("not two requests") };
    // The clock is asked once for the request, once before it is sent and once for the answer.
    assert_eq!((*first_time, *time), (1_581_493_898_000, 1_581_493_901_000));
    assert!(first_number != number && first_sign != sign);
    assert!(first_number.starts_with("R1581493898000") && number.starts_with("R1581493901000"));
}

#[test]
fn the_published_environments() {
    for (environment, url) in [
        (Environment::staging(provider_key()), "https://uat.test2pay.com"),
        (Environment::production(provider_key()), "https://api.payby.com"),
    ] {
        assert_eq!(environment.base_url().as_str(), url);
        assert!(!environment.provider_key().verify_base64(b"", ""));
    }
}

#[test]
fn the_policy_presents_before_expiry_only_and_never_twice() {
    let client = client(BASE, Canned::granting(GRANTED));
    let policy = client.policy();
    assert_eq!((policy.presents, policy.time), (Presents::RefreshToken, RefreshTime::BeforeExpiry));
    assert_eq!((policy.when_unknown, policy.with_unknown_expiry), (WhenUnknown::Stop, false));
    assert_eq!((policy.rotation, policy.names_dead_tokens), (Rotation::Unpublished, false));
}

#[tokio::test]
async fn a_refresh_by_hand_sends_whatever_the_access_tokens_expiry_is() {
    let access = rampauth_payby::AccessToken::new("old").expect("a token");
    let refresh = RefreshToken::new("the-refresh-token").expect("a token");
    for expiry in [Expiry::Unknown, Expiry::At(at(1)), Expiry::At(now() + Duration::from_secs(9))] {
        let set = TokenSet::new()
            .with_access_token(access.clone(), expiry)
            .with_refresh_token(refresh.clone(), Expiry::Unknown);
        let http = Canned::granting(GRANTED);
        let new = Refresh::refresh(&client(BASE, http.clone()), &set).await.expect("granted");
        assert_eq!(http.sent().len(), 1);
        assert_eq!(new.access_token.expect("a token").expose_secret(), "a");
        assert_eq!(new.refresh_token.expect("the old one again").expose_secret(), "the-refresh-token");
    }
}

async fn granted(members: &str) -> PayByTokens {
    let presented = credential().with_expiry(Expiry::At(at(1_600_000_000)));
    client(BASE, Canned::granting(members)).refresh(&presented).await.expect("granted")
}

#[tokio::test]
async fn a_refresh_token_is_presented_until_the_second_of_its_expiry() {
    let alive = credential().with_expiry(Expiry::At(now() + Duration::from_secs(1)));
    client(BASE, Canned::granting(GRANTED)).refresh(&alive).await.expect("granted");
}

#[tokio::test]
async fn what_is_read_from_a_signed_answer() {
    let told = |seconds: u64| Expiry::At(at(1_581_493_898 + seconds));
    let camel = r#""accessToken":"a","refreshToken":"r""#;
    for (members, rotated, expiry) in [
        (camel.to_owned(), true, Expiry::Unknown),
        (r#""access_token":"a","refresh_token":"r","expires_in":3600"#.to_owned(), true, told(3600)),
        // No refresh token, or the same one: the one presented stays.
        (r#""accessToken":"a""#.to_owned(), false, Expiry::Unknown),
        (r#""accessToken":"a","refreshToken":"","refresh_token":null"#.to_owned(), false, Expiry::Unknown),
        (r#""accessToken":"a","refreshToken":"the-refresh-token""#.to_owned(), false, Expiry::Unknown),
        // Both spellings of the same.
        (
            r#""accessToken":"a","access_token":"a","refresh_token":"r","refreshToken":"r""#.to_owned(),
            true,
            Expiry::Unknown,
        ),
        (format!(r#"{camel},"expiresIn":"60","expires_in":60"#), true, told(60)),
        // What contradicts itself is read as the earlier of the two, and what stands there twice as neither.
        (format!(r#"{camel},"expiresIn":90,"expires_in":60"#), true, told(60)),
        (format!(r#"{camel},"expiresIn":30,"expiresIn":90,"expires_in":60"#), true, told(60)),
        (format!(r#"{camel},"expiresAt":1581497498,"expires_at":1581493999"#), true, told(101)),
        // Times in every form.
        (format!(r#"{camel},"expiresIn":60.9"#), true, told(60)),
        (format!(r#"{camel},"expiresAt":1581497498"#), true, told(3600)),
        (format!(r#"{camel},"expires_at":"1581497498""#), true, told(3600)),
        (format!(r#"{camel},"expiresAt":1581497498000,"expires_at":"2020-02-12T08:51:38Z""#), true, told(3600)),
        // Milliseconds from 1e12 on; as seconds the number below it is past every calendar.
        (format!(r#"{camel},"expiresAt":1000000000000"#), true, Expiry::At(at(1_000_000_000))),
        (format!(r#"{camel},"expires_at":"1000000000000""#), true, Expiry::At(at(1_000_000_000))),
        (format!(r#"{camel},"expiresAt":999999999999"#), true, Expiry::Unknown),
        (format!(r#"{camel},"expiresAt":1"#), true, Expiry::At(at(1))),
        (format!(r#"{camel},"expiresIn":1"#), true, told(1)),
        // The earlier of two.
        (format!(r#"{camel},"expiresAt":1581497498,"expiresIn":60"#), true, told(60)),
        (format!(r#"{camel},"expiresAt":1581493899,"expiresIn":60"#), true, told(1)),
        // Odd values are no reason to lose a token, and no lifetime is invented.
        (format!(r#"{camel},"expiresIn":0,"expiresAt":0"#), true, Expiry::Unknown),
        (format!(r#"{camel},"expiresIn":-60,"expiresAt":"soon""#), true, Expiry::Unknown),
        (format!(r#"{camel},"expiresIn":{{"s":1}},"expires_in":["60"],"expiresAt":true"#), true, Expiry::Unknown),
        (format!(r#"{camel},"expiresIn":9223372036854775807"#), true, Expiry::Unknown),
        (format!(r#"{camel},"expiresIn":1e300,"expiresAt":1e300"#), true, Expiry::Unknown),
        (format!(r#"{camel},"expiresIn":"never","expires_in":60"#), true, told(60)),
    ] {
        let tokens = granted(&members).await;
        assert_eq!(tokens.access_token().expose_secret(), "a", "{members}");
        assert_eq!((tokens.rotated(), tokens.access_expiry()), (rotated, expiry), "{members}");
        let next = tokens.refresh_credential();
        let (token, known) =
            if rotated { ("r", Expiry::Unknown) } else { ("the-refresh-token", Expiry::At(at(1_600_000_000))) };
        assert_eq!((next.token().expose_secret(), next.expiry()), (token, known), "{members}");
        assert_eq!(tokens.raw_body().expose_secret(), expand(&format!("{{#0,\"body\":{{{members}}}}}")).as_bytes());
    }
}

#[tokio::test]
async fn a_token_that_is_a_jwt_tells_its_own_expiry_when_the_answer_tells_none() {
    // {"exp":1581500000}
    let jwt = "eyJhbGciOiJub25lIn0.eyJleHAiOjE1ODE1MDAwMDB9.x";
    let tokens = granted(&format!(r#""accessToken":"{jwt}","refreshToken":"{jwt}""#)).await;
    // Unverified as it is, it says when to refresh, and never that the refresh token is dead.
    let (said, assumed) = (Expiry::At(at(1_581_500_000)), Expiry::Assumed(at(1_581_500_000)));
    assert_eq!((tokens.access_expiry(), tokens.refresh_credential().expiry()), (said, assumed));
    let later = move || at(1_581_500_001);
    let http = Canned::granting(GRANTED);
    client(BASE, http).with_clock(later).refresh(tokens.refresh_credential()).await.expect("presented, and granted");
    let tokens = granted(&format!(r#""accessToken":"{jwt}","expiresIn":9"#)).await;
    assert_eq!(tokens.access_expiry(), Expiry::At(at(1_581_493_907)));
}

#[tokio::test]
async fn head_and_members_may_come_in_any_order_and_company() {
    let body = r#"{"body":{"x":{"accessToken":"no"},"accessToken":"a"},"more":[1],
        "head":{"success":true,"traceCode":"1127","msg":null,"code":0,"applyStatus":"Success"}}"#;
    let tokens = client(BASE, Canned::new(200, Sign::Good, body)).refresh(&credential()).await.expect("granted");
    assert_eq!((tokens.access_token().expose_secret(), tokens.raw_body().expose_secret()), ("a", body.as_bytes()));
}

#[tokio::test]
async fn lifetimes_count_from_before_the_request_was_sent() {
    let seconds = AtomicU64::new(0);
    let slow = move || now() + Duration::from_secs(seconds.fetch_add(25, Ordering::SeqCst));
    let http = Canned::granting(r#""accessToken":"a","expiresIn":100"#);
    let client = Client::with_http_client(config(BASE), http).with_clock(slow);
    let tokens = client.refresh(&credential()).await.expect("granted");
    assert_eq!(tokens.access_expiry(), Expiry::At(now() + Duration::from_secs(100)));
}

#[tokio::test]
async fn an_order_number_that_cannot_be_had_sends_nothing() {
    let http = Canned::granting(GRANTED);
    let config = config(BASE).with_order_numbers(|_now: SystemTime| MerchantOrderNo::new(""));
    let client = Client::with_http_client(config, http.clone()).with_clock(now);
    let error = client.refresh(&PayByCredential::new("t").expect("a token")).await.expect_err("no number");
    assert_eq!(error.to_string(), "failed to read the merchant order number: it is empty");
    assert!(http.sent().is_empty());
}

#[tokio::test]
async fn an_http_client_of_ones_own_needs_no_other_crate_of_ours() {
    for (failure, expected) in [
        (None, "the answer is longer than 64 KiB (status 200)"),
        (Some(TransportFailure::Interrupted), "the connection broke before the whole answer was there"),
    ] {
        let error = client(BASE, Own(failure)).refresh(&credential()).await.expect_err("no tokens");
        assert!(error.to_string().ends_with(expected), "{error}");
    }
}

#[test]
fn clients_are_shared_between_threads_and_their_futures_move_there() {
    fn shared<T: Clone + Send + Sync + 'static>(_: &T) {}
    fn moved<T: Send>(_: T) {}
    let client = client(BASE, Canned::granting(GRANTED));
    shared(&client);
    shared(&config(BASE));
    moved(client.refresh(&credential()));
    moved(client.check_keys());
}

#[test]
fn fields_of_biz_content_never_collide() {
    let token = |config: Config, name: &str| config.with_refresh_token_field(name).map(drop);
    let text = |config: Config, name: &str| config.with_extra_text(name, "x").map(drop);
    let json = |config: Config, name: &str| config.with_extra_json(name, "1").map(drop);
    let message = |result: Result<(), rampauth_payby::Error>| result.expect_err("refused").to_string();
    let documented = "its name is that of a documented field, which has a setting of its own";
    for (name, reason) in [("", "its name is empty"), ("merchantOrderNo", documented), ("subject", documented)] {
        let prefix = "failed to read the refresh token's field name";
        assert_eq!(message(token(config(BASE), name)), format!("{prefix}: {reason}"));
        let prefix = "failed to read an extra field of bizContent";
        assert_eq!(message(text(config(BASE), name)), format!("{prefix}: {reason}"));
        assert_eq!(message(json(config(BASE), name)), format!("{prefix}: {reason}"));
    }
    let taken = "failed to read an extra field of bizContent: its name is taken by another field";
    assert_eq!(message(text(config(BASE), "refreshToken")), taken);
    let with_extra = config(BASE).with_extra_text("a", "x").expect("a free name");
    assert_eq!(message(json(with_extra.clone(), "a")), taken);
    assert_eq!(
        message(token(with_extra.clone(), "a")),
        "failed to read the refresh token's field name: its name is taken by another field"
    );
    // Renaming the token's field frees the default name.
    let renamed = with_extra.with_refresh_token_field("rt").expect("a free name");
    assert_eq!(renamed.refresh_token_field(), "rt");
    renamed.with_extra_text("refreshToken", "x").expect("free by now");
    for bad in ["", "x", "{", "1 2", "{}}"] {
        let error = config(BASE).with_extra_json("a", bad).map(drop).expect_err("no JSON");
        assert_eq!(error.to_string(), "failed to read an extra field of bizContent: its value is not JSON", "{bad}");
    }
}

/// What a keeper concludes of a refusal in doubt hangs on it.
#[tokio::test]
async fn a_refusal_of_keys_rights_or_clock_is_about_the_caller() {
    let head = |status: &str, code: &str, message: &str| {
        format!(r#"{{"head":{{"applyStatus":"{status}","code":"{code}","msg":"{message}"}}}}"#)
    };
    for (answer, is_about_the_caller) in [
        (head("FAIL", "400", "REQUESTTIME_TOO_EARLY"), true),
        (head("FAIL", "400", "REQUESTTIME_TOO_LATER"), true),
        (head("FAIL", "403", "UNAUTHORIZED"), true),
        (head("ERROR", "62001", "m"), true),
        (head("FAIL", "400", "INVALID_PARAMETER"), false),
        (head("FAIL", "601", "RISK_FAIL"), false),
        (head("FAIL", "62001", "m"), false),
    ] {
        let http = Canned::new(200, Sign::Good, answer.as_str());
        let error = client(BASE, http).refresh(&credential()).await.expect_err("refused");
        assert_eq!(error.is_about_the_caller(), is_about_the_caller, "{answer}");
    }
}
