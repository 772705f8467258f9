//! What a group replicates.

use std::fmt;

use bytes::Bytes;

/// One committed entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Its place in the log. Places are applied in order, each once.
    pub index: u64,
    /// The proposed command; nothing for entries that only the group itself uses. The machine
    /// answers those too, with anything.
    pub command: Option<Bytes>,
}

/// A local failure (disk full, I/O, damage) that stops the replica. Refusing a command is not a
/// fault but an answer, which every replica computes alike.
#[derive(Debug, thiserror::Error)]
#[error("{doing}")]
pub struct Fault {
    doing: &'static str,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl Fault {
    /// Says what the machine was doing, and what went wrong.
    pub fn new(
        doing: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            doing,
            source: source.into(),
        }
    }

    /// What the machine was doing.
    pub fn doing(&self) -> &'static str {
        self.doing
    }
}

/// One group's replicated state: synchronous and deterministic. Given the same entries, every
/// replica comes to the same state and the same answers, with no clock, no randomness and no
/// network.
///
/// Calls come one at a time, away from the asynchronous tasks: they may block. After a fault, or
/// a panic, no other call comes.
pub trait Machine: Send + 'static {
    /// The marker of the present state: the last one given to [`apply`](Self::apply) or to
    /// [`SnapshotWrite::finish`], or after a restart the one that was found with the state;
    /// nothing for an empty state.
    fn applied(&mut self) -> Result<Option<Bytes>, Fault>;

    /// Applies entries in order and returns one answer for each. `marker` is stored together
    /// with their effects: after a crash either all of them are there with it, or none and the
    /// marker before it. They need not be durable yet when this returns: see
    /// [`sync`](Self::sync).
    fn apply(&mut self, entries: Vec<Committed>, marker: Bytes) -> Result<Vec<Bytes>, Fault>;

    /// Makes everything applied so far durable. The log is cut only behind a sync; after a crash
    /// the entries after the last durable marker are applied again from the log.
    fn sync(&mut self) -> Result<(), Fault>;

    /// A consistent view of the state as it is now, which later calls of
    /// [`apply`](Self::apply) do not change. Cheap to make: it is often made and not read.
    fn snapshot(&mut self) -> Result<Box<dyn SnapshotRead>, Fault>;

    /// Begins to receive another replica's state beside the present one, which stays in use.
    /// What an earlier, unfinished receipt left behind is removed.
    fn begin_install(&mut self) -> Result<Box<dyn SnapshotWrite>, Fault>;
}

impl fmt::Debug for dyn Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Machine")
    }
}

/// A state being read out, in parts whose bounds mean nothing to anyone else.
pub trait SnapshotRead: Send {
    /// The next part, of at most `max_bytes` and at least one byte; nothing at the end.
    fn next(&mut self, max_bytes: usize) -> Result<Option<Bytes>, Fault>;
}

/// A state being received. Dropped unfinished, it has no effect.
pub trait SnapshotWrite: Send {
    /// Takes the next part, as [`SnapshotRead::next`] returned it.
    fn part(&mut self, bytes: Bytes) -> Result<(), Fault>;

    /// Replaces the machine's state by the received one, with `marker`. Durable when it
    /// returns. All or nothing: after a crash before that, the old state or the new one is
    /// there, whole. No other call of the machine comes meanwhile.
    fn finish(self: Box<Self>, marker: Bytes) -> Result<(), Fault>;
}
