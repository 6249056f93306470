//! `rampauth demo`: all five refresh calls against a sandbox of its own, a token kept fresh while it is read, and a crash that
//! costs nothing; each the way a user's program would do it, with a keeper on a store.

mod calls;
mod crash;
mod kept;
mod page;
mod progress;
mod report;
mod setup;
mod table;

use std::sync::Arc;

use rampauth_core::{Clock as _, Error, Outcome, SystemClock};
use rampauth_sandbox::Sandbox;

use crate::commands::sandbox;
use crate::signals::{Hangup, Signal, Stop};
use crate::terminal::Look;
use crate::{output, sandbox_files, signals};
use crash::Gate;
use progress::Progress;
use report::Report;
use setup::Setup;

pub(crate) use crash::victim;

/// Steps besides the five calls: the token that is kept, the crash, its end.
const FURTHER_STEPS: usize = 3;

pub(crate) async fn run(json: bool) -> Result<(), Error> {
    // Listened to from the start, so that being stopped early leaves nothing behind.
    let (mut stop, mut hangup) = (Stop::listen()?, Hangup::listen()?);
    let stopped = async {
        tokio::select! {
            signal = stop.wait() => signal,
            () = hangup.wait() => Signal::Hangup,
        }
    };
    let progress = Progress::start(sandbox_files::PROFILES.len() + FURTHER_STEPS, json);
    let report = tokio::select! {
        report = play(&progress) => report?,
        // Dropped: the folder of keys goes with it, and the process that was to be killed.
        signal = stopped => {
            signals::stopped_by(signal);
            return Ok(());
        }
    };
    drop(progress);
    if json {
        return output::json(&report, Outcome::Unknown);
    }
    output::line(&page::render(&report, SystemClock.now(), Look::of_stdout()), Outcome::Unknown)
}

async fn play(progress: &Progress) -> Result<Report, Error> {
    progress.say("making keys and starting the sandbox");
    let gate = Arc::<Gate>::default();
    let guard = Arc::clone(&gate);
    let builder = Sandbox::builder().grace(crash::GRACE).on_event(move |event| guard.pass(event));
    let setup = Setup::new(sandbox::start(builder).await?)?;
    let refreshing = |call| progress.step(&format!("refreshing {call}"));
    let (card, others) = sandbox_files::PROFILES.split_at(1);
    let (mut rows, mut sessions) = calls::refresh_all(&setup, card, refreshing).await?;
    progress.step("killing a process between sending and saving");
    let killed = crash::kill(&setup, &gate).await?;
    // What the dead process claimed lapses while the others go on.
    let (more_rows, more_sessions) = calls::refresh_all(&setup, others, refreshing).await?;
    rows.extend(more_rows);
    sessions.extend(more_sessions);
    progress.step("keeping a short-lived token fresh");
    let kept = kept::watch(&setup, calls::take(&mut sessions, kept::PROFILE)?).await?;
    progress.step("settling the doubt");
    let crash = crash::settle(&setup, calls::take(&mut sessions, crash::PROFILE)?, killed).await?;
    setup.clear().await?;
    Ok(Report { rows, kept, crash })
}
