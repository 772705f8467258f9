use std::time::Duration;

use clap::ValueEnum;

/// A bug put back, to see that the checkers see it. None of them is in the
/// program: each stands in a seam around real processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Bug {
    /// The second frontend answers reads from a cache that does not ask whether
    /// it is still right.
    StaleReads,
    /// Disks say that they synced and did not; the power fails.
    LyingDisks,
    /// Two clusters that do not know each other are taken for one: writes
    /// are committed by less than a quorum of the nodes there are.
    SplitBrain,
    /// Refs that should move together are moved one by one.
    SplitPushes,
}

/// How long the stale cache believes what it holds.
pub(super) const STALE_FOR: Duration = Duration::from_secs(2);
