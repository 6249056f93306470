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

#[test]
fn what_is_no_filter_is_refused() {
    for filter in ["rampauth=loud", "a=b=c"] {
        let refusal = Run::new(&["decode", "--json"]).env("RAMPAUTH_LOG", filter).done().refusal();
        assert_eq!(refusal, "failed to read the environment: RAMPAUTH_LOG is not a filter", "{filter}");
    }
}
