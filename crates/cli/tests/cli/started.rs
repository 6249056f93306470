//! A run of the binary that the test goes on beside: it is sent signals, and its pipes are held or closed.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::support::{Done, Run};

/// When something is not going to happen any more, however slow the machine is.
const LONGEST: Duration = Duration::from_secs(60);
const PACE: Duration = Duration::from_millis(10);

/// Killed with the test that fails.
pub(crate) struct Started {
    child: Child,
    /// Open until it is taken.
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) stdout: Option<BufReader<ChildStdout>>,
    pub(crate) stderr: Option<BufReader<ChildStderr>>,
    /// What was read of its standard error.
    said: String,
}

impl Started {
    pub(crate) fn new(run: Run) -> Self {
        let mut command = run.into_command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let (stdout, stderr) = (child.stdout.take().map(BufReader::new), child.stderr.take().map(BufReader::new));
        Self { stdin: child.stdin.take(), child, stdout, stderr, said: String::new() }
    }

    /// The same with this on standard input, and no more.
    pub(crate) fn with_input(run: Run, text: &str) -> Self {
        let mut started = Self::new(run);
        started.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
        started
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().expect("kill runs").success(), "{name}");
    }

    /// Reads its standard error until it has said this.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, words: &str) {
        while !self.said.contains(words) {
            let read = self.stderr.as_mut().expect("open").read_line(&mut self.said).expect("UTF-8");
            assert_ne!(read, 0, "it ended before it said `{words}`: {}", self.said);
        }
    }

    /// Its end, whatever that came of, with what is left to read.
    #[track_caller]
    pub(crate) fn end(self) -> Done {
        self.end_within(LONGEST)
    }

    /// The same, and no later than this.
    #[track_caller]
    pub(crate) fn end_within(mut self, longest: Duration) -> Done {
        let mut waits = longest.as_millis() / PACE.as_millis();
        let code = loop {
            match self.child.try_wait().expect("a state") {
                Some(status) => break status.code().expect("an exit code, no signal"),
                None if waits == 0 => panic!("it does not end: {}", self.said),
                None => sleep(PACE),
            }
            waits -= 1;
        };
        let mut done = Done { code, stdout: String::new(), stderr: std::mem::take(&mut self.said) };
        self.stdout.take().map(|mut from| from.read_to_string(&mut done.stdout).expect("UTF-8"));
        self.stderr.take().map(|mut from| from.read_to_string(&mut done.stderr).expect("UTF-8"));
        done
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
