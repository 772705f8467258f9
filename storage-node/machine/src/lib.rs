//! The replicated state of a group, and what each entry of its log does to it.
//!
//! A group's state is one range of ordered keys ([`RANGE`]). [`apply`] reads it
//! through a [`Reader`] and answers the writes and the reply; a [`Txn`] applies
//! several entries that become one batch. [`query`] answers a read.
//!
//! What it keeps true: the same entries on the same state give the same writes
//! and replies on every replica. There is no clock (time is a field of entries
//! and never runs backwards), no randomness, no floating point, no hash map, no
//! task and no input or output but the reader. A refusal is a reply that every
//! replica computes alike; whatever only this replica may have met is a
//! [`Fault`], and a replica that meets one stops before it writes.
//!
//! A hash of the whole logical state is kept with every entry and can be
//! [recomputed](recompute); replicas at the same index have the same.
//!
//! Not here: how entries are agreed on (`raft`), where keys are kept
//! (`storage-node/server`), the SQL facts (`storage-node/metadata`).

mod apply;
mod copy;
mod entry;
mod fault;
mod head;
mod keys;
mod live;
mod query;
mod reader;
mod slots;
mod state_hash;
mod txn;
mod value;

pub use apply::{Effects, apply};
pub use entry::{EntryTooLarge, decode_reply, decode_request, encode_reply, encode_request};
pub use fault::Fault;
pub use live::live_chunks;
pub use query::query;
pub use reader::{RANGE, Reader, Visit};
pub use state_hash::recompute;
pub use txn::{Txn, Write};
