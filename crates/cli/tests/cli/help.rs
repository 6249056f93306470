//! What the binary says of itself, and about a command line that it cannot read.

use crate::support::Run;

fn help(arguments: &[&str]) -> String {
    Run::new(arguments).done().output()
}

#[test]
fn help_of_the_whole() {
    insta::assert_snapshot!(help(&["--help"]));
    assert_eq!(help(&["help"]), help(&["--help"]));
}

#[test]
fn help_of_each_command() {
    for command in [
        "demo",
        "sandbox",
        "init",
        "refresh",
        "import",
        "token",
        "reject",
        "status",
        "settle",
        "forget",
        "reseal",
        "keep",
        "sign",
        "verify",
        "decode",
        "completions",
        "man",
    ] {
        insta::assert_snapshot!(command, help(&[command, "--help"]));
        assert_eq!(help(&["help", command]), help(&[command, "--help"]));
    }
}

#[test]
fn the_version() {
    assert_eq!(help(&["--version"]), format!("rampauth {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(help(&["-V"]), help(&["--version"]));
}

#[test]
fn usage_errors_have_the_form_of_all_others() {
    for (arguments, message) in [
        (&["--json"][..], "a command is missing"),
        (&["refresh", "--json"], "`<PROFILE>` is missing"),
        (&["--json", "refresh", "card", "--nope"], "there is no such option `--nope`"),
        (
            &["sandbox", "--listen", "nowhere", "--json"],
            "the value of `--listen <IP:PORT>` is not IP:PORT, such as 127.0.0.1:4010",
        ),
        (&["verify", "payby", "--json"], "`--signature-file <FILE>` is missing"),
    ] {
        let refusal = Run::new(arguments).done().refusal();
        assert_eq!(refusal, format!("failed to read the command line: {message}"), "{arguments:?}");
    }
    let done = Run::new(&["refresh"]).done();
    insta::assert_snapshot!(done.stderr, @r"
    error: failed to read the command line: `<PROFILE>` is missing
      help: usage: rampauth refresh <PROFILE>
    ");
    assert_eq!((done.code, done.stdout.as_str()), (2, ""));
}

#[test]
fn without_a_command_people_see_the_help_and_scripts_a_failure() {
    let done = Run::new(&[]).done();
    assert_eq!((done.code, done.stdout.as_str()), (2, ""));
    assert!(done.stderr.contains("Usage: rampauth") && done.stderr.contains("error: "), "{}", done.stderr);
}
