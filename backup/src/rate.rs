use std::time::Duration;

use runtime::Runtime;
use tokio::sync::Mutex;

/// Holds transfers to a number of bytes a second, over all that share it.
#[derive(Debug)]
pub struct Rate {
    bytes_per_second: Option<u64>,
    runtime: Runtime,
    /// When the bytes that were let through so far are paid for.
    paid: Mutex<Duration>,
}

impl Rate {
    /// A limit, or none.
    pub fn new(bytes_per_second: Option<u64>, runtime: Runtime) -> Self {
        Self {
            bytes_per_second: bytes_per_second.filter(|rate| *rate > 0),
            runtime,
            paid: Mutex::default(),
        }
    }

    /// Waits until so many bytes more may be moved.
    pub(crate) async fn pass(&self, bytes: usize) {
        let Some(rate) = self.bytes_per_second else {
            return;
        };
        let mut paid = self.paid.lock().await;
        let now = self.runtime.clock.monotonic();
        if *paid > now {
            self.runtime.clock.sleep(*paid - now).await;
        }
        let cost = Duration::from_nanos(
            u64::try_from(u128::from(bytes as u64) * 1_000_000_000 / u128::from(rate))
                .unwrap_or(u64::MAX),
        );
        *paid = now.max(*paid) + cost;
    }
}
