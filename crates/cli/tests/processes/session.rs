//! One session on trial: what it may present and hand out, checked against the ledger while nobody is at work.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use rampauth_keeper::{Operation, Record, SessionKey, State, StoreExt as _};
use rampauth_sandbox::{Call, Presentation, Sandbox};
use rampauth_store_sqlite::SqliteStore;
use serde_json::Value;

use crate::support::{Home, as_input};

/// Until then nobody presents a token for the second time: whoever has its claim is given that long for the request.
const CLAIM: Duration = Duration::from_secs(1);

/// A session, and how far it was seen to get.
pub(crate) struct OnTrial<'a> {
    pub(crate) profile: String,
    home: &'a Home,
    sandbox: &'a Sandbox,
    call: Call,
    key: SessionKey,
    store: SqliteStore,
    /// The numbers of all tokens that were ever issued for it.
    family: BTreeSet<u64>,
    /// The number of the tokens in the store, and their generation.
    stored: (u64, u64),
    /// Presentations of the ledger that are known.
    seen: usize,
    /// When each of its tokens was presented last.
    presented: Vec<Presentation>,
}

/// What a round was like.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// Presentations of a token that had been presented before.
    pub(crate) again: usize,
    pub(crate) granted: usize,
    /// The session needs a login.
    pub(crate) lost: bool,
}

impl<'a> OnTrial<'a> {
    /// Logs in.
    pub(crate) fn new(home: &'a Home, sandbox: &'a Sandbox, profile: &str, call: Call) -> Self {
        let key = format!("{}/{}/{profile}", call.name(), sandbox.addr());
        let store = SqliteStore::open(home.path().join("rampauth.db")).expect("the store");
        let mut new = Self {
            profile: profile.to_owned(),
            home,
            sandbox,
            call,
            key: SessionKey::parse(key).expect("a key"),
            store,
            family: BTreeSet::new(),
            stored: (0, 0),
            seen: 0,
            presented: Vec::new(),
        };
        new.log_in();
        new
    }

    pub(crate) fn log_in(&mut self) {
        let issued = self.sandbox.issue(self.call);
        self.import(as_input(&issued));
        self.family.insert(issued.number);
        self.stored = (issued.number, self.record().generation);
    }

    fn import(&self, tokens: impl AsRef<[u8]>) {
        self.home.run(&["import", &self.profile]).stdin(tokens).done().output();
    }

    pub(crate) fn record(&self) -> Record {
        wait(self.store.load(&self.key)).expect("a store that can be read").expect("a record")
    }

    /// The number of the tokens in a record, whatever state it is in.
    fn number(&self, record: &Record) -> u64 {
        let tokens = record.tokens.as_ref().expect("tokens");
        let tokens: Value = serde_json::from_str(tokens.payload.expose_secret()).expect("JSON");
        self.sandbox.number(tokens["accessToken"].as_str().expect("a text")).expect("issued by the sandbox")
    }

    /// As a service does that was answered 401: whoever wants an access token from now on has to refresh.
    pub(crate) fn reject(&self) {
        let Record { session, generation, tokens, .. } = self.record();
        let access = tokens.and_then(|tokens| tokens.access).expect("an access token");
        wait(self.store.apply(&self.key, Operation::Reject { session, generation, access })).expect("noted");
    }

    /// The number of the access token that a run printed; none where it was killed or failed before that.
    pub(crate) fn printed(&self, stdout: &str) -> Option<u64> {
        let line = stdout.strip_suffix('\n')?;
        let document: Option<Value> = serde_json::from_str(line).ok();
        let token = document.as_ref().map_or(line, |document| document["accessToken"].as_str().expect("a text"));
        Some(self.sandbox.number(token).expect("what is handed out was issued"))
    }

    /// Whether a token of this session is presented within this time from now on.
    pub(crate) fn is_presented_within(&self, time: Duration) -> bool {
        const LOOK: Duration = Duration::from_millis(2);
        (0..time.as_millis() / LOOK.as_millis()).any(|_| {
            std::thread::sleep(LOOK);
            let ledger = self.sandbox.presentations();
            ledger[self.seen..].iter().any(|one| self.family.contains(&one.presented))
        })
    }

    /// Asks for a token until there is one and nothing is in doubt, or a login is needed. A token that is usable hides a doubt, so
    /// that it is rejected then; and on a machine that is slow a store or a request may take longer than it may: what a run
    /// could not save it put into a file, as a person would find it. Tells which tokens were handed out and how many runs failed.
    pub(crate) fn recover(&self) -> (Vec<u64>, usize) {
        let (mut printed, mut failed) = (Vec::new(), 0);
        for _ in 0..8 {
            let done = self.home.run(&["token", &self.profile]).done();
            printed.extend(self.printed(&done.stdout));
            let record = self.record();
            let rescued = self.home.path().join(format!("{}.rescued-1.json", self.profile));
            if rescued.exists() {
                self.import(std::fs::read(&rescued).expect("the rescued tokens"));
                std::fs::remove_file(&rescued).expect("the file");
            } else if record.state == State::LoginNeeded || done.code == 0 && record.attempt.is_none() {
                return (printed, failed);
            } else if done.code == 0 {
                self.reject();
            }
            failed += usize::from(done.code != 0);
        }
        panic!("{}: no token after eight runs: {:?}", self.profile, self.record());
    }

    /// Checks all that happened since the last time; no process of this session is at work now. `printed` are the numbers of
    /// the tokens that were handed out, `unfinished` how many processes did not come to their own end.
    pub(crate) fn check(&mut self, printed: &[u64], unfinished: usize) -> Round {
        let (before, generation) = self.stored;
        let record = self.record();
        let ledger = self.sandbox.presentations();
        let mut round = Round::default();
        let mut newest = before;
        for one in &ledger[self.seen..] {
            if !self.family.contains(&one.presented) {
                continue;
            }
            let at = format!("{} {one:?}, stored before: {before}, all: {:?}", self.profile, self.presented);
            assert!(one.presented >= before, "a token is presented though its successor was in the store: {at}");
            let earlier = || self.presented.iter().filter(|earlier| earlier.presented == one.presented);
            if let Some(last) = earlier().next_back() {
                let pause = one.at.duration_since(last.at).unwrap_or_default();
                assert!(pause >= CLAIM, "two presentations of one token at once: {at}");
                assert!(earlier().count() <= unfinished, "presented again though nobody's answer was lost: {at}");
                round.again += 1;
            }
            if let Some(granted) = one.granted {
                self.family.insert(granted);
                newest = granted;
                round.granted += 1;
            }
            self.presented.push(one.clone());
        }
        self.seen = ledger.len();
        let stored = self.number(&record);
        assert!(record.generation >= generation, "generations went back: {record:?}");
        match record.state {
            State::Ready => {
                assert_eq!(stored, newest, "{}: the newest tokens are not the stored ones: {record:?}", self.profile);
            }
            State::LoginNeeded => {
                let lost = self.presented.iter().any(|one| one.presented == stored && one.granted == Some(newest));
                assert!(lost && newest != stored, "{}: lost without an answer being lost: {record:?}", self.profile);
                round.lost = true;
            }
            _ => panic!("{}: nothing is settled: {record:?}", self.profile),
        }
        for number in printed {
            let range = before + 1..=newest;
            assert!(range.contains(number), "{}: handed out {number}, and not one of {range:?}", self.profile);
        }
        self.stored = (stored, record.generation);
        round
    }
}

/// For what is so short that a test may block on it.
fn wait<T>(call: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(call)
}

/// Numbers that look random, and are the same for the same seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// From 0 to below `end` (splitmix64).
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end.max(1)
    }
}

/// What chance a test takes: printed when it fails, and repeated with `RAMPAUTH_SEED`.
pub(crate) struct Seed(pub(crate) u64);

impl Seed {
    #[expect(
        clippy::disallowed_methods,
        reason = "chance is drawn, unless whoever repeats a failure gives it in the environment"
    )]
    pub(crate) fn draw() -> Self {
        let given = std::env::var("RAMPAUTH_SEED").ok().and_then(|seed| seed.parse().ok());
        Self(given.unwrap_or_else(|| {
            let mut bits = [0; 8];
            getrandom::fill(&mut bits).expect("random numbers");
            u64::from_ne_bytes(bits)
        }))
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to repeat it: RAMPAUTH_SEED={}", self.0);
        }
    }
}

/// A profile of the configuration, at a sandbox whose keys are in files of this prefix.
pub(crate) fn profile(name: &str, call: Call, sandbox: &Sandbox, files: &str) -> String {
    let common =
        format!("[profile.{name}]\nprovider = \"{call}\"\nbase_url = \"{}\"\ntimeout_seconds = 1\n", sandbox.url());
    match call {
        Call::AlixCard => format!(
            "{common}partner_code = \"{}\"\nsecret_key = {{ file = \"{files}.txt\" }}\nsigning_key = {{ file = \"{files}.pem\" }}\n",
            sandbox.credentials().alix.partner_code
        ),
        _ => common,
    }
}

/// The files that [`profile`] names.
pub(crate) fn write_keys(home: &Home, sandbox: &Sandbox, files: &str) {
    let alix = &sandbox.credentials().alix;
    home.write(&format!("{files}.txt"), &alix.secret_key);
    home.write(&format!("{files}.pem"), &alix.signing_key);
}

/// That nothing was left behind which only a person could use.
pub(crate) fn nothing_is_left(folder: &Path) {
    let left: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains(".rescued-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
