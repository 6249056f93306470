//! The rows for people: a table, or a block of lines for each where a table would be too narrow to be read.

use std::time::SystemTime;

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, Color, ColumnConstraint, Table};
use rampauth_core::Expiry;

use super::row::Row;
use crate::config::printable;
use crate::terminal::{Lines, Look};
use crate::time::in_words;

const NONE: &str = "no session yet: log in, then `rampauth import PROFILE < tokens.json`";
/// Five columns are not to be read in less, in columns of a terminal.
const NARROWEST: u16 = 60;

pub(crate) fn render(rows: &[Row], now: SystemTime, look: Look) -> String {
    if rows.is_empty() {
        return NONE.to_owned();
    }
    if look.width.is_some_and(|width| width < NARROWEST) {
        let blocks: Vec<String> = rows.iter().map(|row| block(row, now, look)).collect();
        return blocks.join("\n\n");
    }
    let mut table = look.table(Lines::BetweenRows);
    let header = ["session", "state", "tokens", "what happened", "what to do"];
    table.set_header(header.map(bold));
    for row in rows {
        table.add_row(cells(row, now));
    }
    table.to_string()
}

/// One session, a part of it a line.
fn block(row: &Row, now: SystemTime, look: Look) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    look.wrap(&mut table);
    let names = ["session", "state", "tokens", "happened", "to do"];
    for (name, cell) in names.into_iter().zip(cells(row, now)) {
        if !cell.content().is_empty() {
            table.add_row([bold(name), cell]);
        }
    }
    if let Some(names) = table.column_mut(0) {
        names.set_constraint(ColumnConstraint::ContentWidth).set_padding((0, 1));
    }
    let lines = table.lines().map(|line| line.trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

fn bold(text: &str) -> Cell {
    Cell::new(text).add_attribute(Attribute::Bold)
}

fn cells(row: &Row, now: SystemTime) -> [Cell; 5] {
    let name = row.profile.as_deref().map_or_else(String::new, |name| format!("{}\n", printable(name)));
    let state = Cell::new(row.state.replace('_', " ")).fg(match row.state {
        "ready" | "refreshing" => Color::Green,
        "in_doubt" => Color::Yellow,
        "removed" => Color::DarkGrey,
        _ => Color::Red,
    });
    let session = Cell::new(format!("{name}{}", row.key));
    [session, state, Cell::new(tokens(row, now)), Cell::new(events(row, now)), Cell::new(&row.advice)]
}

fn tokens(row: &Row, now: SystemTime) -> String {
    let mut lines = Vec::new();
    if let Some(expiry) = row.times.access {
        lines.push(format!("access: {}", in_words(expiry, now)));
    }
    if let Some(expiry) = row.times.refresh {
        lines.push(format!("refresh: {}", in_words(expiry, now)));
    }
    lines.join("\n")
}

fn events(row: &Row, now: SystemTime) -> String {
    let mut lines = Vec::new();
    let when = |time| in_words(Expiry::At(time), now);
    if let Some(attempt) = &row.attempt {
        let times = attempt.presentations;
        let plural = if times == 1 { "" } else { "s" };
        lines.push(format!("presented {times} time{plural} without an answer, first {}", when(attempt.time)));
    }
    if let Some(until) = row.times.claim {
        let by = row.claimed_by.as_deref().unwrap_or_default();
        lines.push(format!("claimed by process {}, lapses {}", &by[..8.min(by.len())], when(until)));
    }
    if let Some(error) = &row.last_error {
        let status = error.status.map_or_else(String::new, |status| format!(", HTTP {status}"));
        let code = error.code.as_deref().map_or_else(String::new, |code| format!(", code {}", printable(code)));
        lines.push(format!("last refresh: {}{status}{code}, {}", error.kind.replace('_', " "), when(error.time)));
        if let Some(until) = error.pause.filter(|until| now < *until) {
            lines.push(format!("the provider asked to be left alone, which ends {}", when(until)));
        }
    } else if row.generation.is_some_and(|generation| generation > 0) && row.state == "ready" {
        lines.push("no failure".to_owned());
    }
    if let (Some(times), "failing") = (row.refusals, row.state) {
        lines.push(format!("refused {times} times in a row"));
    }
    if let Some(clock) = &row.clock_difference {
        lines.push(format!("{}, seen {}", clock.difference, when(clock.time)));
    }
    if let (Some(next), "ready" | "failing") = (row.times.next, row.state) {
        lines.push(format!("due for a refresh {}", when(next)));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use rampauth_core::time::parse_rfc3339;
    use rampauth_keeper::{Record, SessionKey};
    use serde_json::json;

    use super::*;
    use crate::config::Config;

    fn page(width: u16) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rampauth.toml");
        let text = "[profile.onboard]\nprovider = \"onboard\"\nbase_url = \"http://127.0.0.1:9\"\n";
        std::fs::write(&path, text).expect("a file");
        let tokens = json!({"payload": "", "sealed_with": null, "presents": "02".repeat(32), "access": "01".repeat(32),
            "access_expiry": {"at": "2026-11-20T09:29:00Z"}, "presented_expiry": "unknown", "granted_at": "2026-11-20T09:00:00Z",
            "next_due": null});
        let record = json!({"version": 1, "session": "0a".repeat(16), "generation": 1, "base": 0, "state": "ready",
            "attempt": null, "orphans": [], "last_commit": null, "rejected": null, "next_due": null, "last_error": null,
            "updated_at": "2026-11-20T09:00:00Z", "tokens": tokens});
        let record = Record::from_json(&record.to_string()).expect("a record");
        let now = parse_rfc3339("2026-11-20T09:30:00Z").expect("a time");
        let config = Config::load(&path).expect("a configuration");
        let row = |key: &str| {
            let key = SessionKey::parse(key).expect("a key");
            let profile = config.profiles().find(|profile| profile.key == key).map(AsRef::as_ref);
            Row::new(&key, &config, profile, &record, now)
        };
        let rows = [row("onboard/127.0.0.1:9/onboard"), row("payby/staging/gone")];
        render(&rows, now, Look { width: Some(width), colour: false, unicode: false })
    }

    #[test]
    fn a_block_for_each_session_where_a_table_would_be_too_narrow() {
        insta::assert_snapshot!(page(NARROWEST - 1), @r"
        session   onboard
                  onboard/127.0.0.1:9/onboard
        state     ready
        tokens    access: 1 min ago
                  refresh: unknown
        happened  no failure
        to do     its access token has expired: `rampauth keep`
                  refreshes it, or the next `rampauth token
                  onboard`

        session   payby/staging/gone
        state     ready
        tokens    access: 1 min ago
                  refresh: unknown
        happened  no failure
        to do     no profile of this configuration has this
                  session: find the configuration that has
        ");
        assert!(page(NARROWEST).starts_with('+'));
    }

    #[test]
    fn words_are_wrapped_at_the_width() {
        for width in [30, NARROWEST - 1, NARROWEST, 80, 200] {
            let page = page(width);
            assert!(page.lines().all(|line| line.chars().count() <= usize::from(width)), "{width}:\n{page}");
            let words: Vec<&str> = page.split_whitespace().collect();
            for word in ["expired:", "refreshes", "configuration"] {
                assert!(words.contains(&word) || (NARROWEST..80).contains(&width), "{word} is cut at {width}:\n{page}");
            }
        }
    }
}
