//! One flight at a time, and everybody who joined it gets its result: the keeper's own code, its lock and its threads
//! shuttle's.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, PoisonError};

use futures_util::FutureExt as _;
use shuttle::future::block_on;
use shuttle::sync::{Mutex, MutexGuard};
use shuttle::thread;

#[path = "../../../crates/keeper/src/generic/single_flight.rs"]
mod single_flight;

use single_flight::{Awaited, Flying, Host, UnderWay};

/// How a flight ends. Its number is its result.
#[derive(Clone, Copy)]
enum End {
    Lands,
    Fails,
    Panics,
    /// Let go of, as by a runtime that is gone.
    Dropped,
}

type Landing = Result<u32, u32>;

#[derive(Default)]
struct Log {
    under_way: UnderWay<Landing>,
    /// How many flights were started.
    started: u32,
}

/// The flights end as the list says, from its beginning again when it is over.
struct Session {
    log: Mutex<Log>,
    ends: &'static [End],
    // No part of what is looked at: a step of these is none of a schedule.
    flying: AtomicU32,
    over: AtomicU32,
}

impl Host for Session {
    type Landing = Landing;

    fn note(&self, end: impl FnOnce(&mut UnderWay<Landing>)) {
        end(&mut self.log().under_way);
    }
}

impl Session {
    fn new(ends: &'static [End]) -> Arc<Self> {
        Arc::new(Self { log: Mutex::default(), ends, flying: AtomicU32::new(0), over: AtomicU32::new(0) })
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, number: u32) -> End {
        self.ends[(number as usize - 1) % self.ends.len()]
    }

    /// The flight that was joined or started: its number, and what to wait for.
    fn take_off(self: &Arc<Self>) -> (u32, Awaited<Landing>) {
        let mut log = self.log();
        let Ok((landing, flying)) = log.under_way.join_or_start(self, || Ok::<_, ()>(())) else { unreachable!() };
        log.started += u32::from(flying.is_some());
        let number = log.started;
        drop(log);
        if let Some(flying) = flying {
            thread::spawn(move || fly(flying, number));
        }
        (number, landing)
    }

    /// Waits for a flight and looks at what came of it.
    fn fly(self: &Arc<Self>) -> u32 {
        let (number, landing) = self.take_off();
        let landed = block_on(landing).ok();
        let expected = match self.end(number) {
            End::Lands => Some(Ok(number)),
            End::Fails => Some(Err(number)),
            End::Panics | End::Dropped => None,
        };
        assert_eq!(landed, expected, "what everybody gets who joined flight {number}");
        number
    }
}

fn fly(flying: Flying<Session>, number: u32) {
    let session = Arc::clone(&flying.host);
    assert_eq!(session.flying.fetch_add(1, Relaxed), 0, "one flight at a time");
    thread::yield_now();
    session.flying.fetch_sub(1, Relaxed);
    session.over.fetch_add(1, Relaxed);
    match session.end(number) {
        End::Lands => flying.end(Ok(number)),
        End::Fails => flying.end(Err(number)),
        End::Dropped => drop(flying),
        End::Panics => {
            let panicked = catch_unwind(AssertUnwindSafe(move || {
                let _flying = flying;
                // Without the hook, which would print every one of them.
                resume_unwind(Box::new("a refresh that panics"));
            }));
            assert!(panicked.is_err());
        }
    }
}

/// Two callers who wait, twice each, and one who loses patience, at once or after a look.
fn callers(ends: &'static [End]) {
    let session = Session::new(ends);
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let session = Arc::clone(&session);
            thread::spawn(move || {
                let first = session.fly();
                let second = session.fly();
                assert!(second > first, "flight {first} was over: the next caller has another");
            })
        })
        .collect();
    drop(session.take_off());
    session.take_off().1.now_or_never();
    for caller in waiting {
        caller.join().expect("a caller");
    }
    // Flights that nobody waits for come to their end too, and the next one is as good as any.
    let last = session.fly();
    assert_eq!((session.log().started, session.over.load(Relaxed)), (last, last));
}

/// One caller who waits and one who does not, and then another flight.
fn two_callers(ends: &'static [End]) {
    let session = Session::new(ends);
    let other = Arc::clone(&session);
    let other = thread::spawn(move || other.fly());
    drop(session.take_off());
    let first = other.join().expect("a caller");
    assert!(session.take_off().0 > first);
}

const MIXED: [&[End]; 4] = [
    &[End::Lands],
    &[End::Fails, End::Lands],
    &[End::Panics, End::Lands, End::Dropped],
    &[End::Dropped, End::Panics, End::Fails],
];

#[test]
fn whatever_the_order_there_is_one_flight_and_all_who_joined_get_its_result() {
    for ends in MIXED {
        shuttle::check_random(move || callers(ends), 2_000);
        shuttle::check_pct(move || callers(ends), 1_000, 3);
    }
}

#[test]
fn in_every_order_of_two_callers() {
    for end in [&[End::Lands][..], &[End::Fails], &[End::Panics], &[End::Dropped]] {
        shuttle::check_dfs(move || two_callers(end), None);
    }
}
