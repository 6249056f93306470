//! No secret is in anything that prints: a needle goes in everywhere, is proven to be held, and must not come out.

mod common;

use common::{Canned, now};
use rampauth_core::ReqwestClient;
use rampauth_test_kit::logs::{CaptureLogs, render_error};
use rampauth_test_kit::needle::Needle;
use rampauth_test_kit::scripted::{Script, ScriptedServer, response};
use rampauth_transak::{
    AccessToken, ApiKey, BaseUrl, Config, Expiry, HttpClient, Refresh, TokenSet, UserClient, UserToken,
};

const BASE: &str = "https://api-gateway-stg.transak.com";

struct Needles {
    api_key: Needle,
    /// As an opaque token, and as the `sub` and the signature of a JWT: a token names its user.
    token: Needle,
}

impl Needles {
    fn new() -> Self {
        Self { api_key: Needle::new("api-key"), token: Needle::new("token") }
    }

    fn assert_absent_from(&self, what: &str, text: &str) {
        for needle in [&self.api_key, &self.token] {
            needle.assert_absent_from_nonempty(what, text);
        }
    }

    fn tokens(&self) -> [UserToken; 2] {
        [self.token.as_str().to_owned(), self.token.jwt()].map(|token| UserToken::new(token).expect("a token"))
    }

    fn client(&self, base_url: &str, http: impl HttpClient + 'static) -> UserClient {
        let config = Config::new(BaseUrl::parse(base_url).expect("a base URL"))
            .with_api_key(ApiKey::new(self.api_key.as_str()).expect("a key"));
        UserClient::with_http_client(config, http).with_clock(now)
    }
}

#[tokio::test]
async fn no_public_type_prints_a_secret() {
    let needles = Needles::new();
    let http = Canned::new(200, "");
    let client = needles.client(BASE, http.clone());
    needles.assert_absent_from("UserClient", &format!("{client:?} {client:#?}"));
    let config = Config::new(BaseUrl::parse(BASE).expect("a base URL"))
        .with_api_key(ApiKey::new(needles.api_key.as_str()).expect("a key"));
    let key = config.api_key.clone().expect("the key that was set");
    needles.api_key.assert_held_in("the API key", key.expose_secret());
    needles.assert_absent_from("Config", &format!("{config:?} {config:#?}"));
    needles.assert_absent_from("ApiKey", &format!("{key:?} {key:#?}"));
    for token in needles.tokens() {
        needles.token.assert_held_in("the token", token.access_token().expose_secret());
        needles.assert_absent_from("UserToken", &format!("{token:?} {token:#?}"));
        let access_token = token.access_token();
        needles.assert_absent_from("AccessToken", &format!("{access_token:?} {access_token:#?}"));
        client.refresh(&token).await.expect_err("an empty answer");
        let set = TokenSet::from(token);
        needles.assert_absent_from("TokenSet", &format!("{set:?} {set:#?}"));
    }
    for request in http.sent() {
        let sent = |name: &str| request.headers()[name].to_str().expect("a text header");
        needles.token.assert_held_in("the request", sent("authorization"));
        needles.api_key.assert_held_in("the request", sent("x-api-key"));
        // What an HTTP client may print of it.
        needles.assert_absent_from("the request", &format!("{request:?} {request:#?}"));
    }
    assert_eq!(http.sent().len(), 2);
}

#[test]
fn no_error_about_a_setting_or_a_token_repeats_it() {
    let needle = Needle::new("setting");
    let prefixed = AccessToken::new(format!("Bearer {}", needle.jwt())).expect("an access token");
    for error in [
        ApiKey::new(format!("{needle}\n")).map(drop).expect_err("refused"),
        ApiKey::new(format!(" {needle}")).map(drop).expect_err("refused"),
        BaseUrl::parse(&format!("https://{needle}@example.com/?{needle}")).map(drop).expect_err("refused"),
        UserToken::new(format!("{needle}\n")).map(drop).expect_err("refused"),
        UserToken::new(format!("bearer {needle}")).map(drop).expect_err("refused"),
        UserToken::try_from(prefixed.clone()).map(drop).expect_err("refused"),
        UserToken::try_from(&TokenSet::new().with_access_token(prefixed, Expiry::Unknown))
            .map(drop)
            .expect_err("refused"),
    ] {
        needle.assert_absent_from_nonempty("an error about a setting", &render_error(&error));
    }
}

/// Answers with a needle wherever a careless reader would quote it.
fn hostile_answers(needle: &Needle) -> Vec<(u16, String)> {
    let bodies = [
        r#"{"data":{"accessToken":"N"}}"#,
        r#"{"data":{"accessToken":"JWT"}}"#,
        r#"{"data":{"accessToken":"JWT"},"error":{"message":"N","errorCode":1002}}"#,
        r#"{"data":{"accessToken":"Bearer N"}}"#,
        r#"{"data":{"accessToken":["N"]}}"#,
        r#"{"data":{"accessToken":{"N":"N"}}}"#,
        r#"{"data":{"accessToken":"N","accessToken":"JWT"}}"#,
        r#"{"data":{"accessToken":"N\n"}}"#,
        r#"{"data":{"N":"N"}}"#,
        r#"{"data":"N"}"#,
        r#"{"error":{"statusCode":401,"message":"N","errorCode":"N","additionalMessage":"N"}}"#,
        r#"{"error":{"statusCode":"N","message":"N","errorCode":1002,"name":"N"}}"#,
        r#"{"error":{"message":["N"],"errorCode":{"N":"N"},"name":"JWT"}}"#,
        r#"{"error":{"errorCode":"N","errorCode":"N"},"message":"N"}"#,
        r#"{"error":"N"}"#,
        r#"["N"]"#,
        r#""N""#,
        r#"{"N": N}"#,
        "N",
    ];
    let answers = bodies.iter().map(|body| body.replace('N', needle.as_str()).replace("JWT", &needle.jwt()));
    answers.flat_map(|body| [200, 302, 400, 401, 403, 404, 429, 500].map(|status| (status, body.clone()))).collect()
}

#[tokio::test]
async fn no_answer_is_quoted_in_errors() {
    let (needles, in_answers) = (Needles::new(), Needle::new("answer"));
    let answers = hostile_answers(&in_answers);
    let bodies = answers.iter().filter(|(status, _)| *status == 200).count();
    let (mut granted, mut salvaged, mut told, mut refused) = (0, 0, 0, 0);
    for (status, body) in answers {
        let client = needles.client(BASE, Canned::new(status, body.as_str()));
        for token in needles.tokens() {
            let set = TokenSet::from(token.clone());
            let what = format!("the result of {status} {body}");
            let by_token = client.refresh(&token).await.map(|token| format!("{token:?} {token:#?}"));
            let by_set = Refresh::refresh(&client, &set).await.map(|set| format!("{set:?} {set:#?}"));
            for result in [by_token, by_set] {
                let text = match result {
                    Ok(text) => {
                        granted += 1;
                        text
                    }
                    Err(error) => {
                        if let Some(set) = error.salvage() {
                            let token = set.access_token.as_ref().expect("an access token");
                            in_answers.assert_held_in("the salvaged set", token.expose_secret());
                            salvaged += 1;
                        }
                        if let Some(message) = error.provider_message() {
                            in_answers.assert_held_in("the provider's message", message);
                            told += 1;
                        }
                        refused += 1;
                        render_error(&error)
                    }
                };
                in_answers.assert_absent_from_nonempty(&what, &text);
                needles.assert_absent_from(&what, &text);
            }
        }
    }
    // Each body came with eight statuses to two tokens by two ways. The two that are right are granted with 200, but for
    // the JWT to the JWT, which end at the same time; that one and the contradiction are salvaged.
    assert_eq!((granted, salvaged, granted + refused), (6, 6, bodies * 8 * 2 * 2));
    assert_eq!(told, 3 * 8 * 2 * 2, "three of the bodies hold a message");
}

#[tokio::test]
async fn nothing_is_logged_by_the_http_client_either() {
    let (needles, in_answers) = (Needles::new(), Needle::new("answer"));
    let logs = CaptureLogs::start();
    for status in [200, 401, 500] {
        let body = format!(r#"{{"data":{{"accessToken":"{in_answers}"}},"error":{{"message":"{in_answers}"}}}}"#);
        let server = ScriptedServer::start(Script::Raw(response(status, &[], body.as_bytes())));
        let client = needles.client(&server.url(), ReqwestClient::new().expect("an HTTP client"));
        for token in needles.tokens() {
            let error = client.refresh(&token).await.expect_err("an answer that contradicts itself");
            in_answers.assert_held_in("the provider's message", error.provider_message().expect("a message"));
        }
        for request in server.wait_for_requests(2) {
            needles.token.assert_held_in("the request", request.header("authorization").expect("a token"));
            needles.api_key.assert_held_in("the request", request.header("x-api-key").expect("a key"));
        }
    }
    let text = logs.text();
    // What dependencies log is recorded: without this line the rest would prove nothing.
    assert!(text.contains("starting new connection"), "nothing was recorded: {text}");
    needles.assert_absent_from("the logs", &text);
    in_answers.assert_absent_from_nonempty("the logs", &text);
}
