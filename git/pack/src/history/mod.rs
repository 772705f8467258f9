//! Walking commits and trees.
//!
//! Objects are walked by number (the position in the indexes of the packs), so that
//! sets are bitmaps and what is kept of a commit fits in a few words.

mod graph;
mod paint;
mod ready;
mod shallow;
mod trees;
mod walk;

pub(crate) use graph::{Graph, NumberMap, NumberSet};
pub(crate) use paint::{Paint, Painter};
pub use ready::all_wants_reach_common;
pub use shallow::{Depth, ShallowChange, ShallowError, shallow_boundary};
pub(crate) use trees::{OldTree, TreeWalk};
pub use walk::{History, Links};
