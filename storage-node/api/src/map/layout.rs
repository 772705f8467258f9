//! A map as it is stored and sent. Its machine version comes before what the
//! version changes, so that a map is read by the version that it names, and one
//! of an earlier version is written as earlier releases read it.
//!
//! The fields follow each other without names or lengths, as postcard writes
//! them; later versions add fields, and add them at the end of a part.

use std::fmt;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::{Error as _, SerializeStruct};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    ClusterMap, Copies, FailureDomain, MEMBERS_VERSION, Members, Moves, Node, POLICIES_VERSION,
    Policies, Policy, SLOTS_VERSION, SlotRange,
};
use crate::{Incarnation, NodeId};

const NAME: &str = "ClusterMap";
const FIELDS: &[&str] = &["cluster", "epoch", "generation", "machine_version", "rest"];

/// What follows the machine version, since [`POLICIES_VERSION`].
#[derive(Serialize, Deserialize)]
struct Rest {
    policies: Policies,
    nodes: Vec<Node>,
    groups: Vec<SlotRange>,
}

/// What follows the machine version, since [`MEMBERS_VERSION`].
#[derive(Serialize, Deserialize)]
struct MembersRest {
    rest: Rest,
    members: Members,
}

/// What follows the machine version, since [`SLOTS_VERSION`].
#[derive(Serialize, Deserialize)]
struct MovesRest {
    rest: MembersRest,
    moves: Moves,
}

/// What follows the machine version 1.
#[derive(Serialize, Deserialize)]
struct FirstRest {
    policy: FirstPolicy,
    nodes: Vec<FirstNode>,
    groups: Vec<SlotRange>,
}

#[derive(Serialize, Deserialize)]
struct FirstPolicy {
    copies: u8,
    survive: FailureDomain,
}

#[derive(Serialize, Deserialize)]
struct FirstNode {
    id: NodeId,
    control: String,
    bulk: String,
    zone: String,
    region: String,
    capacity: u64,
    incarnation: Incarnation,
}

impl ClusterMap {
    fn first_rest(&self) -> Option<FirstRest> {
        let Policies {
            default,
            named,
            domains,
        } = &self.policies;
        let (Copies::Anywhere(copies), None) = (&default.copies, &default.home) else {
            return None;
        };
        let is_plain = named.is_empty() && domains.is_empty();
        (is_plain && !self.nodes.iter().any(|node| node.draining)).then(|| FirstRest {
            policy: FirstPolicy {
                copies: *copies,
                survive: default.survive,
            },
            nodes: self.nodes.iter().map(FirstNode::new).collect(),
            groups: self.groups.clone(),
        })
    }

    fn rest(&self) -> Rest {
        Rest {
            policies: self.policies.clone(),
            nodes: self.nodes.clone(),
            groups: self.groups.clone(),
        }
    }
}

impl FirstNode {
    fn new(node: &Node) -> Self {
        Self {
            id: node.id,
            control: node.control.clone(),
            bulk: node.bulk.clone(),
            zone: node.zone.clone(),
            region: node.region.clone(),
            capacity: node.capacity,
            incarnation: node.incarnation,
        }
    }
}

impl From<FirstNode> for Node {
    fn from(node: FirstNode) -> Self {
        Self {
            id: node.id,
            control: node.control,
            bulk: node.bulk,
            zone: node.zone,
            region: node.region,
            capacity: node.capacity,
            incarnation: node.incarnation,
            draining: false,
        }
    }
}

impl From<FirstRest> for Rest {
    fn from(rest: FirstRest) -> Self {
        Self {
            policies: Policies {
                default: Policy {
                    copies: Copies::Anywhere(rest.policy.copies),
                    survive: rest.policy.survive,
                    home: None,
                },
                ..Policies::default()
            },
            nodes: rest.nodes.into_iter().map(Node::from).collect(),
            groups: rest.groups,
        }
    }
}

impl Serialize for ClusterMap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_struct(NAME, FIELDS.len())?;
        map.serialize_field("cluster", &self.cluster)?;
        map.serialize_field("epoch", &self.epoch)?;
        map.serialize_field("generation", &self.generation)?;
        map.serialize_field("machine_version", &self.machine_version)?;
        if self.machine_version < MEMBERS_VERSION && *self.members != Members::default() {
            let unknown = "a map before machine version 3 knows nothing of who leaves";
            return Err(S::Error::custom(unknown));
        }
        if self.machine_version < SLOTS_VERSION && *self.moves != Moves::default() {
            let unknown = "a map before machine version 4 moves no slots";
            return Err(S::Error::custom(unknown));
        }
        if self.machine_version < POLICIES_VERSION {
            let unknown = "a map of machine version 1 has no policies by region and drains no node";
            let rest = self.first_rest().ok_or_else(|| S::Error::custom(unknown))?;
            map.serialize_field("rest", &rest)?;
        } else if self.machine_version < MEMBERS_VERSION {
            map.serialize_field("rest", &self.rest())?;
        } else {
            let (rest, members) = (self.rest(), (*self.members).clone());
            let rest = MembersRest { rest, members };
            if self.machine_version < SLOTS_VERSION {
                map.serialize_field("rest", &rest)?;
            } else {
                let moves = (*self.moves).clone();
                map.serialize_field("rest", &MovesRest { rest, moves })?;
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for ClusterMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct(NAME, FIELDS, Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = ClusterMap;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a cluster map")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut fields: A) -> Result<ClusterMap, A::Error> {
        let short = |index| move || A::Error::invalid_length(index, &Fields);
        let cluster = fields.next_element()?.ok_or_else(short(0))?;
        let epoch = fields.next_element()?.ok_or_else(short(1))?;
        let generation = fields.next_element()?.ok_or_else(short(2))?;
        let machine_version = fields.next_element()?.ok_or_else(short(3))?;
        let mut members = Members::default();
        let mut moves = Moves::default();
        let rest: Rest = if machine_version < POLICIES_VERSION {
            let rest: Option<FirstRest> = fields.next_element()?;
            rest.ok_or_else(short(4))?.into()
        } else if machine_version < MEMBERS_VERSION {
            fields.next_element()?.ok_or_else(short(4))?
        } else {
            let both = if machine_version < SLOTS_VERSION {
                fields.next_element()?.ok_or_else(short(4))?
            } else {
                let all: MovesRest = fields.next_element()?.ok_or_else(short(4))?;
                moves = all.moves;
                all.rest
            };
            let MembersRest {
                rest,
                members: read,
            } = both;
            members = read;
            rest
        };
        Ok(ClusterMap {
            cluster,
            epoch,
            generation,
            machine_version,
            policies: rest.policies,
            nodes: rest.nodes,
            groups: rest.groups,
            members: Box::new(members),
            moves: Box::new(moves),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{map, regions};
    use super::{ClusterMap, MEMBERS_VERSION, POLICIES_VERSION, SLOTS_VERSION};
    use crate::NodeId;
    use crate::map::SlotsChange;

    #[test]
    fn a_map_of_either_version_comes_back() {
        let mut map = map("a1 a2 b1");
        map.machine_version = 1;
        let first = postcard::to_allocvec(&map).unwrap();
        assert_eq!(postcard::from_bytes::<ClusterMap>(&first).unwrap(), map);
        map.policies.default.copies = regions("a2 b1");
        assert!(postcard::to_allocvec(&map).is_err());
        map.machine_version = POLICIES_VERSION;
        map.nodes[1].draining = true;
        let bytes = postcard::to_allocvec(&map).unwrap();
        assert_eq!(postcard::from_bytes::<ClusterMap>(&bytes).unwrap(), map);
        map.members.leaving = vec![NodeId(2)];
        map.members.next_node = 4;
        assert!(postcard::to_allocvec(&map).is_err());
        map.machine_version = MEMBERS_VERSION;
        let bytes = postcard::to_allocvec(&map).unwrap();
        assert_eq!(postcard::from_bytes::<ClusterMap>(&bytes).unwrap(), map);
        map = map.moved(&SlotsChange::Divide(2)).unwrap();
        assert!(postcard::to_allocvec(&map).is_err());
        map.machine_version = SLOTS_VERSION;
        let bytes = postcard::to_allocvec(&map).unwrap();
        assert_eq!(postcard::from_bytes::<ClusterMap>(&bytes).unwrap(), map);
        for length in 0..bytes.len() {
            assert!(postcard::from_bytes::<ClusterMap>(&bytes[..length]).is_err());
        }
    }
}
