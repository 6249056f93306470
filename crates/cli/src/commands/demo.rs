//! `rampauth demo`: all five refresh calls against a sandbox of its own, a token kept fresh while it is read, and a crash that
//! costs nothing; each the way a user's program would do it, with a keeper on a store.

mod calls;
mod crash;
mod kept;
mod page;
mod progress;
mod table;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rampauth_core::{Clock as _, Error, ErrorKind, Outcome, SystemClock};
use rampauth_keeper::Keeper;
use rampauth_sandbox::Sandbox;
use rampauth_store_sqlite::SqliteStore;
use serde::Serialize;
use tempfile::TempDir;

use crate::commands::sandbox;
use crate::config::Config;
use crate::signals::{Hangup, Signal, Stop};
use crate::terminal::Look;
use crate::{kit, output, signals, stored};
use calls::Row;
use crash::{Crash, Gate};
use kept::Kept;
use progress::Progress;

pub(crate) use crash::victim;

/// Steps besides the five calls: the token that is kept, the crash, its end.
const FURTHER_STEPS: usize = 3;

/// What happened, as it is printed with `--json`.
#[derive(Serialize)]
struct Story {
    rows: Vec<Row>,
    kept: Kept,
    crash: Crash,
}

pub(crate) async fn run(json: bool) -> Result<(), Error> {
    // Listened to from the start, so that being stopped early leaves nothing behind.
    let (mut stop, mut hangup) = (Stop::listen()?, Hangup::listen()?);
    let stopped = async {
        tokio::select! {
            signal = stop.wait() => signal,
            () = hangup.wait() => Signal::Hangup,
        }
    };
    let progress = Progress::start(kit::PROFILES.len() + FURTHER_STEPS, json);
    let story = tokio::select! {
        story = play(&progress) => story?,
        // Dropped: the folder of keys goes with it, and the process that was to be killed.
        signal = stopped => {
            signals::stopped_by(signal);
            return Ok(());
        }
    };
    drop(progress);
    if json {
        return output::json(&story, Outcome::Unknown);
    }
    output::line(&page::render(&story, SystemClock.now(), Look::of_stdout()), Outcome::Unknown)
}

async fn play(progress: &Progress) -> Result<Story, Error> {
    progress.say("making keys and starting the sandbox");
    let gate = Arc::<Gate>::default();
    let guard = Arc::clone(&gate);
    let builder = Sandbox::builder().grace(crash::GRACE).on_event(move |event| guard.pass(event));
    let stage = Stage::set(sandbox::start(builder).await?)?;
    let refreshing = |call| progress.step(&format!("refreshing {call}"));
    let (card, others) = kit::PROFILES.split_at(1);
    let (mut rows, mut sessions) = calls::refresh_all(&stage, card, refreshing).await?;
    progress.step("killing a process between sending and saving");
    let killed = crash::kill(&stage, &gate).await?;
    // What the dead process claimed lapses while the others go on.
    let (more_rows, more_sessions) = calls::refresh_all(&stage, others, refreshing).await?;
    rows.extend(more_rows);
    sessions.extend(more_sessions);
    progress.step("keeping a short-lived token fresh");
    let kept = kept::watch(&stage, calls::take(&mut sessions, kept::PROFILE)?).await?;
    progress.step("settling the doubt");
    let crash = crash::settle(&stage, calls::take(&mut sessions, crash::PROFILE)?, killed).await?;
    stage.clear().await?;
    Ok(Story { rows, kept, crash })
}

/// A sandbox, and what a user's program has to work with it. Dropped in the order of the fields.
struct Stage {
    keeper: Keeper,
    store: SqliteStore,
    config: Config,
    sandbox: Sandbox,
    folder: TempDir,
}

impl Stage {
    /// Writes a configuration and tokens for the sandbox, and reads them as any other.
    fn set(sandbox: Sandbox) -> Result<Self, Error> {
        let folder = tempfile::Builder::new().prefix("rampauth-demo-").tempdir().map_err(|error| {
            Error::input("start the demo", "there is no place for temporary files")
                .with_help("set TMPDIR to a folder that can be written")
                .with_source(error)
        })?;
        kit::write(folder.path(), true, &sandbox)?;
        let config = Config::load(&folder.path().join(CONFIG))?;
        let store = stored::create(&config)?;
        let keeper = stored::keeper(&config, &store, TIMEOUT)?.spawn()?;
        Ok(Self { keeper, store, config, sandbox, folder })
    }

    fn config_path(&self) -> PathBuf {
        self.folder.path().join(CONFIG)
    }

    async fn clear(self) -> Result<(), Error> {
        self.keeper.shutdown().await;
        self.sandbox.stop().await;
        drop((self.keeper, self.store));
        self.folder.close().map_err(|error| {
            Error::new(ErrorKind::Internal, Outcome::Unknown, "clear up", "the folder of keys cannot be removed")
                .with_source(error)
        })
    }
}

const CONFIG: &str = "rampauth.toml";
/// How long a request may take, as a profile has it that says nothing.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Something that the demo is there to show is not so.
fn broken(action: &'static str, reason: &'static str) -> Error {
    Error::new(ErrorKind::Internal, Outcome::Unknown, action, reason)
}
