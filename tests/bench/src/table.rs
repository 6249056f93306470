//! The table that BENCHMARKS.md holds, a row for each measurement.

use crate::figures::{is_wanted, leave};
use crate::measure::{Times, in_turns};

/// Prints rows as they are measured, those alone whose name holds what the command line asks for.
#[derive(Debug, Default)]
pub struct Table {
    rows: usize,
    over: usize,
}

impl Table {
    /// How many rows there are, and how many of them are over their bound.
    pub fn rows_and_over(&self) -> (usize, usize) {
        (self.rows, self.over)
    }

    /// Prints the row, the first one under the table's head, and leaves its time, in microseconds.
    fn print(&mut self, name: &str, time: f64, row: &str) {
        if self.rows == 0 {
            println!(
                "| CPU time of | µs | its parts | ratio | bound | with JSON | ratio |\n|---|---|---|---|---|---|---|"
            );
        }
        println!("{row}");
        self.rows += 1;
        leave(name, time);
    }

    /// A whole beside its parts; `bound` is on the ratio of the two.
    pub fn compare(&mut self, name: &str, bound: f64, whole: &mut dyn FnMut(), parts: &mut dyn FnMut()) {
        if is_wanted(&[name]) {
            let [whole, parts] = in_turns([whole, parts]);
            let row = self.ratio(name, bound, &whole, &parts);
            self.print(name, whole.median() / 1e3, &format!("{row} | | |"));
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
        if is_wanted(&[name]) {
            let [whole, parts, with_json] = in_turns([whole, parts, with_json]);
            let row = self.ratio(name, bound, &whole, &parts);
            let with_json = format!("{:.1} | {:.3} |", with_json.median() / 1e3, whole.ratio(&with_json));
            self.print(name, whole.median() / 1e3, &format!("{row} | {with_json}"));
        }
    }

    /// A thing alone; `bound` is on its time, in microseconds.
    pub fn limit(&mut self, name: &str, bound: f64, whole: &mut dyn FnMut()) {
        if is_wanted(&[name]) {
            let [time] = in_turns([whole]).map(|times| times.median() / 1e3);
            self.over += usize::from(time > bound);
            self.print(name, time, &format!("| {name} | {time:.2} | | | {bound} µs | | |"));
        }
    }

    fn ratio(&mut self, name: &str, bound: f64, whole: &Times, parts: &Times) -> String {
        let ratio = whole.ratio(parts);
        self.over += usize::from(ratio > bound);
        format!("| {name} | {:.1} | {:.1} | {ratio:.3} | {bound}", whole.median() / 1e3, parts.median() / 1e3)
    }
}
