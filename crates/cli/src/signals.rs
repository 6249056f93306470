//! Being told to stop, by Ctrl-C and SIGTERM where there is one, or to look at the configuration again, by SIGHUP.

use std::io;

use rampauth_core::{Error, ErrorKind, Outcome};

/// A signal that asks a command to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C, or SIGINT.
    Interrupt,
    /// SIGTERM; on Windows Ctrl-Break.
    Terminate,
}

impl Signal {
    /// Ends the process at once, with the code that a shell gives a command which this signal ended.
    pub(crate) fn end_at_once(self) -> ! {
        std::process::exit(match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        })
    }
}

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
        Self::install().map_err(deaf)
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

    /// Returns at the first signal, and at the next one when it is asked again.
    pub(crate) async fn wait(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
        }
    }
}

/// Listens for SIGHUP, which ends the process no more from then on. Where there is no such signal it never comes.
pub(crate) struct Hangup {
    #[cfg(unix)]
    hangup: tokio::signal::unix::Signal,
}

impl Hangup {
    /// Starts to listen: signals from now on are kept, as one, for [`wait`](Self::wait).
    #[cfg(unix)]
    pub(crate) fn listen() -> Result<Self, Error> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { hangup: signal(SignalKind::hangup()).map_err(deaf)? })
    }

    #[cfg(windows)]
    #[expect(clippy::unnecessary_wraps, reason = "it can fail elsewhere")]
    pub(crate) fn listen() -> Result<Self, Error> {
        Ok(Self {})
    }

    /// Returns when there was one.
    pub(crate) async fn wait(&mut self) {
        #[cfg(unix)]
        let _ = self.hangup.recv().await;
        #[cfg(windows)]
        std::future::pending::<()>().await;
    }
}

fn deaf(error: io::Error) -> Error {
    let reason = "the system does not let it listen for signals";
    Error::new(ErrorKind::Internal, Outcome::NotSent, "start", reason).with_source(error)
}
