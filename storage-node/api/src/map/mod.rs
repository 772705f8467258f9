//! The cluster map: nodes, groups, slots and the policies, under one epoch.
//!
//! A [`Policy`] says where copies of content are and what a success survives;
//! the map's [`Policies`] say which holds for which dedup domain. What a policy
//! comes to with the nodes that there are is [`Durability`]; which nodes hold a
//! chunk is [`placement`](crate::placement).
//!
//! Not here: who changes a map (`storage-node/machine`), and what moves content
//! after a change (`storage-node/server`).

mod check;
mod durability;
mod layout;
mod members;
mod moves;
mod policy;
mod seats;

use serde::{Deserialize, Serialize};

use crate::{ClusterId, Generation, GroupId, Incarnation, MapEpoch, NodeId, Slot};

pub use check::PolicyError;
pub use durability::{Durability, FailureUnit};
pub use members::{Members, MembersChange, MembersError, Standing};
pub use moves::{MOVE_SLOTS, Made, Moves, Moving, Phase, SlotsChange, SlotsError};
pub use policy::{Assigned, Copies, FailureDomain, NamedPolicy, Policies, Policy, RegionShare};
pub use seats::{Replicas, Seats, Step};

/// The version of the replicated machine that this code knows. An entry kind is
/// proposed only when the map's version says that every replica knows it.
pub const MACHINE_VERSION: u32 = 6;

/// The machine version from which a map has policies by region and nodes that
/// are drained. A map of an earlier version is written as it was then.
pub const POLICIES_VERSION: u32 = 2;

/// The machine version from which the collector's clock advances, and removed
/// manifests stay listed until their group's next barrier.
pub const COLLECTION_VERSION: u32 = 3;

/// The machine version from which a map has [`Members`]: nodes leave, are recovered, and are known
/// to be gone. From it on, receipts of nodes that are drained do not count.
pub const MEMBERS_VERSION: u32 = 3;

/// The machine version from which groups can be held by backups and restored to.
pub const BACKUP_VERSION: u32 = 3;

/// The machine version from which groups are made and slots move between them. From it on, what is
/// refused because another group owns the slot is not remembered.
pub const SLOTS_VERSION: u32 = 4;

/// The machine version from which groups of which nothing is asked sleep. Their state is written as
/// before.
pub const HIBERNATION_VERSION: u32 = 5;

/// The machine version from which packs are replaced by others, and pushes name the version that
/// their objects were checked at.
pub const REPLACEMENT_VERSION: u32 = 6;

/// The group that holds the cluster map.
pub const CLUSTER_GROUP: GroupId = GroupId(1);
/// The group that holds the SQL facts.
pub const METADATA_GROUP: GroupId = GroupId(2);
/// The first of the groups that hold slots.
pub const FIRST_DATA_GROUP: GroupId = GroupId(16);

/// Who is in the cluster and who keeps what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterMap {
    /// The cluster that this is the map of.
    pub cluster: ClusterId,
    /// Grows with every change.
    pub epoch: MapEpoch,
    /// The collector's clock as of this epoch.
    pub generation: Generation,
    /// What every replica is known to understand.
    pub machine_version: u32,
    /// Where copies of content are, and what a success survives.
    pub policies: Policies,
    /// All nodes, by id.
    pub nodes: Vec<Node>,
    /// Whose each slot is, by first slot; together they are all. Which groups there are:
    /// [`data_groups`](Self::data_groups).
    pub groups: Vec<SlotRange>,
    /// Where replicas vote, who is leaving and who has left.
    pub members: Box<Members>,
    /// Slots on their way between groups.
    pub moves: Box<Moves>,
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
    /// It is on its way out: placement puts nothing on it any more, and what it
    /// has is still read.
    pub draining: bool,
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
pub(crate) mod tests {
    use super::{ClusterMap, Copies, MACHINE_VERSION, Node, Policies, RegionShare, Slot};
    use crate::{ClusterId, Generation, Incarnation, MapEpoch, NodeId};

    pub(crate) fn anywhere(copies: u8) -> Copies {
        Copies::Anywhere(copies)
    }

    /// `a2 b1`: two copies in region a, one in b.
    pub(crate) fn regions(shares: &str) -> Copies {
        let shares = shares.split_whitespace().map(|share| {
            let (region, copies) = share.split_at(1);
            RegionShare {
                region: region.to_owned(),
                copies: copies.parse().unwrap(),
            }
        });
        Copies::Regions(shares.collect())
    }

    /// `a1 a1 b2`: two nodes in zone 1 of region a, one in zone 2 of b.
    pub(crate) fn nodes(places: &str) -> Vec<Node> {
        let places = places.split_whitespace().zip(1..);
        places
            .map(|(place, id)| Node {
                id: NodeId(id),
                control: format!("n{id}"),
                bulk: String::new(),
                zone: place[1..].to_owned(),
                region: place[..1].to_owned(),
                capacity: 1,
                incarnation: Incarnation(1),
                draining: false,
            })
            .collect()
    }

    pub(crate) fn map(places: &str) -> ClusterMap {
        ClusterMap {
            cluster: ClusterId([0; 16]),
            epoch: MapEpoch(1),
            generation: Generation(1),
            machine_version: MACHINE_VERSION,
            policies: Policies::default(),
            nodes: nodes(places),
            groups: ClusterMap::divide_slots(1),
            members: Box::default(),
            moves: Box::default(),
        }
    }

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
