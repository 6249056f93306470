//! What mounts and limits of the machine do to a store. Each case runs in a process of its own: this program starts itself, in a
//! mount namespace or under a limit.

mod support;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use rampauth_store::{Answer, Record, StoreError, StoreErrorKind, StoreExt as _};
use rampauth_store_sqlite::SqliteStore;
use support::{begin, commit, key, login, payload, wait_until_closed};

const LEASE: Duration = Duration::from_secs(60);
/// The tokens of the largest answers, in bytes.
const LARGE: usize = 60 * 1024;

/// A case: its name, what a shell does for it in the folder `$1`, and how that shell is started.
const CASES: [(&str, &str, &[&str]); 11] = [
    (
        "a_file_that_is_mounted_alone_is_refused_and_its_folder_is_not",
        r#"mkdir "$1/real" "$1/shared" && : > "$1/real/rampauth.db" && : > "$1/alone.db" &&
           mount --bind "$1/real/rampauth.db" "$1/alone.db" && mount --bind "$1/real" "$1/shared""#,
        MOUNTING,
    ),
    ("nothing_is_claimed_whose_tokens_a_filling_disk_would_lose", r#"mount -t tmpfs -o size=3m none "$1""#, MOUNTING),
    ("the_same_where_a_block_is_smaller_than_a_page", SMALL_BLOCKS, MOUNTING_DISKS),
    ("claims_at_the_same_time_have_room_each", r#"mount -t tmpfs -o size=3m none "$1""#, MOUNTING),
    ("claims_at_the_same_time_where_a_block_is_smaller_than_a_page", SMALL_BLOCKS, MOUNTING_DISKS),
    ("a_long_log_begins_anew_where_the_disk_is_full", r#"mount -t tmpfs -o size=3m none "$1""#, MOUNTING),
    ("a_store_that_is_in_use_is_opened_on_a_full_disk", r#"mount -t tmpfs -o size=3m none "$1""#, MOUNTING),
    ("what_a_crash_left_on_a_filling_disk_is_opened_or_refused", SMALL_BLOCKS, MOUNTING_DISKS),
    ("a_claim_needs_room_where_none_can_be_reserved", NO_EXTENTS, MOUNTING_DISKS),
    ("too_many_open_files_are_named", "ulimit -n 48", &["sh"]),
    ("a_limit_on_the_size_of_files_is_named_before_it_kills", "ulimit -f 120", &["sh"]),
];
const MOUNTING: &[&str] = &["unshare", "--user", "--map-root-user", "--mount", "sh"];
/// File systems on a file take root itself.
const MOUNTING_DISKS: &[&str] = &["unshare", "--mount", "sh"];
const SMALL_BLOCKS: &str =
    r#"truncate -s 8M "$1/disk" && mkfs.ext4 -q -b 1024 -m 0 "$1/disk" && mount -o loop "$1/disk" "$1""#;
/// Blocks cannot be allocated there before they are written.
const NO_EXTENTS: &str = r#"truncate -s 8M "$1/disk" && mkfs.ext4 -q -O ^extents,^64bit,^metadata_csum -b 4096 -m 0 "$1/disk" &&
   mount -o loop "$1/disk" "$1" && ! fallocate --keep-size --length 8K "$1/tried" && rm -f "$1/tried""#;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|first| first == "as") {
        let (case, folder) = (args.next().expect("a case"), args.next().expect("a folder"));
        return child(&case, Path::new(&folder));
    }
    let tests = CASES.map(|(name, set_up, shell)| Trial::ignorable_test(name, move || run(name, set_up, shell)));
    libtest_mimic::run(&Arguments::from_args(), tests.into()).exit_code()
}

/// Runs a case, where this machine lets a test set it up.
fn run(case: &str, set_up: &str, shell: &[&str]) -> Result<Completion, Failed> {
    if cfg!(not(target_os = "linux")) {
        return Ok(Completion::ignored_with("it is about Linux"));
    }
    let folder = tempfile::tempdir()?;
    let script = format!(r#"{set_up} || exit 77; echo ready; exec "$2" as "$3" "$1""#);
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).args(["-c", &script, "sh"]).arg(folder.path()).arg(std::env::current_exe()?).arg(case);
    let Ok(ran) = command.output() else { return Ok(Completion::ignored_with("there is no `unshare` here")) };
    let (said, complaint) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    if !said.starts_with("ready\n") {
        return Ok(Completion::ignored_with(format!("it cannot be set up here: {}", complaint.trim())));
    }
    if ran.status.success() { Ok(Completion::Completed) } else { Err(format!("{} {complaint}", ran.status).into()) }
}

fn child(case: &OsString, folder: &Path) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        match case.to_str() {
            Some("a_file_that_is_mounted_alone_is_refused_and_its_folder_is_not") => mounted_alone(folder).await,
            Some(
                "nothing_is_claimed_whose_tokens_a_filling_disk_would_lose"
                | "the_same_where_a_block_is_smaller_than_a_page",
            ) => nearly_full(folder).await,
            Some(
                "claims_at_the_same_time_have_room_each"
                | "claims_at_the_same_time_where_a_block_is_smaller_than_a_page",
            ) => several_claims(folder).await,
            Some("a_long_log_begins_anew_where_the_disk_is_full") => long_log(folder).await,
            Some("a_store_that_is_in_use_is_opened_on_a_full_disk") => in_use(folder).await,
            Some("what_a_crash_left_on_a_filling_disk_is_opened_or_refused") => after_a_crash(folder).await,
            Some("a_claim_needs_room_where_none_can_be_reserved") => not_reserved(folder).await,
            Some("too_many_open_files_are_named") => too_many_files(folder).await,
            Some("a_limit_on_the_size_of_files_is_named_before_it_kills") => file_size(folder).await,
            _ => panic!("{case:?} is no case"),
        }
    });
    ExitCode::SUCCESS
}

async fn mounted_alone(folder: &Path) {
    let alone = folder.join("alone.db");
    let error = SqliteStore::open(&alone).expect_err("its log would be outside");
    let why =
        "is mounted into its folder by itself, and its log stays outside of the mount; mount the folder that it is in";
    assert_eq!(error.to_string(), format!("failed to open the store: {} {why}", alone.display()));
    assert_eq!(error.kind(), StoreErrorKind::Incompatible);
    #[cfg(unix)]
    {
        let link = folder.join("link.db");
        std::os::unix::fs::symlink(&alone, &link).expect("a link");
        let error = SqliteStore::open(&link).expect_err("a link to it is no way around");
        assert!(error.to_string().ends_with(why), "{error}");
    }
    let names = [folder.join("real/rampauth.db"), folder.join("shared/rampauth.db")];
    let [real, shared] = names.map(|name| SqliteStore::open(name).expect("a folder that is shared"));
    login(&real, &key("a"), "first").await;
    assert_eq!(payload(&shared, &key("a")).await, "first");
    // Closing a file drops all locks that a process has on it, by whatever name it was opened.
    let memory = std::os::unix::fs::MetadataExt::ino(&fs::metadata(folder.join("real/rampauth.db-shm")).expect("it"));
    let locks = || {
        let all = fs::read_to_string("/proc/locks").expect("the machine's locks");
        all.lines().filter(|line| line.contains(&format!(":{memory} "))).count()
    };
    assert!(locks() > 0, "SQLite locks its shared memory");
    drop(real);
    // Each store has the log open by itself, and lets go of it before the shared memory.
    let log = folder.join("real/rampauth.db-wal");
    let is_open = || {
        let files = fs::read_dir("/proc/self/fd").expect("this process's files");
        files.filter_map(|file| fs::read_link(file.ok()?.path()).ok()).any(|file| file == log)
    };
    while is_open() {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(100));
    assert!(locks() > 0, "the other store uses it still");
    assert_eq!(payload(&shared, &key("a")).await, "first");
}

/// Everything that is free on the disk, and more room when it is dropped.
struct Full(PathBuf);

impl Full {
    /// Leaves this many bytes free.
    fn but(folder: &Path, free: u64) -> Self {
        let path = folder.join(format!("pad-{free}"));
        let mut file = File::create(&path).expect("a file");
        while file.write_all(&[0; 4096]).is_ok() {}
        let length = file.metadata().expect("a file").len();
        file.set_len(length.saturating_sub(free)).expect("a shorter file");
        Self(path)
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        fs::remove_file(&self.0).expect("the file");
    }
}

/// A store with these sessions, closed.
async fn closed(folder: &Path, name: &str, sessions: &[&str]) -> PathBuf {
    let path = folder.join(name);
    let store = SqliteStore::open(&path).expect("a store");
    for session in sessions {
        login(&store, &key(session), "first").await;
    }
    drop(store);
    wait_until_closed(&path);
    path
}

async fn claim(store: &SqliteStore, session: &str, attempt: u128) -> Result<Record, StoreError> {
    let record = store.load(&key(session)).await?.expect("a record");
    match store.apply(&key(session), begin(&record, attempt, LEASE, false)).await? {
        Answer::Begun(record) => Ok(record),
        other => panic!("a claim was answered {other:?}"),
    }
}

#[track_caller]
fn names_the_room(error: &StoreError, free: u64) {
    let text = error.to_string();
    assert_eq!(error.kind(), StoreErrorKind::NotWritable, "{free} KiB: {text}");
    assert!(text.contains("room on"), "{free} KiB: {text}");
}

async fn nearly_full(folder: &Path) {
    let (mut refused, mut begun) = (0, 0);
    for free in (0..=128).step_by(2).chain((144..=512).step_by(16)) {
        let path = closed(folder, "rampauth.db", &["a"]).await;
        let full = Full::but(folder, free * 1024);
        let claimed = match SqliteStore::open(&path) {
            Ok(store) => claim(&store, "a", 1).await.map(|record| (store, record)),
            Err(error) => Err(error),
        };
        match claimed {
            Ok((store, record)) => {
                begun += 1;
                let rest = Full::but(folder, 0);
                let large = "x".repeat(LARGE);
                let saved = store.apply(&key("a"), commit(&record, 1, &large)).await;
                assert!(matches!(saved, Ok(Answer::Saved(_))), "{free} KiB: {saved:?}");
                assert_eq!(payload(&store, &key("a")).await, large, "{free} KiB");
                // In this order: a store that is closed on a full disk keeps its log.
                drop((rest, full, store));
            }
            Err(error) => {
                refused += 1;
                names_the_room(&error, free);
                drop(full);
                let store = SqliteStore::open(&path).expect("room again");
                let record = store.load(&key("a")).await.expect("a store").expect("a record");
                assert!(record.attempt.is_none() && record.generation == 1, "{free} KiB: nothing was claimed");
            }
        }
        wait_until_closed(&path);
        fs::remove_file(path).expect("the store");
    }
    assert!(refused > 0 && begun > 0, "{refused} refused, {begun} begun: nothing was shown");
}

async fn several_claims(folder: &Path) {
    let sessions = ["a", "b", "c"];
    let (mut refused, mut begun) = (0, 0);
    for free in (128..=1024).step_by(64) {
        let path = closed(folder, "rampauth.db", &sessions).await;
        let full = Full::but(folder, free * 1024);
        let store = SqliteStore::open(&path).expect("enough to open it");
        let mut claims = Vec::new();
        for (session, attempt) in sessions.iter().zip(1..) {
            match claim(&store, session, attempt).await {
                Ok(record) => claims.push((session, attempt, record)),
                Err(error) => {
                    refused += 1;
                    names_the_room(&error, free);
                }
            }
        }
        begun = begun.max(claims.len());
        let rest = Full::but(folder, 0);
        for (session, attempt, record) in &claims {
            let saved = store.apply(&key(session), commit(record, *attempt, &"x".repeat(LARGE))).await;
            assert!(matches!(saved, Ok(Answer::Saved(_))), "{free} KiB, {session}: {saved:?}");
        }
        drop((rest, full, store));
        wait_until_closed(&path);
        fs::remove_file(path).expect("the store");
    }
    assert!(refused > 0 && begun == sessions.len(), "{refused} refused, {begun} begun: nothing was shown");
}

async fn long_log(folder: &Path) {
    let path = closed(folder, "rampauth.db", &["a"]).await;
    let store = SqliteStore::open(&path).expect("a store");
    for attempt in 1..20 {
        let record = claim(&store, "a", attempt).await.expect("room");
        store.apply(&key("a"), commit(&record, attempt, "next")).await.expect("room");
    }
    let _full = Full::but(folder, 0);
    for attempt in 20..60 {
        let record = claim(&store, "a", attempt).await.expect("the log begins anew in the room that it has");
        store.apply(&key("a"), commit(&record, attempt, "next")).await.expect("room");
    }
}

async fn in_use(folder: &Path) {
    let store = SqliteStore::open(folder.join("rampauth.db")).expect("a store");
    login(&store, &key("a"), "first").await;
    let _full = Full::but(folder, 0);
    let other = SqliteStore::open(folder.join("rampauth.db")).expect("its shared memory is there");
    assert_eq!(payload(&other, &key("a")).await, "first");
}

async fn after_a_crash(folder: &Path) {
    let store = SqliteStore::open(folder.join("rampauth.db")).expect("a store");
    login(&store, &key("a"), "first").await;
    let (mut refused, mut opened) = (0, 0);
    for free in (0..=128).step_by(4) {
        let crashed = folder.join(format!("crashed-{free}.db"));
        let beside = |suffix: &str| folder.join(format!("crashed-{free}.db{suffix}"));
        for suffix in ["", "-wal"] {
            fs::copy(folder.join(format!("rampauth.db{suffix}")), beside(suffix)).expect("room");
        }
        // The process ended before this had its blocks.
        File::create(beside("-shm")).and_then(|memory| memory.set_len(32 * 1024)).expect("no block");
        let full = Full::but(folder, free * 1024);
        match SqliteStore::open(&crashed) {
            Ok(store) => {
                opened += 1;
                assert_eq!(payload(&store, &key("a")).await, "first", "{free} KiB");
                drop((full, store));
            }
            Err(error) => {
                refused += 1;
                names_the_room(&error, free);
                drop(full);
                let store = SqliteStore::open(&crashed).expect("room again");
                assert_eq!(payload(&store, &key("a")).await, "first", "{free} KiB");
            }
        }
        wait_until_closed(&crashed);
        fs::remove_file(crashed).expect("the store");
    }
    assert!(refused > 0 && opened > 0, "{refused} refused, {opened} opened: nothing was shown");
}

async fn not_reserved(folder: &Path) {
    let (mut refused, mut begun) = (Vec::new(), Vec::new());
    for free in (0..=512).step_by(32) {
        let path = closed(folder, "rampauth.db", &["a"]).await;
        let store = SqliteStore::open(&path).expect("room");
        let full = Full::but(folder, free * 1024);
        match claim(&store, "a", 1).await {
            Ok(_) => begun.push(free),
            Err(error) => {
                names_the_room(&error, free);
                refused.push(free);
            }
        }
        drop((full, store));
        wait_until_closed(&path);
        fs::remove_file(path).expect("the store");
    }
    // What the largest answer brings takes a hundred and some KiB.
    assert!(refused.iter().all(|free| *free < 192) && refused.contains(&96), "{refused:?} KiB");
    assert!(begun.iter().all(|free| *free > 96) && begun.contains(&256), "{begun:?} KiB");
}

/// The log goes before the last files are closed, and here each of them counts.
fn has_closed_its_files(path: &Path) {
    wait_until_closed(path);
    std::thread::sleep(Duration::from_millis(100));
}

async fn too_many_files(folder: &Path) {
    const WHY: &str = "too many files are open; raise the limit (`ulimit -n`)";
    let path = closed(folder, "rampauth.db", &["a"]).await;
    has_closed_its_files(&path);
    let mut others = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        others.push(file);
    }
    let (mut refused, fresh) = (0, folder.join("fresh.db"));
    let store = loop {
        for path in [&fresh, &path] {
            match SqliteStore::open(path) {
                Ok(store) => {
                    drop(store);
                    has_closed_its_files(path);
                }
                Err(error) => {
                    refused += 1;
                    let text = error.to_string();
                    assert!(text.contains(WHY), "{refused}: {text}");
                    assert_eq!(error.kind(), StoreErrorKind::NotWritable, "{text}");
                }
            }
        }
        if let Ok(store) = SqliteStore::open(&path) {
            break store;
        }
        others.pop().expect("there are files enough by now");
    };
    assert!(refused > 4, "{refused}");
    // An open store needs none for what it holds, and says so where it needs one.
    let record = claim(&store, "a", 1).await.map_err(|error| error.to_string());
    while let Ok(file) = File::open("/dev/null") {
        others.push(file);
    }
    assert_eq!(payload(&store, &key("a")).await, "first");
    match record {
        Ok(record) => {
            let saved = store.apply(&key("a"), commit(&record, 1, "second")).await.expect("no file is needed");
            assert!(matches!(saved, Answer::Saved(_)));
        }
        Err(text) => assert!(text.contains(WHY), "{text}"),
    }
    let error = claim(&store, "a", 2).await.expect_err("the room is made through a file");
    assert!(error.to_string().contains(WHY), "{error}");
}

async fn file_size(folder: &Path) {
    // 60 or 120 KiB at most for each file, as the shell counts: the log has room for a claim, and not for what it may bring.
    let path = folder.join("rampauth.db");
    let store = SqliteStore::open(&path).expect("a store");
    login(&store, &key("a"), "first").await;
    let error = claim(&store, "a", 1).await.expect_err("no room");
    assert_eq!(error.kind(), StoreErrorKind::NotWritable, "{error}");
    assert!(error.to_string().contains("within the limit on the size of files (`ulimit -f`)"), "{error}");
    assert_eq!(payload(&store, &key("a")).await, "first");
}
