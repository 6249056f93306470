//! The command line: what `rampauth token` costs while the stored token is fresh, beside `--version` and a program that opens and
//! closes the store; and how long `keep` needs until it has looked at 5,000 sessions of 5,000 profiles.

#[cfg(unix)]
mod unix {
    use std::env;
    use std::fmt::Write as _;
    use std::fs;
    use std::io::{BufRead as _, BufReader};
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};
    use std::sync::Arc;
    use std::time::{Duration, Instant, SystemTime};

    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike as _;
    use rampauth_bench::figures::{Figures, is_wanted, report};
    use rampauth_bench::keeping::{Provider, tokens};
    use rampauth_keeper::{Keeper, SealingKey, SealingKeys, SessionKey};
    use rampauth_store_sqlite::SqliteStore;
    use rampauth_test_kit::keys;
    use tokio::sync::Semaphore;
    use tokio::task::JoinSet;

    const TOKEN: [&str; 2] = ["command/token", "command/version-and-open"];
    const KEEP: &str = "command/keep-5000";
    const PROFILES: usize = 5_000;
    const ROUNDS: usize = 50;
    const STARTS: usize = 10;
    const SEALING_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    #[expect(clippy::disallowed_methods, reason = "a benchmark measures")]
    fn now() -> Instant {
        Instant::now()
    }

    /// Builds the programs under measurement as releases; the folder that they are in.
    fn build() -> PathBuf {
        let this = env::current_exe().expect("a program");
        let folder = this.ancestors().nth(2).expect("it stands in target/release/deps").to_owned();
        for what in
            [["--package", "rampauth", "--bin", "rampauth"], ["--package", "rampauth-bench", "--example", "open_store"]]
        {
            let built = Command::new(env!("CARGO")).args(["build", "--quiet", "--release"]).args(what).status();
            assert!(built.expect("cargo").success(), "{what:?} does not build");
        }
        folder
    }

    /// A folder with a configuration of this many profiles, and a store with a fresh, sealed session for each.
    async fn home(profiles: usize) -> tempfile::TempDir {
        let home = tempfile::tempdir().expect("a folder");
        let mut config = "store = \"sqlite:rampauth.db\"\nsealing_key = { file = \"sealing.key\" }\n".to_owned();
        for number in 0..profiles {
            write!(
                config,
                "[profile.p{number}]\nprovider = \"alix-card\"\nbase_url = \"http://127.0.0.1:9\"\npartner_code = \"c\"\n\
                 secret_key = {{ file = \"secret.txt\" }}\nsigning_key = {{ file = \"partner.pem\" }}\n"
            )
            .expect("a String takes all");
        }
        let files = [
            ("rampauth.toml", config.as_str()),
            ("sealing.key", SEALING_KEY),
            ("secret.txt", "secret"),
            ("partner.pem", keys::PARTNER_PKCS8.pem),
        ];
        for (name, text) in files {
            fs::write(home.path().join(name), text).expect("a file");
        }
        log_in(home.path(), profiles).await;
        home
    }

    async fn log_in(home: &Path, profiles: usize) {
        let store = SqliteStore::open(home.join("rampauth.db")).expect("a store");
        let keys = SealingKeys::new(SealingKey::parse(SEALING_KEY).expect("a key"));
        let keeper = Keeper::builder(store).sealing(keys).on_demand().spawn().expect("a keeper");
        let nobody = Arc::new(Provider::new(None));
        let expiry = SystemTime::UNIX_EPOCH + Duration::from_secs(4_900_000_000);
        let (side_by_side, mut all) = (Arc::new(Semaphore::new(256)), JoinSet::new());
        for number in 0..profiles {
            let key = SessionKey::parse(format!("alix-card/127.0.0.1:9/p{number}")).expect("a key");
            let session = keeper.session(key, Arc::clone(&nobody)).await.expect("a session");
            let turn = Arc::clone(&side_by_side).acquire_owned().await.expect("it is never closed");
            all.spawn(async move {
                session.put(tokens(expiry)).await.expect("saved");
                drop(turn);
            });
        }
        all.join_all().await;
        keeper.shutdown().await;
    }

    /// User and system time of all children so far, in milliseconds.
    fn of_children() -> f64 {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the system counts");
        (usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e3
    }

    /// User and system time of one run, in milliseconds.
    fn cpu(command: &mut Command) -> f64 {
        let before = of_children();
        let output = command.stdin(Stdio::null()).output().expect("a process");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        of_children() - before
    }

    async fn token(programs: &Path) {
        let home = home(1).await;
        let rampauth = || Command::new(programs.join("rampauth"));
        let (mut tokens, mut parts) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            tokens.push(cpu(rampauth().current_dir(home.path()).args(["token", "p0"])));
            let version = cpu(rampauth().arg("--version"));
            let open = cpu(Command::new(programs.join("examples/open_store")).arg(home.path().join("rampauth.db")));
            parts.push(version + open);
        }
        report(TOKEN[0], Figures::new(tokens).median(), "ms");
        report(TOKEN[1], Figures::new(parts).median(), "ms");
    }

    async fn keep(programs: &Path) {
        let home = home(PROFILES).await;
        let started = format!("started profiles={PROFILES} sessions={PROFILES}");
        let mut starts = Vec::new();
        for _ in 0..STARTS {
            let start = now();
            let mut child = Command::new(programs.join("rampauth"))
                .current_dir(home.path())
                .arg("keep")
                .stdin(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .expect("a process");
            let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
            let ready = lines.map_while(Result::ok).any(|line| line.contains(&started));
            starts.push(start.elapsed().as_secs_f64() * 1e3);
            child.kill().and_then(|()| child.wait()).expect("killed");
            assert!(ready, "keep ended before it had started");
        }
        report(KEEP, Figures::new(starts).median(), "ms");
    }

    pub(crate) async fn measure() {
        let wanted = (is_wanted(&TOKEN), is_wanted(&[KEEP]));
        if wanted == (false, false) {
            return;
        }
        let programs = build();
        if wanted.0 {
            token(&programs).await;
        }
        if wanted.1 {
            keep(&programs).await;
        }
    }
}

#[cfg(unix)]
#[tokio::main]
async fn main() {
    unix::measure().await;
}

#[cfg(not(unix))]
fn main() {}
