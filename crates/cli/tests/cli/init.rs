//! `init`: where the file is written, and that it can be used.

use std::fs;

use crate::support::{Home, Run};

#[test]
fn the_file() {
    let home = Home::new("");
    let run = home.run(&["init", "--config", "new.toml"]).done();
    assert_eq!(run.output(), "wrote new.toml: keep the profiles that you need\n");
    let text = fs::read_to_string(home.path().join("new.toml")).expect("a file");
    insta::assert_snapshot!(text);
    let refusal = home.run(&["refresh", "nope", "--json", "--config", "new.toml"]).done().refusal();
    assert!(refusal.ends_with("it has card, onboard, payby, ramp, user"), "{refusal}");
}

#[test]
fn it_goes_where_the_other_commands_look() {
    let folder = tempfile::tempdir().expect("a folder");
    let init = |run: Run, name: &str| {
        let mut command = run.into_command();
        let output = command.current_dir(folder.path()).output().expect("the binary runs");
        assert!(output.status.success());
        assert!(folder.path().join(name).exists(), "{name}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    assert_eq!(init(Run::new(&["--json", "init"]), "rampauth.toml"), "{\"path\":\"rampauth.toml\"}\n");
    init(Run::new(&["init"]).env("RAMPAUTH_CONFIG", "from-env.toml"), "from-env.toml");
    init(Run::new(&["--config", "from-argument.toml", "init"]).env("RAMPAUTH_CONFIG", "x"), "from-argument.toml");
}

#[test]
fn what_exists_is_left_as_it_is() {
    let home = Home::new("# mine");
    let refusal = home.run(&["init", "--json"]).done().refusal();
    assert_eq!(refusal, "failed to write the configuration: rampauth.toml exists, and is left as it is");
    assert_eq!(fs::read_to_string(home.path().join("rampauth.toml")).expect("a file"), "# mine");
    let refusal = home.run(&["init", "--json", "--config", "nowhere/x.toml"]).done().refusal();
    assert!(refusal.starts_with("failed to write the configuration: nowhere/x.toml cannot be written"), "{refusal}");
}
