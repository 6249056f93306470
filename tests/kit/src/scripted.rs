//! A TCP server on loopback that fails as told, in the ways an HTTP mock cannot.
//!
//! ```
//! use rampauth_test_kit::scripted::{Script, ScriptedServer, response};
//!
//! let server = ScriptedServer::start(Script::Then(vec![
//!     Script::ResetAfterRequest,
//!     Script::Raw(response(200, &[("content-type", "application/json")], r#"{"ok":true}"#)),
//! ]));
//! assert!(server.url().starts_with("http://127.0.0.1:"));
//! assert_eq!(server.connections(), 0);
//! ```

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

use crate::wire::Received;
pub use crate::wire::{RawRequest, response};

/// How long the first request may take to arrive before an assertion gives up.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long an assertion waits for a request that should not come.
const GRACE: Duration = Duration::from_millis(200);

/// What the server does with a connection. One connection serves one request; then it closes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Script {
    /// Nobody listens: the connection is refused. The port stays taken, so that nobody else can come to listen there.
    Refused,
    /// Closes at once, before reading a byte. The client may see an end of stream or a reset.
    CloseOnAccept,
    /// Reads the whole request, then resets the connection (RST).
    ResetAfterRequest,
    /// Reads the whole request, then closes in order (FIN) without an answer.
    CloseAfterRequest,
    /// Answers with half a status line, then closes.
    TruncatedHead,
    /// Answers with fewer bytes of body than it promised, then closes. The body is no JSON; for one that would parse,
    /// use [`Script::Raw`] with a `content-length` of your own.
    TruncatedBody {
        /// The status code.
        status: u16,
        /// The `content-length`.
        promised: usize,
        /// The bytes of body sent, fewer than `promised`.
        sent: usize,
    },
    /// Reads the request and never answers; the connection stays open until the client or the server ends.
    Stalled,
    /// Answers at once with a head, then with one byte of body every `every` until there are `length`.
    SlowBody {
        /// The status code.
        status: u16,
        /// The pause before each byte.
        every: Duration,
        /// The `content-length`, kept in the end: choose `every` × `length` longer than the timeout under test, and
        /// `length` below the client's limit.
        length: usize,
    },
    /// Answers with these bytes as they are, then closes. See [`response`].
    Raw(Vec<u8>),
    /// Answers with these bytes as they are, a part of an answer, and then goes on as told.
    Partial {
        /// What is sent.
        answer: Vec<u8>,
        /// What comes after it.
        ending: Ending,
    },
    /// Reads the request and answers with these bytes as they are once [`ScriptedServer::release`] is called, then closes.
    Held(Vec<u8>),
    /// Answers with these bytes again and again, until the client or the server ends.
    Repeated {
        /// What is sent each time.
        bytes: Vec<u8>,
        /// The pause after each time; none for as fast as it goes.
        every: Duration,
    },
    /// The nth connection gets the nth script, further ones the last. No `Refused` and no `Then` inside.
    Then(Vec<Script>),
}

/// How a connection ends after a part of an answer.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Ending {
    /// In order (FIN).
    Closed,
    /// With a reset (RST).
    Reset,
    /// Not at all: the connection stays open until the client or the server ends.
    Stalled,
}

/// A running server; stops when dropped.
///
/// It runs on threads of its own and needs no async runtime.
#[derive(Debug)]
pub struct ScriptedServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
    /// Holds the port of a server that refuses.
    _reserved: Option<Socket>,
}

impl ScriptedServer {
    /// Starts on a free port of 127.0.0.1.
    ///
    /// # Panics
    ///
    /// If the script contradicts itself or no port can be had.
    #[track_caller]
    pub fn start(script: Script) -> Self {
        check(&script);
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let shared = Arc::new(Shared::default());
        if matches!(script, Script::Refused) {
            // A port that is bound but not listening refuses, and cannot be given to another test meanwhile.
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            socket.bind(&any_port.into()).expect("a free port");
            let address = socket.local_addr().ok().and_then(|bound| bound.as_socket()).expect("the port bound");
            return Self { address, shared, acceptor: None, _reserved: Some(socket) };
        }
        let listener = TcpListener::bind(any_port).expect("a free port");
        let address = listener.local_addr().expect("the port bound");
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.accept(&listener, &script)
        });
        Self { address, shared, acceptor: Some(acceptor), _reserved: None }
    }

    /// `http://127.0.0.1:PORT`, no slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address listened on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets every [`Script::Held`] go on, those of later connections included.
    pub fn release(&self) {
        self.shared.update(|state| state.released = true);
    }

    /// How many connections were accepted. With [`Script::Refused`] that is none.
    pub fn connections(&self) -> usize {
        self.shared.lock().connections
    }

    /// The requests that arrived whole, in order of arrival.
    pub fn requests(&self) -> Vec<RawRequest> {
        self.shared.lock().requests.clone()
    }

    /// The bytes of requests that ended before they were whole. Connections that brought no byte are not among them.
    pub fn partial_requests(&self) -> Vec<Vec<u8>> {
        self.shared.lock().partial.clone()
    }

    /// Waits until `count` requests have arrived whole and returns all there are.
    ///
    /// Blocks the thread: for plain tests, and for async ones whose client runs on another thread.
    ///
    /// # Panics
    ///
    /// If they do not arrive in 5 seconds.
    #[track_caller]
    pub fn wait_for_requests(&self, count: usize) -> Vec<RawRequest> {
        let requests = self.shared.wait(PATIENCE, |state| state.requests.len() >= count).requests.clone();
        assert!(requests.len() >= count, "expected {count} requests, {} arrived", requests.len());
        requests
    }

    /// Waits shortly for a request too many, then returns the only one.
    ///
    /// Blocks the thread. In a single-threaded async test a client that retries in a background task stands still
    /// meanwhile and its second request goes unseen: use [`Self::assert_exactly_one_request_async`] there.
    ///
    /// # Panics
    ///
    /// If no request arrived, or more than one, whole or in part.
    #[track_caller]
    pub fn assert_exactly_one_request(&self) -> RawRequest {
        self.shared.settle();
        self.exactly_one()
    }

    /// The same for a test on a tokio runtime, which goes on running the test's other tasks meanwhile.
    ///
    /// # Panics
    ///
    /// As [`Self::assert_exactly_one_request`], and outside a tokio runtime.
    pub async fn assert_exactly_one_request_async(&self) -> RawRequest {
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || shared.settle()).await.expect("a wait that ends");
        self.exactly_one()
    }

    #[track_caller]
    fn exactly_one(&self) -> RawRequest {
        let (mut requests, parts) = (self.requests(), self.partial_requests().len());
        let lines: Vec<String> = requests.iter().map(|one| format!("{} {}", one.method, one.path)).collect();
        assert!(lines.len() == 1 && parts == 0, "expected exactly one request, got {lines:?} and {parts} in part");
        requests.remove(0)
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        let Some(acceptor) = self.acceptor.take() else { return };
        self.shared.stop();
        // The acceptor sleeps until a connection comes; if even this one fails, it is left behind asleep.
        if TcpStream::connect(self.address).is_ok() {
            let ended = acceptor.join();
            assert!(ended.is_ok() || thread::panicking(), "the scripted server panicked");
        }
    }
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    connections: usize,
    requests: Vec<RawRequest>,
    partial: Vec<Vec<u8>>,
    /// The open connections. Weak, because a connection closes only when its last handle goes.
    open: Vec<Weak<TcpStream>>,
    stopped: bool,
    released: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while the state was held")
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn wait(&self, at_most: Duration, until: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let waited = self.changed.wait_timeout_while(self.lock(), at_most, |state| !until(state));
        waited.expect("no panic while the state was held").0
    }

    /// Returns once a request has come and no second one within the grace time, or sooner when the count is wrong.
    fn settle(&self) {
        let arrived = |state: &State| state.requests.len() + state.partial.len();
        if arrived(&self.wait(PATIENCE, |state| arrived(state) >= 1)) == 1 {
            drop(self.wait(GRACE, |state| arrived(state) >= 2));
        }
    }

    fn stop(&self) {
        self.update(|state| {
            state.stopped = true;
            for stream in state.open.iter().filter_map(Weak::upgrade) {
                // Fails only where the client was faster.
                stream.shutdown(Shutdown::Both).ok();
            }
        });
    }

    /// Serves each connection on a thread of its own until stopped, and returns when all have ended.
    fn accept(&self, listener: &TcpListener, script: &Script) {
        thread::scope(|scope| {
            for stream in listener.incoming().filter_map(Result::ok) {
                let stream = Arc::new(stream);
                let mut state = self.lock();
                if state.stopped {
                    return;
                }
                let script = match script {
                    Script::Then(scripts) => &scripts[state.connections.min(scripts.len() - 1)],
                    one => one,
                };
                state.connections += 1;
                state.open.retain(|open| open.strong_count() > 0);
                state.open.push(Arc::downgrade(&stream));
                drop(state);
                // An error here is a client that went away, which is what many a script is for.
                scope.spawn(move || self.play(script, &stream).ok());
            }
        });
    }

    fn play(&self, script: &Script, mut stream: &TcpStream) -> io::Result<()> {
        if matches!(script, Script::CloseOnAccept) {
            return Ok(());
        }
        stream.set_nodelay(true)?;
        match crate::wire::receive(stream) {
            Received::Whole(request) => self.update(|state| state.requests.push(request)),
            Received::Part(bytes) => {
                self.update(|state| state.partial.push(bytes));
                return Ok(());
            }
            Received::Nothing => return Ok(()),
        }
        match script {
            Script::ResetAfterRequest => SockRef::from(stream).set_linger(Some(Duration::ZERO)),
            Script::CloseAfterRequest => Ok(()),
            Script::TruncatedHead => stream.write_all(b"HTTP/1.1 20"),
            Script::TruncatedBody { status, promised, sent } => {
                stream.write_all(&head(*status, *promised))?;
                stream.write_all(&vec![b'x'; *sent])
            }
            Script::Stalled => stall(stream),
            Script::Partial { answer, ending } => {
                stream.write_all(answer)?;
                match ending {
                    Ending::Closed => Ok(()),
                    Ending::Reset => SockRef::from(stream).set_linger(Some(Duration::ZERO)),
                    Ending::Stalled => stall(stream),
                }
            }
            Script::Held(answer) => {
                let mut state = self.lock();
                while !(state.released || state.stopped) {
                    state = self.changed.wait(state).expect("no panic while the state was held");
                }
                drop(state);
                stream.write_all(answer)
            }
            Script::Repeated { bytes, every } => loop {
                stream.write_all(bytes)?;
                if !every.is_zero() && self.wait(*every, |state| state.stopped).stopped {
                    return Ok(());
                }
            },
            Script::SlowBody { status, every, length } => {
                stream.write_all(&head(*status, *length))?;
                for _ in 0..*length {
                    if self.wait(*every, |state| state.stopped).stopped {
                        break;
                    }
                    stream.write_all(b" ")?;
                }
                Ok(())
            }
            Script::Raw(answer) => stream.write_all(answer),
            Script::CloseOnAccept | Script::Refused | Script::Then(_) => {
                unreachable!("handled before a request is read")
            }
        }
    }
}

fn stall(mut stream: &TcpStream) -> io::Result<()> {
    while stream.read(&mut [0; 4096])? > 0 {}
    Ok(())
}

fn head(status: u16, length: usize) -> Vec<u8> {
    response(status, &[("content-type", "application/json"), ("content-length", &length.to_string())], "")
}

#[track_caller]
fn check(script: &Script) {
    match script {
        Script::TruncatedBody { promised, sent, .. } => assert!(sent < promised, "the body would be whole"),
        Script::Then(scripts) => {
            assert!(!scripts.is_empty(), "no script for the first connection");
            for script in scripts {
                assert!(!matches!(script, Script::Refused | Script::Then(_)), "{script:?} inside Then");
                check(script);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
