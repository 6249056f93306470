//! The log: complete, in order, on one line, and without a secret.

use std::sync::{Arc, Mutex};

use rampauth_sandbox::{Call, Sandbox, Verdict};
use serde_json::json;

use crate::support::Client;

const CARD: &str = "/api/v2/auth/refresh-token";

#[tokio::test]
async fn a_listener_hears_every_event_that_the_log_keeps() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ears = Arc::clone(&heard);
    let listener = move |event: &rampauth_sandbox::Event| ears.lock().expect("whole").push(event.clone());
    let client = Client::of(Sandbox::builder().on_event(listener).start().await.expect("a sandbox"));
    client.send("GET", "/", &[], "").await;
    client.send("POST", CARD, &[], "").await;
    let kept = client.sandbox.events();
    assert_eq!(kept.len(), 2);
    assert_eq!(*heard.lock().expect("whole"), kept);
    assert_eq!((kept[0].path.as_str(), kept[1].path.as_str()), ("/", CARD));
    assert!(kept[0].at <= kept[1].at);
}

#[tokio::test]
async fn an_event_is_one_line() {
    let client = Client::start().await;
    let reply = client.send("POST", CARD, &[], "").await;
    let line = reply.event.to_string();
    let (time, rest) = line.split_once(' ').expect("a time first");
    assert_eq!(rest, "alix-card POST /api/v2/auth/refresh-token 400 refused: header content-type is missing");
    assert!(time.parse::<jiff::Timestamp>().is_ok() && time.len() == 20, "{time}");

    let mut event = reply.event;
    event.call = None;
    event.verdict = Verdict::Granted;
    event.reason = "one\ntwo\u{1b}[31m".to_owned();
    assert!(event.to_string().ends_with(" - POST /api/v2/auth/refresh-token 400 granted: one\\ntwo\\u{1b}[31m"));
}

#[tokio::test]
async fn no_token_signature_or_secret_is_in_the_log() {
    let client = Client::start().await;
    let credentials = client.sandbox.credentials().clone();
    let json = ("content-type", "application/json");
    let mut needles = vec![
        credentials.alix.secret_key.clone(),
        credentials.transak.api_key.clone(),
        credentials.alix.signing_key.lines().nth(5).expect("a line of the key").to_owned(),
    ];

    // Every place of every request that can hold a secret, the wrong places included.
    let card = client.sandbox.issue(Call::AlixCard);
    let token = card.refresh_token.expect("a refresh token");
    for (name, text) in [
        ("right", format!("zencardtest|{}", credentials.alix.secret_key)),
        ("spent", format!("zencardtest|{}", credentials.alix.secret_key)),
        ("mistaken", format!("{}|zencardtest\n", credentials.alix.secret_key)),
        ("with the token", format!("zencardtest|{token}|{}", credentials.alix.secret_key)),
        ("reversed", format!("{}|zencardtest", credentials.alix.secret_key)),
        ("bare", credentials.alix.secret_key.clone()),
    ] {
        let signature = client.sign(&text);
        let body = json!({"partnerCode": "zencardtest", "refreshToken": token, "signature": signature});
        let reply = client.send("POST", CARD, &[json], body.to_string()).await;
        assert_eq!(reply.event.verdict == Verdict::Granted, name == "right", "{}", reply.event);
        needles.push(signature);
        if name == "right" {
            let data = &reply.json()["data"];
            needles.extend([&data["accessToken"], &data["refreshToken"]].map(|t| t.as_str().expect("text").to_owned()));
        }
    }
    for (field, value) in [
        ("partnerCode", json!("needle-1")),
        ("partnerCode", json!({"needle-2": 1})),
        ("refreshToken", json!("needle-3")),
        ("refreshToken", json!(["needle-4"])),
        ("signature", json!("needle-5")),
        ("needle-6", json!("needle-7")),
        ("userEmail", json!(["needle-8"])),
    ] {
        let signature = client.sign(&format!("zencardtest|{}", credentials.alix.secret_key));
        let mut body = json!({"partnerCode": "zencardtest", "refreshToken": "x", "signature": signature});
        body[field] = value;
        client.send("POST", CARD, &[json], body.to_string()).await;
        client.send("POST", CARD, &[json], body.to_string().replacen('}', ",\"needle-9\":\"needle\"", 1)).await;
        client.send("POST", CARD, &[json], format!("{{\"needle-9\":1,{}", &body.to_string()[1..])).await;
    }
    for header in ["authorization", "x-api-key", "x-user-ip", "x-auth-token", "sign", "partner-id", "content-language"]
    {
        for (method, path) in [
            ("GET", "/api/v2/auth/refresh"),
            ("POST", "/auth/oauth/refresh-token"),
            ("POST", "/sgs/api/oauth2/authz/refresh-token"),
            ("POST", "/sgs/verifySign"),
        ] {
            for value in ["needle", "Bearer needle"] {
                client.send(method, path, &[json, (header, value)], "").await;
                client
                    .send(
                        method,
                        path,
                        &[json, ("authorization", "x"), ("partner-id", "200001200101"), (header, value)],
                        "needle",
                    )
                    .await;
            }
        }
    }
    client.send("POST", &format!("/api/v2/auth/refresh/{token}?refreshToken={token}"), &[], "").await;
    needles.extend([token, card.access_token, "needle".to_owned()]);

    let events = client.sandbox.events();
    assert!(events.len() > 100, "the requests were sent");
    let issued = client.sandbox.issue(Call::PayBy);
    needles.extend([issued.access_token.clone(), issued.refresh_token.clone().expect("a refresh token")]);
    let shown = format!(
        "{events:?} {events:#?} {:?} {:#?} {issued:?} {credentials:?} {credentials:#?}",
        client.sandbox, client.sandbox
    ) + &events.iter().map(ToString::to_string).collect::<String>();
    for needle in &needles {
        assert!(needle.len() >= 6);
        assert!(!shown.contains(needle.as_str()), "{needle} is shown");
    }
    assert!(shown.contains("***"), "secret parts are starred, not left out");
}
