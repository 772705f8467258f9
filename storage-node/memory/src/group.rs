use std::collections::BTreeMap;

use bytes::Bytes;
use storage_node_api::map::ClusterMap;
use storage_node_api::order::{Answer, Command, Query, Reply, Request};
use storage_node_api::{GroupId, RequestId, Timestamp};
use storage_node_machine::{Effects, Fault, Write, apply, encode_request, query};

/// One group: its state, and the index that its log would have.
#[derive(Debug)]
pub(crate) struct Group {
    id: GroupId,
    state: BTreeMap<Bytes, Bytes>,
    index: u64,
}

impl Group {
    /// A group that has adopted the map.
    pub(crate) fn new(id: GroupId, map: &ClusterMap) -> Self {
        let mut group = Self {
            id,
            state: BTreeMap::new(),
            index: 0,
        };
        let adopt = Request {
            id: RequestId([0; 16]),
            time: Timestamp(0),
            command: Command::AdoptMap(map.clone()),
        };
        let entry = encode_request(&adopt).expect("a map of one node is small");
        let reply = group.apply(&entry).expect("the map is of this release");
        assert_eq!(reply, Reply::Done, "an empty group takes any map");
        group
    }

    /// The index of the last entry.
    pub(crate) fn index(&self) -> u64 {
        self.index
    }

    /// Applies one entry. After a fault the group is as before.
    pub(crate) fn apply(&mut self, entry: &[u8]) -> Result<Reply, Fault> {
        let index = self.index + 1;
        let Effects { writes, reply } = apply(self.id, &self.state, index, entry)?;
        self.index = index;
        for Write { key, value } in writes {
            match value {
                Some(value) => self.state.insert(key, value),
                None => self.state.remove(&key),
            };
        }
        Ok(reply)
    }

    /// Answers a query.
    pub(crate) fn query(&self, question: &Query) -> Result<Answer, Fault> {
        query(&self.state, question)
    }
}
