//! Peers over gRPC.
//!
//! One method whose messages are this crate's bytes, so there is no schema and no generated
//! code; short ones share a stream ([`rpc`]). TLS, and which certificate may speak for which node,
//! is the caller's: it passes in what makes connections ([`Dial`]) and what judges them
//! ([`Authorise`]).

use rpc::Method;

use crate::limits::MAX_WIRE_BYTES;

mod client;
mod server;

#[cfg(test)]
mod tests;

pub use client::{Dial, DialError, GrpcPeers, PlainDial};
pub use server::{Authorise, PeerService};

/// The gRPC service and method. Part of the protocol between releases.
const SERVICE: &str = "devflow.raft.v1.Peer";
static METHOD: Method = Method {
    unary: "/devflow.raft.v1.Peer/Exchange",
    shared: "/devflow.raft.v1.Peer/Exchanges",
    max_call: MAX_WIRE_BYTES,
    max_answer: MAX_WIRE_BYTES,
};
