//! The README's demo: it ends well, and every one of the five calls in it did.

use serde_json::{Deserializer, Value};

use crate::command;
use crate::outcome::Outcome;
use crate::readme;
use crate::workspace::Workspace;

/// Alix card, Alix on/off-ramp, Transak, PayBy, Onboard.
const ROWS: usize = 5;

pub(crate) fn run(ws: &Workspace, _args: &[String]) -> Outcome {
    let commands = readme::commands(ws)?;
    let (name, args) = commands.demo.split_first().ok_or("README.md: the demo command is empty")?;
    command::run(&mut command::program(name, &ws.root, args))?;
    let printed = command::read_text(command::program(name, &ws.root, args).arg("--json"))?;
    judge(&printed)
}

/// `printed` is one JSON value per row, or one that holds them, as an array or as its member `rows`.
fn judge(printed: &str) -> Outcome {
    let values: Result<Vec<Value>, _> = Deserializer::from_str(printed).into_iter().collect();
    let values = values.map_err(|error| format!("demo --json printed something that is not JSON: {error}"))?;
    let rows = match &values[..] {
        [Value::Array(rows)] => rows,
        [Value::Object(members)] => match members.get("rows") {
            Some(Value::Array(rows)) => rows,
            _ => &values,
        },
        _ => &values,
    };
    if rows.len() != ROWS {
        return Err(format!("demo --json printed {} rows, not {ROWS}", rows.len()).into());
    }
    let bad = rows.iter().find(|row| row["outcome"] != "granted" || row.get("error").is_some_and(|it| !it.is_null()));
    match bad {
        Some(row) => Err(format!("demo --json: a row is not granted: {row}").into()),
        None => Ok(format!("{ROWS} rows, all granted")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn five_granted_rows_are_fine_in_any_frame() {
        let rows = vec![json!({"provider": "alix-card", "outcome": "granted"}); ROWS];
        let lines = rows.iter().map(|row| format!("{row}\n")).collect::<String>();
        for printed in [lines, json!(rows).to_string(), json!({"rows": rows, "kept": {}}).to_string()] {
            assert!(judge(&printed).is_ok(), "{printed}");
        }
    }

    #[test]
    fn fewer_rows_a_failed_row_or_no_json_are_failures() {
        let rows = |outcome: &str, number: usize| {
            let mut rows = vec![json!({"outcome": "granted"}); number];
            rows[number - 1]["outcome"] = json!(outcome);
            json!(rows).to_string()
        };
        assert!(judge(&rows("granted", ROWS)).is_ok());
        assert!(judge(&rows("granted", ROWS - 1)).is_err());
        assert!(judge(&rows("granted", ROWS + 1)).is_err());
        for outcome in ["refused", "unknown", "not_sent"] {
            assert!(judge(&rows(outcome, ROWS)).is_err(), "{outcome}");
        }
        assert!(judge("").is_err() && judge("a table").is_err());
    }
}
