//! What a stream shows to a person: whether anybody looks, in which width, with colour, and with which characters.

use std::ffi::OsString;
use std::io::IsTerminal;

use comfy_table::presets::{ASCII_FULL, ASCII_FULL_CONDENSED, UTF8_FULL, UTF8_FULL_CONDENSED};
use comfy_table::{ContentArrangement, Table};

use crate::env;

/// Whether to write colour to this stream: it is a terminal that can, and `NO_COLOR` is not set
/// (<https://no-color.org>).
pub(crate) fn has_colour(stream: &impl IsTerminal) -> bool {
    stream.is_terminal()
        && env::setting("NO_COLOR").is_none()
        && env::variable("TERM").is_none_or(|kind| kind != "dumb")
}

/// How pages for people are drawn on standard output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// In columns; `None` where nothing is wrapped.
    pub(crate) width: Option<u16>,
    pub(crate) colour: bool,
    /// Whether characters beyond ASCII are shown as they are.
    pub(crate) unicode: bool,
}

impl Look {
    pub(crate) fn of_stdout() -> Self {
        // Windows has no locale in its environment, and its consoles are given Unicode.
        let unicode = cfg!(windows) || is_utf8(env::setting);
        Self { width: Table::new().width(), colour: has_colour(&std::io::stdout()), unicode }
    }

    /// An empty table with borders, its words wrapped at the width.
    pub(crate) fn table(self, lines: Lines) -> Table {
        let mut table = Table::new();
        match (lines, self.unicode) {
            (Lines::BetweenRows, true) => table.load_style(UTF8_FULL.with_rounded_corners()),
            (Lines::BetweenRows, false) => table.load_style(ASCII_FULL),
            (Lines::Around, true) => table.load_style(UTF8_FULL_CONDENSED.with_rounded_corners()),
            (Lines::Around, false) => table.load_style(ASCII_FULL_CONDENSED),
        };
        self.wrap(&mut table);
        table
    }

    /// Has this table's words wrapped at the width, and its cells coloured where there is colour.
    pub(crate) fn wrap(self, table: &mut Table) {
        table.force_no_tty();
        if let Some(width) = self.width {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        if self.colour {
            table.enforce_styling();
        }
    }
}

/// Which lines a table has besides those between its columns.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lines {
    Around,
    BetweenRows,
}

/// Whether the locale's characters are those of UTF-8: the first of its variables that is set decides (POSIX.1-2017, 8.2), and
/// where none is, the locale is `C`.
fn is_utf8(setting: impl Fn(&str) -> Option<OsString>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(setting).unwrap_or_default();
    let locale = locale.to_string_lossy().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_of_the_locale_decides() {
        for (set, expected) in [
            (&[][..], false),
            (&[("LANG", "C")], false),
            (&[("LANG", "C.UTF-8")], true),
            (&[("LANG", "de_DE.utf8")], true),
            (&[("LANG", "de_DE.ISO-8859-1")], false),
            (&[("LANG", "C.UTF-8"), ("LC_CTYPE", "C")], false),
            (&[("LANG", "C"), ("LC_CTYPE", "UTF-8")], true),
            (&[("LANG", "C.UTF-8"), ("LC_CTYPE", "C.UTF-8"), ("LC_ALL", "POSIX")], false),
            (&[("LANG", "C"), ("LC_ALL", "en_GB.UTF-8")], true),
        ] {
            let value = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
            assert_eq!(is_utf8(value), expected, "{set:?}");
        }
    }
}
