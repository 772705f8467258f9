//! What the storage tier offers: traits, messages and errors.
//!
//! Three kinds of state, three traits: [`Content`] (immutable chunks, durable
//! before anything names them), [`Order`] (the replicated state of
//! repositories, refs, packs and blobs) and [`Metadata`] (SQL facts). A
//! [`Storage`] is all three; everything above the tier depends on this crate
//! only and cannot tell one process from nine nodes in three regions.
//!
//! Every failed write says whether it may have happened ([`Effect`]), and every
//! write carries an id, so that a retry cannot apply twice.
//!
//! Not here: how a node keeps anything (`storage-node/server`), how a node is
//! found (`storage-node/client`), what an entry does (`storage-node/machine`).

pub mod backup;
pub mod blob;
pub mod collect;
pub mod content;
pub mod dump;
mod effect;
pub mod event;
pub mod health;
mod ids;
pub mod limits;
pub mod map;
pub mod members;
pub mod metadata;
pub mod migrations;
pub mod node;
pub mod order;
pub mod placement;
pub mod rebuild;
pub mod refs;
pub mod repository;
pub mod scrub;
pub mod slots;
mod storage;
pub mod suite;

pub use content::Content;
pub use effect::{Effect, Retry};
pub use ids::{
    BlobOwner, ClusterId, DedupDomain, Generation, GroupId, Incarnation, MapEpoch, NodeId, OwnerId,
    ParseIdError, RepositoryId, RequestId, Slot, UploadId,
};
pub use metadata::Metadata;
pub use order::Order;
pub use runtime::Timestamp;
pub use storage::{ReadPoint, Storage, Token};
