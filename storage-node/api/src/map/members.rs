//! Who is in the cluster, in which standing, and how that changes.
//!
//! A change is judged against one map and answers the next, or why not: a pure function, so that
//! every replica of the cluster group judges alike and an operator can be told beforehand.
//!
//! Not here: which replicas a map wants ([`Seats`](super::Seats)), and what moves replicas and
//! content after a change (`storage-node/server`).

use serde::{Deserialize, Serialize};

use super::{ClusterMap, Node, Policy, PolicyError};
use crate::limits::MAX_NAME_BYTES;
use crate::{MapEpoch, NodeId};

/// By how much a recovery raises the epoch and the next node's number: the former members may have
/// gone further than the survivor has seen.
const RECOVERY_STEP: u64 = 1_000_000;

/// What a map has of its members besides [`Node`], since
/// [`MEMBERS_VERSION`](super::MEMBERS_VERSION).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// Where replicas that vote are: as many as the policy has copies. All nodes vote if there is
    /// none.
    pub order: Option<Policy>,
    /// The number that the next node gets. Whoever has a lower one and is not in the map has been
    /// removed for ever.
    pub next_node: u64,
    /// How often the cluster was recovered from a survivor.
    pub recoveries: u32,
    /// Nodes that nothing is left on.
    pub drained: Vec<NodeId>,
    /// Nodes that are being removed from the groups.
    pub leaving: Vec<NodeId>,
}

/// Where a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No node of this number was ever in the cluster, as far as this map knows.
    Unknown,
    /// It has its number and has yet to start.
    Joining,
    /// It takes its part.
    Active,
    /// On its way out: nothing new is placed on it, what it has is being copied.
    Draining,
    /// Nothing is left on it: it can be removed.
    Drained,
    /// It is being removed from the groups, and is not coming back.
    Leaving,
    /// It was removed. Its number is never given again.
    Gone,
}

/// A change of the members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MembersChange {
    /// Its replicas and its content are to be moved away.
    Drain(NodeId),
    /// It takes its part again.
    Undrain(NodeId),
    /// Nothing is left on it: proposed by whoever has made sure.
    Drained(NodeId),
    /// It is to go: drained, or dead.
    Remove {
        /// Which.
        node: NodeId,
        /// It is not coming back: what it had is repaired from the other copies.
        dead: bool,
    },
    /// No group has it any more: proposed by whoever has made sure.
    Removed(NodeId),
    /// It is in another place, or takes another share.
    Set {
        /// Which.
        node: NodeId,
        /// Its zone from now on.
        zone: Option<String>,
        /// Its region from now on.
        region: Option<String>,
        /// Its share of the content from now on.
        capacity: Option<u64>,
    },
    /// Where replicas that vote are.
    Order(Option<Policy>),
    /// All other nodes are lost. Proposed only by a recovery, into a log that nobody else has.
    Recovered(NodeId),
}

/// Why a change of the members is refused. Persisted in replies: variants are only ever added at
/// the end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum MembersError {
    /// It was removed before, or never there.
    #[error("node {0} is not in the cluster")]
    NoNode(NodeId),
    /// Nothing is to be undone.
    #[error("node {0} is not being drained")]
    NotDraining(NodeId),
    /// It is on its way out and cannot come back.
    #[error("node {0} is being removed already")]
    Leaving(NodeId),
    /// It still has what others have yet to copy.
    #[error(
        "node {0} is not drained: drain it first and wait for it, or, if it is lost for good, remove it as dead"
    )]
    NotDrained(NodeId),
    /// It has not been asked to leave.
    #[error("node {0} is not being removed")]
    NotLeaving(NodeId),
    /// Somebody must keep the data.
    #[error("node {0} is the last one that takes part; add another first")]
    LastNode(NodeId),
    /// What is left could not keep a policy that is kept now.
    #[error("without it a policy could not be kept, add a node first: {0}")]
    Policy(PolicyError),
    /// A name or number that no node can have.
    #[error("a zone and a region have 1 to {MAX_NAME_BYTES} bytes, a capacity is at least 1")]
    BadValue,
}

impl ClusterMap {
    /// Where a node stands by this map.
    pub fn standing(&self, id: NodeId) -> Standing {
        match self.node(id) {
            Some(_) if self.members.leaving.contains(&id) => Standing::Leaving,
            Some(_) if self.members.drained.contains(&id) => Standing::Drained,
            Some(node) if node.draining => Standing::Draining,
            Some(node) if node.incarnation.0 == 0 => Standing::Joining,
            Some(_) => Standing::Active,
            None if id.0 < self.members.next_node => Standing::Gone,
            None => Standing::Unknown,
        }
    }

    /// The map after a change, of the next epoch.
    pub fn changed(&self, change: &MembersChange) -> Result<Self, MembersError> {
        let mut map = self.clone();
        map.epoch = MapEpoch(self.epoch.0 + 1);
        match change {
            MembersChange::Drain(id) => {
                map.present(*id)?.draining = true;
                map.check_left(self, *id)?;
            }
            MembersChange::Undrain(id) => {
                let node = map.present(*id)?;
                if !std::mem::take(&mut node.draining) {
                    return Err(MembersError::NotDraining(*id));
                }
                map.members.drained.retain(|drained| drained != id);
            }
            MembersChange::Drained(id) => {
                if !map.present(*id)?.draining {
                    return Err(MembersError::NotDraining(*id));
                }
                if !map.members.drained.contains(id) {
                    map.members.drained.push(*id);
                }
            }
            MembersChange::Remove { node, dead } => map.remove(self, *node, *dead)?,
            MembersChange::Removed(id) => {
                if self.standing(*id) != Standing::Leaving {
                    return Err(MembersError::NotLeaving(*id));
                }
                map.nodes.retain(|node| node.id != *id);
                map.members.drained.retain(|node| node != id);
                map.members.leaving.retain(|node| node != id);
            }
            MembersChange::Set { .. } => map.set(self, change)?,
            MembersChange::Order(order) => {
                if let Some(policy) = order {
                    policy
                        .check("order", &map.nodes)
                        .map_err(MembersError::Policy)?;
                }
                map.members.order = order.clone();
            }
            MembersChange::Recovered(survivor) => {
                if map.node(*survivor).is_none() {
                    return Err(MembersError::NoNode(*survivor));
                }
                map.recover(*survivor);
            }
        }
        Ok(map)
    }

    /// A node that may still change its standing.
    fn present(&mut self, id: NodeId) -> Result<&mut Node, MembersError> {
        if self.members.leaving.contains(&id) {
            return Err(MembersError::Leaving(id));
        }
        let node = self.nodes.iter_mut().find(|node| node.id == id);
        node.ok_or(MembersError::NoNode(id))
    }

    fn remove(&mut self, before: &Self, id: NodeId, dead: bool) -> Result<(), MembersError> {
        let node = self.present(id)?;
        node.draining = true;
        if !dead && before.standing(id) != Standing::Drained {
            return Err(MembersError::NotDrained(id));
        }
        self.check_left(before, id)?;
        self.members.leaving.push(id);
        Ok(())
    }

    fn set(&mut self, before: &Self, change: &MembersChange) -> Result<(), MembersError> {
        let MembersChange::Set {
            node: id,
            zone,
            region,
            capacity,
        } = change
        else {
            return Ok(());
        };
        let is_name = |name: &String| (1..=MAX_NAME_BYTES).contains(&name.len());
        if !zone.iter().chain(region).all(is_name) || *capacity == Some(0) {
            return Err(MembersError::BadValue);
        }
        let node = self.present(*id)?;
        if let Some(zone) = zone {
            node.zone.clone_from(zone);
        }
        if let Some(region) = region {
            node.region.clone_from(region);
        }
        node.capacity = capacity.unwrap_or(node.capacity);
        self.check_policies(before)
    }

    fn recover(&mut self, survivor: NodeId) {
        self.epoch = MapEpoch(self.epoch.0 + RECOVERY_STEP);
        self.nodes.retain(|node| node.id == survivor);
        for node in &mut self.nodes {
            node.draining = false;
        }
        for made in &mut self.moves.made {
            made.voters.retain(|(id, _)| *id == survivor);
        }
        *self.members = Members {
            order: None,
            next_node: self.members.next_node.saturating_add(RECOVERY_STEP),
            recoveries: self.members.recoveries.saturating_add(1),
            drained: Vec::new(),
            leaving: Vec::new(),
        };
    }

    /// Whether somebody is left besides `id` and every policy that was kept still is.
    fn check_left(&self, before: &Self, id: NodeId) -> Result<(), MembersError> {
        let active = |node: &Node| self.standing(node.id) == Standing::Active;
        if !self.nodes.iter().any(|node| node.id != id && active(node)) {
            return Err(MembersError::LastNode(id));
        }
        self.check_policies(before)
    }

    fn check_policies(&self, before: &Self) -> Result<(), MembersError> {
        let order = self.members.order.iter().map(|policy| ("order", policy));
        for (name, policy) in self.policies.all().chain(order) {
            let was_kept = policy.check_nodes(name, &before.nodes).is_ok();
            if was_kept && let Err(error) = policy.check_nodes(name, &self.nodes) {
                return Err(MembersError::Policy(error));
            }
        }
        Ok(())
    }
}

impl std::fmt::Display for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown",
            Self::Joining => "joining",
            Self::Active => "active",
            Self::Draining => "draining",
            Self::Drained => "drained",
            Self::Leaving => "leaving",
            Self::Gone => "gone",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{map, regions};
    use super::{MembersChange, MembersError, NodeId, Policy, PolicyError, Standing};
    use crate::map::{ClusterMap, FailureDomain};

    fn after(map: &ClusterMap, changes: &[MembersChange]) -> ClusterMap {
        changes
            .iter()
            .fold(map.clone(), |map, change| map.changed(change).unwrap())
    }

    #[test]
    fn a_node_leaves_through_each_standing_and_its_number_stays_gone() {
        let mut map = map("a1 a1 a1 a1");
        map.members.next_node = 5;
        let id = NodeId(4);
        let remove = MembersChange::Remove {
            node: id,
            dead: false,
        };
        assert_eq!(map.changed(&remove), Err(MembersError::NotDrained(id)));
        let steps = [
            (MembersChange::Drain(id), Standing::Draining),
            (MembersChange::Drained(id), Standing::Drained),
            (remove.clone(), Standing::Leaving),
            (MembersChange::Removed(id), Standing::Gone),
        ];
        for (change, standing) in steps {
            let next = map.changed(&change).unwrap();
            assert_eq!(next.standing(id), standing);
            assert_eq!(next.epoch.0, map.epoch.0 + 1);
            map = next;
        }
        for change in [MembersChange::Drain(id), MembersChange::Undrain(id), remove] {
            assert_eq!(map.changed(&change), Err(MembersError::NoNode(id)));
        }
        assert_eq!(map.standing(NodeId(5)), Standing::Unknown);
    }

    #[test]
    fn a_drain_is_undone_even_when_it_had_come_to_its_end() {
        let map = map("a1 a1 a1");
        let id = NodeId(2);
        let undrain = MembersChange::Undrain(id);
        assert_eq!(map.changed(&undrain), Err(MembersError::NotDraining(id)));
        let drained = [
            MembersChange::Drain(id),
            MembersChange::Drained(id),
            undrain,
        ];
        let back = after(&map, &drained);
        assert_eq!(back.standing(id), Standing::Active);
        assert_eq!((back.nodes, back.members), (map.nodes, map.members));
    }

    #[test]
    fn one_node_too_many_does_not_go_and_the_reason_is_told() {
        let two = map("a1 a1");
        let id = NodeId(2);
        let dead = MembersChange::Remove {
            node: id,
            dead: true,
        };
        for change in [MembersChange::Drain(id), dead] {
            let refused = two.changed(&change);
            let survivable = matches!(
                refused,
                Err(MembersError::Policy(PolicyError::NotSurvivable { .. }))
            );
            assert!(survivable, "{refused:?}");
        }
        let alone = map("a1").changed(&MembersChange::Drain(NodeId(1)));
        assert_eq!(alone, Err(MembersError::LastNode(NodeId(1))));
        let mut wide = map("a1 a1 b1");
        wide.policies.default.copies = regions("a2 b1");
        let refused = wide.changed(&MembersChange::Drain(NodeId(3)));
        assert!(
            matches!(
                refused,
                Err(MembersError::Policy(PolicyError::NoRegion { .. }))
            ),
            "{refused:?}"
        );
        // Moving it out of the region is the same.
        let moved = MembersChange::Set {
            node: NodeId(3),
            zone: None,
            region: Some("c".into()),
            capacity: None,
        };
        assert!(matches!(wide.changed(&moved), Err(MembersError::Policy(_))));
        // What is not kept anyway does not hold a node back.
        wide.policies.default.copies = regions("a2 d1");
        wide.changed(&MembersChange::Drain(NodeId(3))).unwrap();
    }

    #[test]
    fn an_order_that_cannot_be_kept_is_refused() {
        let map = map("a1 b1 c1");
        let order = |copies| {
            MembersChange::Order(Some(Policy {
                copies: regions(copies),
                survive: FailureDomain::Region,
                home: None,
            }))
        };
        assert!(map.changed(&order("a1 b1 c1")).is_ok());
        assert!(matches!(
            map.changed(&order("a1 d1")),
            Err(MembersError::Policy(_))
        ));
        assert!(matches!(
            map.changed(&order("a0")),
            Err(MembersError::Policy(_))
        ));
    }

    #[test]
    fn a_recovery_leaves_the_survivor_and_fences_every_number_that_may_have_been_given() {
        let mut map = map("a1 a1 a1");
        map.members.next_node = 4;
        map.nodes[1].draining = true;
        let map = after(&map, &[MembersChange::Recovered(NodeId(2))]);
        assert_eq!(map.nodes.len(), 1);
        assert_eq!(map.standing(NodeId(2)), Standing::Active);
        assert_eq!((map.members.recoveries, map.epoch.0 > 1000), (1, true));
        for id in [1, 3, 4, 500] {
            assert_eq!(map.standing(NodeId(id)), Standing::Gone);
        }
    }

    #[test]
    fn values_that_no_node_can_have_are_refused() {
        let map = map("a1 a1 a1");
        let set = |zone: &str, capacity| MembersChange::Set {
            node: NodeId(1),
            zone: Some(zone.into()),
            region: None,
            capacity,
        };
        for bad in [set("", None), set(&"z".repeat(65), None), set("z", Some(0))] {
            assert_eq!(map.changed(&bad), Err(MembersError::BadValue));
        }
        let map = map.changed(&set("z9", Some(7))).unwrap();
        assert_eq!(
            (map.nodes[0].zone.as_str(), map.nodes[0].capacity),
            ("z9", 7)
        );
    }
}
