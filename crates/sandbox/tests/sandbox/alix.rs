//! Alix: both calls, what they grant and every reason to refuse.

use std::time::Duration;

use crate::support::{Client, Reply, jwt, seconds, verifies};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use rampauth_sandbox::{AlixCredentials, Call, IssuedTokens, Sandbox, Verdict};
use rsa::pkcs1v15::Pkcs1v15Sign;
use rsa::pss::Pss;
use rsa::sha2::{Digest as _, Sha256, Sha384, Sha512};
use serde_json::{Value, json};

const RAMP: &str = "/api/v2/user-order/refresh-token";
const CARD: &str = "/api/v2/auth/refresh-token";
const JSON: (&str, &str) = ("content-type", "application/json");
const OVER_CARD: &str = r#"signature does not verify over "zencardtest|***" (partnerCode|secretKey): "#;
const OVER_RAMP: &str =
    r#"signature does not verify over "zencardtest|Jane.Doe@example.com|***" (partnerCode|email|secretKey): "#;

fn alix(client: &Client) -> AlixCredentials {
    client.sandbox.credentials().alix.clone()
}

fn refresh_token(tokens: &IssuedTokens) -> &str {
    tokens.refresh_token.as_deref().expect("a refresh token")
}

fn card_text(client: &Client) -> String {
    format!("zencardtest|{}", alix(client).secret_key)
}

fn ramp_text(client: &Client) -> String {
    format!("zencardtest|Jane.Doe@example.com|{}", alix(client).secret_key)
}

fn body(refresh_token: &str, signature: &str) -> Value {
    json!({"partnerCode": "zencardtest", "refreshToken": refresh_token, "signature": signature})
}

async fn post(client: &Client, path: &str, body: &Value) -> Reply {
    client.send("POST", path, &[JSON], body.to_string()).await
}

/// Presents a live token with this signature.
async fn signed(client: &Client, path: &str, signature: &str) -> Reply {
    let call = if path == CARD { Call::AlixCard } else { Call::AlixOnOffRamp };
    post(client, path, &body(refresh_token(&client.sandbox.issue(call)), signature)).await
}

#[tokio::test]
async fn the_card_is_refreshed() {
    let client = Client::start().await;
    let old = client.sandbox.issue(Call::AlixCard);
    let signature = client.sign(&card_text(&client));
    let reply = post(&client, CARD, &body(refresh_token(&old), &signature)).await;
    let answer = reply.granted();
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!((&answer["success"], &answer["errorCode"]), (&json!(true), &json!(0)));

    let data = &answer["data"];
    let (access, refresh) = (data["accessToken"].as_str().expect("text"), data["refreshToken"].as_str().expect("text"));
    let ((header, access_claims), (_, refresh_claims)) = (jwt(access), jwt(refresh));
    assert_eq!(header, json!({"alg": "HS256", "typ": "JWT"}));
    let iat = access_claims["iat"].as_u64().expect("seconds");
    assert!(seconds(client.sandbox.now()).abs_diff(iat) <= 5);
    assert_eq!(access_claims["exp"], json!(iat + 900));
    assert_eq!(refresh_claims["exp"], json!(iat + 15_552_000));
    assert_eq!(data["accessTokenExpiresAt"], json!((iat + 900).to_string()));
    assert_eq!(data["refreshTokenExpiresAt"], json!((iat + 15_552_000).to_string()));
    assert_eq!(access_claims["partnerCode"], "zencardtest");
    assert_eq!(access_claims["sign"].as_str().expect("text").len(), 16);
    assert_eq!(access_claims["sign"], refresh_claims["sign"]);
    assert_eq!(refresh_claims["session"].as_str().expect("text").len(), 36);
    assert!(access_claims.get("session").is_none());

    // The new token is live, the old one is spent, and the access token is no refresh token.
    post(&client, CARD, &body(refresh, &signature)).await.granted();
    let reply = post(&client, CARD, &body(refresh_token(&old), &signature)).await;
    let answer = reply.refused(400, "refresh token was already used");
    assert_eq!((&answer["success"], &answer["data"], &answer["errorCode"]), (&json!(false), &Value::Null, &json!(32)));
    assert!(answer["message"].is_string());
    let reply = post(&client, CARD, &body(access, &signature)).await;
    reply.refused(400, "the access token was presented where the refresh token belongs");
}

#[tokio::test]
async fn the_on_off_ramp_is_refreshed() {
    let client = Client::start().await;
    let old = client.sandbox.issue(Call::AlixOnOffRamp);
    let signature = client.sign(&ramp_text(&client));
    let request = body(refresh_token(&old), &signature).to_string();
    for lang in ["", "en", "cn", "vi"] {
        let token = client.sandbox.issue(Call::AlixOnOffRamp);
        let request = body(refresh_token(&token), &signature).to_string();
        client.send("POST", RAMP, &[JSON, ("lang", lang)], request).await.granted();
    }
    let reply = client.send("POST", RAMP, &[("content-type", "Application/JSON; charset=utf-8")], request).await;
    let answer = reply.granted();
    assert_eq!(
        reply.event.reason,
        r#"signature verifies over "zencardtest|Jane.Doe@example.com|***" (partnerCode|email|secretKey); refresh token replaced"#
    );
    let keys: Vec<_> = answer.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["accessToken", "refreshToken", "signature"]);
    let alix = alix(&client);
    assert!(verifies(&alix.provider_public_key, &alix.secret_key, answer["signature"].as_str().expect("text")));

    let reply = post(&client, RAMP, &body(refresh_token(&old), &signature)).await;
    let answer = reply.refused(400, "refresh token was already used");
    assert_eq!(answer, json!({"error": "Invalid request"}));
}

#[tokio::test]
async fn a_token_is_worth_something_at_its_own_call_and_in_its_own_time() {
    let client = Client::start().await;
    let (card, ramp) = (client.sign(&card_text(&client)), client.sign(&ramp_text(&client)));
    let token = client.sandbox.issue(Call::AlixCard);
    let reply = post(&client, RAMP, &body(refresh_token(&token), &ramp)).await;
    reply.refused(400, "the token was issued for alix-card, not for this call");
    let reply = post(&client, CARD, &body("eyJhbGciOiJIUzI1NiJ9.e30.x", &card)).await;
    reply.refused(400, "the token was not issued by this sandbox");

    client.sandbox.advance(Duration::from_secs(15_552_000 - 60));
    let later = client.sandbox.issue(Call::AlixCard);
    client.sandbox.advance(Duration::from_secs(70));
    let reply = post(&client, CARD, &body(refresh_token(&token), &card)).await;
    let ago = reply.event.reason.strip_prefix("refresh token expired ").and_then(|rest| rest.strip_suffix(" s ago"));
    assert!((9..20).contains(&ago.expect("expired").parse::<u64>().expect("seconds")), "{}", reply.event);
    // Its access token ended long ago: the refresh token is for just that case.
    client.sandbox.advance(Duration::from_secs(1_000));
    post(&client, CARD, &body(refresh_token(&later), &card)).await.granted();
}

#[tokio::test]
async fn a_refused_request_spends_nothing() {
    let client = Client::start().await;
    let token = client.sandbox.issue(Call::AlixCard);
    let token = refresh_token(&token);
    let signature = client.sign(&card_text(&client));
    let forged = client.sign("zencardtest|guess");
    post(&client, CARD, &body(token, &forged))
        .await
        .refused(400, &format!("{OVER_CARD}the partner's private key made it, over some other text"));
    let mut wrong = body(token, &signature);
    wrong["extra"] = json!(1);
    assert_eq!(post(&client, CARD, &wrong).await.event.verdict, Verdict::Refused);
    post(&client, CARD, &body(token, &signature)).await.granted();
}

#[tokio::test]
async fn headers_and_fields_are_those_of_the_page() {
    let client = Client::start().await;
    let signature = client.sign(&ramp_text(&client));
    let token = client.sandbox.issue(Call::AlixOnOffRamp);
    let good = body(refresh_token(&token), &signature);
    let text = good.to_string();

    for (headers, reason) in [
        (&[][..], "header content-type is missing"),
        (&[("content-type", "text/plain")], "content-type is not application/json"),
        (&[JSON, JSON], "header content-type came more than once"),
        (&[JSON, ("lang", "EN")], "header lang is not one of en, cn, vi"),
        (&[JSON, ("lang", "fr")], "header lang is not one of en, cn, vi"),
        (&[JSON, ("lang", "en"), ("lang", "vi")], "header lang came more than once"),
        (&[JSON, ("lang", "é")], "header lang holds something other than visible ASCII"),
    ] {
        client.send("POST", RAMP, headers, text.clone()).await.refused(400, reason);
    }
    let twice = text.replacen('{', r#"{"partnerCode":"zencardtest","#, 1);
    let reply = client.send("POST", RAMP, &[JSON], twice).await;
    assert!(reply.event.reason.starts_with("the body has a JSON key twice (line 1"), "{}", reply.event);
    client.send("POST", RAMP, &[JSON], "").await.refused(400, "the body is empty");
    client.send("POST", RAMP, &[JSON], "[]").await.refused(400, "the body is JSON, but not an object");

    for (field, value, reason) in [
        ("partnerCode", None, "partnerCode is missing"),
        ("partnerCode", Some(json!(7)), "partnerCode is not a string"),
        ("partnerCode", Some(json!("")), "partnerCode is empty"),
        ("partnerCode", Some(json!("ZENCARDTEST")), r#"partnerCode is not "zencardtest""#),
        ("refreshToken", None, "refreshToken is missing"),
        ("refreshToken", Some(json!(null)), "refreshToken is not a string"),
        ("refreshToken", Some(json!("")), "refreshToken is empty"),
        ("signature", None, "signature is missing"),
        ("signature", Some(json!({})), "signature is not a string"),
        ("signature", Some(json!("")), "signature is empty"),
        ("userEmail", Some(json!("x@y")), "the body has an e-mail, which this call signs and does not send"),
        ("more", Some(json!(1)), "the body has a field besides partnerCode, refreshToken, signature"),
    ] {
        let mut wrong = good.clone();
        let members = wrong.as_object_mut().expect("an object");
        match value {
            Some(value) => members.insert(field.to_owned(), value),
            None => members.remove(field),
        };
        post(&client, RAMP, &wrong).await.refused(400, reason);
    }
    post(&client, RAMP, &good).await.granted();
}

#[tokio::test]
async fn the_card_takes_a_user_email_beside_the_refresh_token_but_not_for_it() {
    let client = Client::start().await;
    let signature = client.sign(&card_text(&client));
    let token = client.sandbox.issue(Call::AlixCard);
    let mut request = body(refresh_token(&token), &signature);
    request["userEmail"] = json!("");
    post(&client, CARD, &request).await.refused(400, "userEmail is empty");
    request["userEmail"] = json!("jane@example.com");
    post(&client, CARD, &request).await.granted();
    request.as_object_mut().expect("an object").remove("refreshToken");
    post(&client, CARD, &request).await.refused(
        400,
        "refreshToken is missing: the page's table names userEmail in its place, its sample sends refreshToken",
    );
}

#[tokio::test]
async fn a_wrongly_built_text_is_named() {
    let client = Client::start().await;
    let secret = alix(&client).secret_key;
    let email = "Jane.Doe@example.com";
    let card_call = "the card's string, whose call is POST /api/v2/auth/refresh-token";
    let ramp_call = "the on/off-ramp's string, whose call is POST /api/v2/user-order/refresh-token";
    let newline = "secretKey has white space around it, such as the newline at the end of a file";
    let case = "the e-mail's case was changed: sign it verbatim";
    for (path, text, shown, what) in [
        (CARD, format!("zencardtest{secret}"), r#""zencardtest***""#, "the | between the parts is missing"),
        (CARD, format!("zencardtest | {secret}"), r#""zencardtest | ***""#, "there must be no spaces around |"),
        (CARD, format!("zencardtest:{secret}"), r#""zencardtest:***""#, "the separator must be |"),
        (CARD, format!("{secret}|zencardtest"), r#""***|zencardtest""#, "the parts are in the wrong order"),
        (CARD, format!("zencardtest|{secret}\n"), r#""zencardtest|***\n""#, newline),
        (CARD, format!("zencardtest|{secret}\r\n"), r#""zencardtest|***\r\n""#, newline),
        (CARD, format!("zencardtest|{email}|{secret}"), r#""zencardtest|Jane.Doe@example.com|***""#, ramp_call),
        (CARD, secret.clone(), r#""***""#, "that is what Alix signs in its answer"),
        (CARD, "zencardtest".to_owned(), r#""zencardtest""#, "secretKey is missing at the end"),
        (CARD, format!("ZENCARDTEST|{secret}"), r#""ZENCARDTEST|***""#, "partnerCode's case was changed"),
        (RAMP, format!("zencardtest|{secret}"), r#""zencardtest|***""#, card_call),
        (
            RAMP,
            format!("zencardtest{email}{secret}"),
            r#""zencardtestJane.Doe@example.com***""#,
            "the | between the parts is missing",
        ),
        (
            RAMP,
            format!("{email}|zencardtest|{secret}"),
            r#""Jane.Doe@example.com|zencardtest|***""#,
            "the parts are in the wrong order",
        ),
        (
            RAMP,
            format!("zencardtest|{secret}|{email}"),
            r#""zencardtest|***|Jane.Doe@example.com""#,
            "the parts are in the wrong order",
        ),
        (RAMP, format!("zencardtest|jane.doe@example.com|{secret}"), r#""zencardtest|jane.doe@example.com|***""#, case),
        (RAMP, format!("zencardtest|JANE.DOE@EXAMPLE.COM|{secret}"), r#""zencardtest|JANE.DOE@EXAMPLE.COM|***""#, case),
        (
            RAMP,
            format!("zencardtest|{email} |{secret}"),
            r#""zencardtest|Jane.Doe@example.com |***""#,
            "the e-mail has white space around it",
        ),
        (
            RAMP,
            format!("zencardtest|{email}\n|{secret}"),
            r#""zencardtest|Jane.Doe@example.com\n|***""#,
            "the e-mail has white space around it",
        ),
    ] {
        let over = if path == CARD { OVER_CARD } else { OVER_RAMP };
        let reply = signed(&client, path, &client.sign(&text)).await;
        reply.refused(400, &format!("{over}it verifies over {shown}: {what}"));
    }
}

#[tokio::test]
async fn signing_the_token_or_the_body_is_named_without_showing_either() {
    let client = Client::start().await;
    let token = client.sandbox.issue(Call::AlixCard);
    let token = refresh_token(&token);
    let secret = alix(&client).secret_key;
    let signature = client.sign(&format!("zencardtest|{token}|{secret}"));
    post(&client, CARD, &body(token, &signature)).await.refused(
        400,
        &format!(r#"{OVER_CARD}it verifies over "zencardtest|***|***": the refresh token is not signed"#),
    );
    let reply = post(&client, CARD, &body(token, &client.sign(token))).await;
    reply.refused(400, &format!("{OVER_CARD}it verifies over the refresh token: it is not signed"));
}

#[tokio::test]
async fn a_wrongly_written_signature_is_named() {
    let client = Client::start().await;
    let text = card_text(&client);
    // Its base64 must differ from its base64url, or there would be nothing to refuse.
    let raw = client.sign_raw(&text);
    let standard = STANDARD.encode(&raw);
    let hex: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();
    let wrapped = format!("{}\n{}", &standard[..76], &standard[76..]);
    assert!(standard.contains(['+', '/']), "344 characters without + or / are beyond chance");
    for (written, fault) in [
        (hex.to_uppercase(), "in hex"),
        (hex, "in hex"),
        (URL_SAFE.encode(&raw), "in base64url"),
        (URL_SAFE.encode(&raw).trim_end_matches('=').to_owned(), "in base64url"),
        (STANDARD_NO_PAD.encode(&raw), "without its padding"),
        (wrapped, "with white space in it"),
        (format!("{standard}\n"), "with white space in it"),
    ] {
        signed(&client, CARD, &written).await.refused(
            400,
            &format!(
                "{OVER_CARD}it is over the right text; it is written {fault}: standard padded base64 on one line is wanted"
            ),
        );
    }
    signed(&client, CARD, "*not base64*").await.refused(400, &format!("{OVER_CARD}it is neither base64 nor hex"));
    let reply = signed(&client, CARD, &STANDARD.encode(&raw[..128])).await;
    reply.refused(400, &format!("{OVER_CARD}it has 128 bytes, and this key's signatures have 256"));

    // Two mistakes at once are both named.
    let both = URL_SAFE.encode(client.sign_raw(&text.replace('|', "")));
    signed(&client, CARD, &both).await.refused(
        400,
        &format!(
            r#"{OVER_CARD}it verifies over "zencardtest***": the | between the parts is missing; it is written in base64url: standard padded base64 on one line is wanted"#
        ),
    );
}

#[tokio::test]
async fn a_signature_made_the_wrong_way_is_named() {
    let client = Client::start().await;
    let text = card_text(&client);
    let digest = Sha256::digest(&text);
    let key = &client.key;
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let of_the_digest = key.sign(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(digest)).expect("a signature");
    let prehashed = "it verifies over the text's SHA-256 digest: sign the text itself, signing hashes it";
    for (signature, reason) in [
        (of_the_digest, prehashed),
        (client.sign_raw(&hex), prehashed),
        (
            key.sign(Pkcs1v15Sign::new::<Sha384>(), &Sha384::digest(&text)).expect("a signature"),
            "it is over the right text; it was made with SHA-384: SHA-256 is wanted",
        ),
        (
            key.sign(Pkcs1v15Sign::new::<Sha512>(), &Sha512::digest(&text)).expect("a signature"),
            "it is over the right text; it was made with SHA-512: SHA-256 is wanted",
        ),
        (
            key.sign(Pkcs1v15Sign::new_unprefixed(), &digest).expect("a signature"),
            "it is over the right text; the digest was sealed without its DigestInfo prefix",
        ),
        (
            key.sign(Pkcs1v15Sign::new_unprefixed(), b"short").expect("a signature"),
            "the partner's key made it, but over no SHA digest in PKCS#1 v1.5 form",
        ),
        (
            key.sign(Pss::<Sha256>::new(), &digest).expect("a signature"),
            "it is RSASSA-PSS over the right text: RSASSA-PKCS1-v1_5 is wanted",
        ),
    ] {
        signed(&client, CARD, &STANDARD.encode(signature)).await.refused(400, &format!("{OVER_CARD}{reason}"));
    }
}

#[tokio::test]
async fn another_key_is_named() {
    let client = Client::start().await;
    let other = Client::of(Sandbox::start().await.expect("a sandbox"));
    let reply = signed(&client, CARD, &other.sign(&card_text(&client))).await;
    reply.refused(400, &format!("{OVER_CARD}it was not made with the partner's private key"));
    let reply = signed(&client, RAMP, &STANDARD.encode([0; 256])).await;
    reply.refused(400, &format!("{OVER_RAMP}it was not made with the partner's private key"));
    let reply = signed(&client, RAMP, &STANDARD.encode([0xff; 256])).await;
    reply.refused(400, &format!("{OVER_RAMP}it was not made with the partner's private key"));
}
