//! Everything a piece of code says in logs and errors, as text to search.

use std::error::Error;
use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex, OnceLock};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Dispatch, Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

/// An error and all its sources, one per line and form: `{}`, `{:#}`, `{:?}`, `{:#?}`.
pub fn render_error(error: &dyn Error) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        writeln!(text, "{error}\n{error:#}\n{error:?}\n{error:#?}").expect("text in memory");
        next = error.source();
    }
    text
}

/// Records every event and span of the current thread, at every level and with all fields, until dropped.
///
/// What dependencies say through the `log` crate is recorded too, unless the process has a logger of its own. Code that
/// moves to another thread is out of sight: run it on a single-threaded runtime (the default of `#[tokio::test]`).
/// A test that looks for what should *not* be here must also find what should be, or it passes when nothing is logged.
#[derive(Debug)]
#[must_use = "the recording ends when this is dropped"]
pub struct CaptureLogs {
    text: Arc<Mutex<String>>,
    _guard: DefaultGuard,
}

impl CaptureLogs {
    /// Starts to record.
    pub fn start() -> Self {
        // With a single subscriber alive, tracing asks only the thread that reaches a log statement first whether
        // anybody wants it. Another test's thread would say no for all. A second subscriber makes it ask them all.
        static SECOND: OnceLock<Dispatch> = OnceLock::new();
        SECOND.get_or_init(|| {
            // Once per process; a logger already there belongs to the test and stays.
            tracing_log::LogTracer::init().ok();
            Dispatch::new(Registry::default())
        });
        let text = Arc::default();
        let subscriber = Registry::default().with(Recorder { text: Arc::clone(&text) });
        Self { text, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// All that was recorded so far: one line per new span, later recorded span field or event.
    pub fn text(&self) -> String {
        self.text.lock().expect("no panic while the text was held").clone()
    }
}

struct Recorder {
    text: Arc<Mutex<String>>,
}

impl Recorder {
    fn push(&self, mut line: String) {
        line.push('\n');
        self.text.lock().expect("no panic while the text was held").push_str(&line);
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let metadata = attributes.metadata();
        let mut line = format!("{} span {} {}:", metadata.level(), metadata.target(), metadata.name());
        attributes.record(&mut Fields(&mut line));
        self.push(line);
    }

    fn on_record(&self, span: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let name = context.metadata(span).map_or("", |metadata| metadata.name());
        let mut line = format!("recorded in span {name}:");
        values.record(&mut Fields(&mut line));
        self.push(line);
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let mut line = format!("{} event {}:", metadata.level(), metadata.target());
        event.record(&mut Fields(&mut line));
        self.push(line);
    }
}

/// Appends ` name=value` for each field.
struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Both forms: a subscriber may print either.
        write!(self.0, " {field}={value:?} {value:#?}").expect("text in memory");
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        write!(self.0, " {field}={value}").expect("text in memory");
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        write!(self.0, " {field}={}", render_error(value)).expect("text in memory");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt;

    #[derive(Debug)]
    struct Outer(#[expect(dead_code, reason = "seen through Debug")] &'static str, Inner);
    #[derive(Debug)]
    struct Inner;

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(if f.alternate() { "outer in alternate form" } else { "outer" })
        }
    }
    impl fmt::Display for Inner {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the cause")
        }
    }
    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.1)
        }
    }
    impl Error for Inner {}

    #[test]
    fn an_error_is_rendered_in_every_form_with_its_sources() {
        assert_eq!(
            render_error(&Outer("detail", Inner)),
            "outer\nouter in alternate form\nOuter(\"detail\", Inner)\nOuter(\n    \"detail\",\n    Inner,\n)\n\
             the cause\nthe cause\nInner\nInner\n"
        );
    }

    #[test]
    fn events_spans_and_later_fields_are_recorded_at_every_level() {
        let logs = CaptureLogs::start();
        let span = tracing::trace_span!("refresh", provider = "alix", outcome = tracing::field::Empty);
        span.in_scope(|| {
            tracing::Span::current().record("outcome", "refused");
            tracing::trace!(target: "elsewhere", attempt = 2, body = ?b"\x01", "said {}", "something");
        });
        tracing::error!(error = &Outer("detail", Inner) as &dyn Error);
        let text = logs.text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "TRACE span rampauth_test_kit::logs::tests refresh: provider=alix");
        assert_eq!(lines[1], "recorded in span refresh: outcome=refused");
        assert!(lines[2].starts_with("TRACE event elsewhere: message=said something"), "{text}");
        assert!(text.contains("attempt=2") && text.contains("body=[1]"), "{text}");
        assert!(
            text.contains("ERROR event") && text.contains("Outer(\"detail\"") && text.contains("the cause"),
            "{text}"
        );
    }

    #[test]
    fn the_log_crate_is_recorded_too() {
        let logs = CaptureLogs::start();
        tracing_log::log::trace!(target: "some_client", "connecting to {}", "somewhere");
        let text = logs.text();
        assert!(text.contains("connecting to somewhere") && text.contains("some_client"), "{text}");
    }

    #[tokio::test]
    async fn tasks_of_a_single_threaded_runtime_are_recorded() {
        let logs = CaptureLogs::start();
        tokio::spawn(async { tracing::debug!("from a task") }).await.expect("a task that ends");
        assert!(logs.text().contains("from a task"));
    }
}
