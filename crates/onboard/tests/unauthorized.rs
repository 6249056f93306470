//! Which 401 is Onboard's own word about the refresh token, and which one a gateway's about something else.

mod common;

use common::{Canned, client, credential, describe};

const BASE: &str = "https://external.dev.onboardpay.co";

/// What a refresh makes of a 401 with this body.
async fn refresh(body: &str) -> String {
    describe(client(BASE, Canned::new(401, body)).refresh(&credential()).await)
}

#[tokio::test]
async fn a_401_in_the_documented_form_says_that_the_token_is_dead() {
    let dead = "the refresh token is invalid or has expired (status 401, code";
    for (body, code) in [
        (r#"{"code":"RE_AUTHENTICATE","message":"m"}"#, "RE_AUTHENTICATE"),
        (r#"{"code":"UNAUTHORIZED","message":"m","data":{"x":1}}"#, "UNAUTHORIZED"),
        // Whatever is odd beside the two.
        ("\u{feff}{\"message\":\"m\",\"data\":\"\\ud800\",\"data\":[1e999],\"code\":\"A\"}\r\n\0", "A"),
    ] {
        assert_eq!(refresh(body).await, format!("login_needed refused says \"m\": {dead} {code})"), "{body}");
    }
}

#[tokio::test]
async fn any_other_401_is_no_proof_and_the_tokens_are_kept() {
    let dead = r#"{"code":"RE_AUTHENTICATE","message":"m"}"#;
    for body in [
        "",
        "<html>",
        "null",
        "\"RE_AUTHENTICATE\"",
        r#"{"userId":"u","accessToken":{"token":"a"},"refreshToken":{"token":"r"}}"#,
        &format!("<!-- -->{dead}"),
        &format!("{dead}{dead}"),
        &format!("[{dead}]"),
        &format!(r#"{{"error":{dead}}}"#),
    ] {
        let expected = "unauthorized refused: the provider does not accept the caller (status 401)";
        assert_eq!(refresh(body).await, expected, "{body}");
    }
    // One of the two members, or not as a text.
    for (body, says, code) in [
        (r#"{"message":"m"}"#, " says \"m\"", ""),
        (r#"{"code":"","message":"m"}"#, " says \"m\"", ""),
        (r#"{"code":null,"message":"m"}"#, " says \"m\"", ""),
        (r#"{"code":401,"message":"m"}"#, " says \"m\"", ", code 401"),
        (r#"{"code":"A","code":"A","message":"m"}"#, " says \"m\"", ""),
        (r#"{"code":"A"}"#, "", ", code A"),
        (r#"{"code":"A","message":null}"#, "", ", code A"),
        (r#"{"code":"A","message":""}"#, "", ", code A"),
        (r#"{"code":"A","message":{"en":"m"}}"#, "", ", code A"),
        (r#"{"code":"A","message":"\ud800"}"#, "", ", code A"),
    ] {
        let expected =
            format!("unauthorized refused{says}: the provider does not accept the caller (status 401{code})");
        assert_eq!(refresh(body).await, expected, "{body}");
    }
}
