//! `bench`: the benchmarks, with arguments handed through, and what they come to as ratios within the one run.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::command;
use crate::outcome::Outcome;
use crate::workspace::Workspace;

const PACKAGE: &str = "rampauth-bench";

/// What is measured, beside what, and the bound that the project sets itself.
const RATIOS: [(&str, &str, f64); 8] = [
    ("build/payby-rsa", "build/payby-rsa-bare-signature", 1.05),
    ("build/payby-aws-lc", "build/payby-aws-lc-bare-signature", 1.05),
    ("refresh_alix-card/ours", "refresh_alix-card/parts", 1.15),
    ("refresh_alix-on-off-ramp/ours", "refresh_alix-on-off-ramp/parts", 1.15),
    ("refresh_transak/ours", "refresh_transak/parts", 1.15),
    ("refresh_onboard/ours", "refresh_onboard/parts", 1.15),
    ("refresh_payby-rsa/ours", "refresh_payby-rsa/parts", 1.15),
    ("refresh_payby-aws-lc/ours", "refresh_payby-aws-lc/parts", 1.15),
];

/// What is to take less than this much CPU time, in nanoseconds.
const TIMES: [(&str, f64); 4] = [
    ("build/transak", 10_000.0),
    ("build/onboard", 10_000.0),
    ("build/alix-card", 10_000.0),
    ("build/alix-on-off-ramp", 10_000.0),
];

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
    command::run(command::cargo(&ws.root, ["bench", "--package", PACKAGE, "--benches"]).args(args))?;
    let results = ws.root.join("target/criterion");
    println!("\n| CPU time of | µs | beside | ratio | bound |\n|---|---|---|---|---|");
    let mut over = 0;
    for (ours, parts, bound) in RATIOS {
        let (Some(time), Some(base)) = (median(&results, ours), median(&results, parts)) else { continue };
        let ratio = time / base;
        over += usize::from(ratio > bound);
        println!("| {ours} | {:.1} | {:.1} | {ratio:.3} | {bound} |", time / 1e3, base / 1e3);
    }
    for (name, bound) in TIMES {
        let Some(time) = median(&results, name) else { continue };
        over += usize::from(time > bound);
        println!("| {name} | {:.2} | | | {} µs |", time / 1e3, bound / 1e3);
    }
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
    Ok(format!("{PACKAGE} ran; {over} over their bound"))
}

/// What a benchmark left there; `None` where it never ran.
fn figure(figures: &Path, name: &str) -> Option<f64> {
    fs::read_to_string(figures.join(name)).ok()?.parse().ok()
}

/// The median of the newest run, in nanoseconds; `None` where a filter left it out and it never ran.
fn median(results: &Path, name: &str) -> Option<f64> {
    let text = fs::read_to_string(results.join(name).join("new/estimates.json")).ok()?;
    serde_json::from_str::<Value>(&text).ok()?["median"]["point_estimate"].as_f64()
}
