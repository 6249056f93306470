//! How requests travel: through a proxy, under a CA of one's own, and nothing of it set up where nothing is sent.

use rampauth_test_kit::needle::Needle;
use rampauth_test_kit::scripted::{Script, ScriptedServer, response};
use serde_json::json;

use crate::support::{Done, Home, Run, SEALED, profiles};
use crate::tunnel::{CA, ConnectProxy, TlsProvider};

const TOKENS: &str = r#"{"accessToken":"a","refreshToken":"r"}"#;
/// Where nothing listens in this test: only a proxy knows the host.
const PROVIDER: &str = "https://provider.test";

/// A folder with `card` at this address and these lines, at the top and of the profile.
fn home(top: &str, base_url: &str, own: &str) -> Home {
    let home = Home::new(&format!(
        "{top}[profile.card]\nprovider = \"alix-card\"\nbase_url = \"{base_url}\"\npartner_code = \"p\"\n\
         secret_key = {{ file = \"secret.txt\" }}\nsigning_key = {{ file = \"partner.pem\" }}\n{own}"
    ));
    home.write("ca.pem", CA);
    home
}

fn refresh(home: &Home, more: &[&str]) -> Run {
    let mut run = home.run(&[&["refresh", "card", "--json"], more].concat()).stdin(TOKENS);
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"] {
        run = run.env(name, "");
    }
    run
}

#[track_caller]
fn assert_granted(done: Done) {
    assert_eq!(done.json()["refreshToken"], "s");
}

#[test]
fn a_refresh_goes_through_the_proxy_and_trusts_the_ca() {
    let provider = TlsProvider::start();
    let proxy = ConnectProxy::to(&provider);
    let (url, nowhere) = (format!("http://{}", proxy.address()), "proxy = \"http://127.0.0.1:9\"\n");
    let (own, ca) = (format!("proxy = \"{url}\"\n"), "ca_file = \"ca.pem\"\n");
    let by_variable = "proxy = { env = \"PROXY\" }\n";
    for (served, (top, of_profile)) in (1..).zip([
        (format!("{own}{ca}"), String::new()),
        // The profile's own word counts more.
        (format!("{nowhere}ca_file = \"nowhere.pem\"\n"), format!("{own}{ca}")),
        (ca.to_owned(), by_variable.to_owned()),
        (by_variable.to_owned(), ca.to_owned()),
    ]) {
        let home = home(&top, PROVIDER, &of_profile);
        // A scheme that is left out is http, as in everybody's environment.
        assert_granted(refresh(&home, &[]).env("PROXY", proxy.address().to_string()).done());
        assert_eq!((proxy.requests().len(), provider.requests().len()), (served, served), "{top}{of_profile}");
    }
    // The proxy sees whereto, and the provider alone what.
    assert!(proxy.requests()[0].starts_with("CONNECT provider.test:443 HTTP/1.1\r\n"), "{:?}", proxy.requests());
    assert!(provider.requests()[0].starts_with("POST /api/v2/auth/refresh-token HTTP/1.1\r\n"));
}

#[test]
fn a_certificate_of_a_ca_that_is_not_named_is_refused_and_nothing_is_sent() {
    let provider = TlsProvider::start();
    let proxy = ConnectProxy::to(&provider);
    let top = format!("proxy = \"http://{}\"\nca_file = \"ca.pem\"\n", proxy.address());
    let done = refresh(&home(&top, PROVIDER, "ca_file = false\n"), &[]).done();
    let error = done.error();
    assert_eq!((done.code, &error["kind"], &error["outcome"]), (6, &json!("unreachable"), &json!("not_sent")));
    assert!(error["message"].as_str().expect("a text").contains("certificate was not accepted"), "{error}");
    assert_eq!((proxy.requests().len(), provider.requests().len()), (1, 0));
}

#[test]
fn this_machine_is_reached_directly_and_a_profile_may_do_without() {
    let server = ScriptedServer::start(Script::Raw(response(
        200,
        &[],
        r#"{"success":true,"data":{"accessToken":"b","refreshToken":"s"},"errorCode":0}"#,
    )));
    let proxy = ScriptedServer::start(Script::Raw(response(502, &[], "")));
    let top = format!("proxy = \"{}\"\n", proxy.url());
    for own in ["", "proxy = false\n"] {
        assert_granted(refresh(&home(&top, &server.url(), own), &[]).done());
    }
    // A name that nobody knows: the proxy is not asked for it.
    let done = refresh(&home(&top, "https://provider.invalid:9", "proxy = false\n"), &[]).done();
    assert_eq!((done.code, proxy.connections()), (6, 0), "{}", done.stderr);
    assert!(!done.error()["help"].as_str().expect("a text").contains("proxy"), "{}", done.stderr);
    let done = refresh(&home(&top, "https://provider.invalid:9", ""), &[]).done();
    assert_eq!((done.code, proxy.connections()), (6, 1), "{}", done.stderr);
    let help = "it was tried through the proxy of top level, key `proxy` (rampauth.toml:1)";
    assert!(done.error()["help"].as_str().expect("a text").ends_with(help), "{}", done.stderr);
}

#[test]
fn the_password_of_a_proxy_reaches_the_proxy_and_nobody_else() {
    let needle = Needle::new("proxy");
    let proxy = ScriptedServer::start(Script::Raw(response(407, &[], "")));
    let url = proxy.url().replace("http://", &format!("http://user:{needle}@"));
    for (top, kind) in [
        ("proxy = { env = \"PROXY\" }\n".to_owned(), "unreachable"),
        ("proxy = { file = \"proxy.txt\" }\n".to_owned(), "unreachable"),
        (format!("proxy = \"{url}\"\n"), "config"),
        (format!("proxy = \"//{url}\"\n"), "config"),
        (format!("proxy = [\"{url}\"]\n"), "config"),
        (format!("ca_file = \"{url}\"\n"), "config"),
    ] {
        for more in [&[][..], &[("RAMPAUTH_LOG", "trace")]] {
            let home = home(&top, PROVIDER, "");
            home.write("proxy.txt", format!("{url}\n"));
            let mut run = refresh(&home, &[]).env("PROXY", &url);
            for (name, value) in more {
                run = run.env(name, value);
            }
            let done = run.done();
            assert!(done.stderr.contains(&format!("\"kind\":\"{kind}\"")), "{top}{}", done.stderr);
            assert_eq!(done.code, if kind == "config" { 2 } else { 6 });
            needle.assert_absent_from_nonempty("standard error", &done.stderr);
        }
    }
    let asked = proxy.requests();
    assert_eq!(asked.len(), 4);
    assert!(asked.iter().all(|asked| asked.header("proxy-authorization").is_some()), "it was held");
}

#[test]
fn what_is_wrong_with_a_proxy_or_a_ca_is_named_before_anything_is_sent() {
    let place = |key: &str| format!("failed to read the configuration: top level, key `{key}` (rampauth.toml:1)");
    let no_url = "it is not a URL such as http://proxy.example.com:3128";
    let user = "a user or a password must not stand here: take the whole URL from a variable or a file";
    let no_ca = "the file that it names does not hold valid CA certificates in PEM";
    for (line, reason) in [
        ("proxy = true", "it is neither a URL nor the place of one nor false"),
        ("proxy = 3128", "it is neither a URL nor the place of one nor false"),
        ("proxy = \"\"", no_url),
        ("proxy = \"http://me@proxy.example.com\"", user),
        ("proxy = \"socks5://proxy.example.com:1080\"", "its scheme is neither http nor https"),
        ("proxy = \"http://proxy.example.com:0\"", "its host or port is not valid"),
        ("proxy = \"http://proxy.example.com/way\"", "it has more than a host and a port"),
        ("proxy = { env = \"UNSET\" }", "the environment variable that it names, `UNSET`, is not set"),
        ("proxy = { env = \"EMPTY\" }", "the environment variable that it names, `EMPTY`, is empty"),
        ("proxy = { env = \"NO_URL\" }", no_url),
        ("proxy = { file = \"nowhere\" }", "the file that it names, `nowhere`, cannot be read"),
        ("ca_file = true", "it is neither the path of a file nor false"),
        ("ca_file = \"\"", "it is neither the path of a file nor false"),
        ("ca_file = \"nowhere.pem\"", "the file that it names, `nowhere.pem`, cannot be read"),
        ("ca_file = \".\"", "the file that it names, `.`, cannot be read"),
        ("ca_file = \"empty.pem\"", "the file that it names is empty"),
        ("ca_file = \"partner.pem\"", no_ca),
        ("ca_file = \"broken.pem\"", no_ca),
        ("ca_file = \"long.pem\"", "the file that it names is longer than 1 MiB"),
    ] {
        let home = home(&format!("{line}\n"), PROVIDER, "");
        home.write("empty.pem", "");
        home.write("long.pem", vec![b'\n'; 1024 * 1024 + 1]);
        home.write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        let refusal = refresh(&home, &[]).env("EMPTY", "").env("NO_URL", "a proxy").done().refusal();
        assert_eq!(refusal, format!("{}: {reason}", place(line.split(' ').next().expect("a key"))), "{line}");
    }
}

#[test]
fn a_proxy_of_the_environment_that_is_not_used_is_named_where_a_connection_fails() {
    let hint = |variable: &str| {
        format!(
            "; the proxy of {variable} is not used: to use it, write proxy = {{ env = \"{variable}\" }} in the configuration"
        )
    };
    let help = |base_url: &str, own: &str, variable: &str| {
        let done = refresh(&home("", base_url, own), &[]).env(variable, "http://127.0.0.1:9").done();
        assert_eq!(done.code, 6, "{}", done.stderr);
        done.error()["help"].as_str().expect("a text").to_owned()
    };
    let elsewhere = "https://provider.invalid:9";
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let help = help(elsewhere, "", variable);
        assert!(help.ends_with(&hint(variable)), "{help}");
    }
    for (base_url, own, variable) in [
        (elsewhere, "proxy = false\n", "HTTPS_PROXY"),
        // Plain http is spoken with this machine alone, which no proxy stands before.
        (elsewhere, "", "HTTP_PROXY"),
        ("http://127.0.0.1:9", "", "HTTPS_PROXY"),
    ] {
        assert!(!help(base_url, own, variable).contains("proxy"), "{base_url} {own} {variable}");
    }
}

/// A machine on which nothing can be sent: no CA certificates, no keys, no secret, no proxy.
fn without_anything(home: &Home, arguments: &[&str]) -> Run {
    for name in ["partner.pem", "secret.txt", "alix.pub.pem", "payby.pub.pem"] {
        std::fs::remove_file(home.path().join(name)).ok();
    }
    home.run(arguments).env("SSL_CERT_FILE", "/nowhere/at/all").env("SSL_CERT_DIR", "/nowhere/at/all")
}

#[test]
fn a_fresh_token_takes_no_key_and_no_ca() {
    let server = ScriptedServer::start(Script::Raw(response(500, &[], "")));
    let top = format!("{SEALED}proxy = {{ env = \"UNSET\" }}\nca_file = \"nowhere.pem\"\n");
    let tokens = |expiry| format!(r#"{{"accessToken":"a","refreshToken":"r","accessTokenExpiresAt":"{expiry}"}}"#);
    for profile in ["card", "ramp", "user", "payby", "onboard"] {
        let home = Home::new(&format!("{top}{}", profiles(&server.url())));
        let import = |expiry| home.run(&["import", profile]).stdin(tokens(expiry)).done().output();
        // Storing sends nothing either.
        assert_eq!(import("2126-01-01T00:00:00Z"), "");
        assert_eq!(without_anything(&home, &["token", profile]).done().output(), "a\n");
        let json = without_anything(&home, &["token", profile, "--json"]).done().json();
        assert_eq!(json, json!({"accessToken": "a", "accessTokenExpiresAt": "2126-01-01T00:00:00Z"}));
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_token_that_has_to_be_refreshed_takes_them_before_anything_is_written_down() {
    let server = ScriptedServer::start(Script::Raw(response(500, &[], "")));
    let home = Home::stored_at(&server.url());
    let old = r#"{"accessToken":"a","refreshToken":"r","accessTokenExpiresAt":"2020-01-01T00:00:00Z"}"#;
    home.run(&["import", "card"]).stdin(old).done().output();
    let before = home.run(&["status", "--json"]).done().json();
    let no_ca = |command: &str| {
        let run = home.run(&[command, "card", "--json"]);
        run.env("SSL_CERT_FILE", "/nowhere/at/all").env("SSL_CERT_DIR", "/nowhere/at/all").done()
    };
    for command in ["token", "refresh"] {
        // The system's own words differ.
        let refusal = no_ca(command).refusal();
        assert!(refusal.starts_with("failed to build the HTTP client: TLS could not be set up"), "{refusal}");
    }
    for command in ["token", "refresh"] {
        let refusal = without_anything(&home, &[command, "card", "--json"]).done().refusal();
        assert!(refusal.starts_with("failed to read the configuration: profile `card`, key `secret_key`"), "{refusal}");
    }
    assert_eq!((home.run(&["status", "--json"]).done().json(), server.connections()), (before, 0));
}
