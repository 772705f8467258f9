//! Who a process is: certificates of a cluster's own authority, and TLS that
//! lets in nobody else.
//!
//! Every cluster has one authority, made by `cluster init`. It issues each party
//! a certificate that names the cluster, the role and the party. What it keeps
//! true:
//! - A connection comes about only between two parties of one cluster, and only
//!   nodes accept connections.
//! - TLS 1.3 only, no resumption: every connection checks both certificates.
//! - Private keys are readable by their owner only, and never printed.
//!
//! Not here: what a party may do once it is let in, how a key comes to another
//! machine, and revoking: an authority is replaced as a whole.

mod authority;
mod error;
mod files;
mod names;
mod party;
mod quic;
#[cfg(test)]
mod tests;
mod tls;
mod verify;

pub use authority::Authority;
pub use error::IdentityError;
pub use names::{Peer, Role, peer_of};
pub use party::Identity;
pub use quic::QuicTls;
pub use tls::{Acceptor, Connector, Protocol, TlsStream};
