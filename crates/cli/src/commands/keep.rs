//! `rampauth keep`: keeps every session of the configuration fresh until it is stopped.

mod client;
mod end;
mod keepers;
mod kept;
mod log;
mod reload;
mod sessions;
mod start;

use std::future::ready;
use std::path::Path;
use std::time::Duration;

use rampauth_core::Error;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::signals::{Hangup, Stop};
use start::Loaded;

/// How often the store is asked for sessions that came, went or were changed by others.
const PACE: Duration = Duration::from_secs(2);

pub(crate) async fn run(path: &Path) -> Result<(), Error> {
    // Listened to before anything that may take long: being stopped early is no failure, and SIGHUP ends nothing.
    let (mut stop, mut hangup) = (Stop::listen()?, Hangup::listen()?);
    let started = tokio::select! {
        _ = stop.wait() => return Ok(()),
        started = start::start(path) => started?,
    };
    let (mut sessions, mut events) = started;
    let mut looks = interval(PACE);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut reading: Option<JoinHandle<Result<Loaded, Error>>> = None;
    loop {
        tokio::select! {
            _ = stop.wait() => break,
            // One at a time: a signal that comes meanwhile is kept.
            () = hangup.wait(), if reading.is_none() => {
                let path = path.to_owned();
                reading = Some(tokio::task::spawn_blocking(move || start::load(&path)));
            }
            loaded = async { reading.as_mut().expect("checked").await }, if reading.is_some() => {
                reading = None;
                let loaded = loaded.unwrap_or_else(|_| Err(reload::panicked()));
                events.extend(sessions.reload(loaded));
            }
            event = events.next() => match event {
                Some(event) => sessions.tell(event),
                None => break,
            },
            _ = looks.tick() => tokio::select! {
                biased;
                _ = stop.wait() => break,
                () = sessions.scan() => {}
            },
            () = ready(()), if sessions.are_to_be_looked_at() => tokio::select! {
                biased;
                _ = stop.wait() => break,
                looked = sessions.look_at_some() => looked?,
            },
        }
    }
    end::end(sessions, events, &mut stop).await
}
