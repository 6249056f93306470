//! Being told to stop: Ctrl-C, and SIGTERM where there is one.

use std::io;

use rampauth_core::{Error, ErrorKind, Outcome};

/// Listens for the signals that end a command that runs until it is stopped.
#[cfg(unix)]
pub(crate) struct Stop {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

/// Listens for the signals that end a command that runs until it is stopped.
#[cfg(windows)]
pub(crate) struct Stop {
    interrupt: tokio::signal::windows::CtrlC,
    terminate: tokio::signal::windows::CtrlBreak,
}

impl Stop {
    /// Starts to listen: a signal from now on is kept for [`wait`](Self::wait).
    pub(crate) fn listen() -> Result<Self, Error> {
        Self::install().map_err(|error| {
            let reason = "the system does not let it listen for signals";
            Error::new(ErrorKind::Internal, Outcome::NotSent, "start", reason).with_source(error)
        })
    }

    #[cfg(unix)]
    fn install() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    #[cfg(windows)]
    fn install() -> io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c};
        Ok(Self { interrupt: ctrl_c()?, terminate: ctrl_break()? })
    }

    /// Returns at the first signal.
    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
