//! A provider's README says how many crates it costs; the number is counted.

use super::Closures;
use crate::workspace::{Package, Workspace};

/// Every "N crates" in a provider's README is what it costs, itself included, without default features or with them;
/// the first is stated always.
pub(super) fn count_is_right(
    ws: &Workspace,
    package: &Package,
    closures: &Closures,
    problems: &mut Vec<String>,
) -> usize {
    if !package.is_provider() {
        return 0;
    }
    let file = format!("{}/README.md", package.folder);
    match ws.read(&file) {
        Ok(text) => problems.extend(compare(&file, &text, closures.none.0.len(), closures.default.0.len())),
        Err(failure) => problems.extend(failure.0),
    }
    1
}

fn compare(file: &str, text: &str, none: usize, default: usize) -> Vec<String> {
    let stated = stated(text);
    let mut problems = Vec::new();
    if !stated.contains(&none) {
        problems.push(format!("{file}: write \"{none} crates\": what it costs with `default-features = false`"));
    }
    for wrong in stated.into_iter().filter(|number| *number != none && *number != default) {
        problems.push(format!(
            "{file}: says \"{wrong} crates\"; it is {none} with `default-features = false`, {default} with the default"
        ));
    }
    problems
}

/// The numbers that stand before the word "crates", with or without emphasis.
fn stated(text: &str) -> Vec<usize> {
    let words: Vec<_> =
        text.split_whitespace().map(|word| word.trim_matches(|it: char| !it.is_alphanumeric())).collect();
    words.windows(2).filter(|pair| pair[1] == "crates").filter_map(|pair| pair[0].parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_before_crates_are_read_across_lines_and_emphasis() {
        assert_eq!(stated("It is **31 crates** alone,\n120\ncrates, with TLS; other crates too. 7 boxes"), [31, 120]);
    }

    #[test]
    fn a_wrong_or_missing_number_is_a_problem() {
        assert_eq!(compare("README.md", "31 crates", 31, 120), [""; 0]);
        assert_eq!(compare("README.md", "31 crates, or 120 crates with the client", 31, 120), [""; 0]);
        assert!(compare("README.md", "few crates", 31, 120)[0].contains("write \"31 crates\""));
        assert!(compare("README.md", "120 crates", 31, 120)[0].contains("write \"31 crates\""));
        assert!(compare("README.md", "31 crates and 119 crates", 31, 120)[0].contains("says \"119 crates\""));
    }
}
