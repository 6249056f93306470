//! Failures that providers document, asked for by name.

use rampauth_sandbox::{Call, Failure, Reuse, Sandbox, Verdict};
use serde_json::{Value, json};

use crate::support::Client;

const ONBOARD: &str = "/auth/oauth/refresh-token";
const TRANSAK: &str = "/api/v2/auth/refresh";
const PAYBY: &str = "/sgs/api/oauth2/authz/refresh-token";

#[tokio::test]
async fn the_documented_failures_of_onboard_come_once_each_in_order_and_spend_nothing() {
    let client = Client::start().await;
    let token = client.sandbox.issue(Call::Onboard).refresh_token.expect("a refresh token");
    client.sandbox.fail_next(Call::Onboard, Failure::Forbidden).expect("documented");
    client.sandbox.fail_next(Call::Onboard, Failure::ServerError).expect("documented");
    for (status, body) in [
        (403, json!({"code": "ACCESS_DENIED", "message": "Forbidden request"})),
        (500, json!({"code": "UNKNOWN_ERROR", "message": "Request could not be completed due to an error"})),
    ] {
        let reply = client.send("POST", ONBOARD, &[("x-auth-token", &token)], "").await;
        assert_eq!((reply.status, reply.json(), reply.event.verdict), (status, body, Verdict::Failed));
        assert_eq!(reply.event.reason, "as arranged: nothing was looked at");
    }
    client.send("POST", ONBOARD, &[("x-auth-token", &token)], "").await.granted();
}

#[tokio::test]
async fn a_failure_after_the_exchange_spends_the_token_and_looks_like_one_before_it() {
    let client = Client::of(Sandbox::builder().reuse(Reuse::Refused).start().await.expect("a sandbox"));
    let old = client.sandbox.issue(Call::TransakUser).access_token;
    client.sandbox.fail_next(Call::TransakUser, Failure::ServerError).expect("documented");
    client.sandbox.fail_next(Call::TransakUser, Failure::ServerErrorAfterExchange).expect("documented");
    let mut answers = Vec::new();
    for _ in 0..2 {
        let reply = client.send("GET", TRANSAK, &[("authorization", &old)], "").await;
        assert_eq!(reply.status, 500);
        answers.push(reply.json());
    }
    let documented = json!({"error": {"statusCode": 500, "message": "Internal Server Error"}});
    assert_eq!(answers, [documented.clone(), documented]);
    let reply = client.send("GET", TRANSAK, &[("authorization", &old)], "").await;
    assert_eq!(reply.status, 401, "{}", reply.event);
}

#[tokio::test]
async fn a_request_that_is_refused_keeps_its_refusal() {
    let client = Client::start().await;
    client.sandbox.fail_next(Call::Onboard, Failure::ServerErrorAfterExchange).expect("documented");
    let reply = client.send("POST", ONBOARD, &[("x-auth-token", "unheard-of")], "").await;
    assert_eq!(reply.refused(401, "the token was not issued by this sandbox")["code"], "RE_AUTHENTICATE");
}

#[tokio::test]
async fn paybys_failures_are_codes_of_its_head() {
    let client = Client::start().await;
    for (failure, code, msg) in
        [(Failure::Forbidden, "403", "UNAUTHORIZED"), (Failure::ServerError, "500", "SYSTEM_ERROR")]
    {
        client.sandbox.fail_next(Call::PayBy, failure).expect("documented");
        let reply = client.send("POST", PAYBY, &[("content-type", "application/json")], "{}").await;
        let answer: Value = reply.json();
        assert_eq!((reply.status, &answer["head"]["code"], &answer["head"]["msg"]), (200, &json!(code), &json!(msg)));
        assert_eq!(reply.header("sign"), None);
    }
}

#[tokio::test]
async fn what_no_page_documents_is_not_played() {
    let client = Client::start().await;
    for (call, failure) in [
        (Call::AlixCard, Failure::Forbidden),
        (Call::AlixOnOffRamp, Failure::ServerError),
        (Call::TransakUser, Failure::Forbidden),
    ] {
        let error = client.sandbox.fail_next(call, failure).expect_err("not documented");
        assert_eq!((error.call, error.failure), (call, failure));
    }
}
