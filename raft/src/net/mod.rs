//! Messages between nodes.
//!
//! Messages of all groups for one peer travel together: an [`Outbox`](outbox) collects what is
//! waiting and sends it as one request. There is one for each lane, so that a heartbeat does not
//! wait behind entries that a slow disk is syncing, nor these behind a snapshot.

mod adapter;
pub(crate) mod message;
mod outbox;
mod peers;

pub(crate) use adapter::Connections;
pub(crate) use outbox::{Lane, Outboxes, Timeouts};
pub use peers::{PeerError, PeerRequest, PeerResponse, Peers, WireError};
