//! The runtime itself and its production parts.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::random::SystemRandom;
use crate::simulated::{ManualClock, SimulatedTasks};
use crate::{BoxFuture, Clock, Random, SeededRandom, TaskHandle, Tasks, Timestamp};

/// Time, randomness and tasks, passed to whoever needs them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Runtime {
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where random bytes come from.
    pub random: Arc<dyn Random>,
    /// Where work runs.
    pub tasks: Arc<dyn Tasks>,
}

impl Runtime {
    /// The operating system's clock and randomness, and the tokio runtime that the caller is in.
    pub fn real() -> Self {
        Self {
            clock: Arc::new(SystemClock::start()),
            random: Arc::new(SystemRandom),
            tasks: Arc::new(TokioTasks),
        }
    }

    /// A runtime that is a function of `seed` and of the calls made to it and to the returned
    /// clock, provided it is used inside a current-thread tokio runtime: time moves only when
    /// the clock is advanced, randomness follows the seed, and blocking calls run in turn on the
    /// one thread, in the order in which they were started.
    pub fn simulated(seed: u64) -> (Self, ManualClock) {
        let clock = ManualClock::new();
        let runtime = Self {
            clock: Arc::new(clock.clone()),
            random: Arc::new(SeededRandom::new(seed)),
            tasks: Arc::new(SimulatedTasks),
        };
        (runtime, clock)
    }
}

/// The operating system's clocks and tokio's timer.
#[derive(Debug)]
struct SystemClock {
    started: Instant,
}

impl SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the seam behind which the system's clock is read"
    )]
    fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the seam behind which the system's clock is read"
    )]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Tasks of the surrounding tokio runtime.
#[derive(Debug)]
struct TokioTasks;

impl Tasks for TokioTasks {
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>) -> TaskHandle {
        TaskHandle::new(name, tokio::spawn(task))
    }

    fn blocking(&self, name: &'static str, call: Box<dyn FnOnce() + Send>) -> TaskHandle {
        TaskHandle::new(name, tokio::task::spawn_blocking(call))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TaskFailed, run_blocking};

    #[tokio::test]
    async fn blocking_calls_return_their_value_and_report_panics() {
        let runtime = Runtime::real();
        let value = run_blocking(&*runtime.tasks, "add", || 40 + 2).await;
        assert_eq!(value, Ok(42));
        let failed = run_blocking(&*runtime.tasks, "bad", || -> u8 { panic!("on purpose") }).await;
        assert_eq!(failed, Err(TaskFailed::Panicked { name: "bad" }));
    }

    #[tokio::test]
    async fn an_aborted_task_ends_and_says_so() {
        let runtime = Runtime::real();
        let handle = runtime
            .tasks
            .spawn("forever", Box::pin(std::future::pending()));
        handle.abort();
        assert_eq!(
            handle.join().await,
            Err(TaskFailed::Aborted { name: "forever" })
        );
        assert!(handle.is_finished());
        assert_eq!(handle.join().await, Ok(()));
    }

    #[tokio::test]
    async fn the_real_clock_moves_and_sleeps() {
        let clock = Runtime::real().clock;
        let before = clock.monotonic();
        clock.sleep(Duration::from_millis(5)).await;
        assert!(clock.monotonic() - before >= Duration::from_millis(5));
        assert!(clock.now().seconds() > 1_600_000_000);
    }
}
