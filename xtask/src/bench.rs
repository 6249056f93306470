//! `bench`: the benchmarks, with arguments handed through. The calls print their own table; the keeper's is made of the figures that
//! its benchmarks leave.

use std::fs;
use std::path::Path;

use crate::command;
use crate::outcome::Outcome;
use crate::workspace::Workspace;

const PACKAGE: &str = "rampauth-bench";

/// Figures that benchmarks take by themselves: what, in which unit, beside what, and the bound of their ratio.
const FIGURES: [(&str, &str, &str, f64); 7] = [
    ("read/ours", "ns", "read/by-hand", 1.3),
    ("read/2-threads", "ns", "read/one-beside-2", 1.1),
    ("read/8-threads", "ns", "read/one-beside-8", 1.1),
    ("read/64-threads", "ns", "read/one-beside-64", 1.1),
    ("herd/current-thread", "ms", "herd/current-thread-by-hand", 1.3),
    ("herd/2-threads", "ms", "herd/2-threads-by-hand", 1.3),
    ("claim/ours", "µs", "claim/bare", 1.3),
];

/// And those that have a bound of their own.
const ABSOLUTES: [(&str, &str, f64); 5] = [
    ("herd/200-failing", "ms", 10.0),
    ("sessions/memory", "bytes", 1_150.0),
    ("sessions/memory-after-login", "bytes", 1_150.0),
    ("sessions/deadlines", "ms", 200.0),
    ("claim/fsync", "µs", f64::INFINITY),
];

pub(crate) fn run(ws: &Workspace, args: &[String]) -> Outcome {
    command::run(command::cargo(&ws.root, ["bench", "--package", PACKAGE, "--benches", "--"]).args(args))?;
    let mut over = 0;
    println!("\n| the keeper | | beside | ratio | bound |\n|---|---|---|---|---|");
    let figures = ws.root.join("target/figures");
    for (name, unit, beside, bound) in FIGURES {
        let (Some(ours), Some(base)) = (figure(&figures, name), figure(&figures, beside)) else { continue };
        let ratio = ours / base;
        over += usize::from(ratio > bound);
        println!("| {name} | {ours:.1} {unit} | {base:.1} | {ratio:.3} | {bound} |");
    }
    for (name, unit, bound) in ABSOLUTES {
        let Some(ours) = figure(&figures, name) else { continue };
        over += usize::from(ours > bound);
        let bound = if bound.is_finite() { format!("{bound} {unit}") } else { String::new() };
        println!("| {name} | {ours:.1} {unit} | | | {bound} |");
    }
    // A benchmark is no test: a busy machine must not turn it red.
    Ok(format!("{PACKAGE} ran; {over} of the keeper's figures over their bound"))
}

/// What a benchmark left there; `None` where it never ran.
fn figure(figures: &Path, name: &str) -> Option<f64> {
    fs::read_to_string(figures.join(name)).ok()?.parse().ok()
}
