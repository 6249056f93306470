//! `rampauth status`: every session of the store, and what to do about it. Needs neither secrets nor the network, and gets in
//! nobody's way.

mod advice;
mod check;
pub(crate) mod page;
mod row;

use std::io::IsTerminal as _;
use std::path::Path;
use std::time::Duration;

use rampauth_core::{Clock as _, Error, Outcome, SystemClock};
use rampauth_keeper::StoreExt as _;
use rampauth_store_sqlite::SqliteStore;
use serde::Serialize;

use crate::config::Config;
use crate::terminal::Look;
use crate::{output, signals, stored};
pub(crate) use row::Row;

/// How often `--watch` looks.
const PACE: Duration = Duration::from_secs(2);
/// Clears a terminal and goes to its corner.
const CLEAR: &str = "\x1b[2J\x1b[H";

#[derive(Serialize)]
struct Document<'a> {
    sessions: &'a [Row],
}

pub(crate) async fn run(path: &Path, check: bool, watch: bool, json: bool) -> Result<(), Error> {
    let config = Config::load(path)?;
    if !watch {
        let store = stored::find(&config)?;
        let rows = rows(&config, store.as_ref()).await?;
        if check {
            check::all_is_well(&rows, SystemClock.now())?;
        }
        return if json { output::json(&Document { sessions: &rows }, Outcome::NotSent) } else { print(&rows, "") };
    }
    let mut stop = signals::Stop::listen()?;
    let on_a_terminal = std::io::stdout().is_terminal();
    let mut store = None;
    let mut last = None;
    loop {
        if store.is_none() {
            store = stored::find(&config)?;
        }
        let rows = tokio::select! {
            rows = rows(&config, store.as_ref()) => rows?,
            _ = stop.wait() => return Ok(()),
        };
        // Words such as "in 3 s" change all the time; what is told by them has to change before it is told again.
        let changed = last.as_ref() != Some(&rows);
        match json {
            true if changed => output::json(&Document { sessions: &rows }, Outcome::NotSent)?,
            false if on_a_terminal => print(&rows, CLEAR)?,
            false if changed => print(&rows, "")?,
            _ => {}
        }
        last = Some(rows);
        tokio::select! {
            _ = stop.wait() => return Ok(()),
            // Nobody reads on, and nobody would be told before the next change.
            () = output::closed() => return Ok(()),
            () = tokio::time::sleep(PACE) => {}
        }
    }
}

/// A row per key of the store, by key. One that cannot be read is a row too.
async fn rows(config: &Config, store: Option<&SqliteStore>) -> Result<Vec<Row>, Error> {
    let Some(store) = store else { return Ok(Vec::new()) };
    let keys = store.all_keys().await.map_err(|error| stored::unusable(&error))?;
    let now = SystemClock.now();
    let mut rows = Vec::with_capacity(keys.len());
    for key in keys {
        let profile = config.profiles().find(|profile| profile.key == key).map(AsRef::as_ref);
        match store.load(&key).await {
            Ok(Some(record)) => rows.push(Row::new(&key, config, profile, &record, now)),
            Ok(None) => {}
            Err(error) => rows.push(Row::unreadable(&key, profile, &error)),
        }
    }
    Ok(rows)
}

fn print(rows: &[Row], before: &str) -> Result<(), Error> {
    let page = page::render(rows, SystemClock.now(), Look::of_stdout());
    output::line(&format!("{before}{page}"), Outcome::NotSent)
}
