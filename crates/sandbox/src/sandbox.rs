//! Starts and stops the sandbox, and hands out what a test needs of it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::clock::FURTHEST;
use crate::event::{Event, Listener};
use crate::route;
use crate::server;
use crate::state::{Options, State};
use crate::{Call, Credentials, Failure, IssuedTokens, NotDocumented, Presentation, Reuse};

/// How long [`Sandbox::stop`] waits for answers in flight.
const GRACE: Duration = Duration::from_secs(1);

/// The providers' refresh endpoints on a loopback port.
///
/// It runs on threads of its own: any async runtime may drive a test of it, and a test that blocks its thread, say on a
/// child process, does not block the sandbox. Dropping it stops it.
pub struct Sandbox {
    addr: SocketAddr,
    url: String,
    state: Arc<State>,
    /// Sent: finish what is in flight. Dropped: stop at once.
    stop: oneshot::Sender<()>,
    stopped: oneshot::Receiver<()>,
}

impl Sandbox {
    /// Starts a sandbox on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// [`StartError`], when the system gives no port, thread or randomness.
    pub async fn start() -> Result<Self, StartError> {
        Self::builder().start().await
    }

    /// Settings other than the usual ones.
    pub fn builder() -> Builder {
        Builder { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), options: Options::default(), listener: None }
    }

    /// The base URL of every provider: `http://127.0.0.1:PORT`, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address that it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What a client of it must be configured with.
    pub fn credentials(&self) -> &Credentials {
        &self.state.credentials
    }

    /// Issues a live pair, as a login would have.
    pub fn issue(&self, call: Call) -> IssuedTokens {
        self.state.issue(call, route::mint_of(call), None)
    }

    /// As [`issue`](Self::issue), for a login all of whose access tokens live this long: those of its refreshes too.
    ///
    /// Counted as [`Builder::access_lifetime`] is.
    pub fn issue_living(&self, call: Call, lifetime: Duration) -> IssuedTokens {
        self.state.issue(call, route::mint_of(call), Some(lifetime.min(FURTHEST)))
    }

    /// When this access token ends, as the provider's other calls would judge it; `None` when it was not issued for this call.
    pub fn access_expiry(&self, call: Call, token: &str) -> Option<SystemTime> {
        self.state.access_expiry(call, token)
    }

    /// The sandbox's clock: the machine's, and what [`Sandbox::advance`] added.
    pub fn now(&self) -> SystemTime {
        self.state.clock.now()
    }

    /// Moves the sandbox's clock forward, so that a test need not wait for an expiry. It stops 100 years ahead.
    pub fn advance(&self, by: Duration) {
        self.state.clock.advance(by);
    }

    /// Answers the next request of this call with a failure that its provider documents, in place of what it would answer.
    /// Asked for several times, they happen one after the other.
    ///
    /// # Errors
    ///
    /// [`NotDocumented`], where the provider documents no such answer for the call.
    pub fn fail_next(&self, call: Call, failure: Failure) -> Result<(), NotDocumented> {
        self.state.failures.add(call, failure)
    }

    /// Its log, oldest event first: the latest 10,000.
    ///
    /// A request's event is there before its answer arrives.
    pub fn events(&self) -> Vec<Event> {
        self.state.log.all()
    }

    /// What was presented of all that it issued and how that was answered, oldest first, in the order in which its ledger saw
    /// it: the latest 10,000.
    pub fn presentations(&self) -> Vec<Presentation> {
        self.state.presentations()
    }

    /// The [number](IssuedTokens::number) of the tokens that this one was issued with; `None` for any other text.
    pub fn number(&self, token: &str) -> Option<u64> {
        self.state.number(token)
    }

    /// Stops it: no new connection is taken, answers in flight get a second to be sent. Then the port is free again.
    pub async fn stop(self) {
        // An error means that the server's thread is already gone.
        if self.stop.send(()).is_ok() {
            drop(self.stopped.await);
        }
    }
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Settings of a [`Sandbox`] that is to be started.
#[must_use = "a builder does nothing until it is started"]
pub struct Builder {
    listen: SocketAddr,
    options: Options,
    listener: Option<Listener>,
}

impl Builder {
    /// Where to listen: an address of 127.0.0.0/8 or `[::1]`; port 0 takes a free one.
    ///
    /// Nothing else is accepted: the sandbox hands out tokens as if it were production, and belongs to one machine.
    pub fn listen(mut self, addr: SocketAddr) -> Self {
        self.listen = addr;
        self
    }

    /// How long every access token lives, in place of each provider's own lifetime.
    ///
    /// At most 100 years. A fraction of a second is dropped, but for Onboard, whose answers can tell milliseconds. With zero,
    /// tokens are born expired.
    pub fn access_lifetime(mut self, lifetime: Duration) -> Self {
        self.options.access_lifetime = Some(lifetime.min(FURTHEST));
        self
    }

    /// How long after its first exchange a token is exchanged again, each time for new tokens: the grace that some providers
    /// give a client whose answer was lost. The same as [`Reuse::NewTokens`].
    pub fn grace(self, grace: Duration) -> Self {
        self.reuse(Reuse::NewTokens { within: grace })
    }

    /// What becomes of a token that is presented once more. Refused unless set here.
    pub fn reuse(mut self, reuse: Reuse) -> Self {
        self.options.reuse = reuse;
        self
    }

    /// How long every request travels before it is looked at, and how long its answer before it is sent. None unless set here.
    ///
    /// A client that leaves meanwhile changes nothing: what has arrived is carried out.
    pub fn latency(mut self, there: Duration, back: Duration) -> Self {
        self.options.latency = (there, back);
        self
    }

    /// Calls `listener` with each event before the answer is sent. It must neither block for long nor panic.
    pub fn on_event(mut self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.listener = Some(Box::new(listener));
        self
    }

    /// Makes keys, binds the port and starts to serve.
    ///
    /// # Errors
    ///
    /// [`StartError::OffLoopback`] for an address that is not a loopback one, [`StartError::InUse`] for a port that
    /// another program has; the others when the system gives no socket, thread or randomness.
    pub async fn start(self) -> Result<Sandbox, StartError> {
        let Self { listen, options, listener } = self;
        if !listen.ip().is_loopback() {
            return Err(StartError::OffLoopback(listen));
        }
        let socket = TcpListener::bind(listen).map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => StartError::InUse(listen),
            _ => StartError::Listen { addr: listen, source },
        })?;
        let addr = socket.local_addr().map_err(|source| StartError::Listen { addr: listen, source })?;
        let (ready, state) = oneshot::channel();
        let (stop, stopping) = oneshot::channel();
        let (done, stopped) = oneshot::channel();
        thread::Builder::new()
            .name("rampauth-sandbox".to_owned())
            .spawn(move || {
                let state = || State::new(options, listener).map(Arc::new).map_err(|_| StartError::Keys);
                run(socket, state, ready, stopping);
                // Whoever waits for the end sees it by this value's drop.
                drop(done);
            })
            .map_err(StartError::Runtime)?;
        // The thread sends before it ends, unless it panicked.
        let state = state.await.unwrap_or(Err(StartError::Keys))?;
        Ok(Sandbox { addr, url: format!("http://{addr}"), state, stop, stopped })
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("listen", &self.listen).field("options", &self.options).finish_non_exhaustive()
    }
}

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address is not a loopback one: take 127.0.0.1 or `[::1]`.
    #[error("failed to start the sandbox on {0}: it listens on loopback alone, such as 127.0.0.1 or [::1]")]
    OffLoopback(SocketAddr),
    /// Another program has the port: take another one, or 0 for a free one.
    #[error("failed to start the sandbox on {0}: the port is in use")]
    InUse(SocketAddr),
    /// The system refused the address for another reason.
    #[error("failed to start the sandbox on {addr}: the system refused the address")]
    #[non_exhaustive]
    Listen {
        /// The address that was asked for.
        addr: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The system gave no thread or no event queue.
    #[error("failed to start the sandbox: the system gave it no thread")]
    Runtime(#[source] io::Error),
    /// The keys could not be made.
    #[error("failed to start the sandbox: its keys could not be made")]
    Keys,
}

type Ready = oneshot::Sender<Result<Arc<State>, StartError>>;

/// The sandbox's thread: makes its state, reports, serves until told to stop.
fn run(
    socket: TcpListener,
    state: impl FnOnce() -> Result<Arc<State>, StartError>,
    ready: Ready,
    stopping: oneshot::Receiver<()>,
) {
    let prepared = state().and_then(|state| {
        socket.set_nonblocking(true).map_err(StartError::Runtime)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("rampauth-sandbox")
            .enable_all()
            .build()
            .map_err(StartError::Runtime)?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(socket).map_err(StartError::Runtime)?
        };
        Ok((state, runtime, listener))
    });
    let (state, runtime, listener) = match prepared {
        Ok((state, runtime, listener)) => {
            if ready.send(Ok(Arc::clone(&state))).is_err() {
                // Nobody waits for it any more.
                return;
            }
            (state, runtime, listener)
        }
        Err(error) => {
            drop(ready.send(Err(error)));
            return;
        }
    };
    runtime.block_on(serve(listener, state, stopping));
    // What is still in flight after the grace is cut off with its connection.
    runtime.shutdown_background();
}

async fn serve(listener: tokio::net::TcpListener, state: Arc<State>, stopping: oneshot::Receiver<()>) {
    let (finish, finishing) = oneshot::channel::<()>();
    let server = axum::serve(listener, server::router(state)).with_graceful_shutdown(async {
        // Dropping the other end is the signal.
        drop(finishing.await);
    });
    let serving = tokio::spawn(server.into_future());
    if stopping.await.is_ok() {
        drop(finish);
        drop(timeout(GRACE, serving).await);
    }
}
