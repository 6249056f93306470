//! Room on the disk for what a claim may bring: the log is given its blocks before the claim is written, so that the tokens can
//! be stored even if the disk fills up meanwhile.
//!
//! SQLite writes a step to the end of its log. The blocks that it will need there are allocated beforehand, behind the end of the
//! file (`fallocate` with `FALLOC_FL_KEEP_SIZE`): no other file can take them, and SQLite does not see them.

use std::fs::File;
use std::io;
use std::path::Path;

use rampauth_store::SessionKey;

use crate::error::Trouble;

/// The most that an answer adds to a record, in bytes: answers have 64 KiB at most, and sealed tokens are written in base64.
const MAX_GRANT: u64 = 96 * 1024;
/// A page of the file with its head in the log, and what of a record goes on an overflow page, in bytes.
const FRAME: u64 = 4096 + 24;
const PAYLOAD: u64 = 4092;
/// The pages that a step writes besides those of the record: inner pages, the index, the list of free pages.
const OTHER_PAGES: u64 = 8;
/// The most that is reserved, in bytes. A hundred claims at a time with the largest of answers take as much; the log is moved
/// into the file long before.
const MAX_ROOM: u64 = 16 * 1024 * 1024;
/// The most claims of this process whose end is waited for. Those that never end are forgotten, the oldest first.
const MAX_CLAIMS: usize = 128;

/// Where the log goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// At its end, or before.
    OfFile,
    /// At its start: all of it is in the database.
    Start,
}

/// The sessions that this process has claimed, whose tokens may still come.
#[derive(Debug, Default)]
pub(crate) struct Room {
    claims: Vec<SessionKey>,
}

impl Room {
    /// Notes that this process has claimed a session.
    pub(crate) fn note_claim(&mut self, key: &SessionKey) {
        self.note_end(key);
        if self.claims.len() == MAX_CLAIMS {
            self.claims.remove(0);
        }
        self.claims.push(key.clone());
    }

    /// Notes that the session is claimed no more.
    pub(crate) fn note_end(&mut self, key: &SessionKey) {
        self.claims.retain(|claim| claim != key);
    }

    /// Sees to it that the log has room for a transaction that writes records of so many bytes, for what its claims bring, and for
    /// what the other claims of this process bring.
    ///
    /// # Errors
    ///
    /// When the disk does not have the room, or this process may not take it.
    pub(crate) fn reserve(
        &self,
        log: &Path,
        end: End,
        records: impl Iterator<Item = usize>,
        claims: usize,
    ) -> Result<(), Trouble> {
        let (mut now, mut longest) = (0, 0);
        for record in records.map(|record| record as u64) {
            // What the record was is wiped, so that its pages are written too.
            now += step(2 * record);
            longest = longest.max(record);
        }
        let end_of_attempt = step(2 * longest + MAX_GRANT);
        let room = now + end_of_attempt * (claims + self.claims.len()) as u64;
        let room = room.min(MAX_ROOM);
        allocate(log, end, room).map_err(|cause| Trouble::NoRoom { room, cause })
    }
}

/// What a step that writes this many bytes of records adds to the log.
fn step(bytes: u64) -> u64 {
    (bytes.div_ceil(PAYLOAD) + OTHER_PAGES) * FRAME
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn allocate(log: &Path, end: End, room: u64) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;

    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;

    // Opening and closing it drops no lock: SQLite has its locks on the database and on the shared memory.
    let file = File::options().write(true).open(log)?;
    let there = file.metadata()?;
    let start = if end == End::Start { 0 } else { there.len() };
    let whole = start + room;
    if rustix::process::getrlimit(rustix::process::Resource::Fsize).current.is_some_and(|limit| limit < whole) {
        return Err(Errno::FBIG.into());
    }
    // Blocks of 512 bytes, whatever those of the file system are (stat(2)).
    if there.blocks() * 512 >= whole {
        return Ok(());
    }
    match fallocate(&file, FallocateFlags::KEEP_SIZE, start, room) {
        // Where nothing can be allocated beforehand, that there is room just now is all that can be known.
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
            let disk = rustix::fs::fstatvfs(&file)?;
            if disk.f_bavail.saturating_mul(disk.f_frsize) < room { Err(Errno::NOSPC.into()) } else { Ok(()) }
        }
        done => Ok(done?),
    }
}

/// Elsewhere nothing is reserved.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn allocate(_: &Path, _: End, _: u64) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> SessionKey {
        SessionKey::parse(format!("onboard/staging/acme/{number}")).expect("a key")
    }

    #[test]
    fn claims_are_noted_until_they_end_and_no_more_than_can_be_waited_for() {
        let mut room = Room::default();
        for number in 0..200 {
            room.note_claim(&key(number));
            room.note_claim(&key(number));
        }
        assert_eq!(room.claims.len(), MAX_CLAIMS);
        assert_eq!(room.claims.first(), Some(&key(72)));
        for number in 0..200 {
            room.note_end(&key(number));
        }
        assert!(room.claims.is_empty());
    }

    #[test]
    fn a_step_takes_the_pages_of_its_records_and_some_more() {
        for (bytes, pages) in [(0, 8), (1, 9), (PAYLOAD, 9), (PAYLOAD + 1, 10), (10 * PAYLOAD, 18)] {
            assert_eq!(step(bytes), pages * 4_120, "{bytes}");
        }
    }

    /// The bytes of blocks that a log of `length` bytes has once room is reserved, by a process with so many claims.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn reserved(length: usize, end: End, others: usize, records: &[usize], claims: usize) -> u64 {
        use std::os::unix::fs::MetadataExt as _;

        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log");
        std::fs::write(&log, vec![7; length]).expect("a log");
        let mut room = Room::default();
        (0..others).for_each(|number| room.note_claim(&key(number)));
        room.reserve(&log, end, records.iter().copied(), claims).expect("room");
        assert!(std::fs::read(&log).expect("the log") == vec![7; length], "its bytes stay");
        std::fs::metadata(&log).expect("the log").blocks() * 512
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn blocks_are_allocated_for_what_is_written_now_and_for_what_each_claim_may_bring() {
        // The largest answer has 64 KiB, which are 96 KiB in the record.
        let grant = |longest: u64| step(2 * longest + 98_304);
        for (length, end, others, records, claims, room) in [
            (5_000, End::OfFile, 0, &[1_000][..], 1, step(2_000) + grant(1_000)),
            (5_000, End::OfFile, 2, &[1_000], 1, step(2_000) + 3 * grant(1_000)),
            (
                5_000,
                End::OfFile,
                0,
                &[1_000, 50_000, 9_000],
                2,
                step(2_000) + step(100_000) + step(18_000) + 2 * grant(50_000),
            ),
            (0, End::OfFile, 120, &[1_000], 60, 16_777_216),
            (400_000, End::OfFile, 0, &[1_000], 1, step(2_000) + grant(1_000)),
        ] {
            let (blocks, least) = (reserved(length, end, others, records, claims), length as u64 + room);
            // Whole blocks at both ends, and one that says where they are.
            assert!((least..least + 3 * 4_096).contains(&blocks), "{length} {others} {records:?}: {blocks}, {least}");
        }
        // A log that begins anew has the room that it takes up itself.
        let room = step(2_000) + grant(1_000);
        let blocks = reserved(5_000, End::Start, 0, &[1_000], 1);
        assert!((room..room + 3 * 4_096).contains(&blocks), "{blocks}, {room}");
        let blocks = reserved(400_000, End::Start, 0, &[1_000], 1);
        assert!((400_000..400_000 + 3 * 4_096).contains(&blocks), "{blocks}");
    }
}
