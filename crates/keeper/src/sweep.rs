//! What other processes left in the store: asked for every few seconds, and looked at where the session is open here.
//!
//! A session waits for a time that this process knows of. A doubt that another process left, because somebody there refreshed
//! fresh tokens by hand and it died, is due earlier than that, and only the store can tell.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::FutureExt as _;
use rampauth_store::{Due, DueQuery};
use tokio::time::{sleep, timeout};

use crate::keeper::Shared;
use crate::refresh::look::Look;

/// How often the store is asked.
const PACE: Duration = Duration::from_secs(5);
/// For how many sessions at most, those that are due the longest first. Where more than these are due and kept by nobody, what
/// stands behind them is found when its own time comes.
const MOST: usize = 1_024;

/// Sweeps for as long as there is a keeper, and keeps none.
pub(crate) async fn sweep(keeper: Weak<Shared>) {
    loop {
        sleep(PACE).await;
        let Some((store, before, limit, asked)) = keeper.upgrade().map(|it| {
            // A store that ends with the process has no records of others, and without a session nobody wants to know.
            let store = Some(&it.store).filter(|store| store.outlives_the_process() && !it.sessions.is_empty());
            (store.map(Arc::clone), it.clock.wall(), it.options.save, it.clock.mark())
        }) else {
            return;
        };
        let Some(store) = store else { continue };
        // A store that fails or panics is no news: whoever needs it next is told.
        let listed = AssertUnwindSafe(async { timeout(limit, store.due(&DueQuery::new(before, MOST))).await })
            .catch_unwind()
            .await;
        let Ok(Ok(Ok(due))) = listed else { continue };
        let Some(keeper) = keeper.upgrade() else { return };
        for Due { key, stored, .. } in due {
            if let Some(session) = keeper.sessions.find(&key) {
                session.look_at_what_others_left(stored.ok().map(|stored| Look::new(stored, asked)));
            }
        }
    }
}
