//! Many processes on one file, and processes that are killed. This program starts itself as those processes.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use rampauth_store::{Answer, AttemptId, Record, SessionKey, StoreErrorKind, StoreExt as _};
use rampauth_store_sqlite::SqliteStore;
use support::{begin, commit, folder, key, login, put, raw};

const PROCESSES: usize = 8;
/// Claims and commits in the test of many processes.
const ROUNDS: u64 = 400;
/// Processes that are killed.
const KILLED: u32 = 60;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|first| first == "as") {
        let (role, path, number) = (args.next(), args.next(), args.next());
        return child(&role.expect("a role"), Path::new(&path.expect("a path")), number);
    }
    let test = |name: &str, run: fn()| {
        Trial::test(name, move || {
            run();
            Ok::<_, Failed>(())
        })
    };
    let tests = vec![
        test("eight_processes_make_one_store_and_one_login", eight_processes_make_one_store_and_one_login),
        test("eight_processes_take_turns_and_lose_nothing", eight_processes_take_turns_and_lose_nothing),
        test("a_killed_process_leaves_whole_steps_behind", a_killed_process_leaves_whole_steps_behind),
        Trial::ignorable_test(
            "a_full_disk_stops_no_session_that_has_its_room",
            a_full_disk_stops_no_session_that_has_its_room,
        ),
    ];
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

fn child(role: &OsString, path: &Path, number: Option<OsString>) -> ExitCode {
    let number = number.and_then(|number| number.to_str()?.parse().ok()).expect("a number");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        match role.to_str() {
            Some("login") => log_in(path, number).await,
            Some("turns") => take_turns(path, number).await,
            Some("writer") => write_until_killed(path, number).await,
            Some("full") => work_on_a_full_disk(path).await,
            _ => panic!("{role:?} is no role"),
        }
    });
    ExitCode::SUCCESS
}

/// What a child has to say: one line, at once.
fn say(line: std::fmt::Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("a parent that listens");
}

/// Waits until the parent has closed this process's standard input, so that all begin together.
fn wait_for_the_others() {
    say(format_args!("ready"));
    std::io::stdin().read_to_end(&mut Vec::new()).expect("an end");
}

fn start(role: &str, path: &Path, number: u128) -> (Child, BufReader<ChildStdout>) {
    let program = std::env::current_exe().expect("this program");
    let mut child = Command::new(program)
        .args(["as", role])
        .arg(path)
        .arg(number.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process");
    let said = BufReader::new(child.stdout.take().expect("its output"));
    (child, said)
}

/// Starts all, lets them go at one moment, and gives what each said until it ended well.
fn race(role: &str, path: &Path) -> Vec<Vec<String>> {
    let mut runners: Vec<_> = (1..=PROCESSES as u128).map(|number| start(role, path, number)).collect();
    for (_, said) in &mut runners {
        let mut line = String::new();
        said.read_line(&mut line).expect("a line");
        assert_eq!(line, "ready\n");
    }
    for (child, _) in &mut runners {
        drop(child.stdin.take());
    }
    // Each pipe has a reader of its own: a child that waits for its parent to read would hold its claim.
    let readers: Vec<_> = runners
        .into_iter()
        .map(|(mut child, said)| {
            thread::spawn(move || {
                let lines: Vec<_> = said.lines().collect::<Result<_, _>>().expect("lines");
                assert!(child.wait().expect("its end").success(), "a process failed after {:?}", lines.last());
                lines
            })
        })
        .collect();
    readers.into_iter().map(|reader| reader.join().expect("a process that ends well")).collect()
}

async fn log_in(path: &Path, number: u128) {
    wait_for_the_others();
    let store = SqliteStore::open(path).expect("a store");
    match store.apply(&key("shared"), put(number, &format!("tokens {number}"))).await.expect("a step") {
        Answer::Saved(_) => say(format_args!("saved")),
        Answer::Moved(Some(record)) => say(format_args!("moved {}", record.session.get())),
        other => panic!("a login was answered {other:?}"),
    }
}

fn eight_processes_make_one_store_and_one_login() {
    for _ in 0..5 {
        let (_folder, path) = folder();
        let said = race("login", &path);
        let winners: Vec<_> = said.iter().zip(1_u128..).filter(|(lines, _)| **lines == ["saved"]).collect();
        assert_eq!(winners.len(), 1, "{said:?}");
        let (_, winner) = winners[0];
        let losers = said.iter().filter(|lines| **lines == [format!("moved {winner}")]).count();
        assert_eq!(losers, PROCESSES - 1, "{said:?}");
        assert_eq!(load(&path, &key("shared")).session.get(), winner);
    }
}

fn load(path: &Path, key: &SessionKey) -> Record {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let store = SqliteStore::open(path).expect("a store");
    runtime.block_on(store.load(key)).expect("a store that can be read").expect("a record")
}

/// An attempt that nobody else draws.
fn drawn(process: u128, count: u128) -> u128 {
    process << 64 | count
}

async fn take_turns(path: &Path, process: u128) {
    let store = SqliteStore::open(path).expect("a store");
    let key = key("shared");
    wait_for_the_others();
    for count in 0.. {
        let record = store.load(&key).await.expect("a store").expect("a record");
        if record.generation > ROUNDS {
            return;
        }
        let attempt = drawn(process, count);
        match store.apply(&key, begin(&record, attempt, Duration::from_secs(600), false)).await.expect("a step") {
            Answer::Begun(record) => {
                let claim = path.with_extension("claim");
                OpenOptions::new().write(true).create_new(true).open(&claim).expect("nobody else holds the claim");
                say(format_args!("begun {}", record.generation));
                fs::remove_file(&claim).expect("the claim's mark");
                let next = record.generation + 1;
                let tokens = format!("tokens {next} of {process}");
                match store.apply(&key, commit(&record, attempt, &tokens)).await.expect("a step") {
                    Answer::Saved(saved) => assert_eq!(saved.generation, next),
                    other => panic!("the holder's commit was answered {other:?}"),
                }
                say(format_args!("saved {next}"));
            }
            Answer::Busy { .. } | Answer::Moved(Some(_)) => thread::sleep(Duration::from_millis(1)),
            other => panic!("a claim was answered {other:?}"),
        }
    }
}

fn eight_processes_take_turns_and_lose_nothing() {
    let (_folder, path) = folder();
    set_up(&path);
    let said = race("turns", &path);
    let mut saved_by = BTreeMap::new();
    for (lines, process) in said.iter().zip(1_u128..) {
        let mut last = 0;
        for pair in lines.chunks(2) {
            let [begun, saved] = pair else { panic!("a claim without its commit: {pair:?}") };
            let generation: u64 = begun.strip_prefix("begun ").and_then(|it| it.parse().ok()).expect("a claim");
            assert_eq!(*saved, format!("saved {}", generation + 1));
            assert!(generation > last, "{generation} after {last}");
            last = generation;
            assert_eq!(saved_by.insert(generation + 1, process), None, "{generation} was presented twice");
        }
    }
    let all: Vec<_> = (2..=ROUNDS + 1).collect();
    assert_eq!(saved_by.keys().copied().collect::<Vec<_>>(), all);
    let winners: BTreeSet<_> = saved_by.values().collect();
    assert!(winners.len() > 1, "one process did it all: nothing was shown");
    let (record, last) = (load(&path, &key("shared")), saved_by[&(ROUNDS + 1)]);
    assert_eq!(record.generation, ROUNDS + 1);
    let tokens = record.tokens.expect("tokens");
    assert_eq!(tokens.payload.expose_secret(), format!("tokens {} of {last}", ROUNDS + 1));
    sound(&path);
}

fn set_up(path: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let store = SqliteStore::open(path).expect("a store");
    runtime.block_on(login(&store, &key("shared"), "tokens 1"));
}

fn sound(path: &Path) {
    let check: String = raw(path).pragma_query_value(None, "integrity_check", |row| row.get(0)).expect("a check");
    assert_eq!(check, "ok");
}

async fn write_until_killed(path: &Path, process: u128) {
    let store = SqliteStore::open(path).expect("a store");
    let key = key("shared");
    for count in 0.. {
        let record = store.load(&key).await.expect("a store").expect("a record");
        let attempt = drawn(process, count);
        // The claim of whoever was killed has lapsed, and its doubt is settled.
        let begun = store.apply(&key, begin(&record, attempt, Duration::ZERO, true)).await.expect("a step");
        let Answer::Begun(record) = begun else { panic!("a claim was answered {begun:?}") };
        say(format_args!("begun {} {attempt}", record.generation));
        let tokens = format!("tokens {} of {attempt}", record.generation + 1);
        let saved = store.apply(&key, commit(&record, attempt, &tokens)).await.expect("a step");
        let Answer::Saved(record) = saved else { panic!("a commit was answered {saved:?}") };
        say(format_args!("saved {} {attempt}", record.generation));
    }
}

/// The last step that a killed process was told was done.
#[derive(Debug)]
enum Last {
    Begun { generation: u64, attempt: u128 },
    Saved { generation: u64, attempt: u128 },
}

impl Last {
    fn read(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (step, generation, attempt) = (words.next()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        match step {
            "begun" => Some(Self::Begun { generation, attempt }),
            "saved" => Some(Self::Saved { generation, attempt }),
            _ => None,
        }
    }
}

fn a_killed_process_leaves_whole_steps_behind() {
    let (_folder, path): (_, PathBuf) = folder();
    set_up(&path);
    let (mut begun, mut beyond) = (0, 0);
    for process in 1..=KILLED {
        let (mut child, mut said) = start("writer", &path, process.into());
        let mut lines = String::new();
        for _ in 0..1 + process * 7 % 5 {
            said.read_line(&mut lines).expect("a line");
        }
        // Somewhere in what it does next.
        thread::sleep(Duration::from_micros(u64::from(process * 389 % 4000)));
        child.kill().expect("a process of ours");
        said.read_to_string(&mut lines).expect("the rest");
        assert!(!child.wait().expect("its end").success());

        let last = lines.rsplit('\n').find_map(Last::read).expect("a step was done before it was killed");
        let record = load(&path, &key("shared"));
        let claim = record.attempt.as_ref().map(|attempt| attempt.id.get());
        let committed = record.last_commit.map(AttemptId::get);
        match last {
            Last::Begun { generation, attempt } if record.generation == generation => {
                assert_eq!(claim, Some(attempt), "the journal is there: {record:?}");
                begun += 1;
            }
            Last::Begun { generation, attempt } => {
                assert_eq!((record.generation, committed, claim), (generation + 1, Some(attempt), None));
                beyond += 1;
            }
            Last::Saved { generation, attempt } => {
                assert_eq!((record.generation, committed), (generation, Some(attempt)));
                assert!(claim.is_none_or(|claim| claim == attempt + 1), "{record:?}");
                beyond += usize::from(claim.is_some());
            }
        }
        let tokens = record.tokens.expect("tokens");
        if let Some(commit) = committed {
            let expected = format!("tokens {} of {commit}", record.generation);
            assert_eq!(tokens.payload.expose_secret(), expected, "tokens and journal are of one step");
        }
    }
    println!("killed with the journal written: {begun}; with a step done that nobody was told of: {beyond}");
    assert!(begun > 0, "no process was killed between journal and commit: nothing was shown");
    sound(&path);
}

/// A small disk of its own, where this machine lets a test mount one.
fn a_full_disk_stops_no_session_that_has_its_room() -> Result<Completion, Failed> {
    let disk = tempfile::tempdir()?;
    let mounted = r#"mount -t tmpfs -o size=2m none "$1" || exit 77; exec "$2" as full "$1/rampauth.db" 1"#;
    let program = std::env::current_exe()?;
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", mounted, "sh"]).arg(disk.path()).arg(program);
    let Ok(ran) = command.output() else { return Ok(Completion::ignored_with("there is no `unshare` here")) };
    let said = String::from_utf8_lossy(&ran.stdout);
    let (mounted, complaint) = (said.starts_with("mounted\n"), String::from_utf8_lossy(&ran.stderr));
    if !mounted {
        return Ok(Completion::ignored_with(format!("no disk can be mounted here: {}", complaint.trim())));
    }
    if ran.status.success() { Ok(Completion::Completed) } else { Err(complaint.into_owned().into()) }
}

async fn work_on_a_full_disk(path: &Path) {
    say(format_args!("mounted"));
    let store = SqliteStore::open(path).expect("a store");
    let key = key("shared");
    login(&store, &key, "tokens 1").await;
    rounds(&store, &key, 1..4).await;
    // The file has its pages from here on, and the log is as short as it can be.
    let moved = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
    assert_eq!(raw(path).query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], moved), Ok(0), "nobody was in the way");
    rounds(&store, &key, 4..8).await;

    let pad = path.with_extension("pad");
    let mut file = fs::File::create(&pad).expect("a file");
    let full = loop {
        if let Err(error) = file.write_all(&[0; 4096]) {
            break error;
        }
    };
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    rounds(&store, &key, 8..40).await;

    let other = support::key("other");
    let error = store.apply(&other, put(1, &"x".repeat(400_000))).await.expect_err("no room for so much");
    let why = "cannot be written: the disk is full; make room on it";
    assert_eq!(error.to_string(), format!("failed to save {other}: {} {why}", path.display()));
    assert_eq!(error.kind(), StoreErrorKind::NotWritable);
    rounds(&store, &key, 40..50).await;
    drop(file);
    fs::remove_file(&pad).expect("the file");
    let saved = store.apply(&other, put(1, &"x".repeat(400_000))).await.expect("room again");
    assert!(matches!(saved, Answer::Saved(_)));
    sound(path);
}

/// From one generation to another.
async fn rounds(store: &SqliteStore, key: &SessionKey, generations: std::ops::Range<u64>) {
    for generation in generations {
        let record = store.load(key).await.expect("a store").expect("a record");
        assert_eq!(record.generation, generation);
        let attempt = u128::from(generation);
        let begun = store.apply(key, begin(&record, attempt, Duration::from_secs(60), false)).await.expect("a claim");
        assert!(matches!(begun, Answer::Begun(_)));
        let tokens = format!("tokens {}", generation + 1);
        let saved = store.apply(key, commit(&record, attempt, &tokens)).await.expect("saved");
        assert!(matches!(saved, Answer::Saved(_)));
    }
}
