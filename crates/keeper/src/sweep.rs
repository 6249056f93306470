//! What is due in the store and nobody looks after here: asked for every few seconds.
//!
//! A session that is open waits for a time that this process knows of. An attempt in doubt that another process left, because a
//! person there refreshed fresh tokens and it died, is due earlier than that, and only the store can tell. And sessions that nobody
//! has open are refreshed too, where the keeper was told which client belongs to which key.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use rampauth_core::Refresh;
use rampauth_store::{Due, DueQuery, SessionKey};
use tokio::time::{sleep, timeout};

use crate::event::EventKind;
use crate::generic::single_flight::Awaited;
use crate::look::Look;
use crate::plan::next_step::Need;
use crate::session_options::SessionOptions;
use crate::state::refresh::Landing;
use crate::state::session::{Sessions, WeakSessions};

/// How often the store is asked.
const PACE: Duration = Duration::from_secs(5);
/// The longest wait until it is asked again, where most refreshes failed: nothing is remembered of a session that nobody has open, so
/// that it has no pause of its own that grows.
const LONGEST_PACE: Duration = Duration::from_secs(300);
/// How many keys without a client are remembered, so that each is named once. Beyond that they are not named at all.
const NAMED: usize = 1_024;

/// The client that refreshes a key's tokens; `None` where there is none.
pub(crate) type Providers = Arc<dyn Fn(&SessionKey) -> Option<Arc<dyn Refresh>> + Send + Sync>;

/// Sweeps for as long as there is a keeper, and keeps none.
pub(crate) async fn sweep(sessions: WeakSessions, providers: Option<Providers>) {
    let (under_way, named) = (FuturesUnordered::new(), BTreeSet::new());
    let mut sweep = Sweep { sessions, providers, under_way, refreshed: 0, failed: 0, named };
    let mut pace = PACE;
    loop {
        sleep(pace).await;
        if sweep.pass().await.is_none() {
            return;
        }
        let (refreshed, failed) = (std::mem::take(&mut sweep.refreshed), std::mem::take(&mut sweep.failed));
        pace = if failed > refreshed { (2 * pace).min(LONGEST_PACE) } else { PACE };
    }
}

/// Into an order that no other keeper has: two that ask at the same time are seldom at the same session.
#[expect(clippy::disallowed_methods, reason = "an order by chance, on which nothing else hangs")]
fn shuffle(due: &mut [Due]) {
    let order = RandomState::new();
    due.sort_by_cached_key(|due| order.hash_one(due.key.as_str()));
}

struct Sweep {
    sessions: WeakSessions,
    providers: Option<Providers>,
    /// The refreshes of sessions that nobody has open. Each holds its own session, and nothing else does.
    under_way: FuturesUnordered<Awaited<Landing>>,
    /// What came of those that ended in this pass.
    refreshed: usize,
    failed: usize,
    named: BTreeSet<SessionKey>,
}

impl Sweep {
    /// Goes through all that is due, some at a time; `None` where there is no keeper any more.
    async fn pass(&mut self) -> Option<()> {
        let mut last: Option<Due> = None;
        // What fails in this pass is due again in the next one.
        let before = self.sessions.upgrade()?.context.clock.wall();
        loop {
            let (store, mut query, limit, asked) = {
                let Sessions { context, registry, .. } = self.sessions.upgrade()?;
                let wanted = self.providers.is_some() || context.store.outlives_the_process() && !registry.is_empty();
                if !wanted {
                    return Some(());
                }
                // Twice as many as may be under way: others may be at some of them.
                let mut query = DueQuery::new(before, 2 * context.permits.most());
                query.except = context.permits.left_alone();
                (Arc::clone(&context.store), query, context.options.save, context.clock.mark())
            };
            if let Some(last) = &last {
                query = query.after(last);
            }
            // A store that fails or panics is no news: whoever needs it next is told.
            let listed = AssertUnwindSafe(async { timeout(limit, store.due(&query)).await }).catch_unwind().await;
            let Ok(Ok(Ok(mut due))) = listed else { return Some(()) };
            let is_the_end = due.len() < query.limit;
            last = due.last().cloned();
            shuffle(&mut due);
            for Due { key, stored, .. } in due {
                let look = stored.ok().map(|stored| Look::new(stored, asked));
                self.look_after(key, look).await?;
            }
            if is_the_end {
                self.wait_for_all_but(0).await;
                return Some(());
            }
        }
    }

    async fn look_after(&mut self, key: SessionKey, look: Option<Look>) -> Option<()> {
        let most = {
            let sessions = self.sessions.upgrade()?;
            if let Some(session) = sessions.registry.find(&key) {
                session.look_at_what_others_left(look);
                return Some(());
            }
            let (Some(providers), Some(look)) = (&self.providers, look) else { return Some(()) };
            // One that panics has no client for this key.
            let provider = catch_unwind(AssertUnwindSafe(|| providers(&key))).ok().flatten();
            let Some(provider) = provider else {
                self.name(key);
                return Some(());
            };
            let started = open_for_a_refresh(&sessions, key, provider, look);
            self.under_way.extend(started);
            sessions.context.permits.most()
        };
        self.wait_for_all_but(most - 1).await;
        Some(())
    }

    async fn wait_for_all_but(&mut self, number: usize) {
        while self.under_way.len() > number {
            match self.under_way.next().await {
                Some(Ok(Ok(()))) => self.refreshed += 1,
                _ => self.failed += 1,
            }
        }
    }

    /// Says once that nobody knows a client for this key.
    fn name(&mut self, key: SessionKey) {
        if self.named.len() < NAMED && !self.named.contains(&key) {
            tracing::warn!(
                target: "rampauth_keeper",
                key = %key,
                "no client is known for a stored session, so it is not refreshed: give the keeper one for its key, or remove it"
            );
            self.named.insert(key);
        }
    }
}

/// Opens a session for nothing but the refresh that is due; `None` where its tokens cannot be read.
fn open_for_a_refresh(
    sessions: &Sessions,
    key: SessionKey,
    provider: Arc<dyn Refresh>,
    look: Look,
) -> Option<Awaited<Landing>> {
    let session = sessions.open(key, provider, SessionOptions::new());
    let record = look.record()?;
    if let Err(error) = session.adopt(record) {
        session.tell(record.generation, EventKind::RefreshFailed(error));
        return None;
    }
    session.flight().remember(Some(Box::new(look)));
    session.take_off(Need::Ahead).ok().map(|ticket| ticket.landing)
}
