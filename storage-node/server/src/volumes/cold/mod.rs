//! Volumes in an object store, so that capacity outgrows the disk.
//!
//! A sealed volume that nobody reads is uploaded whole, as one object, read back and compared; then
//! a *ticket*, an empty file whose name says volume, length and BLAKE3, says that it is there; then
//! the volume's file may go when its space is wanted. To everything else a volume with a ticket
//! looks like any other: [`ColdFiles`] puts it among the node's files, with reads that fetch ranges
//! of the object. So recovery, reads, scrub, collection and compaction need no second way. A volume
//! that is read a lot comes back whole ([`mover`]).
//!
//! What it keeps true:
//! - A file goes only after its object was read back as the bytes that the ticket names, the ticket
//!   is durable, and the index is synced beyond the volume, which is never the last one. So at every
//!   instant a volume is whole in one place or the other, and no step of power loss takes both.
//! - An object is never written to again, and no two volumes share a name: cluster, node, volume
//!   and hash. A node joins under a new id, so it takes no earlier node's objects for its own.
//! - A ticket is made before the object is begun, in the state *up*, and ends by being renamed to
//!   *gone* before its object is deleted: whatever a crash leaves behind has a ticket, and the next
//!   round finishes it. What has none (a disk was put back, a late request came through) is found
//!   by listing ([`audit`]) and removed if it is older than the process.
//! - A chunk of a cold volume is checked against CRC and BLAKE3 at every read; what is not as it
//!   was, and what the store says is not there, is quarantined and fetched from a peer like any
//!   corrupt chunk. A store that cannot be reached proves nothing: its chunks stay held, reads fail
//!   with an error of their own so that the client asks another node, and the next try waits ever
//!   longer, a minute at most.
//! - "Not there" counts only if the node's mark is: an object that it wrote at its first start. A
//!   bucket that is another one, or empty, is a store that cannot be used, not a loss.
//!
//! Each node has objects of its own, so that a policy's copies stay as many and as independent of
//! each other's mistakes as on disks. They are as independent of each other's *stores* as the
//! operator makes them: a success survives a region only if no other region's nodes use the same
//! bucket.
//!
//! Not here: which client speaks to which store (`objects`), when a round is due (`node/cold`),
//! and the leftovers of nodes that are gone (`devflow admin cold`).

mod audit;
mod cache;
mod config;
mod files;
mod join;
mod metrics;
mod mover;
mod open;
mod reach;
mod reads;
mod shelf;
mod ticket;

pub use config::{Checked, ClientError, Config, ConfigError};
pub use join::ColdStore;
pub use metrics::Metrics;
pub use mover::Cooled;
pub use open::OpenError;

pub(super) use reads::{Fault, fault_of};
pub(super) use shelf::Cold;
pub use ticket::directory_of;
