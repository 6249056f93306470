//! `completions` and `man`: what packagers take.

use crate::support::Run;

const COMMANDS: [&str; 18] = [
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
    "help",
];

fn printed(arguments: &[&str]) -> String {
    Run::new(arguments).done().output()
}

#[track_caller]
fn assert_is_fit(what: &str, text: &str) {
    assert!(!text.contains("victim"), "{what}: a hidden command");
    for place in [env!("CARGO_BIN_EXE_rampauth"), env!("CARGO_MANIFEST_DIR"), "/root", "/home", "/work", "target/"] {
        assert!(!text.contains(place), "{what} holds {place}");
    }
}

#[test]
fn completions_of_each_shell_know_every_command_that_is_shown() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = printed(&["completions", shell]);
        assert_is_fit(shell, &script);
        for command in COMMANDS {
            assert!(script.contains(command), "{shell} lacks {command}");
        }
        for option in ["--if-none", "--signature-file", "--json", "--config"] {
            assert!(script.contains(option.trim_start_matches('-')), "{shell} lacks {option}");
        }
    }
    let done = Run::new(&["completions", "tcsh", "--json"]).done();
    assert_eq!(
        done.refusal(),
        "failed to read the command line: the value of `<SHELL>` is none of bash, elvish, fish, powershell, zsh"
    );
}

#[test]
fn the_manual_page_describes_every_command_that_is_shown() {
    let page = printed(&["man"]);
    assert!(page.starts_with(".ie") && page.contains(".TH rampauth"), "{}", &page[..200.min(page.len())]);
    assert_is_fit("the page", &page);
    for command in COMMANDS.iter().filter(|command| **command != "help") {
        assert!(page.contains(&format!(".SH \"RAMPAUTH-{}\"", command.to_uppercase())), "{command}");
    }
    for word in ["Exit codes", "if\\-none", "signature\\-file", "PROFILE"] {
        assert!(page.contains(word), "{word}");
    }
}
