//! What reading a fresh token costs, beside what nobody can do without: a guard on a shared pointer and a look at a coarse clock.

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

/// The coarse clock is Linux's.
#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
mod linux {
    use std::hint::black_box;
    use std::sync::Barrier;
    use std::thread;
    use std::time::Duration;

    use arc_swap::ArcSwapOption;
    use rampauth_bench::figures::{Figures, compare};
    use rampauth_bench::keeping::{Provider, key, tokens};
    use rampauth_bench::measure::of_this_thread;
    use rampauth_core::{AccessToken, Clock as _, SystemClock};
    use rampauth_keeper::{Keeper, MemoryStore, Session};
    use rustix::time::{ClockId, clock_gettime};

    const READS: u32 = 200_000;

    struct ByHand {
        token: AccessToken,
        fresh_until: i64,
    }

    fn by_hand(slot: &ArcSwapOption<ByHand>) -> usize {
        let guard = slot.load();
        let now = clock_gettime(ClockId::RealtimeCoarse).tv_sec;
        guard.as_ref().filter(|held| now < held.fresh_until).map_or(0, |held| held.token.expose_secret().len())
    }

    fn ours(session: &Session) -> usize {
        session.try_access_token().map_or(0, |token| token.expose_secret().len())
    }

    /// CPU time of one read by this thread, in nanoseconds.
    fn time(read: impl Fn() -> usize) -> f64 {
        let start = of_this_thread();
        for _ in 0..READS {
            assert_ne!(black_box(read()), 0, "it is fresh");
        }
        (of_this_thread() - start) as f64 / f64::from(READS)
    }

    /// CPU time of one read where this many threads read at once.
    fn with_threads(session: &Session, threads: usize) -> f64 {
        let start = Barrier::new(threads);
        thread::scope(|scope| {
            let readers: Vec<_> = (0..threads)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        time(|| ours(session))
                    })
                })
                .collect();
            Figures::new(readers.into_iter().map(|reader| reader.join().expect("no panic")).collect()).median()
        })
    }

    pub(super) fn main() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let expiry = SystemClock.now() + Duration::from_secs(86_400);
        let session = runtime.block_on(async {
            let keeper = Keeper::builder(MemoryStore::new()).spawn().expect("a keeper");
            let session = keeper.session(key(0), Provider::new(None)).await.expect("a session");
            session.put(tokens(expiry)).await.expect("saved");
            session
        });
        let token = session.try_access_token().expect("fresh").to_owned();
        let slot = ArcSwapOption::from_pointee(ByHand { token, fresh_until: i64::MAX });

        let names = ["read/ours", "read/by-hand"];
        compare(names, "ns", 101, Figures::least, || time(|| ours(&session)), || time(|| by_hand(black_box(&slot))));
        for threads in [2, 8, 64] {
            let names = [format!("read/{threads}-threads"), format!("read/one-beside-{threads}")];
            let many = || with_threads(&session, threads);
            compare(names.each_ref().map(String::as_str), "ns", 15, Figures::least, many, || with_threads(&session, 1));
        }
    }
}
