//! Tasks of one simulated node, whose blocking calls take simulated time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use runtime::{BoxFuture, Random, Runtime, SeededRandom, TaskHandle, Tasks};

use crate::clock::SimulatedClock;

/// The longest that a blocking call usually takes.
const USUAL_MILLIS: u64 = 2;

/// How slow the disk and processors of a node are. Clones share it.
#[derive(Clone, Debug)]
pub struct Slowness(Arc<AtomicU64>);

impl Default for Slowness {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(USUAL_MILLIS)))
    }
}

impl Slowness {
    /// From now on a blocking call takes up to this long.
    pub fn set(&self, millis: u64) {
        self.0.store(millis, Ordering::Relaxed);
    }

    /// As it was at the beginning.
    pub fn heal(&self) {
        self.set(USUAL_MILLIS);
    }
}

/// Runs tasks on the only thread, and blocking calls there too, each after a
/// pause that stands for the time that it takes.
struct SlowTasks {
    tasks: Arc<dyn Tasks>,
    random: Arc<dyn Random>,
    slowness: Slowness,
}

impl fmt::Debug for SlowTasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SlowTasks").field(&self.slowness).finish()
    }
}

impl Tasks for SlowTasks {
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>) -> TaskHandle {
        self.tasks.spawn(name, task)
    }

    fn blocking(&self, name: &'static str, call: Box<dyn FnOnce() + Send>) -> TaskHandle {
        let pause = self
            .random
            .below(self.slowness.0.load(Ordering::Relaxed) + 1);
        let late = async move {
            if pause > 0 {
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            call();
        };
        self.tasks.spawn(name, Box::pin(late))
    }
}

/// The runtime of one node or client: a function of `seed` inside a
/// current-thread tokio runtime whose time is paused.
pub fn simulated(seed: u64, clock: &SimulatedClock, slowness: &Slowness) -> Runtime {
    let (in_place, _) = Runtime::simulated(seed);
    let random: Arc<dyn Random> = Arc::new(SeededRandom::new(seed));
    Runtime {
        clock: Arc::new(clock.clone()),
        random: Arc::clone(&random),
        tasks: Arc::new(SlowTasks {
            tasks: in_place.tasks,
            random: Arc::new(SeededRandom::new(!seed)),
            slowness: slowness.clone(),
        }),
    }
}
