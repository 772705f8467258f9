//! Peers over gRPC.
//!
//! One unary method whose messages are this crate's bytes, so there is no schema and no
//! generated code. TLS, and which certificate may speak for which node, is the caller's: it
//! passes in what makes connections ([`Dial`]) and what judges them ([`Authorise`]).

mod client;
mod codec;
mod server;

#[cfg(test)]
mod tests;

pub use client::{Dial, DialError, GrpcPeers, PlainDial};
pub use server::{Authorise, PeerService};

/// The gRPC service and method. Part of the protocol between releases.
const SERVICE: &str = "devflow.raft.v1.Peer";
const PATH: &str = "/devflow.raft.v1.Peer/Exchange";
