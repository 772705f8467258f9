//! Time: what the wall says, what has passed, and waiting.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A future that owns nothing shorter than `'a` and may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A point of wall-clock time: milliseconds since the Unix epoch.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Milliseconds since the Unix epoch.
    pub fn millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch.
    pub fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// The point `by` later; stays at the last representable one.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(by))
    }

    /// How long after `earlier` this is; zero if it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

/// Where time comes from.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Wall-clock time. It may jump in either direction: for records and people, never for
    /// measuring or for safety.
    fn now(&self) -> Timestamp;

    /// Time passed since some fixed point of this process. Never decreases.
    fn monotonic(&self) -> Duration;

    /// Completes when at least `duration` of [`monotonic`](Self::monotonic) time has passed.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_add_and_subtract_without_wrapping() {
        let t = Timestamp(1_500);
        assert_eq!(t.seconds(), 1);
        assert_eq!(t.plus(Duration::from_millis(500)), Timestamp(2_000));
        assert_eq!(t.plus(Duration::MAX), Timestamp(u64::MAX));
        assert_eq!(t.since(Timestamp(2_000)), Duration::ZERO);
        assert_eq!(t.since(Timestamp(500)), Duration::from_secs(1));
    }
}
