//! What building a request costs, and what a whole refresh costs the caller's thread, beside its parts.

#[cfg(unix)]
mod builds;
#[cfg(unix)]
mod json;
#[cfg(unix)]
mod refreshes;

#[cfg(unix)]
fn main() {
    let mut table = rampauth_bench::table::Table::default();
    builds::measure(&mut table);
    refreshes::measure(&mut table);
    // A benchmark is no test: a busy machine must not turn it red.
    if let (rows @ 1.., over) = table.rows_and_over() {
        println!("\n{over} of {rows} over their bound");
    }
}

#[cfg(not(unix))]
fn main() {}
