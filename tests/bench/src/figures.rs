//! What the benchmarks measure: each figure in a file of its own under `target/figures`, where `cargo xtask bench` finds it.

use std::env;
use std::fs;
use std::path::Path;

/// Prints a figure and leaves it for `cargo xtask bench`.
///
/// # Panics
///
/// When it cannot be written.
pub fn report(name: &str, value: f64, unit: &str) {
    println!("{name:<40} {value:>12.2} {unit}");
    leave(name, value);
}

/// Leaves a figure that is printed elsewhere.
pub(crate) fn leave(name: &str, value: f64) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/figures").join(name);
    fs::create_dir_all(file.parent().expect("it is under target")).expect("a folder for figures");
    fs::write(file, value.to_string()).expect("a figure in its file");
}

/// Whether any of these figures, which are measured together, was asked for: by a word on the command line that its name holds, or
/// by none. Arguments that start with a dash are cargo's.
pub fn is_wanted(names: &[&str]) -> bool {
    let words: Vec<_> = env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    any_holds(names, &words)
}

fn any_holds(names: &[&str], words: &[String]) -> bool {
    words.is_empty() || words.iter().any(|word| names.iter().any(|name| name.contains(word.as_str())))
}

/// Measures two sides in turn and reports both, if either was asked for.
pub fn compare(
    [one_name, other_name]: [&str; 2],
    unit: &str,
    rounds: usize,
    figure: fn(&Figures) -> f64,
    one: impl FnMut() -> f64,
    other: impl FnMut() -> f64,
) {
    if is_wanted(&[one_name, other_name]) {
        let (ones, others) = in_turn(rounds, one, other);
        report(one_name, figure(&ones), unit);
        report(other_name, figure(&others), unit);
    }
}

/// Measures two sides in turn, this many times each, so that what disturbs the machine disturbs both.
fn in_turn(rounds: usize, mut one: impl FnMut() -> f64, mut other: impl FnMut() -> f64) -> (Figures, Figures) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_measured_for_a_part_of_its_name_its_whole_name_or_that_of_its_other_side() {
        let pair = ["read/ours", "read/by-hand"];
        for (words, wanted) in [
            (&[][..], true),
            (&["read"], true),
            (&["read/ours"], true),
            (&["by-hand"], true),
            (&["herd", "ours"], true),
            (&["herd"], false),
            (&["read/our-s"], false),
        ] {
            let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(any_holds(&pair, &words), wanted, "{words:?}");
        }
    }
}
