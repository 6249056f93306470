//! The table that BENCHMARKS.md holds, a row for each measurement.

use std::env;

use crate::measure::{Times, in_turns};

/// Prints rows as they are measured, those alone whose name holds what the command line asks for.
#[derive(Debug)]
pub struct Table {
    wanted: Vec<String>,
    over: usize,
}

impl Table {
    /// Prints the head. Arguments that start with a dash are cargo's.
    pub fn from_arguments() -> Self {
        println!("| CPU time of | µs | its parts | ratio | bound | with JSON | ratio |\n|---|---|---|---|---|---|---|");
        Self { wanted: env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect(), over: 0 }
    }

    /// How many rows are over their bound.
    pub fn over(&self) -> usize {
        self.over
    }

    fn wants(&self, name: &str) -> bool {
        self.wanted.is_empty() || self.wanted.iter().any(|wanted| name.contains(wanted.as_str()))
    }

    /// A whole beside its parts; `bound` is on the ratio of the two.
    pub fn compare(&mut self, name: &str, bound: f64, whole: &mut dyn FnMut(), parts: &mut dyn FnMut()) {
        if self.wants(name) {
            let [whole, parts] = in_turns([whole, parts]);
            println!("{} | | |", self.ratio(name, bound, &whole, &parts));
        }
    }

    /// The same, and beside the parts with a body written and an answer read by `serde_json`.
    pub fn compare_with_json(
        &mut self,
        name: &str,
        bound: f64,
        whole: &mut dyn FnMut(),
        parts: &mut dyn FnMut(),
        with_json: &mut dyn FnMut(),
    ) {
        if self.wants(name) {
            let [whole, parts, with_json] = in_turns([whole, parts, with_json]);
            let row = self.ratio(name, bound, &whole, &parts);
            println!("{row} | {:.1} | {:.3} |", with_json.median() / 1e3, whole.ratio(&with_json));
        }
    }

    /// A thing alone; `bound` is on its time, in microseconds.
    pub fn limit(&mut self, name: &str, bound: f64, whole: &mut dyn FnMut()) {
        if self.wants(name) {
            let [time] = in_turns([whole]).map(|times| times.median() / 1e3);
            self.over += usize::from(time > bound);
            println!("| {name} | {time:.2} | | | {bound} µs | | |");
        }
    }

    fn ratio(&mut self, name: &str, bound: f64, whole: &Times, parts: &Times) -> String {
        let ratio = whole.ratio(parts);
        self.over += usize::from(ratio > bound);
        format!("| {name} | {:.1} | {:.1} | {ratio:.3} | {bound}", whole.median() / 1e3, parts.median() / 1e3)
    }
}
