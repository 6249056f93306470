//! Logs on standard error, filtered by `RAMPAUTH_LOG`.

use std::ffi::OsString;
use std::io;

use rampauth_core::Error;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::{env, terminal};

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

const VARIABLE: &str = "RAMPAUTH_LOG";
const DEFAULT: &str = "warn,rampauth=info";

/// Starts to log.
///
/// # Errors
///
/// When `RAMPAUTH_LOG` is no filter: `LEVEL` or `TARGET=LEVEL`, separated by commas.
pub(crate) fn start(format: Format) -> Result<(), Error> {
    let wanted = env::setting(VARIABLE).map(OsString::into_string);
    let filter = match wanted {
        None => DEFAULT.parse(),
        Some(Ok(wanted)) => wanted.parse::<Targets>(),
        Some(Err(_)) => return Err(unreadable()),
    };
    let filter = filter.map_err(|_| unreadable())?;
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let layer = match format {
        Format::Text => layer.with_ansi(terminal::has_colour(&io::stderr())).boxed(),
        Format::Json => layer.json().boxed(),
    };
    tracing_subscriber::registry().with(layer.with_filter(filter)).init();
    Ok(())
}

/// Something that a person who waits should know: the one way to say it, whatever the form of the log.
pub(crate) fn notice(text: &str) {
    tracing::info!("{text}");
}

fn unreadable() -> Error {
    Error::config("read the environment", format!("{VARIABLE} is not a filter"))
        .with_help("set it to a level (error, warn, info, debug, trace, off) or to TARGET=LEVEL, separated by commas")
}
