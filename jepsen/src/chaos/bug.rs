use std::time::Duration;

use clap::ValueEnum;

use crate::shim::Lies;

/// A bug put back, to see that the checkers see it. None of them is in the
/// program: each stands in a seam around real processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Bug {
    /// The second frontend answers reads from a cache that does not ask whether
    /// it is still right.
    StaleReads,
    /// From the first fault on disks say that they synced the log and did not:
    /// with the power go entries that were acknowledged.
    LogSyncLies,
    /// The same of the volumes: with the power go chunks that have receipts.
    VolumeSyncLies,
    /// The same of every file.
    LyingDisks,
    /// Two clusters that do not know each other are taken for one: writes
    /// are committed by less than a quorum of the nodes there are.
    SplitBrain,
    /// Refs that should move together are moved one by one.
    SplitPushes,
}

impl Bug {
    /// What the disks of such a run lie about.
    pub(super) fn lies(self) -> Option<Lies> {
        match self {
            Self::LogSyncLies => Some(Lies::Log),
            Self::VolumeSyncLies => Some(Lies::Volumes),
            Self::LyingDisks => Some(Lies::All),
            Self::StaleReads | Self::SplitBrain | Self::SplitPushes => None,
        }
    }
}

/// How long the stale cache believes what it holds.
pub(super) const STALE_FOR: Duration = Duration::from_secs(2);
