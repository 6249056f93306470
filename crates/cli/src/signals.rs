//! Being told to stop, by Ctrl-C and SIGTERM where there is one, or to look at the configuration again, by SIGHUP. Commands that end by
//! themselves are in [`one_shot`].

mod one_shot;

use std::io;
use std::sync::atomic::{AtomicU8, Ordering};

use rampauth_core::{Error, ErrorKind, Outcome};

pub(crate) use one_shot::{hold, release};

/// The exit code of a command that a signal stopped and that cleared up itself; 0 where there is none.
static STOPPED: AtomicU8 = AtomicU8::new(0);

/// From now on a signal ends the process at once, with 130 (SIGINT), 143 (SIGTERM) or 129 (SIGHUP), unless something is under way:
/// see [`hold`].
pub(crate) fn end_at_once() -> Result<(), Error> {
    one_shot::install().map_err(deaf)
}

/// Says that this signal stopped the command, which has cleared up.
pub(crate) fn stopped_by(signal: Signal) {
    STOPPED.store(signal.code(), Ordering::SeqCst);
}

/// The exit code of a command that did what it had to, and was told to end meanwhile.
pub(crate) fn exit_code() -> Option<u8> {
    one_shot::received().or_else(|| Some(STOPPED.load(Ordering::SeqCst)).filter(|code| *code != 0))
}

/// A signal that asks a command to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C, or SIGINT.
    Interrupt,
    /// SIGTERM; on Windows Ctrl-Break.
    Terminate,
    /// SIGHUP, where it does not ask for a look at the configuration.
    Hangup,
}

impl Signal {
    /// Ends the process at once, with the code that a shell gives a command which this signal ended.
    pub(crate) fn end_at_once(self) -> ! {
        std::process::exit(i32::from(self.code()))
    }

    /// The exit code that a shell gives a command which this signal ended.
    fn code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
            Self::Hangup => 129,
        }
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
