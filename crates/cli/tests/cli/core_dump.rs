//! A crash leaves nothing of the process's memory on the disk.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use rampauth_sandbox::Sandbox;

use crate::support::{Kit, start};

#[test]
fn a_crash_leaves_no_core_dump() {
    let kit = Kit::of(&start(Sandbox::builder()));
    // The limit that would allow one, and a command that runs until it is stopped.
    let run = kit.home.run(&["sandbox"]).through_shell(r#"ulimit -c unlimited && exec "$@""#);
    let mut child = run.into_command().stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary starts");
    let mut ready = String::new();
    let mut stdout = std::io::BufReader::new(child.stdout.take().expect("a pipe"));
    std::io::BufRead::read_line(&mut stdout, &mut ready).expect("a line when it is ready");
    let kill = Command::new("kill").args(["-ABRT", &child.id().to_string()]).status();
    assert!(kill.expect("kill runs").success());
    let status = child.wait().expect("an end");
    assert_eq!((status.signal(), status.core_dumped()), (Some(6), false));
    let files = std::fs::read_dir(kit.home.path()).expect("the folder");
    let cores = files.filter(|file| file.as_ref().expect("an entry").file_name().to_string_lossy().starts_with("core"));
    assert_eq!(cores.count(), 0);
}
