//! What holds a secret shows nothing of it: not in `Debug`, not in an error or its causes, not in a log.
//!
//! Every check first proves that the secret is there to be shown.

use std::fmt::Debug;
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Response, header};
use rampauth_core::json::Json;
use rampauth_core::{
    AccessToken, Answer, BaseUrl, Error, ErrorKind, Expiry, Granted, Outcome, RefreshCredential, RefreshToken,
    SecretBytes, SecretString, SessionKind, Signature, TokenSet, TransportError, TransportFailure, UnverifiedJwt,
};
use rampauth_test_kit::logs::render_error;
use rampauth_test_kit::needle::Needle;

#[track_caller]
fn assert_hidden(needle: &Needle, held: &str, value: &dyn Debug) {
    let shown = format!("{value:?}\n{value:#?}");
    needle.assert_held_in("what the value exposes", held);
    needle.assert_absent_from_nonempty("its Debug", &shown);
}

#[track_caller]
fn assert_said_without(needle: &Needle, error: &Error) {
    needle.assert_absent_from_nonempty("the error", &format!("{}{}", render_error(error), error.help()));
}

struct Card;
impl SessionKind for Card {
    const NAME: &'static str = "card";
}

rampauth_core::secret_newtype! {
    /// A secret of a provider crate.
    ApiSecret, action: "read the API secret", check: |secret| match secret.contains('\n') {
        true => Err("it holds a line break"),
        false => Ok(()),
    }
}

fn access(needle: &Needle) -> AccessToken {
    AccessToken::new(needle.jwt()).expect("a token")
}

fn refresh(needle: &Needle) -> RefreshToken {
    RefreshToken::new(needle.as_str()).expect("a token")
}

#[test]
#[should_panic(expected = "leaked into its Debug")]
fn a_type_that_shows_its_secret_is_caught() {
    #[derive(Debug)]
    struct Careless(#[expect(dead_code, reason = "seen through Debug")] String);
    let needle = Needle::new("careless");
    assert_hidden(&needle, needle.as_str(), &Careless(needle.to_string()));
}

#[test]
fn secrets_and_tokens() {
    let needle = Needle::new("secret");
    let secret = SecretString::new(needle.as_str());
    assert_hidden(&needle, secret.expose_secret(), &secret);
    let [_, packed] = SecretString::pack(["other", needle.as_str()]);
    assert_hidden(&needle, packed.expose_secret(), &Some(packed.clone()));
    let api_secret = ApiSecret::new(needle.as_str()).expect("a secret");
    assert_hidden(&needle, api_secret.expose_secret(), &api_secret);
    assert_hidden(&needle, access(&needle).expose_secret(), &access(&needle));
    assert_hidden(&needle, refresh(&needle).expose_secret(), &refresh(&needle));

    let tokens = TokenSet::new().with_access_token(access(&needle), Expiry::Unknown);
    let tokens = tokens.with_refresh_token(refresh(&needle), Expiry::At(UNIX_EPOCH));
    assert_hidden(&needle, tokens.refresh_token.as_ref().expect("a token").expose_secret(), &tokens);
    let presented = RefreshCredential::<Card>::try_from(&tokens).expect("a credential");
    assert_hidden(&needle, presented.token().expose_secret(), &presented);
    let granted = Granted::new(&presented, (access(&needle), Expiry::Unknown), None, Expiry::Unknown);
    assert_hidden(&needle, granted.access_token().expose_secret(), &granted);
    assert_hidden(&needle, granted.refresh_credential().token().expose_secret(), &granted);

    let signature = Signature::new(needle.as_str().into());
    assert_hidden(&needle, std::str::from_utf8(signature.expose_secret()).expect("text"), &signature);
    assert_eq!(signature.to_base64().expose_secret(), STANDARD.encode(needle.as_str()));
    assert_hidden(&needle, needle.as_str(), &signature.to_base64());

    let jwt = UnverifiedJwt::read(&needle.jwt()).expect("a JWT");
    assert_hidden(&needle, jwt.claims.expose_secret(), &jwt);
}

#[test]
fn what_is_refused_is_not_repeated() {
    let needle = Needle::new("refused");
    let long = format!("{needle}{}", "x".repeat(70_000));
    for bad in [format!("{needle}\n"), format!("{needle}é"), format!(" {needle}"), format!("{needle} "), long] {
        needle.assert_held_in("the token", &bad);
        assert_said_without(&needle, &AccessToken::new(bad.as_str()).expect_err("refused"));
        assert_said_without(&needle, &RefreshToken::new(bad.as_str()).expect_err("refused"));
        assert_said_without(&needle, &RefreshToken::from_secret(bad.as_str().into()).expect_err("refused"));
        assert_said_without(&needle, &RefreshCredential::<Card>::new(bad).expect_err("refused"));
    }
    assert_said_without(&needle, &ApiSecret::new(format!("{needle}\n")).expect_err("refused"));
    for url in [
        format!("https://{needle}@example.com"),
        format!("https://user:{needle}@example.com"),
        format!("https://example.com/?token={needle}"),
        format!("https://example.com/#{needle}"),
        format!("https://example.com:{needle}"),
        format!("http://{needle}.example.com"),
        format!("ftp://example.com/{needle}"),
        format!("{needle} {needle}"),
        needle.to_string(),
    ] {
        assert_said_without(&needle, &BaseUrl::parse(&url).expect_err(&url));
    }
    let base = BaseUrl::parse("https://example.com").expect("a URL");
    assert_said_without(&needle, &base.join(&format!("/ {needle}")).expect_err("no URL"));
}

#[test]
fn json_shows_neither_values_nor_names() {
    let needle = Needle::new("json");
    let text = format!(r#"{{"{needle}": 1, "a": ["{needle}", {{"b": "{needle}"}}], "a": "{needle}"}}"#);
    let json = Json::parse(text.as_bytes()).expect("JSON");
    let object = json.as_object().expect("an object");
    assert!(object.get(needle.as_str()).expect("single").is_some());
    assert_hidden(&needle, &text, &json);
    assert_hidden(&needle, &text, object);
    assert_hidden(&needle, &text, &object.get("a").expect_err("twice"));
    assert_hidden(&needle, &text, &object.text(needle.as_str()).expect_err("a number"));
    let list = format!(r#"["{needle}"]"#);
    let list = Json::parse(list.as_bytes()).expect("JSON");
    assert_hidden(&needle, &format!("{needle}"), &list);
    let broken = format!("{{\"a\": \"{needle}\",,}}");
    assert_hidden(&needle, &broken, &Json::parse(broken.as_bytes()).expect_err("no JSON"));
}

#[test]
fn an_error_shows_neither_the_providers_text_nor_its_body_nor_what_was_salvaged() {
    let needle = Needle::new("error");
    let tokens = TokenSet::new().with_refresh_token(refresh(&needle), Expiry::Unknown);
    let error = Error::new(ErrorKind::Protocol, Outcome::Unknown, "refresh the tokens", "the answer is odd")
        .with_provider_message(&format!("no such token: {needle}"))
        .with_provider_code(needle.as_str())
        .with_salvage(Some(tokens))
        .with_body(SecretBytes::from(needle.as_str().as_bytes()));
    needle.assert_held_in("the message", error.provider_message().expect("a message"));
    let salvaged = error.salvage().expect("tokens").refresh_token.as_ref().expect("a token");
    needle.assert_held_in("the salvage", salvaged.expose_secret());
    let body = error.body().expect("a body");
    needle.assert_held_in("the body", std::str::from_utf8(body.expose_secret()).expect("text"));
    assert_hidden(&needle, needle.as_str(), body);
    assert_eq!(error.provider_code(), None, "a code that could be a token is not kept");
    assert_said_without(&needle, &error);
    // As a cause of another one, too.
    let wrapped = TransportError::new(TransportFailure::Interrupted).with_source(error);
    assert_said_without(&needle, &wrapped.into_error("refresh the tokens"));
}

#[test]
fn an_answer_shows_neither_headers_nor_body() {
    let needle = Needle::new("answer");
    for (status, body) in [
        (200, format!(r#"{{"token":"{needle}"}}"#)),
        (200, format!("<{needle}>")),
        (401, format!("{needle}")),
        (302, needle.jwt()),
        (503, String::new()),
    ] {
        let response = Response::builder().status(status).header("x-token", needle.as_str());
        let response = response.header(header::LOCATION, format!("/?{needle}")).header("retry-after", needle.as_str());
        let answer = Answer::new(response.body(Bytes::from(body)).expect("a response"), UNIX_EPOCH, "test");
        assert_hidden(&needle, answer.header(&header::LOCATION).expect("a header"), &answer);
        needle
            .assert_absent_from_nonempty("what it says", &format!("{:?}", answer.json().map_err(|e| render_error(&e))));
        for error in [answer.status_error(), Some(answer.protocol_error("the answer is odd"))].into_iter().flatten() {
            assert_said_without(&needle, &error);
        }
    }
}

#[test]
fn a_partial_answer_shows_neither_headers_nor_body() {
    let needle = Needle::new("partial");
    let response = Response::builder().header("x-token", needle.as_str());
    let response = response.body(Bytes::copy_from_slice(needle.as_str().as_bytes())).expect("a response");
    let error = TransportError::new(TransportFailure::Interrupted).with_partial_response(response);
    let partial = error.partial_response().expect("a response");
    needle.assert_held_in("the body", std::str::from_utf8(partial.body()).expect("text"));
    needle.assert_held_in("a header", partial.headers()["x-token"].to_str().expect("text"));
    assert_hidden(&needle, needle.as_str(), &error);
    needle.assert_absent_from_nonempty("what it says", &render_error(&error));
    let error = error.into_error("refresh the tokens");
    needle
        .assert_held_in("the body", std::str::from_utf8(error.body().expect("a body").expose_secret()).expect("text"));
    assert_said_without(&needle, &error);
}

#[test]
fn a_dead_token_is_not_shown_for_being_dead() {
    let needle = Needle::new("dead");
    let credential = RefreshCredential::<Card>::from(refresh(&needle)).with_expiry(Expiry::At(UNIX_EPOCH));
    let error = credential.check_alive(UNIX_EPOCH + Duration::from_secs(1), "refresh the tokens").expect_err("dead");
    assert_said_without(&needle, &error);
    let empty = TokenSet::new().with_access_token(access(&needle), Expiry::At(UNIX_EPOCH));
    assert_said_without(&needle, &RefreshCredential::<Card>::try_from(&empty).expect_err("no refresh token"));
}

#[cfg(feature = "hmac")]
#[test]
fn a_shared_secret() {
    let needle = Needle::new("hmac");
    let key = rampauth_core::HmacSha256Key::new(needle.as_str().as_bytes());
    assert_eq!(format!("{key:?} {key:#?}"), "HmacSha256Key(***) HmacSha256Key(***)");
}

#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
mod backends;

#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
#[test]
fn keys_and_what_is_said_of_damaged_ones() {
    use backends::BACKENDS;
    use rampauth_test_kit::keys::{PARTNER_PKCS8, PARTNER_SPKI};

    let pem = PARTNER_PKCS8.pem;
    let base64: String = pem.lines().filter(|line| !line.starts_with("---")).collect();
    // Ten characters of base64 are no word of a message.
    let leak = |text: &str| {
        let pieces = text.as_bytes().windows(10).map(|piece| String::from_utf8_lossy(piece).into_owned());
        pieces.into_iter().find(|piece| base64.contains(piece))
    };
    assert!(leak(&format!("it is {}", &base64[100..110])).is_some(), "a leak would be found");
    for backend in BACKENDS {
        let key = (backend.signing)(pem.as_bytes()).expect("a key");
        let public = (backend.verifying)(PARTNER_SPKI.pem.as_bytes()).expect("a key");
        let kind = if backend.name == "rsa" { "Rsa" } else { "AwsLc" };
        assert_eq!(format!("{key:?} {key:#?}"), format!("{kind}SigningKey(***) {kind}SigningKey(***)"));
        assert_eq!(format!("{public:?}"), format!("{kind}VerifyingKey(2048 bits)"));
        for at in (0..pem.len()).step_by(37) {
            let (before, after) = pem.split_at(at);
            for damaged in [
                before.to_owned(),
                after.to_owned(),
                format!("{before}-----BEGIN {after}"),
                format!("-----BEGIN {after}-----END"),
                format!("{before}-----{after}"),
                format!("{before}!{after}"),
            ] {
                for error in
                    [(backend.signing)(damaged.as_bytes()).err(), (backend.verifying)(damaged.as_bytes()).err()]
                {
                    let text = error.map(|error| render_error(&error)).unwrap_or_default();
                    assert_eq!(leak(&text), None, "{text}");
                }
            }
        }
    }
}

#[cfg(feature = "reqwest")]
mod client {
    use http::{Method, Request};
    use rampauth_core::{HttpClient, ReqwestClient};
    use rampauth_test_kit::logs::CaptureLogs;
    use rampauth_test_kit::scripted::{Script, ScriptedServer, response};

    use super::*;

    fn request(url: &str, needle: &Needle) -> Request<Bytes> {
        let uri = format!("{url}/{needle}?token={needle}").parse().expect("a URL");
        let body = Bytes::from(needle.to_string());
        let mut request = rampauth_core::request(Method::POST, uri, "rampauth-test/1.0", body);
        request.headers_mut().insert("x-token", needle.as_str().parse().expect("a header"));
        request
    }

    #[tokio::test]
    async fn failed_calls_and_the_logs_of_all_calls() {
        let needle = Needle::new("call");
        let logs = CaptureLogs::start();
        let client = ReqwestClient::builder().timeout(Duration::from_millis(300)).build().expect("a client");
        let (token, body) = (needle.to_string(), needle.jwt());
        let every = Duration::from_millis(20);
        for script in [
            Script::Raw(response(200, &[("x-token", &token), ("set-cookie", &token)], &body)),
            Script::Raw(response(302, &[("location", &token)], &body)),
            Script::Raw(format!("HTTP/1.1 200 OK\r\n{token}\r\n\r\n").into_bytes()),
            Script::Raw(format!("HTTP/1.1 200 OK\r\ncontent-length: 999\r\nx: {token}\r\n\r\n{body}").into_bytes()),
            Script::Refused,
            Script::ResetAfterRequest,
            Script::SlowBody { status: 200, every, length: 1_000 },
        ] {
            let what = format!("{script:?}");
            let server = ScriptedServer::start(script);
            match client.send(request(&server.url(), &needle)).await {
                Ok(_) => assert!(what.starts_with("Raw")),
                Err(error) => {
                    needle.assert_absent_from_nonempty("the transport error", &render_error(&error));
                    assert_said_without(&needle, &error.into_error("refresh the tokens"));
                }
            }
            for sent in server.requests() {
                needle.assert_held_in("the path", &sent.path);
                needle.assert_held_in("the header", sent.header("x-token").expect("a header"));
                needle.assert_held_in("the body", std::str::from_utf8(&sent.body).expect("text"));
            }
        }
        let no_scheme = client.send(request("http://elsewhere.test", &needle)).await.expect_err("refused");
        needle.assert_absent_from_nonempty("the transport error", &render_error(&no_scheme));
        assert!(logs.text().contains("127.0.0.1"), "something must have been logged: {}", logs.text());
        needle.assert_absent_from_nonempty("the logs", &logs.text());
    }

    #[tokio::test]
    async fn the_password_of_a_proxy() {
        let needle = Needle::new("proxy");
        let logs = CaptureLogs::start();
        let proxy = ScriptedServer::start(Script::Raw(response(407, &[("proxy-authenticate", "Basic")], "")));
        let url = proxy.url().replace("http://", &format!("http://user:{needle}@"));
        let builder = ReqwestClient::builder().proxy(&url);
        assert_hidden(&needle, &url, &builder);
        let client = builder.build().expect("a client");
        assert_hidden(&needle, &url, &client);
        let error = client.send(request("https://elsewhere.test", &needle)).await.expect_err("no tunnel");
        let asked = proxy.assert_exactly_one_request_async().await;
        let sent =
            asked.header("proxy-authorization").and_then(|value| value.strip_prefix("Basic ")).expect("a password");
        assert_eq!(STANDARD.decode(sent).expect("base64"), format!("user:{needle}").as_bytes());
        assert_said_without(&needle, &error.into_error("refresh the tokens"));
        assert!(logs.text().contains("elsewhere.test"), "something must have been logged: {}", logs.text());
        needle.assert_absent_from_nonempty("the logs", &logs.text());

        let unusable = format!("http://user:{needle}@:0/");
        let error = ReqwestClient::builder().proxy(unusable).build().expect_err("no URL");
        assert_said_without(&needle, &error);
    }
}
