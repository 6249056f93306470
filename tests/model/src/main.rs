//! Runs the model: `bounded` as the tests do, or `full`; words after it choose the setups in whose line they stand.

use std::process::ExitCode;

use rampauth_model::check::{check, trace};
use rampauth_model::runs;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let setups = match args.first().map(String::as_str) {
        Some("bounded") => {
            [runs::one_fault(), runs::two_faults(), runs::remembered(), runs::asked(), runs::condemned()].concat()
        }
        Some("full") => runs::full(),
        _ => {
            eprintln!("usage: rampauth-model bounded|full [words of a setup's line]");
            return ExitCode::from(2);
        }
    };
    let words = args[1..].join(" ");
    let chosen: Vec<_> = setups.into_iter().filter(|setup| setup.to_string().contains(&words)).collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (mut states, mut broken) = (0, 0);
    for setup in &chosen {
        let report = check(setup.clone(), threads);
        println!("{setup}: {} states, {} steps, {} deep", report.states, report.steps, report.depth);
        states += report.states;
        for (name, actions) in &report.broken {
            broken += 1;
            println!("BROKEN: {name}\n{}", trace(setup, actions));
        }
    }
    println!("{} setups, {states} states, {broken} properties broken", chosen.len());
    if broken > 0 || chosen.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
