//! The facts on replicated SQLite.
//!
//! [`SqliteMachine`] is one replica: it applies committed entries, each a
//! [`Command`], in groups of one SQLite transaction that also keeps the log's
//! marker, and answers a [`Reply`] per entry that every replica computes alike.
//! [`Reader`] answers queries beside it. [`MemoryMetadata`] is the whole
//! `Metadata` interface on one replica without a log, and [`suite`] is what
//! every backend of that interface must pass.
//!
//! What it keeps true:
//!
//! * the state after an entry depends on the entries before it and on nothing
//!   else: no clock, randomness, floating point, physical layout, or leftover
//!   of a connection reaches a statement (modules `sql` and `machine`);
//! * an entry is applied wholly or not at all, and once, however often it is
//!   retried;
//! * a result is success or a refusal; every local error is a [`Fault`] that
//!   stops the replica;
//! * a replica's files are, after a crash at any instant, the state at some
//!   marker that was applied: the log replays the rest.
//!
//! Not here: the log and its consensus, the network, and how many replicas
//! there are. This crate does not know the raft crate; the server joins them.

mod command;
mod dump;
mod fault;
pub mod limits;
mod machine;
mod memory;
mod reader;
mod reply;
mod snapshot;
mod sql;
mod store;
pub mod suite;

pub use command::{Command, CommandError};
pub use dump::FactsDump;
pub use fault::{Fault, SnapshotError};
pub use machine::SqliteMachine;
pub use memory::MemoryMetadata;
pub use reader::{ReadFailure, Reader};
pub use reply::{Refusal, Reply, ReplyError};
pub use snapshot::{SnapshotReader, SnapshotWriter};
