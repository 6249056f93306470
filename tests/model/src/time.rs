//! Coarse time: small numbers of ticks in the model, real times at its edge.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rampauth_keeper::StoreTime;

/// The length of a tick.
pub const TICK: Duration = Duration::from_secs(10);
/// The length of a lease: within a tick a claim holds, in the next it does not.
pub const LEASE: Duration = TICK;
/// The request deadline and the time for the save: a claim that has seen a tick pass is too old to send under.
pub const NEEDS: Duration = TICK;
/// How long an access token lives, in ticks.
pub const ACCESS_LIFE: u8 = 4;
/// How long a spent token is still answered where there is a grace, in ticks.
pub const GRACE: u8 = 2;
/// The floor between attempts, in ticks.
pub const FLOOR: u8 = 1;

/// How long a provider that is called too often asks to be left alone, in ticks.
pub const PAUSE: u8 = 2;
/// How long a record that was seen may be claimed upon, in ticks.
pub const MAX_AGE: u8 = 6;

/// Far enough from 1970 that no margin reaches before it.
const START: u64 = 1_000_000;

/// The time since boot at a tick.
pub fn boot(tick: u8) -> Duration {
    TICK.saturating_mul(u32::from(tick))
}

/// The wall-clock time of a tick.
pub fn wall(tick: u8) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(START) + boot(tick)
}

/// The store's clock at a tick.
pub fn store(tick: u8) -> StoreTime {
    StoreTime::wall(wall(tick))
}

/// The first tick that is not before a time. All clocks of the model stand at whole ticks, so no comparison changes by it.
pub fn tick(time: SystemTime) -> u8 {
    let since = time.duration_since(wall(0)).expect("no time is before the start");
    u8::try_from(since.as_nanos().div_ceil(TICK.as_nanos())).expect("a run is short")
}
