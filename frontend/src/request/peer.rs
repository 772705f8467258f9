use std::net::{IpAddr, Ipv4Addr};

use http::Extensions;

/// The address at the other end of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl Peer {
    /// The peer of a request; of one that came over no connection, none.
    pub(crate) fn of(extensions: &Extensions) -> Self {
        let unspecified = Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        extensions.get::<Self>().copied().unwrap_or(unspecified)
    }
}
