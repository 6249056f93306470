use super::*;

const MS: Duration = Duration::from_millis(1);

/// When to come back, if that is said, and whether there were too many calls.
type Refused = (Option<Duration>, bool);

/// A provider that allows so many calls in each second and answers after 20 ms, and attempts that are made as the pace has it.
struct Simulation {
    start: Instant,
    now: Instant,
    pace: Pace,
    /// How many calls a second allows, whether it says when to come back, and which seconds it allows none.
    allowed: u32,
    says_when: bool,
    down: std::ops::Range<u64>,
    calls_of_second: (u64, u32),
    held_up: bool,
    granted: u32,
    refused: u32,
}

impl Simulation {
    fn new(allowed: u32) -> Self {
        let start = Instant::now();
        Self {
            start,
            now: start,
            pace: Pace::default(),
            allowed,
            says_when: true,
            down: 0..0,
            calls_of_second: (0, 0),
            held_up: false,
            granted: 0,
            refused: 0,
        }
    }

    /// Attempts, at most 48 at a time, until so many are granted; how long that took.
    fn run(&mut self, wanted: u32) -> Duration {
        let began = self.now;
        let mut under_way: VecDeque<(Instant, Option<Refused>)> = VecDeque::new();
        while self.granted < wanted {
            assert!(self.now - began < Duration::from_secs(3_600), "{} granted in an hour", self.granted);
            while under_way.front().is_some_and(|(end, ..)| *end <= self.now) {
                let (_, limit) = under_way.pop_front().expect("one that ended");
                match limit {
                    None => {
                        self.granted += 1;
                        self.pace.answered(self.now, self.now - 20 * MS);
                    }
                    Some((retry_after, overrun)) => {
                        self.refused += 1;
                        self.pace.limited(self.now, retry_after, overrun);
                    }
                }
            }
            while under_way.len() < 48 && self.granted + (under_way.len() as u32) < wanted + 48 {
                match self.pace.turn(self.now) {
                    Turn::Now => {
                        self.pace.begin(self.now, self.held_up);
                        under_way.push_back((self.now + 20 * MS, self.call()));
                    }
                    _ => {
                        self.held_up = true;
                        break;
                    }
                }
            }
            self.now += MS;
        }
        self.now - began
    }

    /// Why a call is not granted, and until when.
    fn call(&mut self) -> Option<Refused> {
        let since = self.now - self.start;
        let second = since.as_secs();
        if self.down.contains(&second) {
            return Some((None, false));
        }
        if self.calls_of_second.0 != second {
            self.calls_of_second = (second, 0);
        }
        self.calls_of_second.1 += 1;
        let left = Duration::from_secs(second + 1) - since;
        let too_many = self.calls_of_second.1 > self.allowed;
        too_many.then_some((Some(left.max(Duration::from_secs(1))).filter(|_| self.says_when), true))
    }
}

#[test]
fn a_provider_that_allows_300_a_second_is_asked_little_more_often_and_used_well() {
    for says_when in [true, false] {
        let mut provider = Simulation { says_when, ..Simulation::new(300) };
        let took = provider.run(20_000);
        let (asked, least) = (20_000 + provider.refused, Duration::from_secs_f64(20_000.0 / 300.0));
        assert!(asked <= 22_000, "{asked} calls, {says_when}");
        assert!(took <= least.mul_f64(1.5), "{took:?}, {says_when}");
        // The rate is known by then.
        (provider.granted, provider.refused) = (0, 0);
        let took = provider.run(6_000);
        assert!(provider.refused <= 150 && took <= Duration::from_secs(30), "{} {took:?}", provider.refused);
    }
}

#[test]
fn a_provider_without_a_limit_is_never_held_up() {
    let mut provider = Simulation::new(u32::MAX);
    let took = provider.run(20_000);
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(provider.pace.rate.is_none() && !provider.held_up);
}

#[test]
fn after_an_outage_the_provider_is_tried_once_and_then_ever_faster() {
    let mut provider = Simulation { down: 1..40, ..Simulation::new(u32::MAX) };
    provider.run(100);
    let took = provider.run(20_000);
    // Once in 30 s while it lasts; the ones that were under way when it began come on top.
    assert!(provider.refused <= 48 + 8, "{}", provider.refused);
    assert!(took < Duration::from_secs(85), "{took:?}");
}

#[test]
fn a_pause_is_as_long_as_the_provider_said_and_half_a_minute_at_most() {
    for (said, expected) in [(Some(7), 7), (Some(30), 30), (Some(3_600), 30), (None, 1)] {
        let (now, mut pace) = (Instant::now(), Pace::default());
        pace.limited(now, said.map(Duration::from_secs), true);
        let end = now + Duration::from_secs(expected);
        assert_eq!(pace.turn(now), Turn::NotBefore(end), "{said:?}");
        assert_eq!((pace.pause_end(end), pace.turn(end)), (None, Turn::Now), "{said:?}");
    }
}

#[test]
fn pauses_that_follow_each_other_are_longer_until_there_is_an_answer() {
    let (mut now, mut pace) = (Instant::now(), Pace::default());
    for expected in [1, 2, 4, 8, 16, 30, 30] {
        pace.begin(now, true);
        pace.limited(now, None, false);
        // One that was under way together with it.
        pace.limited(now, None, false);
        let end = pace.pause_end(now).expect("a pause");
        assert!(
            end - now >= Duration::from_secs(expected) && end - now <= 2 * Duration::from_secs(expected),
            "{expected}"
        );
        now = end;
    }
    pace.begin(now, true);
    pace.answered(now, now);
    pace.limited(now, None, false);
    assert_eq!(pace.pause_end(now), Some(now + FIRST_PAUSE));
}

#[test]
fn one_attempt_tries_the_provider_and_the_others_wait_for_what_it_finds() {
    let (now, mut pace) = (Instant::now(), Pace::default());
    pace.limited(now, None, false);
    let end = now + FIRST_PAUSE;
    pace.begin(end, true);
    assert_eq!(pace.turn(end), Turn::AfterTheProbe);
    // It sent nothing after all: another one tries.
    pace.end();
    assert_eq!(pace.turn(end + FIRST_PAUSE), Turn::Now);
    pace.begin(end + FIRST_PAUSE, true);
    pace.answered(end + FIRST_PAUSE, end + FIRST_PAUSE);
    assert_eq!(pace.turn(end + 2 * FIRST_PAUSE), Turn::Now);
}

#[test]
fn an_answer_to_what_began_during_a_pause_ends_it_and_one_to_what_began_before_does_not() {
    let (began, mut pace) = (Instant::now(), Pace::default());
    let now = began + MS;
    pace.limited(now, Some(Duration::from_secs(9)), true);
    pace.answered(now + MS, began);
    assert!(pace.pause_end(now + MS).is_some());
    pace.answered(now + 2 * MS, now + MS);
    assert_eq!((pace.pause_end(now + 2 * MS), pace.turn(now + 2 * MS)), (None, Turn::Now));
}

#[test]
fn one_limit_in_quiet_traffic_makes_nobody_wait_for_long() {
    let (now, mut pace) = (Instant::now(), Pace::default());
    pace.begin(now, false);
    pace.answered(now, now);
    pace.begin(now, false);
    pace.limited(now, None, true);
    let end = now + FIRST_PAUSE;
    pace.begin(end, true);
    pace.answered(end, end);
    // Of ten that come together the last begins within a second.
    for _ in 0..9 {
        assert_ne!(pace.turn(end + Duration::from_secs(1)), Turn::AfterTheProbe);
        pace.begin(end, true);
    }
    assert_eq!(pace.turn(end + Duration::from_secs(1)), Turn::Now);
}

#[test]
fn a_provider_that_allows_three_a_second_is_not_asked_for_ten() {
    let mut provider = Simulation::new(3);
    let took = provider.run(600);
    assert!(took <= Duration::from_secs_f64(600.0 / 3.0 * 1.5), "{took:?}");
    // Four dozen were under way when the first was refused.
    assert!(provider.refused <= 48 + 150, "{}", provider.refused);
}
