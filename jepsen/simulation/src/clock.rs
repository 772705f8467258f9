//! Simulated time, as one node sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use runtime::{BoxFuture, Clock, Timestamp};
use tokio::time::Instant;

/// Wall-clock time at which every simulation begins: 2025-01-01 00:00 UTC.
const BEGINNING: i64 = 1_735_689_600_000;

/// A clock over tokio's paused time, whose wall can be moved. Clones share it.
#[derive(Clone, Debug)]
pub struct SimulatedClock {
    began: Instant,
    /// How far the wall is from the truth, in milliseconds.
    jumped: Arc<AtomicI64>,
}

impl SimulatedClock {
    /// A clock that is right.
    pub fn right() -> Self {
        Self {
            began: Instant::now(),
            jumped: Arc::default(),
        }
    }

    /// Sets how far the wall is from the truth, in milliseconds.
    pub fn jump(&self, millis: i64) {
        self.jumped.store(millis, Ordering::Relaxed);
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.monotonic().as_millis()).unwrap_or(i64::MAX);
        let wall = BEGINNING + self.jumped.load(Ordering::Relaxed) + passed;
        Timestamp(u64::try_from(wall).unwrap_or(0))
    }

    fn monotonic(&self) -> Duration {
        self.began.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}
