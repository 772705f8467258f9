//! Rules that can be broken on purpose, to see that the simulator sees it.
//!
//! Each is broken at a seam (files, key-value store, network): the code under
//! test is the real one.

use clap::ValueEnum;

/// A broken rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mutation {
    /// A sync of a volume does nothing: what was put is lost with the power.
    VolumeSyncLies,
    /// A sync of the raft log does nothing: votes and entries are lost with the power.
    LogSyncLies,
    /// A node says that it has stored entries that it was never sent: entries
    /// are committed before a quorum has them.
    CommitWithoutQuorum,
    /// A node gives receipts for chunks that it did not store.
    ReceiptWithoutChunks,
    /// A read does not ask whether its replica is up to date.
    ReadWithoutIndex,
    /// The commands of an atomic push are judged each on its own.
    AtomicIsNot,
    /// A write that is sent again gets a new id.
    RetryWithNewId,
    /// One replica changes an entry before it applies it.
    ReplicaDiffers,
    /// Receipts of any generation are taken for recent ones: uploads from before
    /// a barrier are committed after it.
    OldSessionsCommit,
    /// An answer that a chunk is there, or a put of what is there, does not pin it: its
    /// touch is not kept.
    TouchesAreLost,
    /// The sweep sees every chunk as never touched.
    DropsIgnoreTouches,
    /// The manifests of some blobs are not listed.
    ListingLosesBlobs,
    /// A slot is handed over before its new group has what the old one had of it.
    HandoverWithoutCopy,
}

impl Mutation {
    /// Its name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }
}
