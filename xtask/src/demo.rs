//! The README's demo: it ends well and soon, and each of the three things that it tells is so.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::command;
use crate::outcome::{Outcome, settle};
use crate::readme;
use crate::workspace::{Workspace, list};

/// Who is refreshed, in this order.
const PROVIDERS: [&str; 5] = ["alix-card", "alix-on-off-ramp", "transak-user", "payby", "onboard"];

/// How long it takes at most once it is built, also without optimisation, on a machine with little else to do.
const BOUND: Duration = Duration::from_secs(3);

/// What it may take before this check fails, as a multiple of the bound: a machine may have other things to do.
const PATIENCE: u32 = 5;

pub(crate) fn run(ws: &Workspace, _args: &[String]) -> Outcome {
    let commands = readme::commands(ws)?;
    let (name, args) = commands.demo.split_first().ok_or("README.md: the demo command is empty")?;
    command::run(&mut command::program(name, &ws.root, args))?;
    // By now it is built.
    let started = now();
    let printed = command::read_text(command::program(name, &ws.root, args).arg("--json"))?;
    let took = started.elapsed();
    let story: Value = serde_json::from_str(&printed)
        .map_err(|error| format!("demo --json printed no single JSON document: {error}"))?;
    let mut problems = judge(&story);
    problems.extend(too_slow(took));
    settle(
        problems,
        format!(
            "{} calls granted, a token kept fresh, a crash settled; {:.1} s, cargo included, of {} s",
            PROVIDERS.len(),
            took.as_secs_f64(),
            BOUND.as_secs()
        ),
    )
}

#[expect(clippy::disallowed_methods, reason = "how long the demo takes is what is checked")]
fn now() -> Instant {
    Instant::now()
}

fn too_slow(took: Duration) -> Option<String> {
    (took > BOUND * PATIENCE).then(|| {
        format!(
            "the demo took {:.1} s, more than {PATIENCE} times the {} s that it may take on an idle machine",
            took.as_secs_f64(),
            BOUND.as_secs()
        )
    })
}

/// What is wrong with the one document that the demo prints.
fn judge(story: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    let providers: Vec<_> = list(&story["rows"]).filter_map(|row| row["provider"].as_str()).collect();
    if providers != PROVIDERS {
        problems.push(format!("demo --json: the rows are of {providers:?}, not of {PROVIDERS:?}"));
    }
    for row in list(&story["rows"]).filter(|row| row["outcome"] != "granted") {
        problems.push(format!("demo --json: a row is not granted: {row}"));
    }
    let kept = &story["kept"];
    let number = |name: &str| kept[name].as_u64().unwrap_or_default();
    // Another refresh may be on its way when the rotations are counted.
    let rotations = number("rotations");
    if rotations == 0 || number("reads") == 0 || !(rotations..=rotations + 1).contains(&number("refreshesSent")) {
        problems.push(format!("demo --json: no token was kept fresh by one refresh for each rotation: {kept}"));
    }
    let crash = &story["crash"];
    let generation = |story: &Value| story["generation"].as_u64();
    let next = generation(&crash["status"]).map(|before| before + 1);
    let settled = crash["presentations"] == 2 && next.is_some() && generation(crash) == next;
    if crash["status"]["state"] != "in_doubt" || !settled {
        problems.push(format!(
            "demo --json: the crash left no doubt, or it was not settled by presenting once more: {crash}"
        ));
    }
    problems
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn story() -> Value {
        json!({
            "rows": PROVIDERS.map(|provider| json!({"provider": provider, "outcome": "granted"})),
            "kept": {"rotations": 3, "refreshesSent": 3, "reads": 1668, "waited": 0},
            "crash": {"status": {"state": "in_doubt", "generation": 2}, "presentations": 2, "generation": 3},
        })
    }

    #[test]
    fn a_whole_story_is_fine() {
        assert_eq!(judge(&story()), [""; 0]);
        let mut under_way = story();
        under_way["kept"]["refreshesSent"] = json!(4);
        assert_eq!(judge(&under_way), [""; 0]);
    }

    #[test]
    fn each_part_that_is_missing_or_does_not_show_what_it_is_there_for_is_named() {
        for (path, value, word) in [
            ("/rows", json!([]), "the rows are of"),
            ("/rows/4/provider", json!("alix-card"), "the rows are of"),
            ("/rows/0/outcome", json!("refused"), "a row is not granted"),
            ("/rows/4/outcome", json!("unknown"), "a row is not granted"),
            ("/kept", json!(null), "kept fresh"),
            ("/kept", json!({"rotations": 0, "refreshesSent": 0, "reads": 9}), "kept fresh"),
            ("/kept/reads", json!(0), "kept fresh"),
            ("/kept/refreshesSent", json!(2), "kept fresh"),
            ("/kept/refreshesSent", json!(5), "kept fresh"),
            ("/crash", json!({}), "the crash left no doubt"),
            ("/crash/status/state", json!("ok"), "the crash left no doubt"),
            ("/crash/presentations", json!(1), "the crash left no doubt"),
            ("/crash/generation", json!(2), "the crash left no doubt"),
        ] {
            let mut broken = story();
            *broken.pointer_mut(path).expect("a part of the story") = value.clone();
            let problems = judge(&broken);
            assert!(problems.len() == 1 && problems[0].contains(word), "{path} {value}: {problems:#?}");
        }
        assert_eq!(judge(&json!([])).len(), 3);
    }

    #[test]
    fn a_demo_that_takes_several_times_its_bound_is_too_slow() {
        assert_eq!((too_slow(BOUND), too_slow(BOUND * PATIENCE)), (None, None));
        assert!(too_slow(BOUND * PATIENCE + Duration::from_millis(1)).is_some());
    }
}
