//! Ordered key-value storage: one trait, RocksDB on disk, and a twin in memory that forgets at a
//! crash what was not synced.
//!
//! What it keeps true: a batch is atomic across a crash; writes survive a crash in the order in
//! which they were made, so that a later one is never there without an earlier one; what was
//! synced is always there. After a failed write the store takes no other until it is reopened,
//! because only recovery can tell what reached the disk.
//!
//! Nothing else in the program may use RocksDB. Key layouts and what the values mean belong to
//! the callers.

pub mod suite;

mod batch;
mod error;
mod key_value;
mod memory;
mod rocks;

pub use batch::{Batch, Operation};
pub use error::{Cause, KvError, OpenError};
pub use key_value::{Direction, Durability, Family, KeyValue, Range, View, Visit};
pub use memory::Memory;
pub use rocks::{Recovery, RocksDb, Tuning};
