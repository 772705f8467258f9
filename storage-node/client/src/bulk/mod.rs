//! Chunks between processes: presence, store and fetch over framed, pipelined
//! connections of their own, so that they never hold up control or Raft.
//!
//! A [`Transport`] makes streams of bytes between parties that know each other;
//! everything above is the same for all of them: [`Pool`] asks one node, and
//! [`serve`] answers for one. What it keeps true:
//! - Every frame, queue, batch of requests and wait has a limit; a peer that is
//!   over one is refused, one that is slow or gone costs its own requests only.
//! - Payloads are not copied between the socket and the store.
//! - A broken frame ends its connection, and no answer is taken for another's.
//!
//! Not here: whether bytes are what their id says. Whoever uses them checks.

mod congestion;
mod deadline;
mod frame;
mod link;
#[cfg(test)]
mod lossy;
mod memory;
mod metrics;
mod pool;
mod quic;
mod route;
mod server;
#[cfg(test)]
mod suite;
mod tcp;
#[cfg(test)]
mod tests;
mod transport;
mod wire;

pub use memory::{MemoryNetwork, MemoryTransport};
pub use metrics::Metrics;
pub use pool::Pool;
pub use quic::QuicTransport;
pub use route::{Choice, Either, Falling, Route};
pub use server::serve;
pub use tcp::TcpTransport;
pub use transport::{Listener, Stream, Transport};

use std::time::Duration;

use storage_node_api::limits::PUT_BATCH_BYTES;

/// The most bytes of a frame's message: ids and lengths of a batch of chunks.
const MAX_MESSAGE_BYTES: usize = 128 << 10;
/// The most bytes of chunks in one frame.
const MAX_PAYLOAD_BYTES: usize = PUT_BATCH_BYTES;
/// Connections to one node.
const MAX_CONNECTIONS: usize = 4;
/// Requests under way on one connection, at either end; more wait.
const MAX_PIPELINED: usize = 8;
/// Connections that a node serves at a time; more wait.
const MAX_SERVED: usize = 512;
/// How long a connection may take to come about.
const CONNECT_DEADLINE: Duration = Duration::from_secs(3);
/// How long a request may take from when it is asked to its whole answer.
const REQUEST_DEADLINE: Duration = Duration::from_secs(30);
/// How long a frame may take on its way in or out, once it has begun.
const FRAME_DEADLINE: Duration = Duration::from_secs(20);
/// How long a connection without requests is kept by who serves it.
const IDLE: Duration = Duration::from_secs(300);
/// How long a node that could not be reached is left alone.
const REDIAL_PAUSE: Duration = Duration::from_millis(200);
