//! Logs on standard error, filtered by `RAMPAUTH_LOG`.

use std::ffi::OsString;
use std::{fmt, io};

use rampauth_core::Error;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
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

/// Starts to log. A command that ends says what it has to say as it says its error; one that goes on until it is stopped tells the
/// time too. Where somebody filters, lines have all that there is to filter by.
///
/// # Errors
///
/// When `RAMPAUTH_LOG` is no filter: `LEVEL` or `TARGET=LEVEL`, separated by commas.
pub(crate) fn start(format: Format, goes_on: bool) -> Result<(), Error> {
    let wanted = env::setting(VARIABLE).map(OsString::into_string);
    let is_filtered = wanted.is_some();
    let filter = match wanted {
        None => DEFAULT.parse(),
        Some(Ok(wanted)) => wanted.parse::<Targets>(),
        Some(Err(_)) => return Err(unreadable()),
    };
    let filter = filter.map_err(|_| unreadable())?;
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let colour = terminal::has_colour(&io::stderr());
    let layer = match format {
        Format::Text if is_filtered || goes_on => layer.with_ansi(colour).with_target(is_filtered).boxed(),
        Format::Text => layer.with_ansi(colour).event_format(Remark).boxed(),
        Format::Json => layer.json().boxed(),
    };
    tracing_subscriber::registry().with(layer.with_filter(filter)).init();
    Ok(())
}

/// `warning: …`, in the way of the command's errors.
struct Remark;

impl<S: Subscriber + for<'a> LookupSpan<'a>, N: for<'a> FormatFields<'a> + 'static> FormatEvent<S, N> for Remark {
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let (word, colour) = match *event.metadata().level() {
            Level::ERROR => ("error", "1;31"),
            Level::WARN => ("warning", "1;33"),
            _ => ("note", "1"),
        };
        match to.has_ansi_escapes() {
            true => write!(to, "\x1b[{colour}m{word}:\x1b[0m ")?,
            false => write!(to, "{word}: ")?,
        }
        context.format_fields(to.by_ref(), event)?;
        writeln!(to)
    }
}

/// Something that a person who waits should know: the one way to say it, whatever the form of the log.
pub(crate) fn notice(text: &str) {
    tracing::info!("{text}");
}

fn unreadable() -> Error {
    Error::config("read the environment", format!("{VARIABLE} is not a filter"))
        .with_help("set it to a level (error, warn, info, debug, trace, off) or to TARGET=LEVEL, separated by commas")
}
