//! The chunks of one node: append-only volumes, and an index over them.
//!
//! A put is checked, queued, written together with others, synced once for all
//! of them, entered in the index, and only then answered. The volumes are the
//! truth: the index, kept without syncing, is brought up to date from them.
//!
//! What it keeps true:
//! - What was answered survives any crash; only bytes that were never answered
//!   for may be cut off a volume's end.
//! - Acknowledged bytes are never written to again, not even their disk block.
//! - Bytes that are not what they were are never served. What cannot be served
//!   is not said to be held, so that it can be put again.
//! - After a failed write or sync nothing more is written until the store is
//!   opened anew; reads go on. What such a write left in the system's cache is
//!   written again before it counts as held.
//! - Chunks of one dedup domain are not seen in another.
//!
//! Not here: who should hold what (`storage_node_api::placement`), fetching what
//! is lacking or corrupt from peers, knowing what nothing refers to, and
//! encrypting or compressing, for which records have room.

mod append;
pub mod cold;
mod collect;
mod commit;
mod compact;
mod condition;
mod config;
mod entries;
mod error;
mod handles;
mod index;
mod metrics;
mod quarantine;
mod read;
mod record;
mod recover;
mod scan;
mod scrub;
mod store;
#[cfg(test)]
mod tests;
mod volume;
mod writer;

pub use cold::ColdStore;
pub use compact::{Compacted, Dropped, Pace};
pub use config::{Checked, Config, ConfigError, Verify};
pub use entries::{Entries, Stored};
pub use error::{OpenError, StoreError};
pub use index::FAMILY as INDEX_FAMILY;
pub use metrics::Metrics;
pub use quarantine::Quarantined;
pub use scrub::{Belongs, Scrub, Step};
pub use store::{ChunkStore, Stats};
pub use volume::{Damage, Identity, VolumeId};
