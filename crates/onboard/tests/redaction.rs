//! No secret is in anything that prints: a needle goes in everywhere, is proven to be held, and must not come out.

mod common;

use common::{Canned, client, config, granted, user};
use rampauth_core::ReqwestClient;
use rampauth_onboard::{
    AccessToken, BaseUrl, Client, Expiry, OnboardCredential, OnboardTokens, Refresh, RefreshToken, TokenSet, UserId,
};
use rampauth_test_kit::logs::{CaptureLogs, render_error};
use rampauth_test_kit::needle::Needle;
use rampauth_test_kit::scripted::{Script, ScriptedServer, response};

const BASE: &str = "https://external.dev.onboardpay.co";
const LATER: &str = r#""2026-11-20T10:30:00Z""#;

struct Needles {
    presented: Needle,
    access: Needle,
    refresh: Needle,
}

impl Needles {
    fn new() -> Self {
        Self {
            presented: Needle::new("presented-token"),
            access: Needle::new("new-access-token"),
            refresh: Needle::new("new-refresh-token"),
        }
    }

    fn assert_absent_from(&self, what: &str, text: &str) {
        for needle in [&self.presented, &self.access, &self.refresh] {
            needle.assert_absent_from_nonempty(what, text);
        }
    }

    fn credential(&self) -> OnboardCredential {
        OnboardCredential::new(self.presented.as_str()).expect("a token")
    }

    /// A success with both new tokens, in the form of JWTs, and these expiry values (JSON).
    fn success(&self, access_expiry: &str, refresh_expiry: &str) -> String {
        let (access, refresh) = (format!(":{:?}", self.access.jwt()), format!(":{:?}", self.refresh.jwt()));
        granted(access_expiry, refresh_expiry).replace(r#":"a""#, &access).replace(r#":"r""#, &refresh)
    }

    fn assert_held_in_set(&self, set: &TokenSet) {
        let access = set.access_token.as_ref().expect("an access token").expose_secret();
        let refresh = set.refresh_token.as_ref().expect("a refresh token").expose_secret();
        self.access.assert_held_in("the access token", access);
        self.refresh.assert_held_in("the refresh token", refresh);
    }
}

fn both_forms(value: &dyn std::fmt::Debug) -> String {
    format!("{value:?} {value:#?}")
}

#[tokio::test]
async fn no_public_type_prints_a_secret() {
    let needles = Needles::new();
    let http = Canned::new(200, needles.success(LATER, LATER));
    let client = client(BASE, http.clone());
    let credential = needles.credential();
    needles.presented.assert_held_in("the credential", credential.token().expose_secret());
    let tokens: OnboardTokens = client.refresh(&credential).await.expect("granted");
    needles.access.assert_held_in("the tokens", tokens.access_token().expose_secret());
    needles.refresh.assert_held_in("the tokens", tokens.refresh_credential().token().expose_secret());
    let set = TokenSet::from(tokens.clone());
    needles.assert_held_in_set(&set);
    let request = http.request();
    let sent = request.headers()["x-auth-token"].to_str().expect("text");
    needles.presented.assert_held_in("the request", sent);
    for (what, text) in [
        ("Config", both_forms(&config(BASE).with_user_id(user("u-1")))),
        ("Client", both_forms(&client)),
        ("OnboardCredential", both_forms(&credential)),
        ("RefreshToken", both_forms(credential.token())),
        ("OnboardTokens", both_forms(&tokens)),
        ("AccessToken", both_forms(tokens.access_token())),
        ("TokenSet", both_forms(&set)),
        ("the request", both_forms(&request)),
    ] {
        needles.assert_absent_from(what, &text);
    }
}

#[test]
fn no_error_about_a_setting_repeats_it() {
    let needle = Needle::new("setting");
    for error in [
        BaseUrl::parse(&format!("https://{needle}@example.com/?{needle}")).map(drop).expect_err("refused"),
        OnboardCredential::new(format!("{needle}\r\n")).map(drop).expect_err("refused"),
        AccessToken::new(format!(" {needle}")).map(drop).expect_err("refused"),
        RefreshToken::new(format!("{needle}é")).map(drop).expect_err("refused"),
    ] {
        needle.assert_absent_from_nonempty("an error about a setting", &render_error(&error));
    }
}

/// A token in a wrong place breaks the contract or costs an expiry; the salvage holds it and nothing prints it.
#[tokio::test]
async fn a_broken_answer_is_salvaged_and_not_shown() {
    let needles = Needles::new();
    for body in [
        needles.success(LATER, LATER).replace(r#""userId":"u-1","#, ""),
        needles.success(LATER, LATER).replace(r#""u-1""#, &format!("[{:?}]", needles.access.as_str())),
    ] {
        let error = client(BASE, Canned::new(200, body)).refresh(&needles.credential()).await.expect_err("broken");
        let salvage = error.salvage().expect("a new refresh token");
        needles.assert_held_in_set(salvage);
        needles.assert_absent_from("the salvage", &both_forms(salvage));
        needles.assert_absent_from("the error", &render_error(&error));
    }
}

/// Answers with a needle wherever a careless reader would quote it.
fn hostile_answers(needle: &Needle) -> Vec<(u16, String)> {
    let bodies = [
        r#"{"userId":"u-1","accessToken":{"token":"N","expiry":"N"},"refreshToken":{"token":"N2","expiry":"N"}}"#,
        r#"{"userId":"N","accessToken":{"token":"a","expiry":{"N":"N"}},"refreshToken":{"token":"r","expiry":["N"]}}"#,
        r#"{"userId":"u-1","accessToken":{"token":"a","expiry":"N","expiry":"N"},"refreshToken":{"token":"r"},"N":"N"}"#,
        r#"{"userId":["N"],"accessToken":{"token":"a"},"refreshToken":{"token":"N"}}"#,
        r#"{"userId":"N","userId":"N","accessToken":{"token":"a"},"refreshToken":{"token":"N"}}"#,
        r#"{"userId":"u-1","accessToken":"N","refreshToken":"N"}"#,
        r#"{"userId":"u-1","accessToken":{"token":["N"]},"refreshToken":{"token":"N"}}"#,
        r#"{"userId":"u-1","accessToken":{"token":"N","token":"N"},"refreshToken":{"token":"N","token":"N"}}"#,
        r#"{"userId":"u-1","accessToken":{"token":"N\n"},"refreshToken":{"token":"Né"}}"#,
        r#"{"userId":"u-1","accessToken":{"N":"N"},"refreshToken":{"N":"N"}}"#,
        r#"{"code":"N","message":"N","data":{"N":"N"}}"#,
        r#"{"code":["N"],"message":{"N":"N"}}"#,
        r#"{"code":"N","code":"N","message":"N","message":"N"}"#,
        r#"["N"]"#,
        r#""N""#,
        r#"{"N": N}"#,
        r#"{"refreshToken":{"token":"N""#,
        "<html>N</html>",
        "N",
    ];
    let answers = bodies.iter().map(|body| body.replace('N', needle.as_str()));
    answers.flat_map(|body| [200, 302, 400, 401, 403, 404, 429, 500].map(|status| (status, body.clone()))).collect()
}

#[tokio::test]
async fn no_answer_is_quoted_in_errors_or_logs() {
    let (needles, in_answers) = (Needles::new(), Needle::new("in-answers"));
    let logs = CaptureLogs::start();
    let (mut granted, mut held, mut refused) = (0, 0, 0);
    for (status, body) in hostile_answers(&in_answers) {
        let what = format!("the result of {status}");
        let any_user = client(BASE, Canned::new(status, body.as_str()));
        let one_user = Client::with_http_client(
            config(BASE).with_user_id(UserId::new("u-1").expect("an id")),
            Canned::new(status, body.as_str()),
        );
        let set = TokenSet::new()
            .with_refresh_token(RefreshToken::new(needles.presented.as_str()).expect("a token"), Expiry::Unknown);
        for result in [
            any_user.refresh(&needles.credential()).await.map(|tokens| both_forms(&tokens)),
            one_user.refresh(&needles.credential()).await.map(|tokens| both_forms(&tokens)),
            Refresh::refresh(&any_user, &set).await.map(|set| both_forms(&set)),
        ] {
            let text = match result {
                Ok(text) => {
                    granted += 1;
                    text
                }
                Err(error) => {
                    refused += 1;
                    held +=
                        usize::from(error.provider_message().is_some_and(|text| text.contains(in_answers.as_str())));
                    render_error(&error)
                }
            };
            in_answers.assert_absent_from_nonempty(&what, &text);
            needles.assert_absent_from(&what, &text);
        }
    }
    // The needle did get as far as tokens and messages.
    assert!(granted >= 8 && held >= 20 && refused >= 400, "{granted} granted, {held} held, {refused} refused");
    let text = logs.text();
    assert!(text.contains("field=accessToken.expiry") && text.contains("field=refreshToken.expiry"), "{text}");
    in_answers.assert_absent_from("the logs", &text);
    needles.assert_absent_from("the logs", &text);
}

/// The same with the ready-made HTTP client, whose parts log at every level.
#[tokio::test]
async fn nothing_that_travels_is_logged() {
    let (needles, message) = (Needles::new(), Needle::new("message"));
    let logs = CaptureLogs::start();
    let refusal = format!(r#"{{"code":"ACCESS_DENIED","message":"{message}"}}"#);
    for (answer, is_granted) in [
        (response(200, &[], needles.success("7", "7").as_bytes()), true),
        (response(403, &[("x-auth-token", needles.refresh.as_str())], refusal.as_bytes()), false),
    ] {
        let server = ScriptedServer::start(Script::Raw(answer));
        let client = client(&server.url(), ReqwestClient::new().expect("an HTTP client"));
        let result = client.refresh(&needles.credential()).await;
        let request = server.assert_exactly_one_request_async().await;
        needles.presented.assert_held_in("the request", request.header("x-auth-token").expect("the token"));
        match result {
            Ok(tokens) => needles.assert_held_in_set(&tokens.into()),
            Err(error) => {
                message.assert_held_in("the message", error.provider_message().expect("a message"));
                message.assert_absent_from("the error", &render_error(&error));
                needles.assert_absent_from("the error", &render_error(&error));
                assert!(!is_granted, "{error}");
            }
        }
    }
    let text = logs.text();
    assert!(text.contains("rampauth_onboard") && text.contains("hyper"), "the client's parts were heard: {text}");
    message.assert_absent_from("the logs", &text);
    needles.assert_absent_from("the logs", &text);
}
