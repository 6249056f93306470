//! `rampauth sandbox`: the providers on this machine, until stopped.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use rampauth_core::{Error, ErrorKind, Outcome};
use rampauth_sandbox::{Event, Sandbox, StartError};
use serde::Serialize;

use crate::{output, sandbox_files, signals};

const ACTION: &str = "start the sandbox";
/// What the sandbox says is logged under the name of its crate.
const LOG: &str = "rampauth_sandbox";

#[derive(Serialize)]
struct Ready<'a> {
    url: &'a str,
}

pub(crate) async fn run(listen: SocketAddr, write: Option<PathBuf>, force: bool, json: bool) -> Result<(), Error> {
    // Listened to from the start, so that being stopped early is no failure.
    let mut stop = signals::Stop::listen()?;
    let sandbox = tokio::select! {
        sandbox = start(Sandbox::builder().listen(listen).on_event(log)) => sandbox?,
        _ = stop.wait() => return Ok(()),
    };
    if let Some(folder) = &write {
        sandbox_files::write(folder, force, &sandbox)?;
        tracing::info!(target: LOG, "wrote a configuration; try: {}", example(folder));
    }
    if json {
        output::json(&Ready { url: sandbox.url() }, Outcome::NotSent)?;
    } else {
        output::line(&format!("sandbox ready at {}", sandbox.url()), Outcome::NotSent)?;
    }
    tokio::select! {
        _ = stop.wait() => {}
        // Whoever started it is gone, and would leave it behind.
        () = output::closed() => {}
    }
    tokio::select! {
        () = sandbox.stop() => {}
        _ = stop.wait() => {}
    }
    Ok(())
}

/// Starts a sandbox, and says what is wrong where the caller can do something about it.
pub(crate) async fn start(builder: rampauth_sandbox::Builder) -> Result<Sandbox, Error> {
    builder.start().await.map_err(|error| match error {
        StartError::OffLoopback(addr) => {
            Error::input(ACTION, format!("{addr} is not an address of this machine alone"))
                .with_help("listen on 127.0.0.1:PORT or [::1]:PORT; port 0 takes a free one")
        }
        StartError::InUse(addr) => Error::input(ACTION, format!("the port of {addr} is in use"))
            .with_help("take another port, or 0 for a free one"),
        StartError::Listen { addr, source, .. } => {
            Error::input(ACTION, format!("the system does not let it listen on {addr}"))
                .with_help("listen on 127.0.0.1:0, which takes a free port of this machine")
                .with_source(source)
        }
        error => Error::new(ErrorKind::Internal, Outcome::NotSent, ACTION, "it has no thread or no randomness")
            .with_source(error),
    })
}

/// One line per request; the event's own time stands at the start of it, and the log has one already.
fn log(event: &Event) {
    let line = event.to_string();
    tracing::info!(target: LOG, "{}", line.split_once(' ').map_or(line.as_str(), |(_time, rest)| rest));
}

fn example(folder: &Path) -> String {
    let file = |name| quoted(&folder.join(name).display().to_string());
    format!("rampauth --config {} refresh card < {}", file("rampauth.toml"), file("card.json"))
}

/// As a shell takes it for one word.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-:\\".contains(c);
    if path.chars().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}
