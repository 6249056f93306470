//! CPU time of the measuring thread, of several things in turns: what a call costs, without the waiting and without the server's
//! part. Measured one after the other, two things would stand under whatever else the machine did meanwhile; in turns, both
//! have their share of it.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// How many turns each thing has.
const ROUNDS: usize = 301;
/// How long a turn is to last, by the clock on the wall.
const TURN: Duration = Duration::from_millis(4);

/// One thing's CPU time per call, in nanoseconds, turn by turn.
#[derive(Clone, Debug)]
pub struct Times(Vec<f64>);

impl Times {
    /// The median over all turns.
    pub fn median(&self) -> f64 {
        median(self.0.clone())
    }

    /// The median of what this cost as a multiple of what `other` did in the same round.
    pub fn ratio(&self, other: &Self) -> f64 {
        median(self.0.iter().zip(&other.0).map(|(one, other)| one / other).collect())
    }
}

/// Measures these things in turns; who goes first changes with every round.
pub fn in_turns<const N: usize>(things: [&mut dyn FnMut(); N]) -> [Times; N] {
    let mut things = things.map(|thing| {
        // The first turn warms up and tells how many calls fill the others.
        let start = nanoseconds(ClockId::Monotonic);
        let mut calls = 0;
        while calls < 4 || nanoseconds(ClockId::Monotonic) - start < 4 * TURN.as_nanos() as u64 {
            thing();
            calls += 1;
        }
        (thing, (calls / 4).max(1), Vec::with_capacity(ROUNDS))
    });
    for round in 0..ROUNDS {
        for turn in 0..N {
            let (thing, calls, times) = &mut things[(round + turn) % N];
            let start = nanoseconds(ClockId::ThreadCPUTime);
            for _ in 0..*calls {
                thing();
            }
            times.push((nanoseconds(ClockId::ThreadCPUTime) - start) as f64 / f64::from(*calls));
        }
    }
    things.map(|(_, _, times)| Times(times))
}

/// The CPU time of this thread so far, in nanoseconds.
pub fn of_this_thread() -> u64 {
    nanoseconds(ClockId::ThreadCPUTime)
}

fn nanoseconds(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
