//! The number under which the merchant tracks a call, and where fresh ones come from.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use rampauth_core::Error;
use rampauth_core::time::to_unix_milliseconds;

use super::text::check_length;

/// `bizContent.merchantOrderNo`: "the merchant's reference number of the request", 1 to 64 characters (PayBy docs,
/// "Refresh Tokens", read 2026-11), counted as Unicode scalar values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MerchantOrderNo(String);

impl MerchantOrderNo {
    /// Checks and takes a number, used as it is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](rampauth_core::ErrorKind::Config) when it is empty or longer than 64 characters.
    pub fn new(number: impl Into<String>) -> Result<Self, Error> {
        let number = number.into();
        check_length(&number, 64).map_err(|reason| Error::config("read the merchant order number", reason))?;
        Ok(Self(number))
    }

    /// The number.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where the order number of each attempt comes from.
///
/// [`UniqueOrderNumbers`] is the default. A [`MerchantOrderNo`] is a source that gives itself every time, and any
/// `Fn(SystemTime) -> Result<MerchantOrderNo, Error>` is one too.
pub trait OrderNumbers: Send + Sync {
    /// The number of an attempt that starts `now`.
    ///
    /// # Errors
    ///
    /// When there is none; nothing is sent then, and the error's outcome must be
    /// [`Outcome::NotSent`](rampauth_core::Outcome::NotSent).
    fn next(&self, now: SystemTime) -> Result<MerchantOrderNo, Error>;
}

impl<F: Fn(SystemTime) -> Result<MerchantOrderNo, Error> + Send + Sync> OrderNumbers for F {
    fn next(&self, now: SystemTime) -> Result<MerchantOrderNo, Error> {
        self(now)
    }
}

impl OrderNumbers for MerchantOrderNo {
    fn next(&self, _now: SystemTime) -> Result<MerchantOrderNo, Error> {
        Ok(self.clone())
    }
}

/// A fresh number for every attempt: `R`, the milliseconds since 1970, 16 hexadecimal digits that tell processes
/// apart, and a count, all in upper-case letters and digits.
///
/// Within a process the count makes every number another one. Between processes and machines the 16 digits do: a hash
/// of the process id under keys that the standard library draws from the operating system's randomness once per
/// process. Two numbers are the same only if time and count agree and the hashes collide, which has a chance of one in
/// 2⁶⁴.
#[derive(Clone, Copy, Debug, Default)]
pub struct UniqueOrderNumbers;

impl OrderNumbers for UniqueOrderNumbers {
    fn next(&self, now: SystemTime) -> Result<MerchantOrderNo, Error> {
        #[expect(clippy::disallowed_methods, reason = "drawn once for a process, to tell it from others")]
        static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // A forked child inherits keys and count, but not the process id.
        let process = KEYS.hash_one(std::process::id());
        // Fixed widths, so that the parts of two numbers never shift against each other; 53 characters at the very
        // most.
        MerchantOrderNo::new(format!("R{:013}{process:016X}{count:08X}", to_unix_milliseconds(now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn a_number_has_1_to_64_characters() {
        assert!(MerchantOrderNo::new("é".repeat(64)).is_ok());
        for (bad, reason) in [("", "it is empty"), (&*"x".repeat(65), "it has 65 characters; at most 64 are allowed")] {
            let error = MerchantOrderNo::new(bad).expect_err("refused");
            assert_eq!(error.to_string(), format!("failed to read the merchant order number: {reason}"));
        }
    }

    #[test]
    fn unique_numbers_differ_across_threads_at_the_same_time() {
        let now = UNIX_EPOCH + Duration::from_millis(1_581_493_898_000);
        let numbers = move || -> Vec<_> { (0..500).map(|_| UniqueOrderNumbers.next(now).expect("a number")).collect() };
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(numbers)).collect();
        let all: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 2_000);
        for number in &all {
            let number = number.as_str();
            assert!(number.starts_with("R1581493898000") && number.len() == 38, "{number}");
            assert!(number.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()), "{number}");
        }
    }

    #[test]
    fn the_latest_time_leaves_room() {
        let latest =
            (0..63).rev().fold(UNIX_EPOCH, |time, bit| time.checked_add(Duration::from_secs(1 << bit)).unwrap_or(time));
        assert!(UniqueOrderNumbers.next(latest).is_ok());
    }

    #[test]
    fn a_closure_and_a_number_are_sources() {
        fn next(source: &impl OrderNumbers) -> String {
            source.next(UNIX_EPOCH).expect("a number").as_str().to_owned()
        }
        assert_eq!(next(&MerchantOrderNo::new("M965739182419").expect("a number")), "M965739182419");
        assert_eq!(next(&|_now: SystemTime| MerchantOrderNo::new("from a closure")), "from a closure");
    }
}
