//! What connects a pack with the rest of its repository.
//!
//! Objects refer to each other by hashes, so the graph of references has no
//! cycles. From that follow two facts that spare most walks over history, both
//! computed while a pack is indexed, when every object is in memory anyway:
//!
//! * If everything that the pack's objects refer to directly is in the pack or is
//!   *external* and complete, everything that is reachable from any of its objects
//!   is there: connectivity needs no more than a look at the external references.
//! * Following references backwards from any object of the pack inside the pack
//!   ends at a *root*, an object that no other of the pack refers to. So if all
//!   roots are reachable, every object of the pack is: whether a stored pack may
//!   answer a clone whole needs no more than a look at the roots.
//!
//! Objects appended to complete a thin pack are copies of what is stored
//! elsewhere. They count neither as the pack's own nor are their references
//! followed; what refers to them is external.
//!
//! The lists are kept in a sidecar, `pack-<checksum>.edges`. It is derived, bound to
//! the pack by its checksum, protected against damage by a SHA-256, and can be
//! deleted at any time: then the lists are computed again when they are needed.

mod compute;
mod references;
mod sidecar;

use git_id::ObjectId;

pub(crate) use compute::compute_edges;
pub(crate) use references::{Expected, MismatchedReference, References};

/// The links between one pack and everything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edges {
    /// The pack's own objects that no other of its own objects refers to, sorted.
    pub(crate) roots: Vec<ObjectId>,
    /// What the pack's own objects refer to and is not among them, sorted by name.
    pub(crate) externals: Vec<External>,
    /// The copies appended to complete a thin pack, sorted.
    pub(crate) completed: Vec<ObjectId>,
}

/// A reference out of a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct External {
    pub(crate) id: ObjectId,
    /// What its referrers take it for.
    pub(crate) expected: Expected,
    /// One of those that refer to it.
    pub(crate) referrer: ObjectId,
}
