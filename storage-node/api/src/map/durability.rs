//! What a policy comes to with the nodes that there are.

use std::collections::BTreeSet;

use super::{ClusterMap, Copies, FailureDomain, Node, Policy};
use crate::{DedupDomain, NodeId};

/// The fewest failure domains of which one may be lost.
const SURVIVABLE: usize = 2;

/// How many distinct failure domains must hold a chunk before a commit may name
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Durability {
    /// So many, with the nodes that there are: at least one, and at most as
    /// many as there are domains to hold copies.
    pub needed: usize,
    /// So many for a success to survive what the policy says.
    pub wanted: usize,
}

impl Durability {
    /// Whether there are too few failure domains for what the policy promises,
    /// so that a success survives less.
    pub fn is_degraded(self) -> bool {
        self.needed < self.wanted
    }
}

/// A failure domain: equal for nodes that fail together under a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FailureUnit<'a> {
    region: &'a str,
    zone: &'a str,
    node: NodeId,
}

impl FailureDomain {
    /// The failure domain of this kind that a node is in.
    pub fn of(self, node: &Node) -> FailureUnit<'_> {
        let (region, zone, id) = (node.region.as_str(), node.zone.as_str(), node.id);
        match self {
            Self::Node => FailureUnit {
                region,
                zone,
                node: id,
            },
            Self::Zone => FailureUnit {
                region,
                zone,
                node: NodeId(0),
            },
            Self::Region => FailureUnit {
                region,
                zone: "",
                node: NodeId(0),
            },
        }
    }
}

impl Policy {
    /// Whether copies may be in this region.
    pub fn keeps_in(&self, region: &str) -> bool {
        match &self.copies {
            Copies::Anywhere(_) => true,
            Copies::Regions(shares) => shares.iter().any(|share| share.region == region),
        }
    }

    /// Whether new copies may be put on this node.
    pub fn places_on(&self, node: &Node) -> bool {
        !node.draining && self.keeps_in(&node.region)
    }

    /// How many failure domains of a region (of all, if none is named) copies may be in.
    pub(super) fn units(&self, nodes: &[Node], region: Option<&str>) -> usize {
        nodes
            .iter()
            .filter(|node| self.places_on(node))
            .filter(|node| region.is_none_or(|region| node.region == region))
            .map(|node| self.survive.of(node))
            .collect::<BTreeSet<_>>()
            .len()
    }

    /// What a success needs with these nodes.
    ///
    /// The domains must be a majority of those that hold one whole set of
    /// copies, and at least two, so that one is left whichever is lost. A whole
    /// set is all copies if they may be anywhere, and those of the region with
    /// the most if regions are named: other regions fill afterwards. Where a
    /// region may be lost, each region's copies are one.
    pub fn durability(&self, nodes: &[Node]) -> Durability {
        let available = self.units(nodes, None);
        let set = match (&self.copies, self.survive) {
            (Copies::Anywhere(copies), _) => usize::from(*copies).min(available),
            (Copies::Regions(_), FailureDomain::Region) => available,
            (Copies::Regions(shares), FailureDomain::Node | FailureDomain::Zone) => shares
                .iter()
                .map(|share| usize::from(share.copies).min(self.units(nodes, Some(&share.region))))
                .max()
                .unwrap_or(0),
        };
        let wanted = (set / 2 + 1).max(SURVIVABLE);
        Durability {
            needed: wanted.min(available).max(1),
            wanted,
        }
    }
}

impl ClusterMap {
    /// What a success needs for content of this domain.
    pub fn durability(&self, domain: DedupDomain) -> Durability {
        self.policy_of(domain).durability(&self.nodes)
    }

    /// How many distinct failure domains must hold a chunk of this domain
    /// before a commit may name it.
    pub fn quorum(&self, domain: DedupDomain) -> usize {
        self.durability(domain).needed
    }

    /// The failure domain that a node is in for content of this domain; nothing
    /// if the policy keeps none where the node is, so that it does not count.
    pub fn unit_of<'a>(&self, domain: DedupDomain, node: &'a Node) -> Option<FailureUnit<'a>> {
        let policy = self.policy_of(domain);
        policy
            .keeps_in(&node.region)
            .then(|| policy.survive.of(node))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{anywhere, nodes, regions};
    use super::{Durability, FailureDomain};

    #[test]
    fn a_quorum_outlives_the_loss_of_any_one_domain_or_says_that_it_does_not() {
        use FailureDomain::{Node, Region, Zone};
        let nine = "a1 a2 a3 b1 b2 b3 c1 c2 c3";
        let cases = [
            // One region, as it always was.
            (anywhere(3), Node, "a1", (1, 2)),
            (anywhere(3), Node, "a1 a1", (2, 2)),
            (anywhere(3), Node, "a1 a1 a1", (2, 2)),
            (anywhere(3), Node, nine, (2, 2)),
            (anywhere(5), Node, nine, (3, 3)),
            (anywhere(5), Node, "a1 a1 a1", (2, 2)),
            (anywhere(2), Node, nine, (2, 2)),
            // Zones: never more than there are.
            (anywhere(3), Zone, "a1 a1 a1", (1, 2)),
            (anywhere(3), Zone, "a1 a1 a2", (2, 2)),
            (anywhere(5), Zone, "a1 a1 a2 a2 a3 a3", (2, 2)),
            (anywhere(3), Region, "a1 a2 a3", (1, 2)),
            (anywhere(3), Region, "a1 b1", (2, 2)),
            (anywhere(5), Region, nine, (2, 2)),
            // A whole set is what one region has.
            (regions("a3 b3"), Node, nine, (2, 2)),
            (regions("a5 b3"), Node, "a1 a1 a1 a1 a1 b1", (3, 3)),
            (regions("a1 b1"), Node, nine, (2, 2)),
            (regions("a2 b2"), Zone, "a1 a1 b1 b1", (2, 2)),
            (regions("a2"), Zone, "a1 a1 b1 b1", (1, 2)),
            // A region: two of two or three.
            (regions("a2 b2"), Region, nine, (2, 2)),
            (regions("a2 b2 c2"), Region, nine, (2, 2)),
            (regions("a2 b2 c2"), Region, "a1 a2 a3", (1, 2)),
            (regions("d3"), Node, nine, (1, 2)),
        ];
        for (copies, survive, there, (needed, wanted)) in cases {
            let policy = super::Policy {
                copies,
                survive,
                home: None,
            };
            let durability = policy.durability(&nodes(there));
            let expected = Durability { needed, wanted };
            assert_eq!(durability, expected, "{policy:?} on {there}");
            assert_eq!(durability.is_degraded(), needed < 2);
        }
    }

    #[test]
    fn a_node_that_is_drained_counts_for_nothing_new() {
        let policy = super::Policy::default();
        let mut nodes = nodes("a1 a1");
        nodes[1].draining = true;
        assert_eq!(policy.durability(&nodes).needed, 1);
        assert!(policy.durability(&nodes).is_degraded());
    }
}
