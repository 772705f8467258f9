//! Replicas of groups: what `raft` replicates, over the stores of this node.

mod data;
mod machines;
mod metadata;
mod snapshot;
mod view;
mod warm;

pub use data::{Applied, DataMachine};
pub(crate) use machines::{Machines, local_map};
pub use metadata::MetadataMachine;
pub use view::StateView;

use kv::Family;

/// The replicated state of all groups: group, copy, key of the machine.
pub const STATE: Family = Family::new("state");
/// For each group: which copy is in use, and how far it has come.
pub const REPLICAS: Family = Family::new("replicas");

/// The start of all keys of one copy of a group's state. A group has one copy,
/// and a second while it receives a snapshot.
fn prefix(group: raft::GroupId, copy: u32) -> Vec<u8> {
    let mut key = Vec::with_capacity(12);
    key.extend_from_slice(&group.0.to_be_bytes());
    key.extend_from_slice(&copy.to_be_bytes());
    key
}

/// The record in [`REPLICAS`]: the copy in use, then the marker.
fn record(copy: u32, marker: &[u8]) -> Vec<u8> {
    let mut value = copy.to_be_bytes().to_vec();
    value.extend_from_slice(marker);
    value
}

/// The copy in use and the marker, out of a record.
fn parse_record(value: &bytes::Bytes) -> Option<(u32, bytes::Bytes)> {
    let (copy, _) = value.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*copy), value.slice(4..)))
}

/// What a proposal to a data group answers: the entry's index, then the reply.
fn answer(index: u64, reply: &[u8]) -> bytes::Bytes {
    [&index.to_be_bytes(), reply].concat().into()
}

/// The index and the reply, out of an answer.
pub(crate) fn parse_answer(answer: &[u8]) -> Option<(u64, &[u8])> {
    let (index, reply) = answer.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*index), reply))
}
