//! No circle of files: within a crate, imports lead in one direction, so that each file can be read after those it imports.
//!
//! cargo-modules and cargo-cycles do not serve here: both take a parent's `mod child;` for an import, so that a folder of modules is a
//! circle to them, and cargo-cycles finds one crate behind `crates/*`. (Tried in 2026-12: cargo-cycles 0.2.0.)

mod imports;
mod modules;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use imports::Import;
use modules::Crate;

use super::tree::Tree;

/// Each file with the files that it imports, and one imported name for each of them.
type Graph = BTreeMap<String, BTreeMap<String, String>>;

pub(super) fn none(tree: &Tree, problems: &mut Vec<String>) -> usize {
    let mut looked_at = 0;
    for (folder, _) in tree.members(problems) {
        for root in modules::roots(tree, &folder) {
            let graph = graph(&Crate::read(tree, root, problems));
            looked_at += graph.values().map(BTreeMap::len).sum::<usize>();
            problems.extend(circles(&graph).iter().map(|circle| message(&graph, circle)));
        }
    }
    looked_at
}

fn graph(of: &Crate) -> Graph {
    let mut graph = Graph::new();
    for Import { from, to, name } in imports::between_files(of) {
        graph.entry(from).or_default().entry(to).or_insert(name);
    }
    graph
}

/// The shortest circle of each group of files that reach one another.
fn circles(graph: &Graph) -> Vec<Vec<&str>> {
    let mut seen = BTreeSet::new();
    let mut circles = Vec::new();
    for file in graph.keys() {
        if seen.contains(file.as_str()) {
            continue;
        }
        let group: Vec<_> =
            graph.keys().filter(|other| reach(graph, file, other) && reach(graph, other, file)).collect();
        seen.extend(group.iter().map(|file| file.as_str()));
        circles.extend(group.iter().filter_map(|file| way(graph, file, file)).min_by_key(Vec::len));
    }
    circles
}

fn reach(graph: &Graph, from: &str, to: &str) -> bool {
    way(graph, from, to).is_some()
}

/// The shortest way along imports, of one import at least: the files on it, `to` left out.
fn way<'a>(graph: &'a Graph, from: &'a str, to: &str) -> Option<Vec<&'a str>> {
    let mut came_from = BTreeMap::new();
    let mut queue = VecDeque::from([from]);
    while let Some(file) = queue.pop_front() {
        for next in graph.get(file).into_iter().flat_map(BTreeMap::keys) {
            if next == to {
                let mut way = vec![file];
                while let Some(before) = came_from.get(way[way.len() - 1]).filter(|_| way[way.len() - 1] != from) {
                    way.push(*before);
                }
                way.reverse();
                return Some(way);
            }
            if !came_from.contains_key(next.as_str()) {
                came_from.insert(next.as_str(), file);
                queue.push_back(next);
            }
        }
    }
    None
}

fn message(graph: &Graph, circle: &[&str]) -> String {
    let first = circle[0];
    let folder = first.rsplit_once('/').map_or("", |(folder, _)| folder);
    let short = |file: &str| file.strip_prefix(folder).map_or(file, |rest| rest.trim_start_matches('/')).to_owned();
    let nexts = circle.iter().skip(1).chain([&first]);
    let imports = circle.iter().zip(nexts).map(|(file, next)| {
        let name = &graph[*file][*next];
        format!("{} uses `{name}` of {}", short(file), short(next))
    });
    let imports: Vec<_> = imports.collect();
    format!("{first}: imports itself: {}; move what they share into a file below them", imports.join(", "))
}

#[cfg(test)]
mod tests;
