//! How many crates a provider costs stands in its README and in the table of the root's; the numbers are counted.

use std::collections::BTreeMap;

use crate::dependency_tree::Closures;
use crate::origin::cells;
use crate::workspace::{Package, Workspace};

/// The root's table of crates: where it stands, and the column of the numbers.
const ROOT: &str = "README.md";
const COLUMN: &str = "crates without default features";

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

/// In the root's table every provider and core has its number, and no other crate one that is wrong. `counted`: by package, what it
/// costs without default features; `needed`: whose number is stated always.
pub(super) fn root_is_right(
    ws: &Workspace,
    counted: &BTreeMap<&str, usize>,
    needed: &[&str],
    problems: &mut Vec<String>,
) -> usize {
    match ws.read(ROOT) {
        Ok(text) => problems.extend(compare_root(&text, counted, needed)),
        Err(failure) => problems.extend(failure.0),
    }
    needed.len()
}

fn compare_root(text: &str, counted: &BTreeMap<&str, usize>, needed: &[&str]) -> Vec<String> {
    let mut lines = text.lines().map(cells);
    let columns = lines.find_map(|header| {
        let column = |name: &str| header.iter().position(|cell| cell == name);
        Some([column("crate")?, column(COLUMN)?])
    });
    let Some([named, number]) = columns else {
        return vec![format!("{ROOT}: has no table with the columns `crate` and `{COLUMN}`")];
    };
    let mut problems = Vec::new();
    let mut missing = needed.to_vec();
    for row in lines.skip(1).take_while(|cells| !cells.is_empty()) {
        // [`name`](folder)
        let Some(name) = row.get(named).and_then(|cell| cell.split('`').nth(1)) else { continue };
        missing.retain(|needed| *needed != name);
        let stated = row.get(number).map_or("", String::as_str);
        match counted.get(name) {
            None => problems.push(format!("{ROOT}: lists `{name}`, which is not published; drop the row")),
            Some(_) if stated.is_empty() && !needed.contains(&name) => {}
            Some(count) if stated == count.to_string() => {}
            Some(count) => problems.push(format!("{ROOT}: write {count} in the row of `{name}` for \"{stated}\"")),
        }
    }
    problems.extend(missing.into_iter().map(|name| format!("{ROOT}: the table of crates has no row for `{name}`")));
    problems
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

    #[test]
    fn the_root_states_each_number_in_its_row() {
        let counted = BTreeMap::from([("rampauth-foo", 20), ("rampauth-keeper", 61)]);
        let head = "| you want to | crate | crates without default features |\n|---|---|---|\n";
        let foo = |number: &str| format!("| foo | [`rampauth-foo`](crates/foo) | {number} |\n");
        let keeper =
            |number: &str| format!("| keep | [`rampauth-keeper`](crates/keeper) | {number} |\n\n| x | y | 7 |\n");
        for (table, word) in [
            (format!("{head}{}{}", foo("20"), keeper("")), ""),
            (format!("{head}{}{}", foo("20"), keeper("61")), ""),
            (format!("{head}{}{}", foo("19"), keeper("")), "write 20 in the row of `rampauth-foo`"),
            (format!("{head}{}{}", foo(""), keeper("")), "write 20 in the row of `rampauth-foo`"),
            (format!("{head}{}{}", foo("20"), keeper("60")), "write 61 in the row of `rampauth-keeper`"),
            (format!("{head}{}", keeper("")), "no row for `rampauth-foo`"),
            (
                format!("{head}{}{}", foo("20"), foo("20").replace("foo", "bar")),
                "`rampauth-bar`, which is not published",
            ),
            (head.replace("crates without", "boxes without"), "has no table"),
        ] {
            let problems = compare_root(&table, &counted, &["rampauth-foo"]);
            assert_eq!(problems.len(), usize::from(!word.is_empty()), "{table}{problems:#?}");
            assert!(problems.concat().contains(word), "{word}: {problems:#?}");
        }
    }
}
