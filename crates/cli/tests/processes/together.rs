//! Eight processes at once, again and again: each token is presented once, and all of them get what it brought.

use std::thread;

use rampauth_sandbox::{Call, Sandbox};

use crate::session::{OnTrial, nothing_is_left, profile};
use crate::support::{Home, start};

const ROUNDS: usize = 200;

#[test]
fn eight_processes_at_once_present_each_token_once() {
    let sandbox = start(Sandbox::builder());
    let home = Home::new(&format!("store = \"sqlite:rampauth.db\"\n{}", profile("user", Call::Onboard, &sandbox, "")));
    let mut session = OnTrial::new(&home, &sandbox, "user", Call::Onboard);
    let mut shared = 0;
    for round in 1..=ROUNDS {
        session.reject();
        // One has its refresh whatever the others do; seven want a token that can be used.
        let commands = [
            &["refresh", "user", "--stored"][..],
            &["token", "user"],
            &["token", "user"],
            &["token", "user"],
            &["token", "user"],
            &["token", "user"],
            &["token", "user"],
            &["token", "user"],
        ];
        let printed: Vec<u64> = thread::scope(|scope| {
            let runs = commands.map(|arguments| scope.spawn(|| home.run(arguments).done().output()));
            let printed = runs.map(|run| run.join().expect("a run that succeeds"));
            printed.iter().map(|line| session.printed(line).expect("a token")).collect()
        });
        let done = session.check(&printed, 0);
        assert!((1..=2).contains(&done.granted) && done.again == 0 && !done.lost, "round {round}: {done:?}");
        shared += usize::from(done.granted == 1);
    }
    let ledger = sandbox.presentations();
    assert!(ledger.iter().all(|one| one.granted == Some(one.presented + 1)), "one chain without a break");
    assert_eq!(session.record().generation, 1 + ledger.len() as u64, "each presentation is one generation");
    nothing_is_left(home.path());
    println!("{ROUNDS} rounds of {} processes: {} presentations, {shared} rounds with one for all", 8, ledger.len());
}
