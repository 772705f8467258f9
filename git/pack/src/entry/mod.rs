//! Pack entries as gitformat-pack(5) lays them out: header, zlib stream, delta.

mod delta;
mod diff;
mod header;
mod inflate;

pub(crate) use delta::{apply_delta, delta_sizes};
pub(crate) use diff::{DeltaIndex, make_delta};
pub(crate) use header::{
    EntryHeader, Representation, parse_header, push_base_distance, push_type_and_size,
};
pub(crate) use inflate::{Inflater, deflate};
