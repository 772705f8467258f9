//! Which chunks hold a range of a blob.

use std::ops::Range;

use crate::chunk::ChunkRef;

use super::Manifest;

/// A part of a chunk that belongs to a range of the blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<'a> {
    /// The chunk's place in the manifest, from 0.
    pub index: usize,
    /// The chunk.
    pub chunk: &'a ChunkRef,
    /// The part of the chunk's bytes that is wanted; never empty.
    pub range: Range<u32>,
}

impl Manifest {
    /// The parts of chunks that, put together, are the bytes `range` of the
    /// blob, in order. What of the range lies beyond the blob's end is left
    /// out, so an empty or outlying range has no parts.
    ///
    /// Looks at the length of every chunk before the range.
    pub fn locate(&self, range: Range<u64>) -> impl Iterator<Item = Located<'_>> {
        self.chunks
            .iter()
            .enumerate()
            .scan(0_u64, |offset, (index, chunk)| {
                let start = *offset;
                *offset = start.saturating_add(u64::from(chunk.length));
                Some((start, index, chunk))
            })
            .take_while({
                let end = range.end;
                move |&(start, ..)| start < end
            })
            .filter_map(move |(start, index, chunk)| {
                let within = |at: u64| {
                    u32::try_from(at.saturating_sub(start))
                        .unwrap_or(u32::MAX)
                        .min(chunk.length)
                };
                let part = within(range.start)..within(range.end);
                (!part.is_empty()).then_some(Located {
                    index,
                    chunk,
                    range: part,
                })
            })
    }
}
