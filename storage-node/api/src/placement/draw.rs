//! The number that a node draws for a chunk, in fixed point.
//!
//! A hash of chunk and node is a uniform *u* in (0, 1]; the number is
//! −log₂ *u* ÷ capacity, so that the chance of the smallest is proportional to
//! the capacity (Thaler and Ravishankar; weighted: Schindelhauer and Schomaker).

use std::cmp::Ordering;

use chunking::ChunkId;

use crate::NodeId;
use crate::map::Node;

/// Bits after the point of a logarithm.
const FRACTION: u32 = 32;
/// Bits after the point of a capacity's reciprocal. With the greatest capacity
/// 32 of them are left; with the least, the product stays within 126 bits.
const RECIPROCAL: u32 = 88;
/// Greater capacities count as this much: 64 PiB, if they are bytes.
const MAX_CAPACITY: u64 = 1 << 56;
/// Bits of a mantissa that index the table.
const INDEX: u32 = 8;
/// Entries of the table of logarithms, one more than steps.
const ENTRIES: usize = (1 << INDEX) + 1;

/// log₂ of 1, 1 + 1/256, … 2, with [`FRACTION`] bits after the point.
static LOG2: [u64; ENTRIES] = log2_table();

/// What a node's numbers are drawn by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draw {
    node: NodeId,
    reciprocal: u128,
}

/// A node's number for one chunk; the smallest comes first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drawn {
    key: u128,
    score: u64,
    pub(super) node: NodeId,
    /// Which unit of its scope the node is of.
    pub(super) unit: usize,
    /// How many of its unit come before it.
    pub(super) round: u32,
}

impl Draw {
    pub(super) fn of(node: &Node) -> Self {
        let capacity = node.capacity.clamp(1, MAX_CAPACITY);
        Self {
            node: node.id,
            reciprocal: (1 << RECIPROCAL) / u128::from(capacity),
        }
    }

    pub(super) fn node(&self) -> NodeId {
        self.node
    }

    pub(super) fn draw(&self, chunk: &ChunkId) -> Drawn {
        let score = score(chunk, self.node);
        Drawn {
            key: u128::from(negative_log2(score)) * self.reciprocal,
            score,
            node: self.node,
            unit: 0,
            round: 0,
        }
    }
}

impl Drawn {
    pub(super) fn of_unit(self, unit: usize) -> Self {
        Self { unit, ..self }
    }
}

impl Ord for Drawn {
    fn cmp(&self, other: &Self) -> Ordering {
        // Where rounding makes numbers equal, the hash decides.
        let key = |drawn: &Self| (drawn.key, !drawn.score, !drawn.node.0);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Drawn {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Drawn {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Drawn {}

fn score(chunk: &ChunkId, node: NodeId) -> u64 {
    // The id is already uniform: mixing eight of its bytes with the node's
    // number (the finaliser of SplitMix64, by Steele and others) is enough.
    let mut word = [0; 8];
    word.copy_from_slice(&chunk.as_bytes()[..8]);
    let mut x = u64::from_le_bytes(word) ^ node.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// −log₂((score + 1) ÷ 2⁶⁴) with [`FRACTION`] bits after the point: the table,
/// and a straight line between two entries.
fn negative_log2(score: u64) -> u64 {
    let Some(x) = score.checked_add(1) else {
        return 0;
    };
    let zeros = x.leading_zeros();
    // Without its highest bit, which is at the top after this.
    let fraction = (x << zeros) << 1;
    let index = (fraction >> (64 - INDEX)) as usize;
    let between = (fraction << INDEX) >> (64 - FRACTION);
    let (low, high) = (LOG2[index], LOG2[index + 1]);
    let log2 = low + (((high - low) * between) >> FRACTION);
    (u64::from(zeros + 1) << FRACTION) - log2
}

/// Bit by bit: squaring a number in [1, 2) doubles its logarithm.
const fn log2_table() -> [u64; ENTRIES] {
    let mut table = [0; ENTRIES];
    let mut entry = 0;
    while entry < ENTRIES - 1 {
        // With 63 bits after the point.
        let mut y = ((1 << INDEX) + entry as u64) << (63 - INDEX);
        let mut bit = FRACTION;
        while bit > 0 {
            bit -= 1;
            let square = (y as u128) * (y as u128);
            if square >> 127 == 1 {
                table[entry] |= 1 << bit;
                y = (square >> 64) as u64;
            } else {
                y = (square >> 63) as u64;
            }
        }
        entry += 1;
    }
    table[ENTRIES - 1] = 1 << FRACTION;
    table
}

#[cfg(test)]
mod tests {
    use super::{ENTRIES, FRACTION, LOG2, negative_log2};

    #[test]
    fn logarithms_are_these_numbers() {
        assert_eq!(LOG2[0], 0);
        assert_eq!(LOG2[ENTRIES - 1], 1 << FRACTION);
        // log2 of 1.25, 1.5 and 1.75, and of 257/256.
        let known = [LOG2[64], LOG2[128], LOG2[192], LOG2[1]];
        assert_eq!(
            known,
            [1_382_670_639, 2_512_394_809, 3_467_562_986, 24_157_254]
        );
        let scores = [
            0,
            1,
            2,
            1 << 32,
            u64::MAX >> 1,
            u64::MAX / 3,
            u64::MAX - 1,
            u64::MAX,
        ];
        let logs = scores.map(negative_log2);
        let expected = [
            64 << FRACTION,
            63 << FRACTION,
            268_070_544_839,
            137_438_953_471,
            1 << FRACTION,
            6_807_368_013,
            1,
            0,
        ];
        assert_eq!(logs, expected);
    }

    #[test]
    fn a_greater_score_never_has_a_greater_logarithm() {
        assert!(LOG2.is_sorted());
        let mut last = u64::MAX;
        for step in 0..(1u64 << 16) {
            for score in [
                step << 48,
                (step << 48) + 1,
                (step << 48) | 0xffff_ffff_ffff,
            ] {
                let log = negative_log2(score);
                assert!(log <= last, "{score:x}");
                last = log;
            }
        }
    }
}
