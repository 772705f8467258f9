//! Chunk files (gitformat-chunk(5)): a header, a table of contents, chunks, a checksum.

use std::ops::Range;

use super::file::{Damage, u32_at, u64_at};

pub(super) type ChunkId = [u8; 4];

/// Bytes of a row of the table: an id and where the chunk begins.
const ROW_BYTES: usize = 12;

/// Where the chunks of a file are.
pub(super) struct Chunks {
    rows: Vec<(ChunkId, Range<usize>)>,
}

impl Chunks {
    /// Reads the table of `count` chunks at `start`. `content` ends where the checksum begins.
    pub(super) fn parse(content: &[u8], start: usize, count: u8) -> Result<Self, Damage> {
        let row = |at: usize| {
            let at = start + at * ROW_BYTES;
            let id = *content.get(at..)?.first_chunk::<4>()?;
            let offset = usize::try_from(u64_at(content, at + 4)?).ok()?;
            Some((id, offset))
        };
        let mut rows = Vec::with_capacity(usize::from(count));
        let mut least = start + (usize::from(count) + 1) * ROW_BYTES;
        for at in 0..usize::from(count) {
            let (id, begin) = row(at).ok_or(Damage::Truncated)?;
            let (next, end) = row(at + 1).ok_or(Damage::Truncated)?;
            let is_last = at + 1 == usize::from(count);
            if begin < least || end < begin || end > content.len() || is_last != (next == [0; 4]) {
                return Err(Damage::Inconsistent("chunks"));
            }
            least = end;
            rows.push((id, begin..end));
        }
        Ok(Self { rows })
    }

    pub(super) fn get(&self, wanted: ChunkId) -> Option<Range<usize>> {
        let found = self.rows.iter().find(|(id, _)| *id == wanted);
        found.map(|(_, range)| range.clone())
    }

    /// A chunk that must be there and have a length.
    pub(super) fn expect(&self, id: ChunkId, length: usize) -> Result<Range<usize>, Damage> {
        let range = self.get(id).ok_or(Damage::Truncated)?;
        if range.len() == length {
            Ok(range)
        } else {
            Err(Damage::Inconsistent("chunks"))
        }
    }
}

/// Puts a file together, without its checksum.
pub(super) fn assemble(header: &[u8], chunks: &[(ChunkId, Vec<u8>)]) -> Vec<u8> {
    let table = (chunks.len() + 1) * ROW_BYTES;
    let bytes: usize = chunks.iter().map(|(_, chunk)| chunk.len()).sum();
    let mut out = Vec::with_capacity(header.len() + table + bytes + 32);
    out.extend_from_slice(header);
    let mut offset = header.len() + table;
    for (id, chunk) in chunks {
        out.extend_from_slice(id);
        out.extend_from_slice(&(offset as u64).to_be_bytes());
        offset += chunk.len();
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&(offset as u64).to_be_bytes());
    for (_, chunk) in chunks {
        out.extend_from_slice(chunk);
    }
    out
}

/// Numbers of four bytes one after the other, in network order.
pub(super) fn numbers(numbers: impl IntoIterator<Item = u32>) -> Vec<u8> {
    numbers.into_iter().flat_map(u32::to_be_bytes).collect()
}

/// The number at a place of a chunk of numbers of four bytes.
pub(super) fn number_at(content: &[u8], chunk: &Range<usize>, at: u32) -> Option<u32> {
    u32_at(content.get(chunk.clone())?, at as usize * 4)
}

#[cfg(test)]
mod tests {
    use super::{Chunks, assemble};

    #[test]
    fn a_table_that_lies_is_refused() {
        let chunks = [(*b"AAAA", vec![1; 5]), (*b"BBBB", vec![2; 7])];
        let file = assemble(b"head", &chunks);
        let parsed = Chunks::parse(&file, 4, 2).unwrap();
        assert_eq!(&file[parsed.get(*b"AAAA").unwrap()], [1; 5]);
        assert_eq!(&file[parsed.expect(*b"BBBB", 7).unwrap()], [2; 7]);
        assert!(parsed.expect(*b"BBBB", 8).is_err());
        assert!(parsed.get(*b"CCCC").is_none());
        assert!(Chunks::parse(&file, 4, 1).is_err(), "the table is longer");
        assert!(Chunks::parse(&file, 4, 3).is_err(), "the table is shorter");
        for at in 8..4 + 36 {
            let mut lying = file.clone();
            lying[at] ^= 0x80;
            let parsed = Chunks::parse(&lying, 4, 2);
            let same = |parsed: Chunks| parsed.get(*b"AAAA").map(|range| file[range] == [1; 5]);
            assert_ne!(parsed.ok().and_then(same), Some(false), "byte {at}");
        }
        for length in 0..file.len() {
            assert!(
                Chunks::parse(&file[..length], 4, 2).is_err(),
                "length {length}"
            );
        }
    }
}
