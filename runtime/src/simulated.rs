//! The parts of a runtime that follow a seed and a hand-moved clock.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::{BoxFuture, Clock, TaskHandle, Tasks, Timestamp};

/// Wall-clock time at which every simulation begins: 2025-01-01 00:00 UTC.
const SIMULATION_START: Timestamp = Timestamp(1_735_689_600_000);

/// A clock that stands still until it is advanced. Clones share the time.
#[derive(Clone)]
pub struct ManualClock(Arc<Mutex<Moment>>);

#[derive(Default)]
struct Moment {
    passed: Duration,
    sequence: u64,
    /// Waiting sleepers, by due time and then by the order in which they began.
    sleepers: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
}

impl ManualClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Moment::default())))
    }

    fn moment(&self) -> MutexGuard<'_, Moment> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves time forward and wakes every sleeper that is due, earliest first; sleepers due at
    /// the same time wake in the order in which they began to sleep.
    pub fn advance(&self, by: Duration) {
        let mut moment = self.moment();
        moment.passed += by;
        let now = moment.passed;
        while let Some(entry) = moment.sleepers.first_entry() {
            if entry.key().0 > now {
                break;
            }
            // A sleeper that has given up has dropped its receiver.
            let _ = entry.remove().send(());
        }
    }

    /// Moves time to the earliest sleeper and wakes it. Returns how far time moved, or nothing
    /// if nobody sleeps.
    pub fn advance_to_next(&self) -> Option<Duration> {
        let due = {
            let moment = self.moment();
            let (due, _) = moment.sleepers.first_key_value()?.0;
            due.saturating_sub(moment.passed)
        };
        self.advance(due);
        Some(due)
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManualClock")
            .field(&self.moment().passed)
            .finish()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        SIMULATION_START.plus(self.moment().passed)
    }

    fn monotonic(&self) -> Duration {
        self.moment().passed
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let mut moment = self.moment();
        if duration.is_zero() {
            return Box::pin(tokio::task::yield_now());
        }
        moment.sequence += 1;
        let key = (moment.passed.saturating_add(duration), moment.sequence);
        let (sender, receiver) = oneshot::channel();
        moment.sleepers.insert(key, sender);
        drop(moment);
        // The sender lives until it fires or the last clock is gone, and then nobody can wait.
        Box::pin(async move { receiver.await.unwrap_or(()) })
    }
}

/// Tasks of the surrounding tokio runtime, with blocking calls run as tasks of their own.
#[derive(Debug)]
pub(crate) struct SimulatedTasks;

impl Tasks for SimulatedTasks {
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>) -> TaskHandle {
        TaskHandle::new(name, tokio::spawn(task))
    }

    fn blocking(&self, name: &'static str, call: Box<dyn FnOnce() + Send>) -> TaskHandle {
        TaskHandle::new(name, tokio::spawn(async move { call() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Runtime, run_blocking};

    #[tokio::test]
    async fn sleepers_wake_in_order_and_only_when_time_moves() {
        let (runtime, clock) = Runtime::simulated(1);
        let woken = Arc::new(Mutex::new(Vec::new()));
        for (name, millis) in [("c", 30), ("a", 10), ("b", 10)] {
            let (clock, woken) = (runtime.clock.clone(), woken.clone());
            runtime.tasks.spawn(
                name,
                Box::pin(async move {
                    clock.sleep(Duration::from_millis(millis)).await;
                    woken.lock().unwrap().push(name);
                }),
            );
        }
        settle().await;
        assert!(woken.lock().unwrap().is_empty());
        clock.advance(Duration::from_millis(10));
        settle().await;
        assert_eq!(*woken.lock().unwrap(), ["a", "b"]);
        assert_eq!(clock.advance_to_next(), Some(Duration::from_millis(20)));
        settle().await;
        assert_eq!(*woken.lock().unwrap(), ["a", "b", "c"]);
        assert_eq!(clock.advance_to_next(), None);
        assert_eq!(
            runtime.clock.now(),
            SIMULATION_START.plus(Duration::from_millis(30))
        );
    }

    #[test]
    fn the_same_seed_gives_the_same_history() {
        assert_eq!(history(11), history(11));
        assert_ne!(history(11), history(12));
    }

    /// Ten tasks that draw, sleep and block at random, and the order in which they did so.
    fn history(seed: u64) -> Vec<(usize, u64)> {
        let tokio = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        tokio.block_on(async {
            let (runtime, clock) = Runtime::simulated(seed);
            let log = Arc::new(Mutex::new(Vec::new()));
            let tasks: Vec<_> = (0..10)
                .map(|i| {
                    let (runtime, log) = (runtime.clone(), log.clone());
                    let tasks = runtime.tasks.clone();
                    tasks.spawn(
                        "worker",
                        Box::pin(async move {
                            for _ in 0..20 {
                                let wait = runtime.random.below(50);
                                runtime.clock.sleep(Duration::from_millis(wait)).await;
                                let (random, log) = (runtime.random.clone(), log.clone());
                                let call = move || log.lock().unwrap().push((i, random.u64()));
                                run_blocking(&*runtime.tasks, "step", call).await.unwrap();
                            }
                        }),
                    )
                })
                .collect();
            while tasks.iter().any(|task| !task.is_finished()) {
                settle().await;
                clock.advance_to_next();
            }
            log.lock().unwrap().clone()
        })
    }

    async fn settle() {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
}
