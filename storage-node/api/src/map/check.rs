//! Whether policies can be kept.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Assigned, Copies, FailureDomain, NamedPolicy, Node, Policies, Policy};
use crate::DedupDomain;
use crate::limits::{
    MAX_COPIES, MAX_NAME_BYTES, MAX_POLICIES, MAX_POLICY_DOMAINS, MAX_POLICY_REGIONS,
};

/// Why policies are refused. Persisted in replies: variants are only ever added
/// at the end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum PolicyError {
    /// More than a map carries.
    #[error("there may be at most {MAX_POLICIES} policies besides the default")]
    TooMany,
    /// More than a map carries.
    #[error("at most {MAX_POLICY_DOMAINS} domains may have a policy of their own")]
    TooManyDomains,
    /// A name that cannot be told from others.
    #[error("policy name {name:?}: a name has 1 to {MAX_NAME_BYTES} bytes and is given once")]
    Name {
        /// The name.
        name: String,
    },
    /// A domain that has two policies.
    #[error("domain {domain} has more than one policy")]
    DomainTwice {
        /// Which.
        domain: DedupDomain,
    },
    /// A domain whose policy is not there.
    #[error("domain {domain} has policy {policy:?}, which does not exist")]
    NoSuchPolicy {
        /// Which domain.
        domain: DedupDomain,
        /// What it names.
        policy: String,
    },
    /// No copies, or more than are allowed, or too many regions.
    #[error(
        "policy {policy:?}: copies must be 1 to {MAX_COPIES} in each of 1 to {MAX_POLICY_REGIONS} regions"
    )]
    Copies {
        /// Which.
        policy: String,
    },
    /// A region that is named twice.
    #[error("policy {policy:?} names region {region:?} twice")]
    RegionTwice {
        /// Which.
        policy: String,
        /// The region.
        region: String,
    },
    /// A region without a node to place on.
    #[error("policy {policy:?}: no node is in region {region:?}")]
    NoRegion {
        /// Which.
        policy: String,
        /// The region.
        region: String,
    },
    /// A home where no copies are.
    #[error("policy {policy:?}: its home {home:?} has no copies by it")]
    Home {
        /// Which.
        policy: String,
        /// The home.
        home: String,
    },
    /// More copies than there are nodes.
    #[error(
        "policy {policy:?}: {copies} copies in region {region:?} need as many nodes, it has {nodes}"
    )]
    TooFewNodes {
        /// Which.
        policy: String,
        /// The region.
        region: String,
        /// Copies there.
        copies: u8,
        /// Nodes there that are not drained.
        nodes: u32,
    },
    /// Whatever is lost might be all there is.
    #[error(
        "policy {policy:?}: surviving the loss of a {survive} takes copies in {needed} of them; there can be {found}"
    )]
    NotSurvivable {
        /// Which.
        policy: String,
        /// What is to be survived.
        survive: FailureDomain,
        /// Domains that must hold a copy.
        needed: u32,
        /// Domains that can.
        found: u32,
    },
}

impl Policies {
    /// Whether these policies may take the place of those in force, with the
    /// nodes that there are. A policy that does not change is not held against
    /// the nodes: those may have gone since.
    pub fn check(&self, in_force: &Self, nodes: &[Node]) -> Result<(), PolicyError> {
        self.check_names()?;
        for (name, policy) in self.all() {
            policy.check_shape(name)?;
            if in_force.by_name(name) != Some(policy) {
                policy.check_nodes(name, nodes)?;
            }
        }
        Ok(())
    }

    fn check_names(&self) -> Result<(), PolicyError> {
        if self.named.len() > MAX_POLICIES {
            return Err(PolicyError::TooMany);
        }
        if self.domains.len() > MAX_POLICY_DOMAINS {
            return Err(PolicyError::TooManyDomains);
        }
        let mut names = BTreeSet::from([Self::DEFAULT]);
        for NamedPolicy { name, .. } in &self.named {
            if name.is_empty() || name.len() > MAX_NAME_BYTES || !names.insert(name) {
                return Err(PolicyError::Name { name: name.clone() });
            }
        }
        let mut domains = BTreeSet::new();
        for Assigned { domain, policy } in &self.domains {
            if !domains.insert(domain) {
                return Err(PolicyError::DomainTwice { domain: *domain });
            }
            if self.by_name(policy).is_none() {
                return Err(PolicyError::NoSuchPolicy {
                    domain: *domain,
                    policy: policy.clone(),
                });
            }
        }
        Ok(())
    }
}

impl Policy {
    /// Whether it agrees with itself, and these nodes can hold what it promises.
    pub(super) fn check(&self, name: &str, nodes: &[Node]) -> Result<(), PolicyError> {
        self.check_shape(name)?;
        self.check_nodes(name, nodes)
    }

    /// Whether it agrees with itself.
    fn check_shape(&self, name: &str) -> Result<(), PolicyError> {
        let policy = || name.to_owned();
        let is_count = |copies: u8| (1..=MAX_COPIES).contains(&copies);
        let good = match &self.copies {
            Copies::Anywhere(copies) => is_count(*copies),
            Copies::Regions(shares) => {
                (1..=MAX_POLICY_REGIONS).contains(&shares.len())
                    && shares.iter().all(|share| is_count(share.copies))
                    && shares
                        .iter()
                        .all(|share| share.region.len() <= MAX_NAME_BYTES)
            }
        };
        if !good {
            return Err(PolicyError::Copies { policy: policy() });
        }
        let mut regions = BTreeSet::new();
        if let Copies::Regions(shares) = &self.copies
            && let Some(twice) = shares.iter().find(|share| !regions.insert(&share.region))
        {
            return Err(PolicyError::RegionTwice {
                policy: policy(),
                region: twice.region.clone(),
            });
        }
        match &self.home {
            Some(home) if home.len() > MAX_NAME_BYTES || !self.keeps_in(home) => {
                Err(PolicyError::Home {
                    policy: policy(),
                    home: home.chars().take(MAX_NAME_BYTES).collect(),
                })
            }
            _ => Ok(()),
        }
    }

    /// Whether these nodes can hold what it promises.
    pub(super) fn check_nodes(&self, name: &str, nodes: &[Node]) -> Result<(), PolicyError> {
        let policy = || name.to_owned();
        let count = |region: &str| {
            let there = nodes.iter().filter(|node| node.region == region);
            there.filter(|node| self.places_on(node)).count()
        };
        let mut regions: Vec<&str> = self.home.iter().map(String::as_str).collect();
        if let Copies::Regions(shares) = &self.copies {
            regions.extend(shares.iter().map(|share| share.region.as_str()));
        }
        if let Some(empty) = regions.into_iter().find(|region| count(region) == 0) {
            return Err(PolicyError::NoRegion {
                policy: policy(),
                region: empty.to_owned(),
            });
        }
        if let Copies::Regions(shares) = &self.copies {
            for share in shares {
                let there = count(&share.region);
                if there < usize::from(share.copies) {
                    return Err(PolicyError::TooFewNodes {
                        policy: policy(),
                        region: share.region.clone(),
                        copies: share.copies,
                        nodes: number(there),
                    });
                }
            }
        }
        let durability = self.durability(nodes);
        let found = durability.needed.min(self.most_units(nodes));
        if found < durability.wanted {
            return Err(PolicyError::NotSurvivable {
                policy: policy(),
                survive: self.survive,
                needed: number(durability.wanted),
                found: number(found),
            });
        }
        Ok(())
    }

    /// In how many failure domains its copies can be at the same time.
    fn most_units(&self, nodes: &[Node]) -> usize {
        let units =
            |region: Option<&str>, copies: u8| self.units(nodes, region).min(usize::from(copies));
        match &self.copies {
            Copies::Anywhere(copies) => units(None, *copies),
            Copies::Regions(shares) => shares
                .iter()
                .map(|share| units(Some(&share.region), share.copies))
                .sum(),
        }
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{anywhere, nodes, regions};
    use super::{Assigned, FailureDomain, NamedPolicy, Policies, Policy, PolicyError};
    use crate::DedupDomain;

    fn told(policies: &Policies, there: &str) -> String {
        match policies.check(&Policies::default(), &nodes(there)) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "one table")]
    fn a_policy_that_cannot_be_kept_is_refused_with_the_reason() {
        use FailureDomain::{Node, Region, Zone};
        let nine = "a1 a2 a3 b1 b2 b3 c1 c2 c3";
        let cases = [
            (anywhere(3), Node, None, nine, ""),
            (anywhere(3), Zone, Some("b"), nine, ""),
            (regions("a2 b2 c2"), Region, Some("a"), nine, ""),
            (regions("a1 b1"), Region, None, nine, ""),
            (regions("a3"), Zone, None, nine, ""),
            (anywhere(0), Node, None, nine, "copies must be 1 to"),
            (regions(""), Node, None, nine, "copies must be 1 to"),
            (regions("a0 b1"), Node, None, nine, "copies must be 1 to"),
            (
                regions("a1 a2"),
                Node,
                None,
                nine,
                "names region \"a\" twice",
            ),
            (
                regions("a1 d1"),
                Node,
                None,
                nine,
                "no node is in region \"d\"",
            ),
            (
                anywhere(3),
                Node,
                Some("d"),
                nine,
                "no node is in region \"d\"",
            ),
            (
                regions("a2 b2"),
                Node,
                Some("c"),
                nine,
                "home \"c\" has no copies",
            ),
            (
                regions("a4"),
                Node,
                None,
                nine,
                "4 copies in region \"a\" need as many nodes, it has 3",
            ),
            (
                regions("a3"),
                Region,
                None,
                nine,
                "loss of a region takes copies in 2 of them; there can be 1",
            ),
            (
                regions("a1"),
                Node,
                None,
                nine,
                "loss of a node takes copies in 2 of them; there can be 1",
            ),
            (
                anywhere(1),
                Node,
                None,
                nine,
                "takes copies in 2 of them; there can be 1",
            ),
            (
                anywhere(3),
                Zone,
                None,
                "a1 a1 a1",
                "loss of a zone takes copies in 2",
            ),
            (
                regions("a2"),
                Zone,
                None,
                "a1 a1 b1",
                "loss of a zone takes copies in 2",
            ),
        ];
        for (copies, survive, home, there, expected) in cases {
            let policy = Policy {
                copies,
                survive,
                home: home.map(str::to_owned),
            };
            let policies = Policies {
                named: vec![NamedPolicy {
                    name: "p".to_owned(),
                    policy: policy.clone(),
                }],
                ..Policies::default()
            };
            let told = told(&policies, there);
            assert_eq!(told.is_empty(), expected.is_empty(), "{policy:?}: {told}");
            assert!(told.contains(expected), "{policy:?}: {told}");
        }
    }

    #[test]
    fn names_and_domains_are_given_once() {
        let named = |names: &[&str], domains: &[(u64, &str)]| Policies {
            named: names
                .iter()
                .map(|name| NamedPolicy {
                    name: (*name).to_owned(),
                    policy: Policy::default(),
                })
                .collect(),
            domains: domains
                .iter()
                .map(|(domain, policy)| Assigned {
                    domain: DedupDomain(*domain),
                    policy: (*policy).to_owned(),
                })
                .collect(),
            ..Policies::default()
        };
        let there = "a1 a1 a1";
        assert_eq!(
            told(&named(&["x", "y"], &[(1, "x"), (2, "default")]), there),
            ""
        );
        assert!(told(&named(&["x", "x"], &[]), there).contains("given once"));
        assert!(told(&named(&["default"], &[]), there).contains("given once"));
        assert!(told(&named(&[""], &[]), there).contains("given once"));
        assert!(told(&named(&[&"x".repeat(99)], &[]), there).contains("given once"));
        assert!(told(&named(&[], &[(1, "x")]), there).contains("does not exist"));
        assert!(told(&named(&["x"], &[(1, "x"), (1, "x")]), there).contains("more than one"));
        let many: Vec<String> = (0..17).map(|number| number.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(told(&named(&many, &[]), there).contains("at most 16"));
    }

    #[test]
    fn what_does_not_change_is_not_held_against_the_nodes_again() {
        let alone = nodes("a1");
        let default = Policies::default();
        assert_eq!(default.check(&default, &alone), Ok(()));
        let mut zones = default.clone();
        zones.default.survive = FailureDomain::Zone;
        assert!(matches!(
            zones.check(&default, &alone),
            Err(PolicyError::NotSurvivable { .. })
        ));
        assert_eq!(zones.check(&zones, &alone), Ok(()));
    }
}
