//! Figures that a benchmark measures by itself: each in a file of its own under `target/figures`, where `cargo xtask bench`
//! finds it.

use std::fs;
use std::path::Path;

/// Prints a figure and leaves it for `cargo xtask bench`.
///
/// # Panics
///
/// When it cannot be written.
pub fn report(name: &str, value: f64, unit: &str) {
    println!("{name:<40} {value:>12.2} {unit}");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/figures").join(name);
    fs::create_dir_all(file.parent().expect("it is under target")).expect("a folder for figures");
    fs::write(file, value.to_string()).expect("a figure in its file");
}

/// Whether this benchmark was asked for: cargo hands through the names that are.
pub fn is_wanted(name: &str) -> bool {
    let mut names = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).peekable();
    names.peek().is_none() || names.any(|part| name.contains(&part))
}

/// Measures two sides in turn, this many times each, so that what disturbs the machine disturbs both.
pub fn in_turn(rounds: usize, mut one: impl FnMut() -> f64, mut other: impl FnMut() -> f64) -> (Figures, Figures) {
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        ones.push(one());
        others.push(other());
    }
    (Figures::new(ones), Figures::new(others))
}

/// What was measured in several rounds.
#[derive(Clone, Debug)]
pub struct Figures(Vec<f64>);

impl Figures {
    /// Takes them in any order.
    pub fn new(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        Self(figures)
    }

    /// The one in the middle.
    pub fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }

    /// The least disturbed one.
    pub fn least(&self) -> f64 {
        self.0[0]
    }
}
