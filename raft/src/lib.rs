//! Replicated groups: many Raft groups in one process over one synced log.
//!
//! A [`Machine`] is one group's replicated state. [`Raft`] runs a replica of any number of groups
//! on this node; [`Group`] is the handle by which commands are proposed and reads are made
//! linearizable. Nodes talk through [`Peers`]: [`grpc`] on a network, [`memory`] in tests.
//!
//! What it keeps true, and where:
//! - a term is durable before any entry of that term, and callbacks come in order: votes and
//!   entries of all groups pass through one ordered writer ([`log`](self) internals);
//! - acknowledged is durable: an entry counts as stored only after its sync returned;
//! - the log is never cut ahead of what the machine says is on disk;
//! - every failed proposal says whether it may have happened ([`Effect`]);
//! - every queue, message, entry and transfer has a limit, in [`limits`].
//!
//! Groups of which nothing is asked sleep (`hibernate`).
//!
//! Not here: what commands mean, who may be a peer, TLS, and configuration files.
//!
//! openraft's own timers and tasks are tokio's, and its election timeouts are drawn from tokio's
//! process: a simulation that is to be a function of its seed replaces its runtime in `types`.
//! It logs much at `info`; filter it to `warn`.
//!
//! # Why openraft 0.10 (an alpha) and not 0.9
//!
//! openraft 0.9 is frozen: it takes fixes, but not the features that this tier is designed
//! around. It has no pre-vote, so a node that comes back from a partition deposes a healthy
//! leader; its leader keeps accepting proposals after it has lost its quorum; it cannot hand out
//! a read point for a follower to wait for; and it draws each process's election timeout once, so
//! that two survivors which drew alike can tie for ever. 0.10 has all four, and with them answers
//! to each entry as it is applied, a log interface that separates *readable* from *durable*
//! (which group commit across groups needs), and snapshots moved by the application's own
//! transport. Its line is also where recent safety fixes of quorum counting, stale
//! acknowledgements and snapshot conflicts landed first, and a production database has run its
//! alphas for a long time.
//!
//! The price is an interface that may change between alphas. So the version is pinned exactly;
//! openraft's types appear in no public signature; the bytes on disk and between nodes are this
//! crate's own (`format`), not openraft's serialisation; and openraft's storage suite runs
//! against the real store and its twin. Moving to another version is a change inside this crate.

pub mod grpc;
pub mod limits;
pub mod memory;
pub mod rescue;

mod config;
mod error;
mod fence;
mod format;
mod group;
mod hibernate;
mod id;
mod log;
mod machine;
mod metrics;
mod net;
mod raft;
mod state_machine;
mod types;

#[cfg(test)]
mod tests;

pub use config::{Checked, Config, ConfigError, Profile, Timing};
pub use error::{
    Effect, InitializeError, Leader, MembershipError, OpenError, ProposeError, ReadError,
    StartError, TransferError,
};
pub use fence::Fence;
pub use group::{Copied, CopyError, Group, Progress, Status};
pub use id::{GroupId, NodeId, Peer};
pub use log::FAMILIES;
pub use machine::{Committed, Fault, Machine, SnapshotRead, SnapshotWrite};
pub use metrics::Metrics;
pub use net::{PeerError, PeerRequest, PeerResponse, Peers, WireError};
pub use raft::Raft;
