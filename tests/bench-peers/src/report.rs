//! The table for `BENCHMARKS.md`, and who comes too close.

use crate::measure::TASKS;

/// Every peer is to need this many times the time that we need.
const FACTOR: f64 = 10.0;

/// Who is measured here, in which version.
const LOCK: &str = include_str!("../Cargo.lock");

/// What one candidate needs for a read, per number of tasks.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) nanoseconds: [f64; TASKS.len()],
}

/// Markdown; the first row is ours.
pub(crate) fn table(rows: &[Row]) -> String {
    let heads = TASKS.map(|tasks| format!(" {tasks} task{}, ns | ratio |", if tasks == 1 { "" } else { "s" }));
    let mut lines =
        vec![format!("| a fresh token from |{}", heads.concat()), format!("|---|{}", "---|---|".repeat(heads.len()))];
    for row in rows {
        let cells =
            row.nanoseconds.iter().zip(ratios(row, rows)).map(|(time, ratio)| format!(" {time:.1} | {ratio:.1} |"));
        lines.push(format!("| {} {} |{}", row.name, version(row.name), cells.collect::<String>()));
    }
    lines.join("\n")
}

/// A line for each peer and number of tasks that is not slower by the factor.
pub(crate) fn too_close(rows: &[Row]) -> Vec<String> {
    let close = rows.iter().skip(1).flat_map(|row| {
        let ratios = TASKS.into_iter().zip(ratios(row, rows)).filter(|(_, ratio)| *ratio < FACTOR);
        ratios.map(|(tasks, ratio)| {
            format!("{} with {tasks} reading: {ratio:.1} times our time, less than {FACTOR}", row.name)
        })
    });
    close.collect()
}

fn ratios(row: &Row, rows: &[Row]) -> [f64; TASKS.len()] {
    std::array::from_fn(|index| row.nanoseconds[index] / rows[0].nanoseconds[index])
}

fn version(name: &str) -> &'static str {
    let start = format!("name = \"{name}\"\nversion = \"");
    let mut packages = LOCK.split("[[package]]\n");
    packages.find_map(|package| package.strip_prefix(&start)?.split('"').next()).unwrap_or_default()
}
