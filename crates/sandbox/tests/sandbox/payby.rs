//! PayBy: what it grants, every reason to refuse, and the test of keys.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use rampauth_sandbox::{Call, Verdict};
use rsa::pkcs1v15::Pkcs1v15Sign;
use serde_json::{Value, json};

use crate::support::{Client, Reply, verifies};

const PATH: &str = "/sgs/api/oauth2/authz/refresh-token";
const ECHO: &str = "/sgs/verifySign";
const ID: &str = "200001200101";
const OVER: &str = "signature does not verify over the exact bytes of the body: ";

fn live_token(client: &Client) -> String {
    client.sandbox.issue(Call::PayBy).refresh_token.expect("a refresh token")
}

fn body(client: &Client, token: &str) -> Value {
    json!({
        "requestTime": client.millis(),
        "partnerId": ID,
        "bizContent": {"merchantOrderNo": "M965739182419", "subject": "iPhone", "refreshToken": token},
    })
}

/// Sends the body as it is, signed as it is.
async fn post(client: &Client, body: &str) -> Reply {
    signed(client, body, &client.sign(body)).await
}

async fn signed(client: &Client, body: &str, sign: &str) -> Reply {
    let headers = [("content-type", "application/json"), ("partner-id", ID), ("sign", sign)];
    client.send("POST", PATH, &headers, body).await
}

/// Whether PayBy signed exactly this answer.
fn is_signed(client: &Client, reply: &Reply) -> bool {
    let key = &client.sandbox.credentials().payby.provider_public_key;
    reply.header("sign").is_some_and(|sign| verifies(key, &reply.text, sign))
}

/// Refused on HTTP 200 with this code and message in the head.
#[track_caller]
fn refused(reply: &Reply, head: [&str; 3], reason: &str) {
    let answer = reply.refused(200, reason);
    let [apply_status, code, msg] = head;
    assert_eq!(answer["head"]["applyStatus"], apply_status);
    assert_eq!(answer["head"]["code"], code);
    assert_eq!(answer["head"]["msg"], msg);
    assert!(answer["head"]["traceCode"].is_string());
    assert!(answer.get("body").is_none());
}

const INVALID: [&str; 3] = ["FAIL", "400", "INVALID_PARAMETER"];
const UNAUTHORIZED: [&str; 3] = ["ERROR", "403", "UNAUTHORIZED"];

#[tokio::test]
async fn a_refresh_token_is_exchanged() {
    let client = Client::start().await;
    let old = live_token(&client);
    let request = body(&client, &old).to_string();
    let headers = [
        ("content-type", "application/json;charset=UTF-8"),
        ("partner-id", ID),
        ("sign", &client.sign(&request)),
        ("content-language", "en"),
        ("api-version", "v1"),
    ];
    let reply = client.send("POST", PATH, &headers, request).await;
    let answer = reply.granted();
    assert!(is_signed(&client, &reply), "PayBy signs the raw body");
    assert_eq!((&answer["head"]["applyStatus"], &answer["head"]["code"]), (&json!("SUCCESS"), &json!("0")));
    assert_eq!(answer["body"]["expiresIn"], 3_600);
    assert!(answer["body"]["accessToken"].is_string());
    let new = answer["body"]["refreshToken"].as_str().expect("text");
    post(&client, &body(&client, new).to_string()).await.granted();

    let reply = post(&client, &body(&client, &old).to_string()).await;
    refused(&reply, INVALID, "refresh token was already used");
    assert!(is_signed(&client, &reply), "a business refusal is signed too");
    let access = answer["body"]["accessToken"].as_str().expect("text");
    let reply = post(&client, &body(&client, access).to_string()).await;
    refused(&reply, INVALID, "the access token was presented where the refresh token belongs");
}

#[tokio::test]
async fn what_the_merchant_signs_is_checked_field_by_field() {
    let client = Client::start().await;
    let token = live_token(&client);
    let good = body(&client, &token);
    for (pointer, name, value, reason) in [
        ("", "requestTime", None, "requestTime is missing"),
        ("", "requestTime", Some(json!(client.millis().to_string())), NO_INTEGER),
        ("", "requestTime", Some(json!(1.5)), NO_INTEGER),
        ("", "requestTime", Some(json!(-1)), NO_INTEGER),
        ("", "partnerId", Some(json!(200_001_200_101_u64)), "partnerId is not a string"),
        ("", "partnerId", Some(json!("200001200102")), "partnerId in the body is not the header's partner-id"),
        ("", "bizContent", None, "bizContent is missing"),
        ("", "bizContent", Some(json!("{}")), "bizContent is not an object"),
        ("/bizContent", "merchantOrderNo", None, "merchantOrderNo is missing"),
        ("/bizContent", "merchantOrderNo", Some(json!(1)), "merchantOrderNo is not a string"),
        ("/bizContent", "merchantOrderNo", Some(json!("")), "merchantOrderNo is empty"),
        ("/bizContent", "merchantOrderNo", Some(json!("m".repeat(65))), "merchantOrderNo is longer than 64 characters"),
        ("/bizContent", "subject", None, "subject is missing"),
        ("/bizContent", "subject", Some(json!("")), "subject is empty"),
        ("/bizContent", "subject", Some(json!("s".repeat(13))), "subject is longer than 12 characters"),
        ("/bizContent", "refreshToken", None, "refreshToken is missing"),
        ("/bizContent", "refreshToken", Some(json!({})), "refreshToken is not a string"),
        ("/bizContent", "refreshToken", Some(json!("unheard-of")), "the token was not issued by this sandbox"),
    ] {
        let mut wrong = good.clone();
        let members = wrong.pointer_mut(pointer).and_then(Value::as_object_mut).expect("an object");
        match value {
            Some(value) => members.insert(name.to_owned(), value),
            None => members.remove(name),
        };
        let reply = post(&client, &wrong.to_string()).await;
        refused(&reply, INVALID, reason);
        assert!(is_signed(&client, &reply), "the merchant is known by then");
    }
    let twice = good.to_string().replacen('{', r#"{"partnerId":"200001200101","#, 1);
    let reply = post(&client, &twice).await;
    assert!(reply.event.reason.starts_with("the body has a JSON key twice"), "{}", reply.event);

    // None of these spent it. Lengths count characters, unknown fields are tolerated, partnerId may be left out.
    let mut longest = good;
    longest["bizContent"]["merchantOrderNo"] = json!("م".repeat(64));
    longest["bizContent"]["subject"] = json!("م".repeat(12));
    longest["bizContent"]["extra"] = json!(1);
    longest["more"] = json!([]);
    longest.as_object_mut().expect("an object").remove("partnerId");
    post(&client, &longest.to_string()).await.granted();
}

const NO_INTEGER: &str = "requestTime is not a JSON integer of epoch milliseconds";

#[tokio::test]
async fn the_request_time_is_within_a_quarter_of_an_hour() {
    let client = Client::start().await;
    client.sandbox.advance(Duration::from_secs(86_400));
    let at = |offset: i64| {
        let mut body = body(&client, &live_token(&client));
        body["requestTime"] = json!(client.millis() + offset);
        body.to_string()
    };
    for offset in [-880_000, 880_000] {
        post(&client, &at(offset)).await.granted();
    }
    for (offset, msg, side) in
        [(-920_000, "REQUESTTIME_TOO_EARLY", "behind"), (920_000, "REQUESTTIME_TOO_LATER", "ahead of")]
    {
        let reply = post(&client, &at(offset)).await;
        let reason = reply.event.reason.clone();
        refused(&reply, ["FAIL", "400", msg], &reason);
        assert!(reason.ends_with(&format!(" s {side} the sandbox's clock, 900 s are allowed")), "{reason}");
        assert!(is_signed(&client, &reply));
        // The date tells an honest client by how much it is off.
        let date = reply.header("date").expect("a date");
        let date = jiff::fmt::rfc2822::parse(&date.replace("GMT", "+0000")).expect("an HTTP date").timestamp();
        assert!((date.as_millisecond() - client.millis()).abs() < 10_000);
    }
    let mut seconds = body(&client, &live_token(&client));
    seconds["requestTime"] = json!(client.millis() / 1_000);
    let reply = post(&client, &seconds.to_string()).await;
    assert!(reply.event.reason.ends_with("; it looks like seconds, milliseconds are wanted"), "{}", reply.event);
}

#[tokio::test]
async fn who_is_not_known_as_the_merchant_gets_an_unsigned_answer() {
    let client = Client::start().await;
    let request = body(&client, &live_token(&client)).to_string();
    let sign = client.sign(&request);
    let (json, id, sign) = (("content-type", "application/json"), ("partner-id", ID), ("sign", sign.as_str()));
    let language = "content-language is empty or longer than 10 characters";
    for (headers, head, reason) in [
        (vec![id, sign], INVALID, "header content-type is missing"),
        (vec![("content-type", "text/json"), id, sign], INVALID, "content-type is not application/json"),
        (vec![json, id, sign, ("content-language", "en-GB-oxendict")], INVALID, language),
        (vec![json, id, sign, ("content-language", "")], INVALID, language),
        (vec![json, sign], INVALID, "header partner-id is missing"),
        (vec![json, id, id, sign], INVALID, "header partner-id came more than once"),
        (vec![json, ("partner-id", "2000012001011"), sign], INVALID, "partner-id is longer than 12 characters"),
        (vec![json, ("partner-id", "200001200102"), sign], UNAUTHORIZED, r#"partner-id is not "200001200101""#),
        (vec![json, id], UNAUTHORIZED, "header sign is missing"),
        (vec![json, id, ("sign", "")], UNAUTHORIZED, "header sign is empty"),
        (vec![json, id, sign, sign], UNAUTHORIZED, "header sign came more than once"),
    ] {
        let reply = client.send("POST", PATH, &headers, request.clone()).await;
        refused(&reply, head, reason);
        assert_eq!(reply.header("sign"), None);
    }
    client.send("POST", PATH, &[json, id, sign], request.clone()).await.granted();
}

#[tokio::test]
async fn a_signature_over_another_body_is_named() {
    let client = Client::start().await;
    let value = body(&client, &live_token(&client));
    // Neither sorted nor compact nor pretty, so that every other form differs from it.
    let sent = format!(
        "{{\"requestTime\" : {},\n\"partnerId\":\"{ID}\",\"bizContent\":{{\"subject\":\"a: \\\"b\\\", é\",\"refreshToken\":{}}}}} ",
        value["requestTime"], value["bizContent"]["refreshToken"]
    );
    let parsed: Value = serde_json::from_str(&sent).expect("JSON");
    let compact = sent.replace("\" : ", "\":").replace(",\n", ",").trim().to_owned();
    let token = value["bizContent"]["refreshToken"].as_str().expect("text");
    let millis = &value["requestTime"];
    let spaced = format!(
        r#"{{"requestTime": {millis}, "partnerId": "{ID}", "bizContent": {{"subject": "a: \"b\", é", "refreshToken": "{token}"}}}}"#
    );
    let pretty = |indent: &str| {
        format!(
            "{{\n{indent}\"requestTime\": {millis},\n{indent}\"partnerId\": \"{ID}\",\n{indent}\"bizContent\": {{\n{indent}{indent}\"subject\": \"a: \\\"b\\\", é\",\n{indent}{indent}\"refreshToken\": \"{token}\"\n{indent}}}\n}}"
        )
    };
    let again = |form: &str| format!("it verifies over the body re-serialised ({form}): sign the bytes that are sent");
    for (text, finding) in [
        (format!("{sent}\n"), "it verifies over the body and a newline at its end, which was not sent".to_owned()),
        (format!("{sent}\r\n"), "it verifies over the body and a line end, which was not sent".to_owned()),
        (
            sent.trim().to_owned(),
            "it verifies over the body without the white space around it, which was sent".to_owned(),
        ),
        (compact.clone(), again("compact")),
        (spaced, again("compact with a space after each : and ,")),
        (pretty("  "), again("pretty with 2 spaces")),
        (pretty("    "), again("pretty with 4 spaces")),
        (compact.replace('é', "\\u00e9"), again("compact with \\u escapes")),
        (
            parsed.to_string(),
            "it verifies over the body re-serialised with sorted keys: sign the bytes that are sent".to_owned(),
        ),
        (parsed["bizContent"].to_string(), "it verifies over bizContent alone: sign the whole body".to_owned()),
        ("another text".to_owned(), "the partner's private key made it, over some other text".to_owned()),
    ] {
        let reply = signed(&client, &sent, &client.sign(&text)).await;
        refused(&reply, UNAUTHORIZED, &format!("{OVER}{finding}"));
        assert_eq!(reply.header("sign"), None);
    }
    let url_safe = URL_SAFE.encode(client.sign_raw(&sent));
    let reply = signed(&client, &sent, &url_safe).await;
    assert!(reply.event.reason.contains("it is over the right text; it is written in base64url"), "{}", reply.event);
}

#[tokio::test]
async fn a_text_comes_back_signed() {
    let client = Client::start().await;
    let text = "test echo";
    let sign = client.sign(text);
    let reply = client.send("POST", ECHO, &[("partner-id", ID), ("sign", &sign)], text).await;
    assert_eq!((reply.status, reply.text.as_str(), reply.event.verdict), (200, text, Verdict::Granted));
    assert_eq!(reply.event.call, None, "no refresh");
    assert!(is_signed(&client, &reply));

    let reply = client.send("POST", ECHO, &[("partner-id", ID), ("sign", &sign)], "test echo\n").await;
    refused(
        &reply,
        UNAUTHORIZED,
        &format!("{OVER}it verifies over the body without the white space around it, which was sent"),
    );
    let reply = client.send("POST", ECHO, &[("partner-id", ID)], text).await;
    refused(&reply, UNAUTHORIZED, "header sign is missing");
    let reply = client.send("POST", ECHO, &[("sign", &sign)], text).await;
    refused(&reply, INVALID, "header partner-id is missing");
    let reply = client.send("POST", ECHO, &[("partner-id", ID), ("sign", &sign)], "").await;
    refused(&reply, INVALID, "the body is empty: a text is wanted, such as \"test echo\"");

    // `printf 'test echo' | openssl dgst -sha1`, in the prefix of RFC 8017, 9.2, note 1.
    let sealed = [
        &b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14"[..],
        b"\x48\x40\x96\xe6\x61\xc8\x69\x82\xd5\xdf\x83\xe0\x5d\xf8\x42\xba\x9a\xc7\xee\x5b",
    ];
    let sha1 = client.key.sign(Pkcs1v15Sign::new_unprefixed(), &sealed.concat()).expect("a signature");
    let reply = client.send("POST", ECHO, &[("partner-id", ID), ("sign", &STANDARD.encode(sha1))], text).await;
    refused(
        &reply,
        UNAUTHORIZED,
        &format!("{OVER}it is over the right text; it was made with SHA-1: SHA-256 is wanted"),
    );
}
