//! The first step of a login in the store and the last: a put and a remove, safe to ask for again after a lost answer.

use rampauth_core::{Error, Outcome};
use rampauth_store::{Answer, Operation, Record, SessionId, SessionKey, State, StoredTokens};

use crate::context::{KeeperContext, random, unexpected_reply};
use crate::event::EventKind;
use crate::generic::registry::Registry;
use crate::state::session::SessionState;

/// Ends this login, whose tokens need not be readable for it. Whoever has the session open sees what is stored then.
pub(crate) async fn remove(
    context: &KeeperContext,
    registry: &Registry<SessionState>,
    key: &SessionKey,
    expect: SessionId,
) -> Result<(), Error> {
    const ACTION: &str = "remove the session";
    let session = SessionId::from_random(random()?);
    let Some(record) = begin_anew(context, key, session, Operation::Remove { session, expect }, ACTION).await? else {
        return Ok(());
    };
    // Whoever ended it: a logout of one's own may have come this far without an answer.
    let ended = record.state == State::Tombstone;
    if ended {
        context.tell(key, record.generation, EventKind::Removed);
    }
    if let Some(open) = registry.find(key) {
        open.adopt(&record)?;
    }
    match ended {
        true => Ok(()),
        false => Err(Error::input(ACTION, "another login came first; ask again to remove that one")),
    }
}

/// What is stored once this put or remove was carried out, or another one came first: `session`, which it was drawn for, tells
/// which.
///
/// Where the store fails, it may have been carried out all the same. Asked for once more under the same name it is recognised,
/// and where that fails too, the record may tell.
pub(crate) async fn begin_anew(
    context: &KeeperContext,
    key: &SessionKey,
    session: SessionId,
    operation: Operation,
    action: &'static str,
) -> Result<Option<Record>, Error> {
    let answer = match context.apply(key, operation.clone()).await {
        Err(_) => context.apply(key, operation).await,
        answer => answer,
    };
    match answer {
        Ok(Answer::Saved(record) | Answer::Done(record)) => Ok(Some(record)),
        Ok(Answer::Moved(record)) => Ok(record),
        Ok(_) => Err(unexpected_reply(Outcome::NotSent, action)),
        Err(error) => match context.load(key).await {
            Ok(Some(record)) if record.session == session => Ok(Some(record)),
            _ => Err(error),
        },
    }
}

/// Whether these very tokens are the session's, as a login of one's own leaves them that came this far without an answer.
pub(crate) fn is_stored(tokens: &StoredTokens, record: &Record) -> bool {
    let known = |it: &StoredTokens| (it.presents, it.access, it.presented_expiry, it.access_expiry);
    let open = matches!(record.state, State::Ready | State::Doubtful);
    open && record.tokens.as_ref().is_some_and(|stored| known(stored) == known(tokens))
}
