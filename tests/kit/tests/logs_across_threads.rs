//! `CaptureLogs` beside threads that nobody listens to: in a process of its own, for another test's recording would
//! hide the fault this looks for.

use std::thread;

use rampauth_test_kit::logs::CaptureLogs;

fn say(what: &str) {
    tracing::info!(what);
}

#[test]
fn each_thread_has_its_own_record_and_none_spoils_the_others() {
    let logs = CaptureLogs::start();
    // The first to reach the statement is a thread that nobody listens to.
    thread::spawn(|| say("unheard")).join().expect("a thread that ends");
    say("first");
    let other = thread::spawn(|| {
        let logs = CaptureLogs::start();
        say("second");
        logs.text()
    });
    let other = other.join().expect("a thread that ends");
    assert_eq!(logs.text(), "INFO event logs_across_threads: what=first\n");
    assert_eq!(other, "INFO event logs_across_threads: what=second\n");
    drop(logs);
    say("after the end");
}
