//! Git objects: packs received, read, walked and answered with.
//!
//! This crate is the only one that knows how git stores objects. Above it are the
//! protocol and the servers; below it are files. It knows no refs, no protocol and no
//! network, and keeps no state besides caches: what it derives (edges, reachability, git's own artefacts) can be deleted at
//! any time. Blocking throughout; long operations take a flag that cancels them and tell
//! their progress.
//!
//! * [`Objects`] reads: packs, loose objects, alternates.
//! * [`History`] reads commits for walks, from the commit-graph where it covers them.
//! * [`receive`] takes a pack in, as `git index-pack --stdin --fix-thin --strict` does.
//! * [`check_connected`] says whether new refs lead only to what is there.
//! * [`plan`] and [`Plan::write`] answer a fetch, as `git pack-objects --stdout` does.
//! * [`all_wants_reach_common`] and [`shallow_boundary`] answer what a negotiation asks of
//!   history.
//!
//! * [`Maintenance`] consolidates packs and writes commit-graph, bitmaps and multi-pack-index,
//!   as `git repack` and `git commit-graph` do.

mod bitmap;
mod connectivity;
mod defect;
mod derived;
mod edges;
mod entry;
mod filter;
mod fsck;
mod hashing;
mod history;
mod id_map;
mod kind;
mod maintain;
mod objects;
mod parse;
mod plan;
mod progress;
mod reachability;
mod receive;
mod repack;
mod resolve;
mod staging;

pub use connectivity::{ConnectivityError, check_connected};
pub use defect::Defect;
pub use derived::{ChangedPath, ChangedPaths};
pub use filter::Filter;
pub use fsck::FsckProblem;
pub use history::{
    Depth, History, Links, ShallowChange, ShallowError, all_wants_reach_common, shallow_boundary,
};
pub use kind::Kind;
pub use maintain::{
    Consolidate, MaintainError, MaintainOptions, Maintained, Maintenance, NoBitmaps,
};
pub use objects::{Header, Object, Objects, OpenError, ReadError};
pub use parse::{Commit, MalformedTree, RawEntries, RawEntry, Signature, Tag, TreeEntry};
pub use plan::{PackOptions, Plan, PlanError, Selection, WriteError, Written, not_reached, plan};
pub use progress::{NoProgress, Progress};
pub use reachability::Reachability;
pub use receive::{ReceiveError, ReceiveOptions, ReceivedPack, receive};
pub use repack::{DeltaOptions, Islands, Repacked, geometric_split};
