//! A provider that waits for the test before it answers: what happens meanwhile is the test's to say.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use rampauth_test_kit::scripted::response;

use crate::support::{Done, Home, Run};

/// A provider of `card`.
pub(crate) struct Provider(TcpListener);

impl Provider {
    pub(crate) fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").expect("a port"))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().expect("an address"))
    }

    /// Imports tokens that this command refreshes: expired ones, and for `settle` in doubt.
    pub(crate) fn log_in(&self, home: &Home, command: &str) {
        let tokens = r#"{"accessToken":"a","refreshToken":"r","accessTokenExpiresAt":"2020-01-01T00:00:00Z"}"#;
        home.run(&["import", "card"]).stdin(tokens).done().output();
        if command == "settle" {
            let done = self.serve(home.run(&["refresh", "card"]), drop);
            assert_eq!(done.code, 5, "{}", done.stderr);
        }
    }

    /// Runs a command that makes one request, and answers it once `meanwhile` is done.
    pub(crate) fn answer(&self, run: Run, meanwhile: impl FnOnce() + Send) -> Done {
        self.serve(run, |stream| answer(stream, meanwhile))
    }

    /// The same for a command that was started already.
    pub(crate) fn answer_next(&self, meanwhile: impl FnOnce()) {
        answer(self.next(), meanwhile);
    }

    /// The same, and the answer is that it is not granted.
    pub(crate) fn refuse_next(&self, meanwhile: impl FnOnce()) {
        let mut stream = self.next();
        meanwhile();
        stream.write_all(&response(400, &[], r#"{"success":false,"errorCode":1}"#)).expect("an answer");
    }

    /// The same without an answer: the connection is closed when `meanwhile` is done.
    pub(crate) fn hold_next(&self, meanwhile: impl FnOnce()) {
        let stream = self.next();
        meanwhile();
        drop(stream);
    }

    fn serve(&self, run: Run, serve: impl FnOnce(TcpStream) + Send) -> Done {
        std::thread::scope(|scope| {
            let serving = scope.spawn(|| serve(self.next()));
            let done = run.done();
            serving.join().expect("no panic");
            done
        })
    }

    /// The next connection, once its request is there.
    pub(crate) fn next(&self) -> TcpStream {
        let (mut stream, _) = self.0.accept().expect("a connection");
        assert!(stream.read(&mut [0; 4_096]).expect("a request") > 0);
        stream
    }
}

/// Answers with the tokens `b` and `s`, once `meanwhile` is done.
pub(crate) fn answer(mut stream: TcpStream, meanwhile: impl FnOnce()) {
    meanwhile();
    let body = r#"{"success":true,"data":{"accessToken":"b","refreshToken":"s"},"errorCode":0}"#;
    stream.write_all(&response(200, &[], body.as_bytes())).expect("an answer");
}
