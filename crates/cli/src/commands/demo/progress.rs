//! What is going on, on standard error: a bar on a terminal, lines elsewhere, nothing beside JSON.

use std::io::{self, IsTerminal as _, Write as _};

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

pub(super) enum Progress {
    Bar(ProgressBar),
    Lines,
    Silent,
}

impl Progress {
    pub(super) fn start(steps: usize, json: bool) -> Self {
        if json {
            return Self::Silent;
        }
        if !io::stderr().is_terminal() {
            return Self::Lines;
        }
        let style = ProgressStyle::with_template("{bar:20} {pos}/{len} {msg}").expect("the template is valid");
        // Dropped, it makes way for the table or the error.
        Self::Bar(ProgressBar::new(steps as u64).with_style(style).with_finish(ProgressFinish::AndClear))
    }

    /// Something before the first step.
    pub(super) fn say(&self, what: &str) {
        match self {
            Self::Bar(bar) => bar.set_message(what.to_owned()),
            // Whoever closed standard error does not want to know.
            Self::Lines => drop(writeln!(io::stderr(), "{what}")),
            Self::Silent => {}
        }
    }

    /// The next step begins.
    pub(super) fn step(&self, what: &str) {
        self.say(what);
        if let Self::Bar(bar) = self {
            bar.inc(1);
        }
    }
}
