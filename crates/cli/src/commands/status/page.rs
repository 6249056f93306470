//! The rows as a table for people.

use std::time::SystemTime;

use comfy_table::presets::UTF8_FULL;
use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table};
use rampauth_core::Expiry;

use super::row::Row;
use crate::config::printable;
use crate::time::in_words;

const NONE: &str = "no session yet: log in, then `rampauth import PROFILE < tokens.json`";

/// How wide the terminal is, if standard output is one.
pub(crate) fn terminal_width() -> Option<u16> {
    Table::new().width()
}

pub(crate) fn render(rows: &[Row], now: SystemTime, width: Option<u16>, colour: bool) -> String {
    if rows.is_empty() {
        return NONE.to_owned();
    }
    let mut table = Table::new();
    table.load_style(UTF8_FULL.with_rounded_corners()).force_no_tty();
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    if colour {
        table.enforce_styling();
    }
    let header = ["session", "state", "tokens", "what happened", "what to do"];
    table.set_header(header.map(|text| Cell::new(text).add_attribute(Attribute::Bold)));
    for row in rows {
        let name = row.profile.as_deref().map_or_else(String::new, |name| format!("{}\n", printable(name)));
        table.add_row([
            Cell::new(format!("{name}{}", row.key)),
            Cell::new(row.state.replace('_', " ")).fg(match row.state {
                "ready" | "refreshing" => Color::Green,
                "in_doubt" => Color::Yellow,
                "removed" => Color::DarkGrey,
                _ => Color::Red,
            }),
            Cell::new(tokens(row, now)),
            Cell::new(events(row, now)),
            Cell::new(&row.advice),
        ]);
    }
    table.to_string()
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
