use std::fmt;
use std::sync::Arc;

use kv::KeyValue;
use raft::Machine;
use storage_node_api::GroupId;
use storage_node_api::map::{CLUSTER_GROUP, ClusterMap, METADATA_GROUP};
use storage_node_api::order::{Answer, Query};
use storage_node_machine::{Fault, query};
use storage_node_metadata::Reader;
use tokio::sync::watch;

use super::{Applied, DataMachine, MetadataMachine, StateView};

/// Makes the machine of any group over the stores of this node. Each group has one at a time:
/// whoever asks for another has closed the replica that had the first.
#[derive(Clone)]
pub(crate) struct Machines {
    /// The replicated state.
    pub(crate) state: Arc<dyn KeyValue>,
    /// The facts.
    pub(crate) facts: Reader,
    /// Told each map that the cluster group's replica comes to.
    pub(crate) map: watch::Sender<Option<Arc<ClusterMap>>>,
}

impl Machines {
    /// The machine of a group, as far as it has come.
    pub(crate) fn of(&self, group: GroupId) -> Box<dyn Machine> {
        if group == METADATA_GROUP {
            return Box::new(MetadataMachine::new(self.facts.machine()));
        }
        let applied = match group {
            CLUSTER_GROUP => self.publish(),
            _ => Box::new(|| {}),
        };
        let state = Arc::clone(&self.state);
        Box::new(DataMachine::new(raft::GroupId(group.0), state, applied))
    }

    fn publish(&self) -> Applied {
        let (state, map) = (Arc::clone(&self.state), self.map.clone());
        Box::new(move || match local_map(&*state) {
            Ok(Some(newest)) => {
                map.send_if_modified(|known| {
                    let newer = known.as_ref().is_none_or(|known| **known != newest);
                    if newer {
                        *known = Some(Arc::new(newest));
                    }
                    newer
                });
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "the cluster map cannot be read"),
        })
    }
}

impl fmt::Debug for Machines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machines").finish_non_exhaustive()
    }
}

/// The map that this node's replica of the cluster group has, if any.
pub(crate) fn local_map(state: &dyn KeyValue) -> Result<Option<ClusterMap>, Fault> {
    let view = StateView::now(state, raft::GroupId(CLUSTER_GROUP.0))?;
    match query(&view, &Query::Map)? {
        Answer::Map(map) => Ok(map),
        _ => Ok(None),
    }
}
