//! Transak's user token: what it grants and every reason to refuse.

use std::time::Duration;

use rampauth_sandbox::{Call, Sandbox};
use serde_json::json;

use crate::support::{Client, jwt, seconds};

const PATH: &str = "/api/v2/auth/refresh";

#[tokio::test]
async fn a_live_token_is_renewed() {
    let client = Client::start().await;
    let old = client.sandbox.issue(Call::TransakUser);
    assert!(old.refresh_token.is_none() && old.refresh_token_expires_at.is_none());
    let reply = client.send("GET", PATH, &[("authorization", &old.access_token)], "").await;
    let answer = reply.granted();
    assert_eq!(reply.event.reason, "access token renewed; the one presented is replaced");
    let new = answer["data"]["accessToken"].as_str().expect("text").to_owned();
    assert_eq!(answer, json!({"data": {"accessToken": new}}));
    let (header, claims) = jwt(&new);
    assert_eq!(header, json!({"alg": "HS256", "typ": "JWT"}));
    let (iat, exp) = (claims["iat"].as_u64().expect("seconds"), claims["exp"].as_u64().expect("seconds"));
    // 30 days, and a second more where the old one was issued in the same second: it expires later than that in any case.
    let old_exp = jwt(&old.access_token).1["exp"].as_u64().expect("seconds");
    assert!(exp > old_exp && (2_592_000..=2_592_001).contains(&(exp - iat)), "{old_exp} {exp} {iat}");
    assert!(seconds(client.sandbox.now()).abs_diff(iat) <= 5);
    assert_eq!((&claims["active"], &claims["token_type"]), (&json!(true), &json!("Bearer")));
    assert_eq!((&claims["permissions"], &claims["roles"]), (&json!([]), &json!([])));
    assert_eq!(claims["iss"], "https://transak.com/auth");
    assert!(claims["sub"].as_str().expect("text").contains('@'));
    assert!(claims["jti"] != jwt(&old.access_token).1["jti"], "every token has its own id");
    assert!(claims["aud"].is_string());

    // The old one is replaced; the new one is alive until it ends.
    let reply = client.send("GET", PATH, &[("authorization", &old.access_token)], "").await;
    let answer = reply.refused(401, "access token was already replaced by a newer one");
    assert_eq!(answer["error"]["errorCode"], 1002);
    client.sandbox.advance(Duration::from_secs(2_592_000 - 30));
    let key = client.sandbox.credentials().transak.api_key.clone();
    let headers = [("authorization", new.as_str()), ("x-api-key", &key), ("x-user-ip", "2001:db8::1")];
    client.send("GET", PATH, &headers, "").await.granted();
}

#[tokio::test]
async fn an_expired_token_is_beyond_renewal() {
    let sandbox = Sandbox::builder().access_lifetime(Duration::from_secs(60)).start().await.expect("a sandbox");
    let client = Client::of(sandbox);
    let token = client.sandbox.issue(Call::TransakUser).access_token;
    client.sandbox.advance(Duration::from_secs(60));
    let reply = client.send("GET", PATH, &[("authorization", &token)], "").await;
    assert!(reply.event.reason.starts_with("access token expired "), "{}", reply.event);
    assert_eq!(reply.status, 401);
    assert_eq!(reply.json(), json!({"error": {"statusCode": 401, "message": "Unauthorized", "errorCode": 1002}}));
}

#[tokio::test]
async fn headers_are_those_of_the_page() {
    let client = Client::start().await;
    let token = client.sandbox.issue(Call::TransakUser).access_token;
    let bearer = format!("Bearer {token}");
    let other = client.sandbox.issue(Call::AlixCard).access_token;
    let authorization = ("authorization", token.as_str());
    let of_a_partner = |name| format!("header {name} is a partner's: a user's call carries authorization alone");
    let bare = "authorization starts with \"Bearer \": the header is the bare token";
    for (headers, status, code, reason) in [
        (vec![], 401, json!(1002), "header authorization is missing"),
        (vec![("authorization", "")], 401, json!(1002), "header authorization is empty"),
        (vec![("authorization", &bearer)], 401, json!(1002), bare),
        (vec![authorization, authorization], 401, json!(1002), "header authorization came more than once"),
        (vec![("authorization", "e30.e30.x")], 401, json!(1002), "the token was not issued by this sandbox"),
        (vec![("authorization", &other)], 401, json!(1002), "the token was issued for alix-card, not for this call"),
        (vec![authorization, ("x-api-key", "wrong")], 401, json!(null), "x-api-key is not the sandbox's API key"),
        (
            vec![authorization, ("x-user-ip", "10.0.0.1, 10.0.0.2")],
            400,
            json!(9001),
            "x-user-ip is not exactly one IPv4 or IPv6 address",
        ),
        (vec![authorization, ("api-secret", "s")], 400, json!(9001), &of_a_partner("api-secret")),
        (vec![authorization, ("access-token", "")], 400, json!(9001), &of_a_partner("access-token")),
        (vec![("x-access-token", token.as_str())], 400, json!(9001), &of_a_partner("x-access-token")),
        (vec![authorization, ("x-user-identifier", "u")], 400, json!(9001), &of_a_partner("x-user-identifier")),
    ] {
        let answer = client.send("GET", PATH, &headers, "").await.refused(status, reason);
        assert_eq!(answer["error"]["statusCode"], json!(status));
        assert_eq!(answer["error"]["errorCode"], code);
        assert!(answer["error"]["message"].is_string());
    }
    let reply = client.send("GET", PATH, &[authorization], "{}").await;
    reply.refused(400, "the call has no body, yet one came");
    // None of these spent it.
    client.send("GET", PATH, &[authorization], "").await.granted();
}
