//! The logs of all groups in one key-value store.
//!
//! One writer takes the operations of all groups in the order in which they were made, and writes
//! many of them as one batch with one sync: group commit across groups. What this relies on:
//!
//! - the store keeps batches whole and in order, so a term is never missing under an entry that
//!   came after it, and neither a truncation nor a purge can leave a hole;
//! - callbacks are called by the one writer, so they come in order;
//! - entries can be read from memory as soon as they are queued.

mod align;
mod group_log;
mod keys;
mod recent;
mod storage;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use group_log::{GroupLog, LoadError};
pub(crate) use keys::{Kind, LOG, STATE, fence_key, log_key, node_key, state_key};
pub(crate) use writer::{LogWriter, WriterTask};

/// The families that the store given to [`Raft::start`](crate::Raft::start) must have.
pub const FAMILIES: [kv::Family; 2] = [LOG, STATE];
