//! What happened, for people: the calls, the token that was kept, the crash.

use std::time::{Duration, SystemTime};

use comfy_table::{Attribute, Cell, Color};

use super::crash::Crash;
use super::kept::Kept;
use super::report::Report;
use super::table;
use crate::commands::status;
use crate::terminal::{Lines, Look};
use crate::time::in_words;

const VERIFIED: &str = "Each signature was made by one implementation of RSA and verified by another.";
const NEXT: &str = "\
Keys, tokens and store are gone again.
Next: `rampauth sandbox --write demo` keeps a sandbox running and writes a configuration with live tokens for it.";

pub(super) fn render(report: &Report, now: SystemTime, look: Look) -> String {
    let calls = table::render(&report.rows, now, look);
    let (kept, crash) = (kept(&report.kept, look), crash(&report.crash, now, look));
    let page = format!("{calls}\n{VERIFIED}\n\n{kept}\n\n{crash}\n\n{NEXT}");
    // As wide as what they stand for, so that the tables stay as they are.
    if look.unicode { page } else { page.replace('·', "-").replace('µ', "u") }
}

fn kept(kept: &Kept, look: Look) -> String {
    let text = format!("A token of {} that lives {} ms, kept fresh", kept.provider.name(), kept.lifetime.as_millis());
    let mut table = look.table(Lines::Around);
    let header = ["rotations", "refreshes", "readers", "reads", "waited", "slowest read"];
    table.set_header(header.map(|text| Cell::new(text).add_attribute(Attribute::Bold)));
    let waited = match kept.waited {
        0 => Cell::new("no reader").fg(Color::Green),
        reads => Cell::new(format!("{} reads", grouped(reads))).fg(Color::Yellow),
    };
    table.add_row([
        Cell::new(kept.rotations),
        Cell::new(kept.refreshes_sent),
        Cell::new(kept.readers),
        Cell::new(grouped(kept.reads)),
        waited,
        Cell::new(measured(kept.slowest)),
    ]);
    format!(
        "{}\n{table}\nNo reader was given an expired token, and none an older one than before.",
        title(&text, look.colour)
    )
}

fn crash(crash: &Crash, now: SystemTime, look: Look) -> String {
    let title = title("A process, killed between sending a refresh and saving the answer", look.colour);
    // Its sentences are cut into lines beside a terminal too.
    let width = look.width.map_or(table::WIDE, |width| width.min(table::WIDE));
    let look = Look { width: Some(width), ..look };
    let status = status::page::render(std::slice::from_ref(&crash.status), now, look);
    format!(
        "{title}\n\
         after {:>5} ms: killed; {} had granted its request, and the answer was still to come\n\
         after {:>5} ms: its claim has lapsed, and `rampauth status` says\n\
         {status}\n\
         after {:>5} ms: settled; the token was presented once more ({} times in all) and granted\n\
         The session lives on: generation {}, the access token expires {}.",
        crash.killed_after_millis,
        crash.provider.name(),
        crash.doubt_after_millis,
        crash.settled_after_millis,
        crash.presentations,
        crash.generation,
        in_words(crash.expiry, now),
    )
}

fn title(text: &str, colour: bool) -> String {
    if colour { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
}

/// `41 µs`, `12 ms`: rounded up, so that nothing looks faster than it was.
fn measured(duration: Duration) -> String {
    match duration.as_nanos().div_ceil(1_000) {
        micros @ ..1_000 => format!("{micros} µs"),
        micros => format!("{} ms", micros.div_ceil(1_000)),
    }
}

/// `4,812`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    use rampauth_sandbox::Call;

    fn figures(waited: u64, slowest: Duration) -> Kept {
        Kept {
            provider: Call::Onboard,
            lifetime: Duration::from_millis(400),
            rotations: 3,
            refreshes_sent: 3,
            readers: 4,
            reads: 4_812,
            waited,
            slowest,
        }
    }

    fn look(width: Option<u16>) -> Look {
        Look { width, colour: false, unicode: true }
    }

    #[test]
    fn the_figures_stand_there_as_they_were_measured() {
        insta::assert_snapshot!(kept(&figures(0, Duration::from_nanos(41_001)), look(None)), @r"
        A token of onboard that lives 400 ms, kept fresh
        ╭───────────┬───────────┬─────────┬───────┬───────────┬──────────────╮
        │ rotations ┆ refreshes ┆ readers ┆ reads ┆ waited    ┆ slowest read │
        ╞═══════════╪═══════════╪═════════╪═══════╪═══════════╪══════════════╡
        │ 3         ┆ 3         ┆ 4       ┆ 4,812 ┆ no reader ┆ 42 µs        │
        ╰───────────┴───────────┴─────────┴───────┴───────────┴──────────────╯
        No reader was given an expired token, and none an older one than before.
        ");
        insta::assert_snapshot!(kept(&figures(1_002, Duration::from_micros(30_001)), look(Some(70))), @r"
        A token of onboard that lives 400 ms, kept fresh
        ╭───────────┬───────────┬─────────┬───────┬────────┬──────────────╮
        │ rotations ┆ refreshes ┆ readers ┆ reads ┆ waited ┆ slowest read │
        ╞═══════════╪═══════════╪═════════╪═══════╪════════╪══════════════╡
        │ 3         ┆ 3         ┆ 4       ┆ 4,812 ┆ 1,002  ┆ 31 ms        │
        │           ┆           ┆         ┆       ┆ reads  ┆              │
        ╰───────────┴───────────┴─────────┴───────┴────────┴──────────────╯
        No reader was given an expired token, and none an older one than before.
        ");
    }

    #[test]
    fn colour_is_for_terminals_that_want_it() {
        let kept = |colour| kept(&figures(0, Duration::ZERO), Look { colour, ..look(None) });
        assert!(kept(true).starts_with("\x1b[1mA token") && !kept(false).contains('\x1b'));
    }

    #[test]
    fn numbers_are_grouped_and_times_rounded_up() {
        assert_eq!([1, 999, 1_000, 1_234_567].map(grouped), ["1", "999", "1,000", "1,234,567"]);
        let nanos = [1, 41_000, 999_000, 999_001, 1_000_001].map(Duration::from_nanos);
        assert_eq!(nanos.map(measured), ["1 µs", "41 µs", "999 µs", "1 ms", "2 ms"]);
    }
}
