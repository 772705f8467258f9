//! Syncs that are counted, slow, or lie.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use runtime::{File, FileHooks};

/// What to do with syncs on their way to the files.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// How often a file was synced.
    pub(super) syncs: AtomicU64,
    /// Whether a sync is answered and not done.
    pub(super) lies: bool,
    /// How long a sync takes.
    pub(super) sync_takes: Duration,
}

impl FileHooks for Watch {
    fn sync_data(&self, file: &dyn File) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(self.sync_takes);
        if self.lies { Ok(()) } else { file.sync_data() }
    }
}
