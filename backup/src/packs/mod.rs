//! Chunks in packs: each chunk once, however many backups have it.

mod catalogue;
mod reader;
mod writer;

pub(crate) use catalogue::{Catalogue, Place, read_index};
pub(crate) use reader::{PackReader, read_pack};
pub(crate) use writer::PackWriter;

use crate::format::PackId;

pub(crate) fn pack_name(pack: PackId) -> String {
    format!("packs/{pack}")
}

pub(crate) fn index_name(pack: PackId) -> String {
    format!("indexes/{pack}")
}
