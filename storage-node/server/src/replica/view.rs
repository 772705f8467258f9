use std::fmt;
use std::ops::Bound;

use bytes::Bytes;
use kv::{Direction, KeyValue, View};
use raft::GroupId;
use storage_node_machine::{Fault, Reader, Visit};

use super::warm::Warm;
use super::{REPLICAS, STATE, parse_record, prefix};

/// One group's state at one moment, for queries.
pub struct StateView {
    view: Box<dyn View>,
    prefix: Vec<u8>,
}

impl StateView {
    /// The state of a group as it is now. Empty if the group has none yet.
    pub fn now(store: &dyn KeyValue, group: GroupId) -> Result<Self, Fault> {
        let view = store.view();
        let record = view
            .get(REPLICAS, &group.0.to_be_bytes())
            .map_err(read_fault)?;
        let copy = record
            .as_ref()
            .and_then(parse_record)
            .map_or(0, |(copy, _)| copy);
        Ok(Self {
            view,
            prefix: prefix(group, copy),
        })
    }
}

impl Reader for StateView {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        get(&*self.view, &self.prefix, key)
    }

    fn scan(&self, from: &[u8], to: &[u8], visit: &mut Visit<'_>) -> Result<(), Fault> {
        scan(&*self.view, &self.prefix, from, to, visit)
    }
}

impl fmt::Debug for StateView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateView").finish_non_exhaustive()
    }
}

/// The live state of a group, for its own apply.
pub(super) struct Live<'a> {
    pub(super) store: &'a dyn View,
    pub(super) prefix: Vec<u8>,
    pub(super) warm: &'a Warm,
}

impl Reader for Live<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        if let Some(known) = self.warm.get(key) {
            return Ok(known);
        }
        let value = get(self.store, &self.prefix, key)?;
        self.warm.note(key, value.as_ref());
        Ok(value)
    }

    fn scan(&self, from: &[u8], to: &[u8], visit: &mut Visit<'_>) -> Result<(), Fault> {
        scan(self.store, &self.prefix, from, to, visit)
    }
}

fn get(view: &dyn View, prefix: &[u8], key: &[u8]) -> Result<Option<Bytes>, Fault> {
    view.get(STATE, &[prefix, key].concat()).map_err(read_fault)
}

fn scan(
    view: &dyn View,
    prefix: &[u8],
    from: &[u8],
    to: &[u8],
    visit: &mut Visit<'_>,
) -> Result<(), Fault> {
    let (from, to) = ([prefix, from].concat(), [prefix, to].concat());
    let range = (
        Bound::Included(from.as_slice()),
        Bound::Excluded(to.as_slice()),
    );
    view.scan(STATE, range, Direction::Ascending, &mut |key, value| {
        visit(&key[prefix.len()..], value)
    })
    .map_err(read_fault)
}

fn read_fault(error: kv::KvError) -> Fault {
    Fault::Read(Box::new(error))
}
