//! Running other programs, from the root of the workspace.

use std::ffi::OsStr;
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::outcome::Failure;

/// `program` with `args`, to be run in `root`.
pub(crate) fn program<S: AsRef<OsStr>>(name: &str, root: &Path, args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root).args(args);
    command
}

/// cargo with `args`, to be run in `root`: the cargo that runs this program, because rustup hands its choice down.
pub(crate) fn cargo<S: AsRef<OsStr>>(root: &Path, args: impl IntoIterator<Item = S>) -> Command {
    program("cargo", root, args)
}

/// Shows the command, runs it with its output shown, and fails unless it succeeds.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    eprintln!("$ {}", shown(command));
    let status = command.stdin(Stdio::null()).status().map_err(|error| not_started(command, &error))?;
    if status.success() {
        return Ok(());
    }
    Err(format!("`{}` failed ({status}); its output is above", shown(command)).into())
}

/// Runs the command without showing it and returns what it printed; its complaints become the failure.
pub(crate) fn read(command: &mut Command) -> Result<Vec<u8>, Failure> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| not_started(command, &error))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{}` failed ({}): {}", shown(command), output.status, said.trim()).into())
}

/// [`read`], as text.
pub(crate) fn read_text(command: &mut Command) -> Result<String, Failure> {
    let bytes = read(command)?;
    String::from_utf8(bytes).map_err(|_| format!("`{}` printed something that is not UTF-8", shown(command)).into())
}

/// [`read`], with `input` on standard input. Only for programs that read all of it before they print.
pub(crate) fn filter(command: &mut Command, input: &[u8]) -> Result<Vec<u8>, Failure> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| not_started(command, &error))?;
    // Closed by the drop at the end of the statement; a program that ends early is judged by its status.
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(input));
    let output = child.wait_with_output().map_err(|error| format!("`{}`: {error}", shown(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`{}` failed ({}): {}", shown(command), output.status, said.trim()).into());
    }
    written.map_err(|error| format!("`{}` did not read its input: {error}", shown(command)))?;
    Ok(output.stdout)
}

fn not_started(command: &Command, error: &io::Error) -> Failure {
    let name = command.get_program().to_string_lossy().into_owned();
    if error.kind() == ErrorKind::NotFound {
        return format!(
            "`{name}` is not installed: install it (apt-get install {name}, brew install {name}) and run again"
        )
        .into();
    }
    format!("`{}` could not be started: {error}", shown(command)).into()
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
