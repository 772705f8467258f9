use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use runtime::{Clock, Files};

/// How long an answer of the file system is believed.
const BELIEVED: Duration = Duration::from_millis(500);

/// Watches the free space, so that writes are refused while there is still room
/// for what the node itself must write: its log, its state, its repairs.
#[derive(Debug)]
pub(crate) struct Space {
    files: Arc<dyn Files>,
    clock: Arc<dyn Clock>,
    reserve_bytes: u64,
    asked: AtomicU64,
    available: AtomicU64,
    told: AtomicBool,
}

impl Space {
    pub(crate) fn new(files: Arc<dyn Files>, clock: Arc<dyn Clock>, reserve_bytes: u64) -> Self {
        let available = files.available_bytes().unwrap_or(0);
        let asked = millis(clock.monotonic());
        Self {
            files,
            clock,
            reserve_bytes,
            asked: AtomicU64::new(asked),
            available: AtomicU64::new(available),
            told: AtomicBool::new(false),
        }
    }

    /// Free bytes, as of at most half a second ago.
    pub(crate) fn available_bytes(&self) -> u64 {
        let now = millis(self.clock.monotonic());
        let asked = self.asked.load(Ordering::Relaxed);
        if now.saturating_sub(asked) >= millis(BELIEVED) {
            self.asked.store(now, Ordering::Relaxed);
            self.available
                .store(self.files.available_bytes().unwrap_or(0), Ordering::Relaxed);
        }
        self.available.load(Ordering::Relaxed)
    }

    /// Whether writes that add anything must be refused.
    pub(crate) fn is_full(&self) -> bool {
        let available = self.available_bytes();
        let full = available < self.reserve_bytes;
        if full != self.told.swap(full, Ordering::Relaxed) {
            if full {
                tracing::warn!(
                    available,
                    reserve = self.reserve_bytes,
                    "nearly full: only reads are served"
                );
            } else {
                tracing::info!(available, "there is room again: writes are served");
            }
        }
        full
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
