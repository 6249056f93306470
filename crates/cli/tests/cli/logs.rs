//! `RAMPAUTH_LOG`: what is logged, and that it stays on standard error.

use crate::support::{Home, Run};

#[test]
fn the_filter_decides_what_is_logged() {
    let home = Home::at("http://127.0.0.1:9");
    let stderr = |filter: &str| {
        let done = home.run(&["sign", "card"]).env("RAMPAUTH_LOG", filter).done();
        assert_eq!(done.code, 0, "{}", done.stderr);
        assert!(done.stdout.starts_with("stringToSign: "), "{}", done.stdout);
        done.stderr
    };
    for quiet in ["", "off", "warn", "info", "rampauth=info,other=trace"] {
        assert_eq!(stderr(quiet), "", "{quiet}");
    }
    for loud in ["debug", "rampauth=debug", "warn,rampauth=trace"] {
        let log = stderr(loud);
        assert!(log.contains("DEBUG rampauth::config: read the configuration file=rampauth.toml"), "{log}");
        assert!(!log.contains('\x1b'), "no colour beside a terminal: {log}");
    }
}

/// Where the code of a remark is concerns nobody who has not asked to see by what it can be filtered.
#[test]
fn remarks_look_like_errors_and_name_no_module() {
    let tokens = r#"{"acessToken":"a","refreshToken":"r"}"#;
    let stderr = |arguments: &[&str], filter: &str| {
        let home = Home::stored_at("http://127.0.0.1:9");
        home.run(arguments).env("RAMPAUTH_LOG", filter).stdin(tokens).done().stderr
    };
    let remark = "`acessToken` is no known member; perhaps `accessToken`";
    assert_eq!(stderr(&["import", "card"], ""), format!("warning: {remark}\n"));
    let filtered = stderr(&["import", "card"], "info");
    assert!(filtered.contains("WARN rampauth::tokens::given: "), "{filtered}");
    let json: serde_json::Value = serde_json::from_str(&stderr(&["import", "card", "--json"], "")).expect("one line");
    assert_eq!((&json["level"], &json["fields"]["message"]), (&"WARN".into(), &remark.into()));
}

#[test]
fn what_is_no_filter_is_refused() {
    for filter in ["rampauth=loud", "a=b=c"] {
        let refusal = Run::new(&["decode", "--json"]).env("RAMPAUTH_LOG", filter).done().refusal();
        assert_eq!(refusal, "failed to read the environment: RAMPAUTH_LOG is not a filter", "{filter}");
    }
}
