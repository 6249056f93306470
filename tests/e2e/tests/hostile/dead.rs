//! A token that is dead at a provider which has no code for that: refused again and again, it is *failing*, and tried at the longest
//! pause from then on.

use std::time::Duration;

use rampauth_core::{Expiry, Outcome, SystemClock};
use rampauth_keeper::{EventKind, Keeper, MemoryStore, SessionKey, State, StoreExt as _};
use rampauth_test_kit::scripted::{Script, ScriptedServer, response};

use crate::subject::Call;

const LONGEST: Duration = Duration::from_millis(700);

/// What the vendors answer to a token that is spent, as far as anybody knows.
async fn refusal(call: Call) -> Vec<u8> {
    let payby = br#"{"head":{"applyStatus":"FAIL","code":"62001","msg":"m"}}"#;
    match call {
        Call::PayBy => call.answer(None, payby, payby).await,
        Call::AlixCard => response(400, &[], r#"{"success":false,"message":"m","data":null,"errorCode":32}"#),
        _ => response(400, &[], r#"{"error":"Invalid request"}"#),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_token_without_a_code_is_failing_after_ten_refusals_and_tried_at_the_longest_pause() {
    for call in [Call::AlixCard, Call::AlixOnOffRamp, Call::PayBy] {
        let server = ScriptedServer::start(Script::Raw(refusal(call).await));
        let store = MemoryStore::new();
        let keeper = Keeper::builder(store.clone()).floor(Duration::from_millis(2), LONGEST).spawn().expect("a keeper");
        let mut events = keeper.events();
        let key = SessionKey::parse("any/sandbox/account").expect("a key");
        let session = keeper.session(key.clone(), call.provider(&server.url())).await.expect("a session");
        let mut login = call.login();
        login.access_expiry = Expiry::At(rampauth_core::Clock::now(&SystemClock));
        session.put(login).await.expect("saved");

        // By itself, and not by a person's hand.
        let mut happened = Vec::new();
        let refusals = loop {
            match events.next().await.expect("a keeper").kind {
                EventKind::Failing { refusals } => break refusals,
                kind => happened.push(kind.as_str()),
            }
        };
        assert_eq!((refusals, server.requests().len()), (10, 10), "{call:?}");
        assert!(happened.iter().all(|kind| *kind == "refresh_failed"), "{call:?}: {happened:?}");
        let record = store.load(&key).await.expect("a store in order").expect("a record");
        assert_eq!((record.state, record.refusals, record.generation), (State::Ready, 10, 1), "{call:?}");

        // Callers are told, and send nothing.
        let error = session.access_token().await.expect_err("none that could be used");
        assert!(error.help().contains("a login is probably needed"), "{call:?}: {}", error.help());
        assert_eq!(server.requests().len(), 10, "{call:?}");
        tokio::time::sleep(3 * LONGEST + LONGEST / 2).await;
        let tried = server.requests().len() - 10;
        assert!((1..=3).contains(&tried), "{call:?}: {tried} in three and a half of the longest pauses");
        // A person's word goes through, and the answer is the provider's.
        let error = session.refresh().await.expect_err("refused");
        assert_eq!(error.outcome(), Outcome::Refused, "{call:?}");
        keeper.shutdown().await;
    }
}
