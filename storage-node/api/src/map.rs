//! The cluster map: nodes, groups, slots and the policy, under one epoch.

use serde::{Deserialize, Serialize};

use crate::{ClusterId, Generation, GroupId, Incarnation, MapEpoch, NodeId, Slot};

/// The version of the replicated machine that this code knows. An entry kind is
/// proposed only when the map's version says that every replica knows it.
pub const MACHINE_VERSION: u32 = 1;

/// The group that holds the cluster map.
pub const CLUSTER_GROUP: GroupId = GroupId(1);
/// The group that holds the SQL facts.
pub const METADATA_GROUP: GroupId = GroupId(2);
/// The first of the groups that hold slots.
pub const FIRST_DATA_GROUP: GroupId = GroupId(16);

/// Who is in the cluster and who keeps what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterMap {
    /// The cluster that this is the map of.
    pub cluster: ClusterId,
    /// Grows with every change.
    pub epoch: MapEpoch,
    /// The collector's clock as of this epoch.
    pub generation: Generation,
    /// What every replica is known to understand.
    pub machine_version: u32,
    /// What a success survives.
    pub policy: Policy,
    /// All nodes, by id.
    pub nodes: Vec<Node>,
    /// The groups that own slots, by first slot; together they own them all.
    pub groups: Vec<SlotRange>,
}

/// One storage node as the map knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its id, for ever.
    pub id: NodeId,
    /// Host and port of its control and Raft listener.
    pub control: String,
    /// Host and port of its bulk listener.
    pub bulk: String,
    /// The failure domain smaller than a region.
    pub zone: String,
    /// The failure domain with a latency of its own.
    pub region: String,
    /// Its share of the content, relative to the others'.
    pub capacity: u64,
    /// The least incarnation that is believed.
    pub incarnation: Incarnation,
}

/// Consecutive slots and the group that owns them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotRange {
    /// The first slot.
    pub first: Slot,
    /// The last slot, included.
    pub last: Slot,
    /// Their owner.
    pub group: GroupId,
}

/// What a success must survive, and how many copies are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Copies of every chunk; fewer while there are fewer nodes.
    pub copies: u8,
    /// The failure domain of which any one may be lost.
    pub survive: FailureDomain,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            copies: 3,
            survive: FailureDomain::Node,
        }
    }
}

/// What fails together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum FailureDomain {
    /// One machine.
    Node = 1,
    /// One zone of a region.
    Zone = 2,
    /// One region.
    Region = 3,
}

impl ClusterMap {
    /// The group that owns a slot.
    pub fn group_of(&self, slot: Slot) -> GroupId {
        self.groups
            .iter()
            .find(|range| range.first <= slot && slot <= range.last)
            .map(|range| range.group)
            .unwrap_or(FIRST_DATA_GROUP)
    }

    /// The node of that id, if the map has it.
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == id)
    }

    /// How many copies a chunk has with the nodes there are.
    pub fn copies(&self) -> usize {
        usize::from(self.policy.copies).min(self.nodes.len()).max(1)
    }

    /// How many distinct failure domains must hold a chunk before a commit may
    /// name it: a majority of the copies.
    pub fn quorum(&self) -> usize {
        self.copies() / 2 + 1
    }

    /// The failure domain of a node under the policy, as a text that is equal
    /// for nodes that fail together.
    pub fn domain_of<'a>(&self, node: &'a Node) -> (&'a str, &'a str, NodeId) {
        match self.policy.survive {
            FailureDomain::Node => (&node.region, &node.zone, node.id),
            FailureDomain::Zone => (&node.region, &node.zone, NodeId(0)),
            FailureDomain::Region => (&node.region, "", NodeId(0)),
        }
    }

    /// An even division of all slots over `count` groups.
    pub fn divide_slots(count: u16) -> Vec<SlotRange> {
        let count = count.clamp(1, Slot::COUNT);
        (0..count)
            .map(|index| SlotRange {
                first: Slot(first_slot(index, count)),
                last: Slot(first_slot(index + 1, count) - 1),
                group: GroupId(FIRST_DATA_GROUP.0 + u64::from(index)),
            })
            .collect()
    }
}

fn first_slot(index: u16, count: u16) -> u16 {
    let slot = u32::from(index) * u32::from(Slot::COUNT) / u32::from(count);
    u16::try_from(slot).expect("at most the count of slots")
}

#[cfg(test)]
mod tests {
    use super::{ClusterMap, Slot};

    #[test]
    fn every_slot_has_one_group() {
        for count in [1, 3, 4, 1000, 1024] {
            let ranges = ClusterMap::divide_slots(count);
            assert_eq!(ranges.len(), usize::from(count));
            for slot in 0..Slot::COUNT {
                let owners = ranges
                    .iter()
                    .filter(|r| r.first.0 <= slot && slot <= r.last.0);
                assert_eq!(owners.count(), 1, "slot {slot} of {count} groups");
            }
        }
    }
}
