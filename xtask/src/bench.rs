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
    // A benchmark is no test: a busy machine must not turn it red.
    Ok(format!("{PACKAGE} ran; {over} over their bound"))
}

/// The median of the newest run, in nanoseconds; `None` where a filter left it out and it never ran.
fn median(results: &Path, name: &str) -> Option<f64> {
    let text = fs::read_to_string(results.join(name).join("new/estimates.json")).ok()?;
    serde_json::from_str::<Value>(&text).ok()?["median"]["point_estimate"].as_f64()
}
