//! What a certificate says, as DNS names: `CLUSTER.devflow` is the authority,
//! `ROLE.CLUSTER.devflow` the role and `NAME.ROLE.CLUSTER.devflow` the party,
//! with the cluster's id in hexadecimal.

use std::fmt;

use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use storage_node_api::ClusterId;
use webpki::EndEntityCert;

use super::error::IdentityError;

const SUFFIX: &str = "devflow";
/// The longest label of a DNS name (RFC 1035, section 2.3.4).
const MAX_NAME_BYTES: usize = 63;

/// What a party is in its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// A storage node: accepts connections and makes them.
    Node,
    /// A frontend: makes connections only.
    Frontend,
}

/// The other end of a connection, as its certificate shows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Peer {
    /// What it is.
    pub role: Role,
    /// The name that it was issued for.
    pub name: String,
}

impl Role {
    const ALL: [Self; 2] = [Self::Node, Self::Frontend];

    fn label(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Frontend => "frontend",
        }
    }

    /// The name that all parties of this role have in common.
    pub(super) fn dns_name(self, cluster: ClusterId) -> String {
        format!("{}.{}", self.label(), authority_name(cluster))
    }
}

impl Peer {
    /// A party of this name, if it can be one.
    pub(super) fn new(role: Role, name: &str) -> Result<Self, IdentityError> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let inner = !name.starts_with('-') && !name.ends_with('-');
        if inner && (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(plain) {
            let name = name.to_owned();
            Ok(Self { role, name })
        } else {
            let name = name.to_owned();
            Err(IdentityError::Name { name })
        }
    }

    pub(super) fn dns_name(&self, cluster: ClusterId) -> String {
        format!("{}.{}", self.name, self.role.dns_name(cluster))
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.role.label(), self.name)
    }
}

pub(super) fn authority_name(cluster: ClusterId) -> String {
    format!("{cluster}.{SUFFIX}")
}

/// Whom a certificate of this cluster was issued to.
///
/// Reads the names only: that the cluster's authority signed it, and that it has
/// not expired, TLS has checked before a connection exists.
pub fn peer_of(
    certificate: &CertificateDer<'_>,
    cluster: ClusterId,
) -> Result<Peer, IdentityError> {
    let names = dns_names(certificate)?;
    Role::ALL
        .into_iter()
        .find_map(|role| {
            let common = role.dns_name(cluster);
            let own = |name: &String| {
                let label = name.strip_suffix(&common)?.strip_suffix('.')?;
                Peer::new(role, label).ok()
            };
            names.contains(&common).then(|| names.iter().find_map(own))
        })
        .flatten()
        .ok_or(IdentityError::Foreign { cluster })
}

/// Of which cluster this is the authority's certificate.
pub(super) fn cluster_of(certificate: &CertificateDer<'_>) -> Result<ClusterId, IdentityError> {
    let names = dns_names(certificate)?;
    let cluster = |name: &String| {
        let label = name.strip_suffix(SUFFIX)?.strip_suffix('.')?;
        label.parse().ok()
    };
    names
        .iter()
        .find_map(cluster)
        .ok_or(IdentityError::Certificate)
}

fn dns_names(certificate: &CertificateDer<'_>) -> Result<Vec<String>, IdentityError> {
    let parsed = EndEntityCert::try_from(certificate).map_err(|_| IdentityError::Certificate)?;
    Ok(parsed.valid_dns_names().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::{Peer, Role};

    #[test]
    fn names_are_single_labels() {
        for good in ["a", "3", "node-1", &"x".repeat(63)] {
            assert!(Peer::new(Role::Node, good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a.b", "a b", "ä", "*", &"x".repeat(64)] {
            assert!(Peer::new(Role::Node, bad).is_err(), "{bad}");
        }
    }
}
