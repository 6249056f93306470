//! `rampauth completions` and `rampauth man`: what packagers install beside the binary, on standard output.

use clap::CommandFactory as _;
use clap_complete::Shell;
use rampauth_core::{Error, ErrorKind, Outcome};

use crate::args::Args;
use crate::output;

/// The completions of all commands for this shell.
pub(crate) fn completions(shell: Shell) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut visible(), "rampauth", &mut script);
    print(&script)
}

/// One page for all commands, in roff.
pub(crate) fn man() -> Result<(), Error> {
    let mut command = visible().disable_help_subcommand(true);
    // Tells each command what stands before it.
    command.build();
    let mut page = Vec::new();
    render(&clap_mangen::Man::new(command.clone()), &mut page)?;
    for subcommand in command.get_subcommands() {
        let title = format!("rampauth-{}", subcommand.get_name());
        let manual = clap_mangen::Man::new(subcommand.clone());
        page.extend_from_slice(format!(".SH \"{}\"\n", title.to_uppercase()).as_bytes());
        section(&manual, &mut page)?;
    }
    print(&page)
}

fn render(manual: &clap_mangen::Man, page: &mut Vec<u8>) -> Result<(), Error> {
    manual.render(page).map_err(|error| internal().with_source(error))
}

/// What a command says of itself, without a title of its own.
fn section(manual: &clap_mangen::Man, page: &mut Vec<u8>) -> Result<(), Error> {
    let parts = [clap_mangen::Man::render_synopsis_section, clap_mangen::Man::render_description_section];
    for part in parts {
        part(manual, page).map_err(|error| internal().with_source(error))?;
    }
    manual.render_options_section(page).map_err(|error| internal().with_source(error))
}

/// The commands that `--help` lists.
fn visible() -> clap::Command {
    let whole = Args::command();
    let shown: Vec<clap::Command> = whole.get_subcommands().filter(|it| !it.is_hide_set()).cloned().collect();
    let bare = clap::Command::new("rampauth").version(env!("CARGO_PKG_VERSION"));
    let about = whole.get_about().cloned().unwrap_or_default();
    let after = whole.get_after_help().cloned().unwrap_or_default();
    bare.about(about).after_help(after).args(whole.get_arguments().cloned()).subcommands(shown)
}

fn print(bytes: &[u8]) -> Result<(), Error> {
    let text = std::str::from_utf8(bytes).map_err(|_| internal())?;
    output::line(text.trim_end(), Outcome::NotSent)
}

fn internal() -> Error {
    Error::new(ErrorKind::Internal, Outcome::NotSent, "describe the commands", "they could not be written")
}
