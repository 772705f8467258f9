//! Making a delta between two versions of an object.

/// Bytes that are looked up together; shorter matches are not found.
const BLOCK: usize = 16;

/// Places in the base that are tried for one place in the target.
const MAX_TRIES: usize = 16;

/// A match this long is not outbid.
const GOOD_MATCH: usize = 4096;

/// The longest copy that one instruction makes in packs of version 2.
const MAX_COPY: usize = 0x10000;

/// The longest insertion that one instruction makes.
const MAX_INSERT: usize = 127;

const NONE: u32 = u32::MAX;

/// Instructions that make `target` out of `base` (gitformat-pack(5)); `None` if they
/// would take more than `limit` bytes, or if the base is too large to address.
pub(crate) fn make_delta(base: &[u8], target: &[u8], limit: usize) -> Option<Vec<u8>> {
    DeltaIndex::new(base)?.delta(base, target, limit)
}

/// Where the blocks of a base are, for any number of deltas against it.
pub(crate) struct DeltaIndex {
    shift: u32,
    /// The first block with a hash.
    heads: Vec<u32>,
    /// For each block, the next with the same hash.
    next: Vec<u32>,
}

impl DeltaIndex {
    /// `None` if the base is too large to address.
    pub(crate) fn new(base: &[u8]) -> Option<Self> {
        if u32::try_from(base.len()).is_err() {
            return None;
        }
        let (blocks, _) = base.as_chunks::<BLOCK>();
        let bits = usize::BITS - blocks.len().max(1).leading_zeros();
        let mut index = Self {
            shift: u64::BITS - bits,
            heads: vec![NONE; 1 << bits],
            next: vec![NONE; blocks.len()],
        };
        for (number, block) in blocks.iter().enumerate().rev() {
            let head = &mut index.heads[(hash(block) >> index.shift) as usize];
            index.next[number] = std::mem::replace(head, number as u32);
        }
        Some(index)
    }

    /// Bytes of memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        (self.heads.len() + self.next.len()) * 4
    }

    /// Instructions that make `target` out of the base that was indexed; `None` if they would
    /// take more than `limit` bytes.
    pub(crate) fn delta(&self, base: &[u8], target: &[u8], limit: usize) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(limit.min(target.len() / 8 + 32));
        push_size(&mut out, base.len());
        push_size(&mut out, target.len());
        let (mut at, mut inserted) = (0, 0);
        while at + BLOCK <= target.len() {
            let Some((mut start, mut length)) = self.longest(base, &target[at..]) else {
                at += 1;
                if out.len() + (at - inserted) > limit.saturating_add(BLOCK) {
                    return None;
                }
                continue;
            };
            while at > inserted && start > 0 && base[start - 1] == target[at - 1] {
                (at, start, length) = (at - 1, start - 1, length + 1);
            }
            push_insertions(&mut out, &target[inserted..at]);
            push_copies(&mut out, start, length);
            at += length;
            inserted = at;
            if out.len() > limit {
                return None;
            }
        }
        push_insertions(&mut out, &target[inserted..]);
        (out.len() <= limit).then_some(out)
    }

    /// The longest match for the beginning of `target`: where in the base and how long.
    fn longest(&self, base: &[u8], target: &[u8]) -> Option<(usize, usize)> {
        let wanted = target.first_chunk::<BLOCK>()?;
        let mut number = self.heads[(hash(wanted) >> self.shift) as usize];
        let mut best: Option<(usize, usize)> = None;
        for _ in 0..MAX_TRIES {
            if number == NONE {
                break;
            }
            let start = number as usize * BLOCK;
            if base[start..].starts_with(wanted) {
                let length = common_prefix(&base[start..], target);
                if best.is_none_or(|(_, longest)| length > longest) {
                    best = Some((start, length));
                }
                if length >= GOOD_MATCH {
                    break;
                }
            }
            number = self.next[number as usize];
        }
        best
    }
}

fn hash(block: &[u8; BLOCK]) -> u64 {
    let (words, _) = block.as_chunks::<8>();
    let one = u64::from_le_bytes(words[0]).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let two = u64::from_le_bytes(words[1]).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    (one ^ two.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let (a_words, _) = a.as_chunks::<8>();
    let (b_words, _) = b.as_chunks::<8>();
    let same = a_words
        .iter()
        .zip(b_words)
        .take_while(|(a, b)| a == b)
        .count()
        * 8;
    same + a[same..]
        .iter()
        .zip(&b[same..])
        .take_while(|(a, b)| a == b)
        .count()
}

fn push_size(out: &mut Vec<u8>, mut size: usize) {
    while size >= 0x80 {
        out.push(0x80 | (size & 0x7f) as u8);
        size >>= 7;
    }
    out.push(size as u8);
}

fn push_insertions(out: &mut Vec<u8>, bytes: &[u8]) {
    for piece in bytes.chunks(MAX_INSERT) {
        out.push(piece.len() as u8);
        out.extend_from_slice(piece);
    }
}

fn push_copies(out: &mut Vec<u8>, mut start: usize, mut length: usize) {
    while length > 0 {
        let size = length.min(MAX_COPY);
        let at = out.len();
        out.push(0x80);
        for (bit, byte) in (start as u32).to_le_bytes().into_iter().enumerate() {
            if byte != 0 {
                out[at] |= 1 << bit;
                out.push(byte);
            }
        }
        for (bit, byte) in (size as u16).to_le_bytes().into_iter().enumerate() {
            if byte != 0 {
                out[at] |= 0x10 << bit;
                out.push(byte);
            }
        }
        start += size;
        length -= size;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::make_delta;
    use crate::entry::apply_delta;

    fn round_trip(base: &[u8], target: &[u8]) -> usize {
        let delta = make_delta(base, target, usize::MAX).unwrap();
        let mut out = Vec::new();
        apply_delta(base, &delta, &mut out, u64::MAX).unwrap();
        assert!(out == target);
        delta.len()
    }

    proptest! {
        #[test]
        fn the_target_comes_back(base: Vec<u8>, target: Vec<u8>) {
            round_trip(&base, &target);
        }

        #[test]
        fn edits_cost_about_what_they_change(
            seed: u64,
            edits in proptest::collection::vec((any::<u16>(), any::<u8>(), 0usize..40), 0..10),
        ) {
            let byte = |at: u64| (at.wrapping_mul(seed | 1) >> 24) as u8 ^ (at >> 3) as u8;
            let base: Vec<u8> = (0..20_000).map(byte).collect();
            let mut target = base.clone();
            for (at, byte, length) in &edits {
                let at = usize::from(*at) % target.len();
                let end = (at + length / 2).min(target.len());
                target.splice(at..end, std::iter::repeat_n(*byte, *length));
            }
            let length = round_trip(&base, &target);
            prop_assert_eq!(length <= 60 + edits.len() * 120, true, "{} {}", length, edits.len());
        }
    }

    #[test]
    fn long_copies_and_limits() {
        let base: Vec<u8> = (0..300_000u32)
            .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        assert!(round_trip(&base, &base) < 60);
        assert!(round_trip(&base, &[&base[100_000..], &base[..200_000]].concat()) < 80);
        assert_eq!(make_delta(b"", b"nothing in common", 5), None);
        assert_eq!(round_trip(b"", b""), 2);
    }
}
