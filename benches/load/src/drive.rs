use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use runtime::Runtime;

use crate::plan::{Plan, PlanError};
use crate::record::{Figures, Measured, Record};

/// How often progress is told.
const TOLD_EVERY: Duration = Duration::from_secs(1);
/// What a worker waits after a failure, so that a server that refuses
/// everything is not asked as fast as it can refuse.
const AFTER_FAILURE: Duration = Duration::from_millis(50);

/// What a worker repeats.
#[async_trait]
pub trait Operation: fmt::Debug + Send + Sync {
    /// Does it once, and says how many bytes it moved; or in a few words, alike
    /// for failures that are alike, why it failed. One worker does one at a time.
    async fn once(&self, worker: usize) -> Result<u64, String>;
}

/// Ends a run early; what has been measured by then counts.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// No worker begins another operation.
    pub fn now(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether it was asked for.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Whether nothing is measured yet.
    pub warming_up: bool,
    /// The time so far, warm-up and all.
    pub elapsed: Duration,
    /// The time that it will take.
    pub total: Duration,
    /// Operations that succeeded and were measured.
    pub operations: u64,
    /// Those that failed.
    pub failed: u64,
    /// Operations a second since the last time.
    pub per_second: f64,
    /// Bytes a second since the last time.
    pub bytes_per_second: f64,
    /// Latencies so far.
    pub latencies: Figures,
}

struct Run {
    operation: Arc<dyn Operation>,
    runtime: Runtime,
    plan: Plan,
    began: Duration,
    stop: Stop,
    /// The next place in the timetable.
    next: AtomicU64,
    record: Mutex<Record>,
}

/// Does operations by plan, and tells every second how far it is.
///
/// Operations that are under way when the time is over are waited for; whether
/// they count is decided by when they began (in a closed loop) or were due.
pub async fn drive(
    operation: Arc<dyn Operation>,
    plan: Plan,
    runtime: &Runtime,
    stop: &Stop,
    tell: &mut (dyn FnMut(Progress) + Send),
) -> Result<Measured, PlanError> {
    plan.check()?;
    let run = Arc::new(Run {
        operation,
        runtime: runtime.clone(),
        began: runtime.clock.monotonic(),
        stop: stop.clone(),
        next: AtomicU64::new(0),
        record: Mutex::new(Record::new(plan.duration)),
        plan,
    });
    let workers: Vec<_> = (0..run.plan.workers)
        .map(|worker| {
            let run = Arc::clone(&run);
            let work = async move { run.work(worker).await };
            runtime.tasks.spawn("load", Box::pin(work))
        })
        .collect();
    run.watch(tell, || {
        workers.iter().all(runtime::TaskHandle::is_finished)
    })
    .await;
    for worker in &workers {
        // A worker that panicked has said so.
        drop(worker.join().await);
    }
    let measured = run.elapsed().saturating_sub(run.plan.warm_up);
    let timetable = run.plan.rate.is_some();
    Ok(run.record().finish(measured, timetable))
}

impl Run {
    fn elapsed(&self) -> Duration {
        self.runtime.clock.monotonic() - self.began
    }

    fn total(&self) -> Duration {
        self.plan.warm_up + self.plan.duration
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the next operation is to begin; `None` if there is none any more.
    fn due(&self) -> Option<Duration> {
        let due = match self.plan.rate {
            None => self.elapsed(),
            Some(rate) => {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                Duration::from_secs_f64(number as f64 / rate)
            }
        };
        (due < self.total() && !self.stop.is_asked()).then_some(due)
    }

    async fn work(&self, worker: usize) {
        let clock = &self.runtime.clock;
        while let Some(due) = self.due() {
            let early = due.saturating_sub(self.elapsed());
            if !early.is_zero() {
                clock.sleep(early).await;
            }
            // A stalled timetable is not caught up with after its end.
            if self.stop.is_asked() || self.elapsed() >= self.total() + self.plan.limit {
                return;
            }
            let operation = self.operation.once(worker);
            let result = within(&self.runtime, self.plan.limit, operation).await;
            let ended = self.elapsed();
            let failed = result.is_err();
            let at = due.checked_sub(self.plan.warm_up);
            let at = at.map(|_| ended - self.plan.warm_up);
            self.record().ended(at, ended.saturating_sub(due), result);
            if failed {
                clock.sleep(AFTER_FAILURE).await;
            }
        }
    }

    async fn watch(&self, tell: &mut (dyn FnMut(Progress) + Send), ended: impl Fn() -> bool) {
        let mut last = (Duration::ZERO, 0, 0);
        while !ended() {
            let rest = self.total().saturating_sub(self.elapsed());
            let pause = rest.clamp(Duration::from_millis(20), TOLD_EVERY);
            self.runtime.clock.sleep(pause).await;
            let elapsed = self.elapsed();
            let record = self.record();
            let ((operations, failed, bytes), latencies) = (record.counts(), record.figures());
            drop(record);
            let seconds = (elapsed - last.0).as_secs_f64();
            if seconds < 0.5 {
                continue;
            }
            tell(Progress {
                warming_up: elapsed < self.plan.warm_up,
                elapsed,
                total: self.total(),
                operations,
                failed,
                per_second: (operations - last.1) as f64 / seconds,
                bytes_per_second: (bytes - last.2) as f64 / seconds,
                latencies,
            });
            last = (elapsed, operations, bytes);
        }
    }
}

/// The result, or that it took too long.
async fn within(
    runtime: &Runtime,
    limit: Duration,
    operation: impl Future<Output = Result<u64, String>>,
) -> Result<u64, String> {
    let mut operation = std::pin::pin!(operation);
    let mut late = runtime.clock.sleep(limit);
    std::future::poll_fn(|context| {
        if let std::task::Poll::Ready(result) = operation.as_mut().poll(context) {
            return std::task::Poll::Ready(result);
        }
        late.as_mut()
            .poll(context)
            .map(|()| Err(format!("took longer than {limit:?}")))
    })
    .await
}
