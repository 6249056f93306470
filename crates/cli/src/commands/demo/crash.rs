//! A process that is killed between sending a refresh and saving what it brought, and how the session lives on.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use rampauth_core::{Clock as _, Error, ErrorKind, Expiry, Outcome, Refresh, SystemClock};
use rampauth_keeper::Session;
use rampauth_sandbox::{Call, Event, Verdict};
use serde::Serialize;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use super::calls::{name, record, time};
use super::setup::{Setup, broken};
use crate::commands::status::Row;
use crate::config::Config;
use crate::stored;

const ACTION: &str = "show a crash";
pub(super) const PROFILE: (&str, Call) = ("card", Call::AlixCard);
/// How long the sandbox exchanges a token again whose answer was lost.
pub(super) const GRACE: Duration = Duration::from_secs(60);
/// What the process that is killed allows itself for a request and for a step in the store: its claim lapses after one of the
/// one and two of the other, and nobody has to wait for long.
const SHORT: Duration = Duration::from_millis(400);
/// When a machine is too slow for this to show anything.
const LONGEST: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(10);

/// What happened. Times count from the start of the process that was killed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Crash {
    #[serde(serialize_with = "name")]
    pub(super) provider: Call,
    pub(super) killed_after_millis: u64,
    pub(super) doubt_after_millis: u64,
    /// As `rampauth status --json` tells it.
    pub(super) status: Row,
    pub(super) settled_after_millis: u64,
    /// How many times the sandbox saw the token and granted it.
    pub(super) presentations: u64,
    /// The session's tokens, counted.
    pub(super) generation: u64,
    #[serde(rename = "accessTokenExpiresAt", serialize_with = "time")]
    pub(super) expiry: Expiry,
}

/// Holds one answer of the sandbox back.
#[derive(Default)]
pub(super) struct Gate(Mutex<Option<Hold>>);

struct Hold {
    call: Call,
    reached: oneshot::Sender<()>,
    /// Ends when the other end is dropped.
    held: mpsc::Receiver<()>,
}

impl Gate {
    /// Closes it for the next granted answer of this call, until what is returned is dropped.
    fn close(&self, call: Call) -> (oneshot::Receiver<()>, mpsc::Sender<()>) {
        let (reached, is_reached) = oneshot::channel();
        let (hold, held) = mpsc::channel();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Hold { call, reached, held });
        (is_reached, hold)
    }

    /// Between granting and answering.
    pub(super) fn pass(&self, event: &Event) {
        let is_held = |hold: &mut Hold| event.verdict == Verdict::Granted && event.call == Some(hold.call);
        let hold = self.0.lock().unwrap_or_else(PoisonError::into_inner).take_if(is_held);
        if let Some(Hold { reached, held, .. }) = hold {
            reached.send(()).ok();
            held.recv().ok();
        }
    }
}

/// A process that is dead.
pub(super) struct Killed {
    started: Instant,
    after: Duration,
    /// How many requests the sandbox had seen before it.
    seen: usize,
}

/// Has another process refresh the session, and kills it once its request is granted and before the answer is there.
pub(super) async fn kill(setup: &Setup, gate: &Gate) -> Result<Killed, Error> {
    let (profile, call) = PROFILE;
    let (reached, hold) = gate.close(call);
    let seen = setup.sandbox.events().len();
    let started = Instant::now();
    let mut victim = Victim::start(profile, &setup.config_path())?;
    tokio::select! {
        granted = timeout(LONGEST, reached) => match granted {
            Ok(Ok(())) => {}
            _ => return Err(Error::new(ErrorKind::Timeout, Outcome::Unknown, ACTION, "the other process sent nothing")),
        },
        () = victim.ended() => return Err(broken(ACTION, "the process that was to be killed ended by itself")),
    }
    drop(victim);
    let after = started.elapsed();
    drop(hold);
    Ok(Killed { started, after, seen })
}

/// Looks at what the dead process left as `rampauth status` does, and settles it as `rampauth settle` does.
pub(super) async fn settle(setup: &Setup, session: Session, killed: Killed) -> Result<Crash, Error> {
    let Killed { started, after, seen } = killed;
    let (profile, provider) = (setup.config.profile(PROFILE.0)?, PROFILE.1);
    let status = timeout(LONGEST, doubt(setup)).await;
    let too_long =
        |_| Error::new(ErrorKind::Timeout, Outcome::Unknown, ACTION, "the dead process's claim never lapsed");
    let status = status.map_err(too_long)??;
    let doubt_after_millis = millis(started.elapsed());
    session.settle().await.map_err(stored::said_by_the_store)?;
    let settled_after_millis = millis(started.elapsed());
    let record = record(setup, profile).await?;
    let events = setup.sandbox.events();
    let of_this = |event: &&Event| event.call == Some(provider) && event.verdict == Verdict::Granted;
    Ok(Crash {
        provider,
        killed_after_millis: millis(after),
        doubt_after_millis,
        status,
        settled_after_millis,
        presentations: events.iter().skip(seen).filter(of_this).count() as u64,
        generation: record.generation,
        expiry: record.tokens.map_or(Expiry::Unknown, |tokens| tokens.access_expiry),
    })
}

/// Waits until the claim has lapsed: until then the process might be alive, and only slow.
async fn doubt(setup: &Setup) -> Result<Row, Error> {
    let profile = setup.config.profile(PROFILE.0)?;
    loop {
        let record = record(setup, profile).await?;
        let row = Row::new(&profile.key, &setup.config, Some(profile), &record, SystemClock.now());
        match row.state {
            "in_doubt" => return Ok(row),
            "refreshing" => sleep(PAUSE).await,
            _ => return Err(broken(ACTION, "a process was killed, and its refresh is not in doubt")),
        }
    }
}

/// The process that is killed, at the latest when this is dropped.
struct Victim(Child);

impl Victim {
    fn start(profile: &str, config: &Path) -> Result<Self, Error> {
        let failed = |error: std::io::Error| {
            Error::new(ErrorKind::Internal, Outcome::NotSent, ACTION, "no other process could be started")
                .with_source(error)
        };
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command.args(["demo-victim", profile, "--config"]).arg(config);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map(Self).map_err(failed)
    }

    async fn ended(&mut self) {
        while matches!(self.0.try_wait(), Ok(None)) {
            sleep(PAUSE).await;
        }
    }
}

impl Drop for Victim {
    /// SIGKILL where there is one: nothing of it runs any more, no destructor and no handler.
    fn drop(&mut self) {
        // An error means that it is dead already.
        self.0.kill().and_then(|()| self.0.wait()).ok();
    }
}

/// `rampauth demo-victim`, the other process: a program that refreshes a stored session under a short claim. It lives for the
/// demo alone.
pub(crate) async fn victim(path: &Path, profile: &str) -> Result<(), Error> {
    let config = Config::load(path)?;
    let profile = config.profile(profile)?;
    let store = stored::create(&config)?;
    let keeper =
        stored::keeper(&config, &store, SHORT)?.on_demand().request_deadline(SHORT).save_deadline(SHORT).spawn()?;
    let session = keeper.session(profile.key.clone(), Arc::<dyn Refresh>::from(profile.client()?)).await?;
    let refreshed = session.refresh().await;
    keeper.shutdown().await;
    refreshed
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
