use serde::{Deserialize, Serialize};

use super::ClusterMap;
use crate::DedupDomain;

/// Which policy holds for which content.
///
/// The dedup domain is the boundary within which copies are shared, so it is
/// what has a policy: content of one domain has one placement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policies {
    /// Of every domain that has none of its own; always there, and called
    /// `default`.
    pub default: Policy,
    /// Others, by name; at most [`MAX_POLICIES`](crate::limits::MAX_POLICIES).
    pub named: Vec<NamedPolicy>,
    /// The domains that have one of those; at most
    /// [`MAX_POLICY_DOMAINS`](crate::limits::MAX_POLICY_DOMAINS).
    pub domains: Vec<Assigned>,
}

/// A policy and what it is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedPolicy {
    /// Its name, other than `default`.
    pub name: String,
    /// What it says.
    pub policy: Policy,
}

/// A domain with a policy of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assigned {
    /// Which domain.
    pub domain: DedupDomain,
    /// The name of one of [`Policies::named`].
    pub policy: String,
}

/// Where copies of content are, and what a success survives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// How many copies, and where.
    pub copies: Copies,
    /// The failure domain of which any one may be lost.
    pub survive: FailureDomain,
    /// The region that is asked first where regions are alike.
    pub home: Option<String>,
}

/// How many copies of every chunk there are, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Copies {
    /// So many on the nodes of all regions; fewer while there are fewer nodes.
    /// They are spread over regions if one may be lost, over zones otherwise.
    Anywhere(u8),
    /// So many in each region named, and none elsewhere.
    Regions(Vec<RegionShare>),
}

/// What one region has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionShare {
    /// The region, as its nodes name it.
    pub region: String,
    /// Copies of every chunk, at least one, in zones as different as can be;
    /// fewer while the region has fewer nodes.
    pub copies: u8,
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

/// Three copies on any nodes, of which one may be lost.
impl Default for Policy {
    fn default() -> Self {
        Self {
            copies: Copies::Anywhere(3),
            survive: FailureDomain::Node,
            home: None,
        }
    }
}

impl Policies {
    /// The name of the policy that is always there.
    pub const DEFAULT: &'static str = "default";

    /// The policy of that name.
    pub fn by_name(&self, name: &str) -> Option<&Policy> {
        if name == Self::DEFAULT {
            return Some(&self.default);
        }
        let named = self.named.iter().find(|named| named.name == name)?;
        Some(&named.policy)
    }

    /// The name of the policy that holds for a domain.
    pub fn name_of(&self, domain: DedupDomain) -> &str {
        let assigned = self.domains.iter().find(|one| one.domain == domain);
        match assigned {
            Some(assigned) if self.by_name(&assigned.policy).is_some() => &assigned.policy,
            _ => Self::DEFAULT,
        }
    }

    /// The policy that holds for a domain.
    pub fn of(&self, domain: DedupDomain) -> &Policy {
        self.by_name(self.name_of(domain)).unwrap_or(&self.default)
    }

    /// Every policy with its name, the default first.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Policy)> {
        let named = self.named.iter();
        std::iter::once((Self::DEFAULT, &self.default))
            .chain(named.map(|named| (named.name.as_str(), &named.policy)))
    }
}

impl ClusterMap {
    /// The policy that holds for a domain.
    pub fn policy_of(&self, domain: DedupDomain) -> &Policy {
        self.policies.of(domain)
    }
}

impl std::fmt::Display for FailureDomain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Node => "node",
            Self::Zone => "zone",
            Self::Region => "region",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Assigned, Copies, NamedPolicy, Policies, Policy};
    use crate::DedupDomain;

    #[test]
    fn a_domain_has_its_own_policy_or_the_default() {
        let twice = Policy {
            copies: Copies::Anywhere(2),
            ..Policy::default()
        };
        let policies = Policies {
            named: vec![NamedPolicy {
                name: "twice".to_owned(),
                policy: twice.clone(),
            }],
            domains: vec![
                Assigned {
                    domain: DedupDomain(7),
                    policy: "twice".to_owned(),
                },
                Assigned {
                    domain: DedupDomain(8),
                    policy: "gone".to_owned(),
                },
            ],
            ..Policies::default()
        };
        assert_eq!(policies.of(DedupDomain(7)), &twice);
        for domain in [1, 8].map(DedupDomain) {
            assert_eq!(policies.of(domain), &Policy::default());
            assert_eq!(policies.name_of(domain), "default");
        }
        let names: Vec<&str> = policies.all().map(|(name, _)| name).collect();
        assert_eq!(names, ["default", "twice"]);
    }
}
