//! The loops, with an operation that stalls and one that fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use benches_load::{Operation, Plan, Stop, drive};
use runtime::Runtime;

/// The first takes half a second, and every tenth fails if it is to.
#[derive(Debug)]
struct Stalls {
    calls: AtomicU64,
    fails: bool,
}

#[async_trait]
impl Operation for Stalls {
    async fn once(&self, _: usize) -> Result<u64, String> {
        tokio::task::yield_now().await;
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        if call == 0 {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        if self.fails && call % 10 == 9 {
            return Err("the tenth".to_owned());
        }
        Ok(100)
    }
}

fn stalls(fails: bool) -> Arc<Stalls> {
    Arc::new(Stalls {
        calls: AtomicU64::new(0),
        fails,
    })
}

fn plan() -> Plan {
    Plan {
        workers: 1,
        rate: Some(100.0),
        warm_up: Duration::ZERO,
        duration: Duration::from_secs(1),
        limit: Duration::from_secs(30),
    }
}

#[tokio::test]
async fn on_a_timetable_a_stall_is_charged_to_everybody_who_was_due() {
    let runtime = Runtime::real();
    let stalls = stalls(false);
    let (stop, mut quiet) = (Stop::default(), |_| {});
    let measured = drive(stalls, plan(), &runtime, &stop, &mut quiet)
        .await
        .unwrap();
    assert_eq!(measured.operations, 100);
    assert!(measured.latencies.p95 >= Duration::from_millis(400));
    assert!(measured.latencies.max >= Duration::from_millis(500));
    assert_eq!(measured.bytes, 10_000);
}

#[tokio::test]
async fn the_warm_up_is_in_no_figure() {
    let runtime = Runtime::real();
    let operation = stalls(true);
    let plan = Plan {
        warm_up: Duration::from_millis(500),
        duration: Duration::from_millis(500),
        ..plan()
    };
    let (stop, mut quiet) = (Stop::default(), |_| {});
    let running = drive(operation.clone(), plan, &runtime, &stop, &mut quiet);
    let measured = running.await.unwrap();
    let (done, failed) = (measured.operations, measured.failed);
    assert_eq!(measured.warm_up, 50);
    assert_eq!((done, failed), (45, 5));
    assert_eq!(measured.errors["the tenth"], 5);
    assert_eq!(operation.calls.load(Ordering::SeqCst), 100);
}

#[tokio::test]
async fn what_takes_too_long_fails_and_a_stop_ends_a_closed_loop() {
    let runtime = Runtime::real();
    let stop = Stop::default();
    let plan = Plan {
        rate: None,
        duration: Duration::from_secs(3600),
        limit: Duration::from_millis(100),
        ..plan()
    };
    let asked = stop.clone();
    let mut tell = move |progress: benches_load::Progress| {
        if progress.operations > 0 {
            asked.now();
        }
    };
    let measured = drive(stalls(false), plan, &runtime, &stop, &mut tell);
    let measured = measured.await.unwrap();
    assert_eq!(measured.failed, 1);
    assert!(measured.errors.keys().all(|kind| kind.contains("longer")));
    assert!(measured.operations > 0);
}
