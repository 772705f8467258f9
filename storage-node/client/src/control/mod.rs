//! What is asked of a node besides chunks, over gRPC.
//!
//! One method whose messages are a version byte and postcard, so there is no
//! schema and no generated code; writes share a stream ([`rpc`]). The gRPC server is the caller's, so that Raft
//! shares it: [`Incoming`] is what it serves, [`service`] what answers.
//!
//! What it keeps true:
//! - Only a peer whose certificate TLS has checked is answered.
//! - A failure says that nothing was sent ([`NodeError::Unreachable`]) only if
//!   there was no connection; any doubt is [`NodeError::Silent`].
//! - Every call has a deadline and every message a greatest size.
//!
//! Not here: chunks (see [`bulk`](crate::bulk)), and trying again, which only
//! the [`tier`](crate::tier) can do safely.
//!
//! [`NodeError::Unreachable`]: storage_node_api::node::NodeError::Unreachable
//! [`NodeError::Silent`]: storage_node_api::node::NodeError::Silent

use rpc::Method;

mod beside;
mod caller;
mod channel;
mod incoming;
mod service;
#[cfg(test)]
mod tests;
mod wire;

pub use beside::Beside;
pub use caller::Caller;
pub use channel::{AddressError, ConnectError, channel};
pub use incoming::{Accepted, Incoming};
pub use service::{NodeService, service};

pub(crate) use wire::{Call, Outcome};

/// The most bytes of a call: a metadata batch of many large values.
const MAX_CALL_BYTES: usize = 8 << 20;
/// The most bytes of an outcome: all refs of a repository with very many.
const MAX_OUTCOME_BYTES: usize = 64 << 20;

/// The gRPC service and method. Part of the protocol between releases.
const SERVICE: &str = "devflow.storage.v1.Node";
static METHOD: Method = Method {
    unary: "/devflow.storage.v1.Node/Call",
    shared: "/devflow.storage.v1.Node/Calls",
    max_call: MAX_CALL_BYTES,
    max_answer: MAX_OUTCOME_BYTES,
};
