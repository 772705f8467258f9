//! How long is waited, and how long is paused.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use runtime::{Clock, Random, Runtime};

/// A point of monotonic time after which nothing is begun any more.
#[derive(Clone, Debug)]
pub(super) struct Deadline {
    clock: Arc<dyn Clock>,
    until: Duration,
}

impl Deadline {
    /// The point this long from now.
    pub(super) fn after(clock: &Arc<dyn Clock>, time: Duration) -> Self {
        Self {
            clock: Arc::clone(clock),
            until: clock.monotonic().saturating_add(time),
        }
    }

    /// How much time is left.
    pub(super) fn left(&self) -> Duration {
        self.until.saturating_sub(self.clock.monotonic())
    }

    /// What the future returns, unless it takes longer than `limit` or than is
    /// left.
    pub(super) async fn within<F: Future>(&self, limit: Duration, future: F) -> Option<F::Output> {
        let limit = limit.min(self.left());
        if limit.is_zero() {
            return None;
        }
        match select(pin!(future), self.clock.sleep(limit)).await {
            Either::Left((output, _)) => Some(output),
            Either::Right(((), _)) => None,
        }
    }
}

/// Pauses that double, each with a random part left out, so that clients that
/// failed together do not return together.
#[derive(Debug)]
pub(super) struct Backoff {
    random: Arc<dyn Random>,
    next: Duration,
    max: Duration,
}

impl Backoff {
    /// Pauses from `min` to `max`.
    pub(super) fn new(runtime: &Runtime, min: Duration, max: Duration) -> Self {
        Self {
            random: Arc::clone(&runtime.random),
            next: min,
            max,
        }
    }

    /// Pauses before another try. Returns false, at once, if the deadline would
    /// pass meanwhile.
    pub(super) async fn pause(&mut self, deadline: &Deadline) -> bool {
        let Some(pause) = self.next(deadline) else {
            return false;
        };
        deadline.clock.sleep(pause).await;
        true
    }

    /// How long the next pause is; nothing if the deadline would pass meanwhile.
    pub(super) fn next(&mut self, deadline: &Deadline) -> Option<Duration> {
        let pause = self.draw();
        (pause < deadline.left()).then_some(pause)
    }

    fn draw(&mut self) -> Duration {
        let full = u64::try_from(self.next.as_micros()).unwrap_or(u64::MAX);
        self.next = self.next.saturating_mul(2).min(self.max);
        let half = full / 2;
        // At least a microsecond, or the last tries would be a busy loop.
        Duration::from_micros((full - self.random.below(half + 1)).max(1))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use runtime::Runtime;

    use super::Backoff;

    #[test]
    fn pauses_double_up_to_the_longest_and_are_at_least_half() {
        let (runtime, _) = Runtime::simulated(7);
        let millis = Duration::from_millis;
        let mut backoff = Backoff::new(&runtime, millis(20), millis(100));
        for full in [20, 40, 80, 100, 100] {
            let pause = backoff.draw();
            assert!(
                millis(full) / 2 <= pause && pause <= millis(full),
                "{pause:?} of {full} ms"
            );
        }
    }
}
