//! Readers go only forward and nothing newer is lost: the keeper's own code and its own order of pictures, in a place that is
//! shuttle's.

use std::sync::{Arc, Mutex, MutexGuard};

use rampauth_keeper::SessionId;
use rampauth_keeper::next_step::{Shown, Stage};
use shuttle::sync::atomic::{AtomicU64, Ordering::SeqCst};
use shuttle::thread;

#[path = "../../../crates/keeper/src/generic/publish.rs"]
mod publish;

use publish::{Place, publish};

/// Each access is one step of a schedule, as a load and a swap of a pointer are.
#[derive(Default)]
struct Slot {
    steps: AtomicU64,
    hangs: Mutex<Option<Arc<Shown>>>,
}

impl Slot {
    fn step(&self) -> MutexGuard<'_, Option<Arc<Shown>>> {
        self.steps.fetch_add(1, SeqCst);
        self.hangs.lock().expect("no panic")
    }
}

impl Place<Shown> for Slot {
    fn load(&self) -> Option<Arc<Shown>> {
        self.step().clone()
    }

    fn swap(&self, current: &Option<Arc<Shown>>, new: &Arc<Shown>) -> Result<(), Option<Arc<Shown>>> {
        let mut found = self.step();
        if found.as_ref().map(Arc::as_ptr) != current.as_ref().map(Arc::as_ptr) {
            return Err(found.clone());
        }
        *found = Some(Arc::clone(new));
        Ok(())
    }
}

fn shown(generation: u64, stage: Stage) -> Arc<Shown> {
    Arc::new(Shown { session: SessionId::from_random(1), generation, stage })
}

/// Each list is published by one thread, and another one reads. The newest of all stays, and no thread ever sees an older one
/// than before, least of all than its own.
fn race(lists: &[&[(u64, Stage)]], looks: usize) {
    let slot = Arc::new(Slot::default());
    let mut threads = Vec::new();
    for list in lists {
        let (slot, list) = (Arc::clone(&slot), list.to_vec());
        threads.push(thread::spawn(move || {
            for (generation, stage) in list {
                let new = shown(generation, stage);
                publish(&*slot, &new, Shown::replaces);
                let seen = slot.load().expect("published");
                assert!(seen.replaces(&new), "{seen:?} after {new:?} was published");
            }
        }));
    }
    let mut seen: Option<Arc<Shown>> = None;
    for _ in 0..looks {
        let next = slot.load();
        if let Some(seen) = &seen {
            let next = next.as_ref().expect("something hung there");
            assert!(next.replaces(seen), "{next:?} after {seen:?}");
        }
        seen = next;
    }
    for thread in threads {
        thread.join().expect("a thread");
    }
    let last = slot.load().expect("published");
    for (generation, stage) in lists.concat() {
        let one = shown(generation, stage);
        assert!(last.replaces(&one), "{last:?} is left and not {one:?}");
    }
}

#[test]
fn whatever_the_order_readers_go_only_forward_and_the_newest_stays() {
    const LOGINS: &[&[(u64, Stage)]] =
        &[&[(1, Stage::Saved), (4, Stage::Saved)], &[(3, Stage::Saved), (2, Stage::Saved)]];
    const LOGOUT: &[&[(u64, Stage)]] =
        &[&[(2, Stage::Unsaved), (2, Stage::Saved)], &[(1, Stage::Saved), (1, Stage::Removed)], &[(3, Stage::Unsaved)]];
    for lists in [LOGINS, LOGOUT] {
        shuttle::check_random(|| race(lists, 4), 3_000);
        shuttle::check_pct(|| race(lists, 4), 1_000, 3);
    }
}

#[test]
fn in_every_order_of_two_who_publish() {
    shuttle::check_dfs(|| race(&[&[(1, Stage::Saved)], &[(2, Stage::Saved)]], 2), None);
}

#[test]
fn of_two_equals_the_last_published_stays_beside_whoever_publishes_older_ones() {
    shuttle::check_dfs(
        || {
            let slot = Arc::new(Slot::default());
            let other = Arc::clone(&slot);
            let older = thread::spawn(move || publish(&*other, &shown(1, Stage::Saved), Shown::replaces));
            let (first, second) = (shown(2, Stage::Saved), shown(2, Stage::Saved));
            publish(&*slot, &first, Shown::replaces);
            publish(&*slot, &second, Shown::replaces);
            older.join().expect("a thread");
            assert!(slot.load().is_some_and(|last| Arc::ptr_eq(&last, &second)));
        },
        None,
    );
}
