//! The whole storage tier in one process's memory, for tests and demonstrations.
//!
//! [`MemoryStorage`] is one node with the groups and the replicated machine of a
//! cluster, without a log, a disk or a network: what is above the tier runs on
//! it as on nodes, and it passes the same suite.
//!
//! What it keeps true: every command goes through the same entries and the same
//! machine as on nodes. Deliberately not here: durability (all is gone with the
//! process), a bound on what it holds, faults.

mod content;
mod group;
mod metadata;
mod order;
mod storage;

pub use storage::MemoryStorage;
