//! Signals for commands that end by themselves: they end at once, or, where something is under way that must not be lost, when that
//! is done. A second signal always ends them at once.

#[cfg(unix)]
pub(crate) use unix::{hold, install, received, release};
#[cfg(windows)]
pub(crate) use windows::{hold, install, received, release};

#[cfg(unix)]
mod unix {
    use std::io;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex, OnceLock, PoisonError};

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::flag;

    static SIGNALS: OnceLock<Signals> = OnceLock::new();

    /// Shared with the handlers, which may only set and read what is atomic.
    #[derive(Default)]
    struct Signals {
        /// Whether the next signal ends the process at once. The first one that does not makes the second one do so.
        at_once: Arc<AtomicBool>,
        /// The exit code for the signal that came while something was under way; 0 while there was none.
        received: Arc<AtomicUsize>,
        /// How many things are under way.
        held: Mutex<u32>,
    }

    /// From now on SIGINT, SIGTERM and SIGHUP end the process with 130, 143 and 129, as a shell tells them. Nothing is under way.
    pub(crate) fn install() -> io::Result<()> {
        let signals = SIGNALS.get_or_init(Signals::default);
        signals.at_once.store(true, Ordering::SeqCst);
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            // `nohup` asks for that.
            if signal == SIGHUP && hang_up_is_ignored() {
                continue;
            }
            let code = 128 + signal;
            // In the order in which they are run.
            flag::register_conditional_shutdown(signal, code, Arc::clone(&signals.at_once))?;
            flag::register_usize(signal, Arc::clone(&signals.received), usize::try_from(code).unwrap_or(1))?;
            flag::register(signal, Arc::clone(&signals.at_once))?;
        }
        Ok(())
    }

    /// Something is under way from now on: the first signal is kept for [`received`].
    pub(crate) fn hold() {
        let Some(signals) = SIGNALS.get() else { return };
        let mut held = signals.held.lock().unwrap_or_else(PoisonError::into_inner);
        *held += 1;
        if signals.received.load(Ordering::SeqCst) == 0 {
            signals.at_once.store(false, Ordering::SeqCst);
        }
    }

    /// It came to nothing that could be lost. A signal that was kept ends the process now, unless something else is under way.
    pub(crate) fn release() {
        let Some(signals) = SIGNALS.get() else { return };
        let mut held = signals.held.lock().unwrap_or_else(PoisonError::into_inner);
        *held = held.saturating_sub(1);
        if *held > 0 {
            return;
        }
        signals.at_once.store(true, Ordering::SeqCst);
        if let Some(code) = received() {
            std::process::exit(i32::from(code));
        }
    }

    /// The exit code for the signal that came while something was under way.
    pub(crate) fn received() -> Option<u8> {
        let code = SIGNALS.get()?.received.load(Ordering::SeqCst);
        u8::try_from(code).ok().filter(|code| *code != 0)
    }

    /// Whether the process was started with SIGHUP ignored, as far as the system tells: a handler would undo that.
    fn hang_up_is_ignored() -> bool {
        let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return false };
        let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
        mask.is_some_and(|mask| mask & (1 << (SIGHUP - 1)) != 0)
    }
}

#[cfg(windows)]
mod windows {
    use std::io;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use tokio::runtime::Handle;
    use tokio::signal::windows::ctrl_c;

    /// What a Unix shell tells for Ctrl-C.
    const CODE: u8 = 130;

    static RECEIVED: AtomicBool = AtomicBool::new(false);
    static LISTENING: AtomicBool = AtomicBool::new(false);
    static HELD: AtomicU32 = AtomicU32::new(0);

    /// Ctrl-C ends a process of itself until something is under way.
    pub(crate) fn install() -> io::Result<()> {
        Ok(())
    }

    /// Something is under way from now on: the first Ctrl-C is kept for [`received`], the second one ends the process.
    pub(crate) fn hold() {
        HELD.fetch_add(1, Ordering::SeqCst);
        let Ok(runtime) = Handle::try_current() else { return };
        if LISTENING.swap(true, Ordering::SeqCst) {
            return;
        }
        let Ok(mut signals) = ctrl_c() else { return };
        runtime.spawn(async move {
            while signals.recv().await.is_some() {
                if RECEIVED.swap(true, Ordering::SeqCst) || HELD.load(Ordering::SeqCst) == 0 {
                    std::process::exit(i32::from(CODE));
                }
            }
        });
    }

    /// It came to nothing that could be lost. A Ctrl-C that was kept ends the process now, unless something else is under way.
    pub(crate) fn release() {
        if HELD.fetch_sub(1, Ordering::SeqCst) == 1 && RECEIVED.load(Ordering::SeqCst) {
            std::process::exit(i32::from(CODE));
        }
    }

    /// The exit code for the Ctrl-C that came while something was under way.
    pub(crate) fn received() -> Option<u8> {
        RECEIVED.load(Ordering::SeqCst).then_some(CODE)
    }
}
