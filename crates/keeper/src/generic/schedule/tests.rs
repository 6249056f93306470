use super::*;

/// Notes when it was woken.
struct Sleeper {
    timer: Timer,
    woken: AtomicU64,
}

impl Timed for Sleeper {
    fn timer(&self) -> &Timer {
        &self.timer
    }
}

fn sleeper() -> Arc<Sleeper> {
    Arc::new(Sleeper { timer: Timer::new(), woken: AtomicU64::new(0) })
}

fn at(milliseconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_800_000_000_000 + milliseconds)
}

/// Everything that is woken at this time.
fn wake(schedule: &Schedule<Sleeper>, time: SystemTime) {
    while let Some(due) = schedule.take(last_tick(time)) {
        for sleeper in due {
            sleeper.woken.fetch_add(1, Relaxed);
        }
    }
}

fn entries(schedule: &Schedule<Sleeper>) -> usize {
    schedule.slots().values().map(Vec::len).sum()
}

#[test]
fn a_deadline_is_met_never_early_and_less_than_a_tick_late() {
    const DAY: u64 = 86_400_000;
    for distance in [0, 1, 63, 64, 65, 1_000, 1_024, 5_000, 60_001, 3_600_000, DAY + 7, 30 * DAY, 400 * DAY + 1] {
        let (schedule, sleeper) = (Schedule::new(true), sleeper());
        schedule.wake_at(at(distance), at(0), &sleeper);
        // As the loop does: to the next slot, and no farther.
        let mut looks = 0;
        let woken = loop {
            let first = *schedule.slots().first_key_value().expect("it waits").0;
            let time = at(0).max(SystemTime::UNIX_EPOCH + start(first));
            wake(&schedule, time);
            looks += 1;
            if sleeper.woken.load(Relaxed) == 1 {
                break time;
            }
        };
        assert!(woken >= at(distance) && woken < at(distance) + TICK, "{distance}: {woken:?}");
        assert!(looks <= 12, "{distance}: {looks}");
        assert_eq!((entries(&schedule), schedule.waste.load(Relaxed)), (0, 0));
    }
}

#[test]
fn a_clock_that_is_set_forward_wakes_all_that_it_passed_and_one_set_back_lets_them_wait() {
    let schedule = Schedule::new(true);
    let sleepers: Vec<_> = (0..1_000).map(|_| sleeper()).collect();
    for (number, sleeper) in (0..).zip(&sleepers) {
        schedule.wake_at(at(number * 60_000), at(0), sleeper);
    }
    let woken = || sleepers.iter().map(|sleeper| sleeper.woken.load(Relaxed)).sum::<u64>();
    wake(&schedule, at(0) - Duration::from_secs(86_400));
    assert_eq!(woken(), 0);
    // A new deadline at the earlier time, far before the others.
    let early = sleeper();
    schedule.wake_at(at(0) - Duration::from_secs(80_000), at(0) - Duration::from_secs(86_400), &early);
    wake(&schedule, at(0) - Duration::from_secs(80_000));
    assert_eq!((woken(), early.woken.load(Relaxed)), (0, 1));
    wake(&schedule, at(500 * 60_000));
    assert_eq!(woken(), 501);
    wake(&schedule, at(1_000 * 60_000));
    assert_eq!((woken(), entries(&schedule)), (1_000, 0));
    assert!(sleepers.iter().all(|sleeper| sleeper.woken.load(Relaxed) == 1));
}

#[test]
fn the_earliest_of_several_deadlines_counts() {
    let (schedule, sleeper) = (Schedule::new(true), sleeper());
    let woken = || sleeper.woken.load(Relaxed);
    schedule.wake_at(at(1_000_000), at(0), &sleeper);
    schedule.wake_at(at(2_000_000), at(0), &sleeper);
    assert_eq!(entries(&schedule), 1);
    schedule.wake_at(at(999_000), at(0), &sleeper);
    assert_eq!(entries(&schedule), 2);
    schedule.wake_at(at(5_000), at(0), &sleeper);
    wake(&schedule, at(4_999));
    assert_eq!(woken(), 0);
    wake(&schedule, at(5_064));
    assert_eq!(woken(), 1);
    // What was overtaken wakes nobody.
    wake(&schedule, at(3_000_000));
    assert_eq!((woken(), entries(&schedule), schedule.waste.load(Relaxed)), (1, 0, 0));
}

#[test]
fn what_is_gone_or_overtaken_does_not_pile_up() {
    const MONTH: u64 = 30 * 86_400_000;
    let (schedule, stays) = (Schedule::new(true), sleeper());
    schedule.wake_at(at(MONTH), at(0), &stays);
    for round in 0..10_000 {
        let gone = sleeper();
        schedule.wake_at(at(MONTH + round * 1_000), at(0), &gone);
        schedule.forget(&gone.timer);
        drop(gone);
        // Woken now and then, and back to the same far slot.
        schedule.wake_at(at(round), at(round), &stays);
        wake(&schedule, at(round) + TICK);
        schedule.wake_at(at(MONTH), at(round), &stays);
        schedule.tidy();
        assert!(entries(&schedule) <= 6, "{round}: {}", entries(&schedule));
    }
    assert_eq!(stays.woken.load(Relaxed), 10_000);
    wake(&schedule, at(MONTH) + TICK);
    assert_eq!((stays.woken.load(Relaxed), Arc::weak_count(&stays)), (10_001, 0));
}

#[test]
fn many_deadlines_wait_in_few_slots() {
    let schedule = Schedule::new(true);
    let sleepers: Vec<_> = (0..20_000).map(|_| sleeper()).collect();
    for (number, sleeper) in (0..).zip(&sleepers) {
        schedule.wake_at(at(number * 7_777), at(0), sleeper);
    }
    assert!(schedule.slots().len() < 1_200, "{}", schedule.slots().len());
    let (idle, sleeper) = (Schedule::new(false), sleeper());
    idle.wake_at(at(1_000), at(0), &sleeper);
    assert_eq!((entries(&idle), Arc::weak_count(&sleeper)), (0, 0), "nobody would wake it");
}
