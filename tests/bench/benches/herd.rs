//! A herd of callers on an expired token: one refresh for all of them, beside the same with a shared future, by hand.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwapOption;
use futures_util::FutureExt as _;
use futures_util::future::Shared;
use rampauth_bench::figures::{Figures, compare};
use rampauth_bench::keeping::{Provider, key, tokens};
use rampauth_core::{AccessToken, Clock as _, Error, Expiry, Refresh as _, SystemClock, TokenSet};
use rampauth_keeper::{Keeper, MemoryStore, Session};
use tokio::runtime::{Builder, Runtime};

type Landing = Shared<Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>>;

/// What somebody writes who needs no more than this.
struct ByHand {
    slot: ArcSwapOption<(AccessToken, SystemTime)>,
    flight: Mutex<Option<Landing>>,
    provider: Arc<Provider>,
}

impl ByHand {
    fn fresh(&self) -> Option<AccessToken> {
        let now = SystemClock.now();
        self.slot.load().as_ref().filter(|held| now < held.1).map(|held| held.0.clone())
    }

    async fn access_token(self: &Arc<Self>) -> Result<AccessToken, Error> {
        if let Some(token) = self.fresh() {
            return Ok(token);
        }
        let landing = {
            let mut flight = self.flight.lock().expect("no panic");
            match &*flight {
                Some(landing) if landing.peek().is_none() => landing.clone(),
                _ => {
                    let this = Arc::clone(self);
                    let refresh = tokio::spawn(async move {
                        let tokens = this.provider.refresh(&TokenSet::new()).await?;
                        let (Some(token), Expiry::At(expiry)) = (tokens.access_token, tokens.access_expiry) else {
                            unreachable!("that is what it grants")
                        };
                        this.slot.store(Some(Arc::new((token, expiry))));
                        Ok(())
                    });
                    let landing = async move { refresh.await.expect("no panic") }.boxed().shared();
                    flight.insert(landing).clone()
                }
            }
        };
        landing.await?;
        Ok(self.fresh().expect("it was just granted"))
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures")]
fn now() -> Instant {
    Instant::now()
}

/// How long it takes until all callers have what they asked for, in milliseconds.
fn herd<S, F>(runtime: &Runtime, callers: usize, provider: &Arc<Provider>, shared: &S, call: fn(S) -> F) -> f64
where
    S: Clone + Send + 'static,
    F: Future<Output = bool> + Send + 'static,
{
    let before = provider.calls();
    let entered = Arc::new(AtomicUsize::new(0));
    let start = now();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..callers)
            .map(|_| {
                let (entered, provider, shared) = (Arc::clone(&entered), Arc::clone(provider), shared.clone());
                tokio::spawn(async move {
                    // The provider answers when all of them are there.
                    if entered.fetch_add(1, Ordering::Relaxed) + 1 == callers {
                        provider.may_answer.add_permits(1);
                    }
                    call(shared).await
                })
            })
            .collect();
        for task in tasks {
            assert!(task.await.expect("no panic"), "each caller gets what is right");
        }
    });
    let took = start.elapsed();
    assert_eq!(provider.calls(), before + 1, "one refresh");
    took.as_secs_f64() * 1e3
}

fn ours(runtime: &Runtime, callers: usize, grants: Option<&TokenSet>) -> f64 {
    let provider = Arc::new(Provider::new(grants.cloned()));
    let (_keeper, session) = runtime.block_on(async {
        let keeper = Keeper::builder(MemoryStore::new()).spawn().expect("a keeper");
        let session = keeper.session(key(0), Arc::clone(&provider)).await.expect("a session");
        session.put(tokens(SystemClock.now() - Duration::from_secs(1))).await.expect("saved");
        (keeper, session)
    });
    match grants {
        Some(_) => herd(runtime, callers, &provider, &session, |session: Session| async move {
            session.access_token().await.is_ok()
        }),
        None => herd(runtime, callers, &provider, &session, |session: Session| async move {
            session.access_token().await.is_err()
        }),
    }
}

fn by_hand(runtime: &Runtime, callers: usize, grants: Option<&TokenSet>) -> f64 {
    let provider = Arc::new(Provider::new(grants.cloned()));
    let shared =
        Arc::new(ByHand { slot: ArcSwapOption::empty(), flight: Mutex::default(), provider: Arc::clone(&provider) });
    match grants {
        Some(_) => herd(runtime, callers, &provider, &shared, |shared: Arc<ByHand>| async move {
            shared.access_token().await.is_ok()
        }),
        None => herd(runtime, callers, &provider, &shared, |shared: Arc<ByHand>| async move {
            shared.access_token().await.is_err()
        }),
    }
}

fn main() {
    let grants = tokens(SystemClock.now() + Duration::from_secs(86_400));
    let current = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let two = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    for (name, runtime) in [("current-thread", &current), ("2-threads", &two)] {
        let names = [format!("herd/{name}"), format!("herd/{name}-by-hand")];
        compare(
            names.each_ref().map(String::as_str),
            "ms",
            15,
            Figures::median,
            || ours(runtime, 100_000, Some(&grants)),
            || by_hand(runtime, 100_000, Some(&grants)),
        );
    }
    let names = ["herd/200-failing", "herd/200-failing-by-hand"];
    compare(names, "ms", 101, Figures::median, || ours(&current, 200, None), || by_hand(&current, 200, None));
}
