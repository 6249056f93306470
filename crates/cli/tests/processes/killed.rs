//! Processes that are killed at any point: the next one goes on, and a session is lost only where the provider has given its
//! answer to a dead process and gives it to nobody else.

use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rampauth_sandbox::{Call, Reuse, Sandbox};

use crate::session::{OnTrial, Random, Seed, nothing_is_left, profile, write_keys};
use crate::support::{Home, start};

/// Kills, in all sessions together.
const ROUNDS: usize = 200;
const WITHIN: Duration = Duration::from_secs(3_600);
/// How long a request travels, and how long its answer: so that many a kill falls between the two.
const LATENCY: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(40));

/// Each session with the number of its provider below. Two kinds of client: one knows how its provider refuses a dead token.
const SESSIONS: [(&str, usize, Call); 8] = [
    ("same-1", 0, Call::Onboard),
    ("same-2", 0, Call::Onboard),
    ("same-3", 0, Call::AlixCard),
    ("new-1", 1, Call::Onboard),
    ("new-2", 1, Call::AlixCard),
    ("once-1", 2, Call::Onboard),
    ("once-2", 2, Call::Onboard),
    ("once-3", 2, Call::AlixCard),
];
const REUSE: [Reuse; 3] = [Reuse::SameTokens { within: WITHIN }, Reuse::NewTokens { within: WITHIN }, Reuse::Refused];

#[derive(Debug, Default)]
struct Tally {
    rounds: usize,
    granted: usize,
    again: usize,
    lost: usize,
}

#[test]
fn a_process_that_is_killed_anywhere_loses_no_session_that_can_be_saved() {
    let seed = Seed::draw();
    let sandboxes = REUSE.map(|reuse| start(Sandbox::builder().reuse(reuse).latency(LATENCY.0, LATENCY.1)));
    // Six seconds of claim: a request of one, as much again, and twice two for the store.
    let mut config = "store = \"sqlite:rampauth.db\"\nstore_timeout_seconds = 2\n".to_owned();
    for (name, sandbox, call) in SESSIONS {
        config += &profile(name, call, &sandboxes[sandbox], &format!("keys-{sandbox}"));
    }
    let home = Home::new(&config);
    for (number, sandbox) in sandboxes.iter().enumerate() {
        write_keys(&home, sandbox, &format!("keys-{number}"));
    }
    // A session that waits for a claim to lapse keeps the others from nothing.
    let tallies = thread::scope(|scope| {
        let (home, sandboxes) = (&home, &sandboxes);
        let sessions: [_; SESSIONS.len()] = std::array::from_fn(|index| {
            let (name, sandbox, call) = SESSIONS[index];
            let random = Random(seed.0.wrapping_add(index as u64));
            scope.spawn(move || kill_again_and_again(OnTrial::new(home, &sandboxes[sandbox], name, call), home, random))
        });
        sessions.map(|session| session.join().expect("a session whose checks hold"))
    });
    let (mut again, mut lost) = (0, 0);
    for ((name, sandbox, _), tally) in SESSIONS.iter().zip(&tallies) {
        println!("{name}: {tally:?}");
        again += tally.again;
        match REUSE[*sandbox] {
            Reuse::Refused => lost += tally.lost,
            _ => assert_eq!(tally.lost, 0, "{name}: a grace saves every session"),
        }
    }
    assert_eq!(tallies.iter().map(|tally| tally.rounds).sum::<usize>(), ROUNDS);
    assert!(
        again >= 10 && lost >= 1,
        "kills fell nowhere of interest: {again} presented again, {lost} lost; {seed}",
        seed = seed.0
    );
    nothing_is_left(home.path());
}

fn kill_again_and_again(mut session: OnTrial<'_>, home: &Home, mut random: Random) -> Tally {
    let mut tally = Tally::default();
    // What a run takes that nobody kills: about here and now, with all that goes on beside it.
    let mut usual = {
        session.reject();
        let started = now();
        let (printed, failed) = session.recover();
        session.check(&printed, failed);
        started.elapsed()
    };
    for _ in 0..ROUNDS / SESSIONS.len() {
        session.reject();
        let command: &[&str] =
            if random.below(2) == 0 { &["token", &session.profile] } else { &["refresh", &session.profile] };
        let mut killed = Running::start(home, command);
        let window = u64::try_from(usual.as_micros()).expect("a short time") * 5 / 4;
        let pause = Duration::from_micros(random.below(window.min(20_000)));
        thread::sleep(pause);
        let started = now();
        let mut other = Running::start(home, &["token", &session.profile]);
        // At any time, or about when an answer is on its way.
        let on_its_way = random.below(3) == 0 && session.is_presented_within(usual * 3);
        let wait = if on_its_way {
            Duration::from_millis(random.below(50))
        } else {
            Duration::from_micros(random.below(window))
        };
        thread::sleep(wait);
        let mut unfinished = usize::from(killed.kill());
        // Sometimes the one that would go on is killed too.
        if on_its_way || random.below(4) == 0 {
            other.kill();
        }
        let failed = !other.ended_well();
        // One that ran into a limit of its own may have left a doubt as well.
        unfinished += usize::from(failed);
        let mut printed = Vec::from_iter(session.printed(&killed.output()));
        printed.extend(session.printed(&other.output()));
        let took = started.elapsed();
        if !failed && took < usual * 3 {
            usual = (usual * 3 + took) / 4;
        }
        let (last, failed) = session.recover();
        unfinished += failed;
        printed.extend(last);
        let round = session.check(&printed, unfinished);
        tally.rounds += 1;
        tally.granted += round.granted;
        tally.again += round.again;
        if round.lost {
            tally.lost += 1;
            session.log_in();
        }
    }
    tally
}

#[expect(clippy::disallowed_methods, reason = "how long a process takes is measured, to know when to kill one")]
fn now() -> Instant {
    Instant::now()
}

/// A process of ours; killed with the test that fails.
struct Running(Child);

impl Running {
    fn start(home: &Home, arguments: &[&str]) -> Self {
        let mut command = home.run(arguments).into_command();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        Self(command.spawn().expect("the binary starts"))
    }

    /// `kill -9`; whether it was still at work.
    fn kill(&mut self) -> bool {
        self.0.kill().expect("a process of ours");
        self.0.wait().expect("its end").code().is_none()
    }

    fn ended_well(&mut self) -> bool {
        self.0.wait().expect("its end").success()
    }

    /// What it printed until its end.
    fn output(&mut self) -> String {
        let mut text = String::new();
        if let Some(mut stdout) = self.0.stdout.take() {
            std::io::Read::read_to_string(&mut stdout, &mut text).expect("UTF-8");
        }
        text
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
