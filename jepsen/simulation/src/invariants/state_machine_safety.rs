use std::collections::BTreeMap;

use kv::KeyValue;
use storage_node_api::order::{Answer, Query};
use storage_node_api::{GroupId, NodeId};
use storage_node_machine::query;
use storage_node_server::replica::StateView;

/// No two replicas have different states at the same index, at any time, and
/// no replica comes to another state when it applies an index again.
///
/// Held against every batch of entries that any replica applies.
#[derive(Debug, Default)]
pub struct StateMachineSafety {
    states: BTreeMap<(GroupId, u64), (NodeId, [u8; 32])>,
}

impl StateMachineSafety {
    /// Its name in reports.
    pub const NAME: &'static str = "state-machine safety";

    /// Takes what a replica has come to; returns index and hash of its state.
    pub fn applied(
        &mut self,
        node: NodeId,
        group: GroupId,
        store: &dyn KeyValue,
    ) -> Result<Option<(u64, String)>, String> {
        let read = StateView::now(store, raft::GroupId(group.0))
            .and_then(|view| query(&view, &Query::StateHash));
        let Ok(Answer::StateHash { index, hash }) = read else {
            return Err(format!(
                "node {node} cannot read its state of group {group}"
            ));
        };
        let (first, state) = *self.states.entry((group, index)).or_insert((node, hash));
        let short = |hash: [u8; 32]| blake3::Hash::from(hash).to_hex()[..12].to_owned();
        if state != hash {
            return Err(format!(
                "at index {index} of group {group} node {node} has state {}, node {first} had {}",
                short(hash),
                short(state)
            ));
        }
        Ok(Some((index, short(hash))))
    }
}
