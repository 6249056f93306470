//! The `rampauth` command: reads the command line, runs the command, turns its failure into an exit code.

mod args;
mod commands;
mod config;
mod core_dump;
mod env;
mod failure;
mod http_client;
mod input;
mod logging;
mod nearest;
mod open_files;
mod output;
mod provider;
mod provider_message;
mod rescue;
mod sandbox_files;
mod signals;
mod stored;
mod terminal;
mod time;
mod token_file;
mod tokens;

use std::ffi::OsString;
use std::process::ExitCode;

use rampauth_core::{Error, ErrorKind, Outcome};

use args::{Args, Command};

fn main() -> ExitCode {
    core_dump::forbid();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let json = args::asks_for_json(&arguments);
    match args::parse(&arguments, json).and_then(|args| args.map_or(Ok(()), start)) {
        Ok(()) => signals::exit_code().map_or(ExitCode::SUCCESS, ExitCode::from),
        // What became of a token says more than that a signal came, of which its sender knows.
        Err(error) => failure::report(&error, json),
    }
}

fn start(args: Args) -> Result<(), Error> {
    let format = match args.command {
        Command::Keep { log_format: Some(format) } => format,
        // Whoever reads JSON reads warnings too.
        _ if args.json => logging::Format::Json,
        _ => logging::Format::Text,
    };
    let goes_on = clears_up(&args.command);
    logging::start(format, goes_on)?;
    open_files::check()?;
    if !goes_on {
        signals::end_at_once()?;
    }
    // One call at a time: a single thread is enough. The sandbox brings threads of its own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        let reason = "the system gave no event queue";
        Error::new(ErrorKind::Internal, Outcome::NotSent, "start", reason).with_source(error)
    })?;
    let finished = runtime.block_on(run(args));
    // A name that is still being looked up must not hold the process back.
    runtime.shutdown_background();
    finished
}

/// Whether the command listens for signals itself, because it runs until it is stopped or leaves something to clear up.
fn clears_up(command: &Command) -> bool {
    match command {
        Command::Demo | Command::DemoVictim { .. } | Command::Sandbox { .. } | Command::Keep { .. } => true,
        Command::Status { watch, .. } => *watch,
        _ => false,
    }
}

async fn run(Args { config, json, command }: Args) -> Result<(), Error> {
    let config = config::path(config.as_deref());
    match command {
        Command::Demo => commands::demo::run(json).await,
        Command::DemoVictim { profile } => commands::demo::victim(&config, &profile).await,
        Command::Sandbox { listen, write, force } => commands::sandbox::run(listen, write, force, json).await,
        Command::Init => commands::init::run(&config, json),
        Command::Refresh { profile, file, stdin, stored } => {
            let source = commands::refresh::Source::new(file, stdin, stored);
            commands::refresh::run(&config, &profile, source, json).await
        }
        Command::Import { profile, if_none, replace } => {
            let existing = commands::import::Existing { if_none, replace };
            commands::import::run(&config, &profile, existing, json).await
        }
        Command::Token { profile } => commands::token::run(&config, &profile, json).await,
        Command::Reject { profile } => commands::reject::run(&config, &profile, json).await,
        Command::Status { check, watch } => commands::status::run(&config, check, watch, json).await,
        Command::Settle { profile } => commands::settle::run(&config, &profile, json).await,
        Command::Forget { profile } => commands::forget::run(&config, &profile, json).await,
        Command::Reseal => commands::reseal::run(&config, json).await,
        Command::Keep { .. } => commands::keep::run(&config).await,
        Command::Sign { profile, reveal } => commands::sign::run(&config, &profile, reveal, json).await,
        Command::Verify { profile, signature_file } => commands::verify::run(&config, &profile, &signature_file),
        Command::Decode { reveal } => commands::decode::run(reveal),
        Command::Completions { shell } => commands::packaging::completions(shell),
        Command::Man => commands::packaging::man(),
    }
}
