//! How much of one file is in another, in the estimate that git makes.

use std::collections::HashMap;

/// The score of files with the same content.
pub(super) const MAX_SCORE: u64 = 60_000;

/// What is hashed at once: a line, or so many bytes of a longer one.
const PIECE_BYTES: usize = 64;

const HASHES: u32 = 107_927;

/// The pieces of a file: how many bytes there are of each hash.
#[derive(Debug)]
pub(super) struct Pieces {
    size: u64,
    bytes: HashMap<u32, u32>,
}

impl Pieces {
    pub(super) fn of(content: &[u8], is_text: bool) -> Self {
        let mut pieces = Self {
            size: content.len() as u64,
            bytes: HashMap::new(),
        };
        let (mut one, mut other, mut length) = (0u32, 0u32, 0);
        for (at, byte) in content.iter().enumerate() {
            if is_text && *byte == b'\r' && content.get(at + 1) == Some(&b'\n') {
                continue;
            }
            (one, other) = (one << 7 ^ other >> 25, other << 7 ^ one >> 25);
            one = one.wrapping_add(u32::from(*byte));
            length += 1;
            if length == PIECE_BYTES || *byte == b'\n' {
                pieces.add(one, other, length);
                (one, other, length) = (0, 0, 0);
            }
        }
        if length > 0 {
            pieces.add(one, other, length);
        }
        pieces
    }

    fn add(&mut self, one: u32, other: u32, length: usize) {
        let hash = one.wrapping_add(other.wrapping_mul(0x61)) % HASHES;
        *self.bytes.entry(hash).or_default() += length as u32;
    }

    /// From 0 to [`MAX_SCORE`]: how much of the larger of the two files the other one has too.
    pub(super) fn score(&self, other: &Self) -> u64 {
        let most = self.size.max(other.size);
        if self.size.min(other.size) == 0 {
            return 0;
        }
        let shared = self.bytes.iter().map(|(hash, count)| {
            let there = other.bytes.get(hash).copied().unwrap_or(0);
            u64::from(there.min(*count))
        });
        shared.sum::<u64>() * MAX_SCORE / most
    }
}

/// Whether two files can have a score, going by their sizes alone.
pub(super) fn can_score(one: u64, other: u64, minimum: u64) -> bool {
    let (least, most) = (one.min(other), one.max(other));
    least > 0 && most * (MAX_SCORE - minimum) >= (most - least) * MAX_SCORE
}
