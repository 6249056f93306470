//! A token that lives for less than a second, kept fresh through a few rotations while readers use it.

use std::cell::Cell;
use std::time::{Duration, SystemTime};

use rampauth_core::{Error, ErrorKind, Outcome};
use rampauth_keeper::{EventKind, Events, Session};
use rampauth_sandbox::Call;
use serde::Serialize;
use tokio::time::{Instant, sleep, timeout};

use super::calls::{name, record};
use super::setup::{Setup, broken};
use crate::{sandbox_files, stored};

const ACTION: &str = "keep a token fresh";
/// The provider that tells expiries to the millisecond.
pub(super) const PROFILE: (&str, Call) = ("onboard", Call::Onboard);
/// Refreshed ahead it is fresh for at least a tenth of this more, which is longer than a tick of the keeper and a refresh take:
/// nobody has to wait.
const LIFETIME: Duration = Duration::from_millis(750);
const ROTATIONS: u64 = 3;
const READERS: u64 = 4;
/// Between two reads of one reader.
const PAUSE: Duration = Duration::from_millis(1);
/// How long the readers go on after the last rotation, so that they see what it brought.
const AFTERWARDS: Duration = Duration::from_millis(20);
/// When a machine is too slow for this to show anything.
const LONGEST: Duration = Duration::from_secs(30);

/// What was counted and measured.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Kept {
    #[serde(serialize_with = "name")]
    pub(super) provider: Call,
    /// How long each access token lives.
    #[serde(rename = "accessTokenLifetimeMillis", serialize_with = "millis")]
    pub(super) lifetime: Duration,
    /// By how many generations the stored session moved on.
    pub(super) rotations: u64,
    /// How many requests the sandbox saw.
    pub(super) refreshes_sent: u64,
    pub(super) readers: u64,
    pub(super) reads: u64,
    /// How many reads found no fresh token and waited for a refresh.
    pub(super) waited: u64,
    #[serde(rename = "slowestReadMicros", serialize_with = "micros")]
    pub(super) slowest: Duration,
}

/// Logs in again, with tokens that live shortly, and reads them while the keeper does its work.
pub(super) async fn watch(setup: &Setup, session: Session) -> Result<Kept, Error> {
    let (profile, provider) = (setup.config.profile(PROFILE.0)?, PROFILE.1);
    let mut events = setup.keeper.events();
    let seen = setup.sandbox.events().len();
    session
        .put(sandbox_files::issued(setup.sandbox.issue_living(provider, LIFETIME))?)
        .await
        .map_err(stored::said_by_the_store)?;
    let first = record(setup, profile).await?.generation;
    let done = Cell::new(false);
    let read = || read(setup, &session, provider, &done);
    let all = async { tokio::try_join!(read(), read(), read(), read(), rotations(&mut events, &session, &done)) };
    let too_slow =
        |_| Error::new(ErrorKind::Timeout, Outcome::Unknown, ACTION, "this machine is too busy for the demo");
    let (a, b, c, d, ()) = timeout(LONGEST, all).await.map_err(too_slow)??;
    let readers = [a, b, c, d];
    // Without a handle on it the keeper lets it be.
    drop(session);
    Ok(Kept {
        provider,
        lifetime: LIFETIME,
        rotations: record(setup, profile).await?.generation - first,
        refreshes_sent: setup.sandbox.events().len().saturating_sub(seen) as u64,
        readers: READERS,
        reads: readers.iter().map(|reads| reads.number).sum(),
        waited: readers.iter().map(|reads| reads.waited).sum(),
        slowest: readers.iter().map(|reads| reads.slowest).max().unwrap_or_default(),
    })
}

/// Waits for the rotations, and tells the readers.
async fn rotations(events: &mut Events, session: &Session, done: &Cell<bool>) -> Result<(), Error> {
    let mut rotations = 0;
    while rotations < ROTATIONS {
        match events.next().await {
            Some(event) if event.key != *session.key() => {}
            Some(event) => match event.kind {
                EventKind::Refreshed => rotations += 1,
                EventKind::RefreshFailed(error) | EventKind::SaveFailed(error) => {
                    return Err(stored::said_by_the_store(error));
                }
                _ => {}
            },
            None => return Err(broken(ACTION, "the keeper ended")),
        }
    }
    sleep(AFTERWARDS).await;
    done.set(true);
    Ok(())
}

#[derive(Default)]
struct Reads {
    number: u64,
    waited: u64,
    slowest: Duration,
}

/// Reads as a program does before each of its calls, and holds every token against the sandbox's own books.
async fn read(setup: &Setup, session: &Session, provider: Call, done: &Cell<bool>) -> Result<Reads, Error> {
    let mut reads = Reads::default();
    let mut latest = SystemTime::UNIX_EPOCH;
    while !done.get() {
        let (asked, now) = (Instant::now(), setup.sandbox.now());
        let token = match session.try_access_token() {
            Some(token) => token.to_owned(),
            None => {
                reads.waited += 1;
                session.access_token().await.map_err(stored::said_by_the_store)?
            }
        };
        reads.slowest = reads.slowest.max(asked.elapsed());
        reads.number += 1;
        match setup.sandbox.access_expiry(provider, token.expose_secret()) {
            Some(expiry) if expiry <= now => return Err(broken(ACTION, "a reader was given an expired token")),
            Some(expiry) if expiry < latest => return Err(broken(ACTION, "a reader was given an older token again")),
            Some(expiry) => latest = expiry,
            None => return Err(broken(ACTION, "a reader was given a token that was never issued")),
        }
        sleep(PAUSE).await;
    }
    Ok(reads)
}

fn millis<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(whole(duration.as_millis()))
}

fn micros<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(whole(duration.as_micros()))
}

fn whole(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::Arc;

    use rampauth_core::{AccessToken, Refresh};
    use rampauth_sandbox::Sandbox;

    use crate::commands::sandbox;

    /// What a reader says of tokens that the sandbox has in its books, and of others.
    #[tokio::test]
    async fn a_reader_tells_of_tokens_that_it_should_not_have_been_given() {
        let setup = Setup::new(sandbox::start(Sandbox::builder()).await.expect("a sandbox")).expect("a setup");
        let profile = setup.config.profile(PROFILE.0).expect("a profile");
        let client = Arc::<dyn Refresh>::from(profile.client().expect("a client"));
        let session = setup.keeper.session(profile.key.clone(), client).await.expect("a session");
        let login = sandbox_files::issued(setup.sandbox.issue(PROFILE.1)).expect("tokens");
        session.put(login.clone()).await.expect("saved");
        let (going, done) = (Cell::new(false), Cell::new(true));
        assert_eq!(read(&setup, &session, PROFILE.1, &done).await.expect("reads").number, 0);
        let reading = timeout(PAUSE, read(&setup, &session, PROFILE.1, &going)).await;
        assert!(reading.is_err(), "a live one is read on and on");

        setup.sandbox.advance(Duration::from_secs(2 * 3_600));
        let refused = async || {
            let read = timeout(LONGEST, read(&setup, &session, PROFILE.1, &going)).await.expect("it ends");
            read.err().expect("refused").to_string()
        };
        let expired = refused().await;
        assert_eq!(expired, "failed to keep a token fresh: a reader was given an expired token");
        let foreign =
            login.with_access_token(AccessToken::new("foreign").expect("a token"), rampauth_core::Expiry::Unknown);
        session.put(foreign).await.expect("saved");
        let unheard_of = refused().await;
        assert_eq!(unheard_of, "failed to keep a token fresh: a reader was given a token that was never issued");
    }
}
