//! Proxies of the ready-made HTTP client: none unless asked for, and none for this machine even then.
#![cfg(feature = "reqwest")]

use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use rampauth_core::{HttpClient, Outcome, ReqwestClient, ReqwestClientBuilder, TransportError, TransportFailure};
use rampauth_test_kit::logs::render_error;
use rampauth_test_kit::scripted::{Script, ScriptedServer, response};

/// Set where a test runs in a process of its own.
const CHILD: &str = "RAMPAUTH_TEST_CHILD";
const VARIABLES: [&str; 8] =
    ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"];

fn builder(server: &ScriptedServer) -> ReqwestClientBuilder {
    let base = reqwest::Client::builder().resolve("provider.test", server.address());
    ReqwestClient::from_builder(base).timeout(Duration::from_secs(2))
}

async fn get(client: &ReqwestClient, url: &str) -> Result<Response<Bytes>, TransportError> {
    let request = Request::get(url).header("x-token", "secret").body(Bytes::new());
    client.send(request.expect("a request")).await
}

fn answering() -> ScriptedServer {
    ScriptedServer::start(Script::Raw(response(200, &[], "{}")))
}

fn refusing_proxy() -> ScriptedServer {
    ScriptedServer::start(Script::Raw(response(502, &[], "")))
}

/// The https address of a provider that listens at `server`, which speaks no TLS: a call that gets there leaves the start
/// of a TLS hello.
fn provider(server: &ScriptedServer) -> String {
    format!("https://provider.test:{}/refresh", server.address().port())
}

#[tokio::test]
async fn a_proxy_is_asked_for_a_tunnel_and_sees_nothing_of_the_request() {
    let (proxy, server) = (refusing_proxy(), answering());
    let with_password = proxy.url().replace("http://", "http://user:pass@");
    let client = builder(&server).proxy(with_password).build().expect("a client");
    let error = get(&client, &provider(&server)).await.expect_err("no tunnel");
    assert_eq!(error.failure(), TransportFailure::Unreachable, "{}", render_error(&error));
    assert_eq!(error.into_error("refresh the tokens").outcome(), Outcome::NotSent);
    let asked = proxy.assert_exactly_one_request_async().await;
    let port = server.address().port();
    assert_eq!((asked.method, asked.path), ("CONNECT".to_owned(), format!("provider.test:{port}")));
    let mut names: Vec<_> = asked.headers.iter().map(|(name, _)| name.to_lowercase()).collect();
    names.sort_unstable();
    assert_eq!(names, ["host", "proxy-authorization"]);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn this_machine_is_never_reached_through_a_proxy() {
    let (proxy, server) = (refusing_proxy(), answering());
    let client = builder(&server).proxy(proxy.url()).build().expect("a client");
    let port = server.address().port();
    for (served, host) in (1..).zip(["127.0.0.1", "localhost", "LOCALHOST"]) {
        let answer = get(&client, &format!("http://{host}:{port}/")).await.expect(host);
        assert_eq!((answer.status().as_u16(), server.requests().len()), (200, served));
    }
    for url in
        [format!("https://127.0.0.1:{port}/"), format!("http://127.9.8.7:{port}/"), format!("http://[::1]:{port}/")]
    {
        let error = get(&client, &url).await.expect_err("nobody there");
        assert_eq!(error.failure(), TransportFailure::Unreachable, "{url}");
    }
    assert_eq!(proxy.connections(), 0);
    // The proxy is there: another machine would have been reached through it.
    get(&client, &provider(&server)).await.expect_err("no tunnel");
    assert_eq!(proxy.connections(), 1);
}

#[test]
fn the_proxy_of_the_environment_is_left_alone() {
    let name = "the_proxy_of_the_environment_is_left_alone";
    if !in_child() {
        let proxy = refusing_proxy();
        let url = proxy.url();
        let variables = VARIABLES[..6].iter().map(|variable| (*variable, url.as_str())).collect::<Vec<_>>();
        run_in_child(name, &variables);
        // The control alone: the variables are obeyed by who does not know better.
        assert_eq!(proxy.assert_exactly_one_request().path, "http://127.0.0.1:9/control");
        return;
    }
    runtime().block_on(async {
        let control = reqwest::Client::new().get("http://127.0.0.1:9/control").send().await;
        assert_eq!(control.expect("an answer of the proxy").status().as_u16(), 502);

        let server = answering();
        let client = builder(&server).build().expect("a client");
        get(&client, &server.url()).await.expect("an answer");
        get(&client, &provider(&server)).await.expect_err("no TLS");
        assert_eq!((server.requests().len(), server.connections()), (1, 2));
        get(&ReqwestClient::new().expect("a client"), &server.url()).await.expect("an answer");
    });
}

#[test]
fn the_proxy_of_the_environment_is_taken_when_asked_for() {
    let name = "the_proxy_of_the_environment_is_taken_when_asked_for";
    if !in_child() {
        for variable in &VARIABLES[2..6] {
            let proxy = refusing_proxy();
            run_in_child(name, &[(variable, &proxy.url()), (CHILD, "proxied")]);
            assert_eq!(proxy.assert_exactly_one_request().method, "CONNECT", "{variable}");
        }
        let proxy = refusing_proxy();
        let url = proxy.url();
        // An empty one is none.
        run_in_child(name, &[("HTTPS_PROXY", ""), ("ALL_PROXY", &url), (CHILD, "proxied")]);
        assert_eq!(proxy.assert_exactly_one_request().method, "CONNECT");
        for variables in [
            &[("HTTPS_PROXY", url.as_str()), ("NO_PROXY", "other.test, provider.test")][..],
            &[("https_proxy", &url), ("no_proxy", ".test")],
            &[("HTTPS_PROXY", &url), ("NO_PROXY", "*")],
            // For plain http, which only this machine is spoken to in.
            &[("HTTP_PROXY", &url), ("http_proxy", &url)],
            &[],
        ] {
            run_in_child(name, &[variables, &[(CHILD, "direct")]].concat());
        }
        assert_eq!(proxy.connections(), 1);
        return;
    }
    runtime().block_on(async {
        let server = answering();
        let client = builder(&server).proxy_from_environment().build().expect("a client");
        get(&client, &server.url()).await.expect("an answer, for it is this machine");
        get(&client, &provider(&server)).await.expect_err("neither a tunnel nor TLS");
        let direct = 1 + usize::from(role().as_deref() == Some("direct"));
        assert_eq!((server.requests().len(), server.connections()), (1, direct));
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

#[expect(clippy::disallowed_methods, reason = "a child process is told its part in the environment it is about")]
fn role() -> Option<String> {
    std::env::var(CHILD).ok()
}

fn in_child() -> bool {
    role().is_some()
}

/// Runs one test of this file again in a process with these variables: setting them in this one would be unsafe.
#[track_caller]
fn run_in_child(test: &str, variables: &[(&str, &str)]) {
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    VARIABLES.iter().for_each(|name| {
        child.env_remove(name);
    });
    child.env(CHILD, "").envs(variables.iter().copied());
    let output = child.args(["--exact", test]).output().expect("a child process");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "the child ran no test: {said}");
}
