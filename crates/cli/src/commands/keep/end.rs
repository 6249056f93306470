//! How `keep` ends: what is under way is finished, what happened meanwhile is told, and tokens that only this process holds are
//! written to a file.

use rampauth_core::{Error, ErrorKind, Outcome, TokenSet};
use rampauth_keeper::{Session, SessionKey, StoreErrorKind, StoreExt as _};

use super::keepers::AllEvents;
use super::sessions::Sessions;
use crate::config::printable;
use crate::failure::message;
use crate::signals::Stop;
use crate::{rescue, stored};

/// Tokens that nobody else holds, and why that is so.
struct Alone {
    key: SessionKey,
    tokens: TokenSet,
    why: Error,
}

/// Ends it after a first signal; a second one ends it at once, and files what can be filed without waiting.
pub(super) async fn end(sessions: Sessions, mut events: AllEvents, stop: &mut Stop) -> Result<(), Error> {
    tracing::info!("stopping: refreshes under way are finished; a second signal ends it at once");
    let finish = sessions.keepers.shutdown();
    tokio::pin!(finish);
    let second = loop {
        tokio::select! {
            () = &mut finish => break None,
            signal = stop.wait() => break Some(signal),
            Some(event) = events.next() => sessions.tell(event),
        }
    };
    while let Some(event) = events.try_next() {
        sessions.tell(event);
    }
    let mut alone = unsaved(&sessions);
    if let Some(signal) = second {
        tracing::warn!("a second signal: it ends at once, and what is under way is left in doubt");
        drop(file(&sessions, alone));
        signal.end_at_once();
    }
    let lost = tokio::select! {
        lost = lost_by_the_store(&sessions) => lost,
        signal = stop.wait() => {
            drop(file(&sessions, alone));
            signal.end_at_once();
        }
    };
    alone.extend(lost.into_iter().filter(|lost| !alone.iter().any(|it| it.key == lost.key)).collect::<Vec<_>>());
    file(&sessions, alone)
}

/// What the store has never taken.
fn unsaved(sessions: &Sessions) -> Vec<Alone> {
    let alone = |(key, tokens)| {
        let reason = "the store did not take the newest tokens";
        Alone { key, tokens, why: Error::new(ErrorKind::Internal, Outcome::Unknown, "save the tokens", reason) }
    };
    sessions.keepers.unsaved().into_iter().map(alone).collect()
}

/// What it took and has not any more: its file is gone, or cannot be read.
async fn lost_by_the_store(sessions: &Sessions) -> Vec<Alone> {
    let mut lost = Vec::new();
    let mut gone: Option<Error> = None;
    for (key, kept) in &sessions.kept {
        let Some(tokens) = kept.session().and_then(Session::tokens) else { continue };
        let why = match &gone {
            Some(why) => why.clone(),
            None => match sessions.store.load(key).await {
                Ok(Some(_)) => continue,
                Ok(None) => {
                    let reason = "the store does not have the session any more";
                    Error::new(ErrorKind::Internal, Outcome::NotSent, "look at the store", reason)
                }
                Err(error) => {
                    let why = stored::unusable(&error);
                    // One damaged record says nothing of the others.
                    if error.kind() != StoreErrorKind::Damaged {
                        gone = Some(why.clone());
                    }
                    why
                }
            },
        };
        lost.push(Alone { key: key.clone(), tokens, why });
    }
    lost
}

/// Each file is named in a line of its own.
fn file(sessions: &Sessions, alone: Vec<Alone>) -> Result<(), Error> {
    let count = alone.len();
    let mut result = Ok(());
    for Alone { key, tokens, why } in alone {
        // What it is called where no profile says it.
        let name = sessions.profile(&key).map_or_else(|| key.as_str().to_owned(), |profile| profile.name.clone());
        let error = rescue::keep(why, &sessions.places, &name, &tokens);
        let (profile, text, help) = (printable(&name), message(&error), error.help());
        tracing::error!(%profile, %key, error = text, help, "only this process holds the newest tokens");
        let failed = |reason: String| Error::new(ErrorKind::Internal, Outcome::Unknown, "save the tokens", reason);
        result = Err(match count {
            1 => failed(format!("only this process held the newest tokens of `{profile}`"))
                .with_help(help.to_owned())
                .with_source(error),
            _ => failed(format!("only this process held the newest tokens of {count} sessions"))
                .with_help("the lines above name the file of each: import them, and delete the files"),
        });
    }
    result
}
