//! The machine's clocks, as a lease needs them.

use std::sync::Arc;

use rampauth_core::{Clock, SystemClock};
use rampauth_store::{BootTime, StoreTime};

/// Tells the store's time.
pub(crate) type StoreClock = Arc<dyn Fn() -> StoreTime + Send + Sync>;

/// The wall clock, and beside it the boot-time clock where there is one that every process of the machine shares.
pub(crate) fn machine() -> StoreClock {
    let boot = boot_id();
    Arc::new(move || StoreTime { wall: SystemClock.now(), boot: boot.and_then(since_boot) })
}

/// Which boot this is, in numbers that only processes with the same boot-time clock share: a time namespace has its own offset.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn boot_id() -> Option<u128> {
    use sha2::{Digest as _, Sha256};

    let mut digest = Sha256::new_with_prefix(std::fs::read("/proc/sys/kernel/random/boot_id").ok()?);
    if let Ok(namespace) = std::fs::read_link("/proc/self/ns/time") {
        digest.update(namespace.as_os_str().as_encoded_bytes());
    }
    digest.finalize().first_chunk().map(|bits| u128::from_be_bytes(*bits))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn since_boot(boot: u128) -> Option<BootTime> {
    use rustix::time::{ClockId, clock_gettime};

    let time = clock_gettime(ClockId::Boottime);
    let since = std::time::Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?);
    Some(BootTime { boot, since })
}

/// Elsewhere the wall clock decides alone.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn boot_id() -> Option<u128> {
    None
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn since_boot(_: u128) -> Option<BootTime> {
    None
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn two_clocks_of_one_boot_agree() {
        let (first, second) = (machine()(), machine()());
        let (first, second) = (first.boot.expect("a boot-time clock"), second.boot.expect("a boot-time clock"));
        assert_eq!(first.boot, second.boot);
        // Bits of a digest, which names one boot among all.
        assert!(first.boot > u128::from(u64::MAX), "{}", first.boot);
        assert!(first.since > Duration::ZERO && first.since <= second.since);
    }

    #[test]
    fn a_lease_of_one_clock_holds_by_another() {
        let lease = machine()().lease(Duration::from_secs(60));
        assert!(lease.holds_at(&machine()()));
        assert!(!machine()().lease(Duration::ZERO).holds_at(&machine()()));
    }
}
