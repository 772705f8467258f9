use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use super::index::Totals;
use super::volume::VolumeId;

/// How the store is, for everyone to see.
#[derive(Debug)]
pub(super) struct Condition {
    failing: AtomicBool,
    counts: Mutex<(Totals, Option<VolumeId>)>,
    sealed: Notify,
}

impl Condition {
    pub(super) fn new(totals: Totals, volume: Option<VolumeId>) -> Self {
        Self {
            failing: AtomicBool::new(false),
            counts: Mutex::new((totals, volume)),
            sealed: Notify::new(),
        }
    }

    /// A write has failed: no more are taken.
    pub(super) fn fail(&self) {
        self.failing.store(true, Ordering::Release);
    }

    pub(super) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Acquire)
    }

    pub(super) fn count(&self, totals: Totals, volume: VolumeId) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *counts, (totals, Some(volume)));
        drop(counts);
        if before.1.is_some_and(|before| before != volume) {
            self.sealed.notify_one();
        }
    }

    /// Waits until a volume was sealed since the last wait.
    pub(super) async fn sealed(&self) {
        self.sealed.notified().await;
    }

    /// How much there is, and the last volume.
    pub(super) fn counts(&self) -> (Totals, Option<VolumeId>) {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
