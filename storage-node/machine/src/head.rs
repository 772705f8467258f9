use serde::{Deserialize, Serialize};
use storage_node_api::{Generation, MapEpoch, Timestamp};

/// What a group knows of itself, apart from its map: clocks and counters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// The greatest time that an entry carried.
    pub(crate) time: Timestamp,
    /// The least generation of a session whose commit is accepted.
    pub(crate) generation: Generation,
    /// The least map epoch of a session whose commit is accepted: that of the
    /// last map that had lost a node.
    pub(crate) min_epoch: MapEpoch,
    /// Cluster group: the number that the next node gets.
    pub(crate) next_node: u64,
    /// The order number of the oldest remembered request.
    pub(crate) first_request: u64,
    /// The order number that the next remembered request gets.
    pub(crate) next_request: u64,
    /// The order number that the next upload gets.
    pub(crate) next_upload: u64,
    /// How many uploads have staged parts.
    pub(crate) uploads: u64,
}
