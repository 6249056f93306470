//! `bench`: the benchmarks, all of them or those that words choose. The calls print their own table; the keeper's is made of the
//! figures that its benchmarks leave.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::command;
use crate::outcome::{Failure, Outcome, count, settle};
use crate::package::files;
use crate::workspace::Workspace;

const PACKAGE: &str = "rampauth-bench";

/// Figures that benchmarks take by themselves: what, in which unit, beside what, and the bound of their ratio.
const FIGURES: [(&str, &str, &str, f64); 11] = [
    ("read/ours", "ns", "read/by-hand", 1.3),
    ("read/2-threads", "ns", "read/one-beside-2", 1.1),
    ("read/8-threads", "ns", "read/one-beside-8", 1.1),
    ("read/64-threads", "ns", "read/one-beside-64", 1.1),
    ("herd/current-thread", "ms", "herd/current-thread-by-hand", 1.3),
    ("herd/2-threads", "ms", "herd/2-threads-by-hand", 1.3),
    ("claim/ours", "µs", "claim/bare", 1.3),
    ("together/all-fresh", "s", "together/bare-loop", 1.5),
    ("together/caller", "ms", "together/caller-idle", 3.0),
    ("command/token", "ms", "command/version-and-open", 1.5),
    ("limited/all-fresh", "s", "limited/at-that-rate", 1.5),
];

/// And those that have a bound of their own.
const ABSOLUTES: [(&str, &str, f64); 9] = [
    ("herd/200-failing", "ms", 10.0),
    ("sessions/memory", "bytes", 1_150.0),
    ("sessions/memory-after-login", "bytes", 1_150.0),
    ("sessions/deadlines", "ms", 200.0),
    ("claim/fsync", "µs", f64::INFINITY),
    ("together/requests-per-100", "for 100 grants", 110.0),
    ("together/lost", "tokens", 64.0),
    ("command/keep-5000", "ms", 2_000.0),
    ("limited/requests-per-100", "for 100 grants", 110.0),
];

/// Every figure of this run, by name.
type Figures = BTreeMap<String, f64>;

/// `words` choose the figures whose name holds one of them.
pub(crate) fn run(ws: &Workspace, words: &[String]) -> Outcome {
    if let Some(flag) = words.iter().find(|word| word.starts_with('-')) {
        return Err(
            format!("bench takes words that choose figures by their names, as `read/ours`, and no `{flag}`").into()
        );
    }
    let folder = ws.root.join("target/figures");
    empty(&folder)?;
    command::run(command::cargo(&ws.root, ["bench", "--package", PACKAGE, "--benches", "--"]).args(words))?;
    let figures = read(&folder)?;
    let (rows, over) = keeper(&figures);
    if !rows.is_empty() {
        println!("\n| the keeper | | beside | ratio | bound |\n|---|---|---|---|---|\n{}", rows.join("\n"));
    }
    // A benchmark is no test: a busy machine must not turn it red.
    let (number, rows) = (count(figures.len(), "figure"), count(rows.len(), "row"));
    settle(missing(words, &figures), format!("{number}; {over} of the keeper's {rows} over the bound"))
}

/// The keeper's rows, and how many of them are over their bound.
fn keeper(figures: &Figures) -> (Vec<String>, usize) {
    let (mut rows, mut over) = (Vec::new(), 0);
    for (name, unit, beside, bound) in FIGURES {
        let (Some(ours), Some(base)) = (figures.get(name), figures.get(beside)) else { continue };
        let ratio = ours / base;
        over += usize::from(ratio > bound);
        rows.push(format!("| {name} | {ours:.1} {unit} | {base:.1} | {ratio:.3} | {bound} |"));
    }
    for (name, unit, bound) in ABSOLUTES {
        let Some(&ours) = figures.get(name) else { continue };
        over += usize::from(ours > bound);
        let bound = if bound.is_finite() { format!("{bound} {unit}") } else { String::new() };
        rows.push(format!("| {name} | {ours:.1} {unit} | | | {bound} |"));
    }
    (rows, over)
}

/// What was asked for and not measured; without words, anything at all.
fn missing(words: &[String], figures: &Figures) -> Vec<String> {
    const WHERE: &str = "`read` and `sessions` are measured on Linux alone, the calls and the command line on Unix";
    let in_none = |word: &&String| !figures.keys().any(|name| name.contains(word.as_str()));
    match words {
        [] if figures.is_empty() => vec![format!("nothing was measured; {WHERE}")],
        _ => words
            .iter()
            .filter(in_none)
            .map(|word| {
                format!("nothing that was measured has `{word}` in its name: BENCHMARKS.md has the names; {WHERE}")
            })
            .collect(),
    }
}

/// What an earlier run left must not pass for this one's.
fn empty(folder: &Path) -> Result<(), Failure> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    Ok(())
}

/// What the benchmarks left there, in folders as their names have it.
fn read(folder: &Path) -> Result<Figures, Failure> {
    let mut figures = Figures::new();
    let files = if folder.exists() { files(folder)? } else { Vec::new() };
    for name in files {
        let file = folder.join(&name);
        let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let value = text.parse().map_err(|_| format!("{}: \"{text}\" is no number", file.display()))?;
        figures.insert(name, value);
    }
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(names: &[(&str, f64)]) -> Figures {
        names.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }

    fn missing_of(words: &[&str], names: &[(&str, f64)]) -> usize {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        missing(&words, &figures(names)).len()
    }

    #[test]
    fn a_run_that_measured_nothing_and_a_word_that_chose_nothing_are_failures() {
        let read = [("read/ours", 1.0), ("read/by-hand", 1.0)];
        assert_eq!((missing_of(&[], &[]), missing_of(&[], &read)), (1, 0));
        assert_eq!((missing_of(&["read"], &read), missing_of(&["read/ours"], &read)), (0, 0));
        assert_eq!((missing_of(&["read"], &[]), missing_of(&["raed", "read"], &read)), (1, 1));
    }

    #[test]
    fn a_row_needs_both_of_its_figures_and_is_counted_when_over_its_bound() {
        let half = figures(&[("read/ours", 1.0)]);
        assert_eq!(keeper(&half).0, [""; 0]);
        let (rows, over) = keeper(&figures(&[
            ("read/ours", 2.6),
            ("read/by-hand", 2.0),
            ("claim/ours", 2.7),
            ("claim/bare", 2.0),
            ("herd/200-failing", 10.5),
            ("claim/fsync", 1e9),
        ]));
        assert_eq!((rows.len(), over), (4, 2), "{rows:#?}");
        assert_eq!(rows[0], "| read/ours | 2.6 ns | 2.0 | 1.300 | 1.3 |");
    }

    #[test]
    fn a_figure_is_read_under_its_name_and_an_earlier_one_is_gone() {
        let folder = std::env::temp_dir().join(format!("rampauth-xtask-figures-{}", std::process::id()));
        fs::create_dir_all(folder.join("read")).expect("a folder");
        fs::write(folder.join("read/ours"), "14.5").expect("a file");
        assert_eq!(read(&folder).expect("figures"), figures(&[("read/ours", 14.5)]));
        empty(&folder).expect("emptied");
        assert_eq!(read(&folder).expect("no figures"), Figures::new());
    }
}
