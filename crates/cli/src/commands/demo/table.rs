//! The five calls as a table.

use std::time::SystemTime;

use comfy_table::{Attribute, Cell, Color, ColumnConstraint};

use super::calls::{GRANTED, Row};
use crate::provider::ALGORITHM;
use crate::terminal::{Lines, Look};
use crate::time::in_words;

/// What the table takes with everything side by side, in columns of a terminal.
pub(super) const WIDE: u16 = 144;

/// The table: one line a row where there is room, else what is signed under the call.
pub(super) fn render(rows: &[Row], now: SystemTime, look: Look) -> String {
    let narrow = look.width.is_some_and(|width| width < WIDE);
    let mut table = look.table(Lines::Around);
    let middle = if narrow { vec!["call, and what is signed"] } else { vec!["call", "signed"] };
    let header = [vec!["provider"], middle, vec!["outcome", "expires", "rotated"]].concat();
    table.set_header(header.into_iter().map(|text| Cell::new(text).add_attribute(Attribute::Bold)));
    for row in rows {
        let signed = row.signed.map_or_else(|| "nothing".to_owned(), |text| format!("{text} · {ALGORITHM}"));
        let mut cells = vec![Cell::new(row.call.name()).add_attribute(Attribute::Bold)];
        if narrow {
            cells.push(Cell::new(format!("{}\n{signed}", row.request)));
        } else {
            cells.extend([Cell::new(&row.request), Cell::new(signed)]);
        }
        cells.push(Cell::new(GRANTED).fg(Color::Green));
        cells.push(Cell::new(in_words(row.expiry, now)));
        cells.push(Cell::new(if row.rotated { "yes" } else { "no" }));
        table.add_row(cells);
    }
    // The calls alone are wrapped.
    for (index, column) in table.column_iter_mut().enumerate() {
        if index != 1 {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    use rampauth_core::Expiry;
    use rampauth_sandbox::Call;

    fn look(width: Option<u16>) -> Look {
        Look { width, colour: false, unicode: true }
    }

    fn rows() -> [Row; 2] {
        let row = |call, request: &str, signed, seconds, rotated| {
            let expiry = Expiry::At(UNIX_EPOCH + Duration::from_secs(seconds));
            Row::new(call, request.to_owned(), signed, expiry, rotated)
        };
        [
            row(Call::AlixCard, "POST /api/v2/auth/refresh-token", Some("partnerCode|secretKey"), 899, true),
            row(Call::TransakUser, "GET /api/v2/auth/refresh", None, 30 * 86_400, false),
        ]
    }

    #[test]
    fn side_by_side_where_there_is_room() {
        let wide = render(&rows(), UNIX_EPOCH, look(None));
        insta::assert_snapshot!(wide, @r"
        ╭──────────────┬─────────────────────────────────┬────────────────────────────────────┬─────────┬────────────────┬─────────╮
        │ provider     ┆ call                            ┆ signed                             ┆ outcome ┆ expires        ┆ rotated │
        ╞══════════════╪═════════════════════════════════╪════════════════════════════════════╪═════════╪════════════════╪═════════╡
        │ alix-card    ┆ POST /api/v2/auth/refresh-token ┆ partnerCode|secretKey · RSA-SHA256 ┆ granted ┆ in 14 min 59 s ┆ yes     │
        │ transak-user ┆ GET /api/v2/auth/refresh        ┆ nothing                            ┆ granted ┆ in 30 d        ┆ no      │
        ╰──────────────┴─────────────────────────────────┴────────────────────────────────────┴─────────┴────────────────┴─────────╯
        ");
        assert_eq!(render(&rows(), UNIX_EPOCH, look(Some(WIDE))), wide);
    }

    #[test]
    fn one_under_the_other_where_there_is_not() {
        insta::assert_snapshot!(render(&rows(), UNIX_EPOCH, look(Some(90))), @r"
        ╭──────────────┬────────────────────────────────────┬─────────┬────────────────┬─────────╮
        │ provider     ┆ call, and what is signed           ┆ outcome ┆ expires        ┆ rotated │
        ╞══════════════╪════════════════════════════════════╪═════════╪════════════════╪═════════╡
        │ alix-card    ┆ POST /api/v2/auth/refresh-token    ┆ granted ┆ in 14 min 59 s ┆ yes     │
        │              ┆ partnerCode|secretKey · RSA-SHA256 ┆         ┆                ┆         │
        │ transak-user ┆ GET /api/v2/auth/refresh           ┆ granted ┆ in 30 d        ┆ no      │
        │              ┆ nothing                            ┆         ┆                ┆         │
        ╰──────────────┴────────────────────────────────────┴─────────┴────────────────┴─────────╯
        ");
        let tiny = render(&rows(), UNIX_EPOCH, look(Some(10)));
        assert!(tiny.contains("in 14 min 59 s"), "{tiny}");
    }

    #[test]
    fn colour_is_the_only_difference_that_colour_makes() {
        let coloured = render(&rows(), UNIX_EPOCH, Look { colour: true, ..look(None) });
        assert!(coloured.contains("\x1b["));
        let plain: String = coloured
            .split('\x1b')
            .enumerate()
            .map(|(index, part)| match index {
                0 => part,
                _ => part.split_once('m').expect("the end of a colour").1,
            })
            .collect();
        assert_eq!(plain, render(&rows(), UNIX_EPOCH, look(None)));
    }
}
