//! Files that are derived from the objects, in git's own formats: what makes walks, clones and
//! fetches cheap, for git as for us.
//!
//! Keeps true:
//! * an artefact may be missing, damaged, foreign or old, and every answer is right without
//!   it: one that is not whole is reported and passed over;
//! * no byte of one is believed before its checksum was verified, and no number in one before it
//!   was compared with the length of what it counts;
//! * one is written aside, and then renamed to where it is found.
//!
//! Deliberately not here: when to make them ([`crate::maintain`]), and chains of commit-graphs or
//! multi-pack-indexes, which are taken for absent.

mod bitmaps;
mod changes;
mod chunks;
mod commit_graph;
mod commits;
mod file;
mod id_table;
mod midx;
mod mtimes;
mod murmur;
mod pack_index;
mod reverse;

pub(crate) use bitmaps::{BitOrder, BitmapError, Bitmaps, canonical, encode_bitmaps, set_bits};
pub(crate) use changes::{Changes, FilterVersion};
pub use commit_graph::{ChangedPath, ChangedPaths};
pub(crate) use commit_graph::{CommitGraph, encode_commit_graph};
pub(crate) use commits::Commits;
pub(crate) use file::store;
pub(crate) use midx::{encode_midx, midx_bitmap_path, midx_path};
pub(crate) use mtimes::{encode_mtimes, load_mtimes};
pub(crate) use pack_index::{IndexEntry, encode_index};
pub(crate) use reverse::{encode_reverse, load_reverse};
