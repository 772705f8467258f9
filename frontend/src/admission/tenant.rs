use std::net::{IpAddr, Ipv4Addr};

use domain::{AccountId, Viewer};

use crate::request::Peer;

/// Whose share a request counts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tenant {
    /// Someone with an account, wherever they come from.
    User(AccountId),
    /// Strangers from one address.
    Address(Ipv4Addr),
    /// Strangers from one network of version 6: its first 64 bits, since each
    /// site has as many addresses below as it likes.
    Network(u64),
}

impl Tenant {
    pub(crate) fn of(viewer: &Viewer, peer: Peer) -> Self {
        match (viewer.user(), peer.0) {
            (Some(user), _) => Self::User(user.id),
            (None, IpAddr::V4(address)) => Self::Address(address),
            (None, IpAddr::V6(address)) => match address.to_ipv4_mapped() {
                Some(address) => Self::Address(address),
                None => Self::Network((u128::from(address) >> 64) as u64),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::Viewer;

    use super::Tenant;
    use crate::request::Peer;

    #[test]
    fn strangers_are_told_apart_by_what_they_cannot_choose() {
        let tenant = |address: &str| Tenant::of(&Viewer::Anonymous, Peer(address.parse().unwrap()));
        assert_eq!(tenant("192.0.2.1"), tenant("::ffff:192.0.2.1"));
        assert_ne!(tenant("192.0.2.1"), tenant("192.0.2.2"));
        assert_eq!(tenant("2001:db8::1"), tenant("2001:db8::ffff:2"));
        assert_ne!(tenant("2001:db8::1"), tenant("2001:db8:0:1::1"));
    }
}
