//! The search for the next cut point, able to stop at any byte and go on.
//!
//! The `fastcdc` crate defines the algorithm (gear table, masks) and decides
//! in tests whether this is right. Its own loop needs a whole window of the
//! largest chunk in one slice, or starts again from the beginning; this one
//! keeps the rolling hash between slices instead, so that each byte is looked
//! at once and nothing is copied to look at it.

use fastcdc::v2020::{MASKS, get_gear_with_seed};

use crate::profile::Sizes;

/// Bits by which the mask is stricter before the average size and looser
/// after it ("normalisation level 1"). Part of every profile's definition.
const NORMALISATION: u32 = 1;

/// Progress within the chunk that is being searched for its end.
#[derive(Clone)]
pub(super) struct Scan {
    min: usize,
    avg: usize,
    max: usize,
    strict: u64,
    loose: u64,
    gear: &'static [u64; 256],
    /// Bytes of this chunk seen so far.
    seen: usize,
    /// Rolling hash of the bytes from `min` on.
    hash: u64,
    /// There is a cut before the last byte seen, if another byte follows.
    withheld: bool,
}

impl Scan {
    pub(super) fn new(sizes: Sizes) -> Self {
        let bits = sizes.avg.ilog2();
        Self {
            min: sizes.min as usize,
            avg: sizes.avg as usize,
            max: sizes.max as usize,
            strict: MASKS[(bits + NORMALISATION) as usize],
            loose: MASKS[(bits - NORMALISATION) as usize],
            gear: gear(),
            seen: 0,
            hash: 0,
            withheld: false,
        }
    }

    /// Looks at `bytes`, which follow those seen before. Returns how many of
    /// them belong to the current chunk if it ends among them, and is then at
    /// the start of the next chunk; `None` if all of them belong to it so far.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Option<usize> {
        let start = self.seen;
        let window = &bytes[..bytes.len().min(self.max - start)];
        let at = |offset: usize| offset.saturating_sub(start).min(window.len());
        let (min, avg) = (at(self.min), at(self.avg));
        let hit = self
            .search(&window[min..avg], self.strict)
            .map(|offset| min + offset)
            .or_else(|| {
                self.search(&window[avg..], self.loose)
                    .map(|offset| avg + offset)
            });
        self.seen = start + window.len();
        match hit {
            // The crate tests bytes in pairs and leaves the odd last byte of a
            // stream untested; so whether this is a cut is not known yet.
            Some(offset) if offset + 1 == bytes.len() && (start + offset).is_multiple_of(2) => {
                self.withheld = true;
                None
            }
            Some(offset) => {
                self.restart(0);
                Some(offset)
            }
            None if self.seen == self.max => {
                self.restart(0);
                Some(window.len())
            }
            None => None,
        }
    }

    /// Whether, now that another byte follows, the chunk ended before the last
    /// byte seen. If so, that byte is the first of the next chunk.
    pub(super) fn take_withheld_cut(&mut self) -> bool {
        if self.withheld {
            self.restart(1);
            return true;
        }
        false
    }

    fn restart(&mut self, seen: usize) {
        self.seen = seen;
        self.hash = 0;
        self.withheld = false;
    }

    /// The first of `bytes` at which the rolling hash has no bit of `mask`.
    ///
    /// After each byte the hash is twice what it was, plus the byte's gear. Two
    /// bytes go at once, the first against everything doubled, which takes one
    /// step out of the chain that bounds the speed (section 3.7 of the paper).
    #[inline]
    fn search(&mut self, bytes: &[u8], mask: u64) -> Option<usize> {
        let gear = |byte: u8| self.gear[usize::from(byte)];
        let mut hash = self.hash;
        let (pairs, rest) = bytes.as_chunks::<2>();
        for (index, &[a, b]) in pairs.iter().enumerate() {
            hash = (hash << 2).wrapping_add(gear(a) << 1);
            if hash & (mask << 1) == 0 {
                return Some(2 * index);
            }
            hash = hash.wrapping_add(gear(b));
            if hash & mask == 0 {
                return Some(2 * index + 1);
            }
        }
        for (index, &byte) in rest.iter().enumerate() {
            hash = (hash << 1).wrapping_add(gear(byte));
            if hash & mask == 0 {
                return Some(2 * pairs.len() + index);
            }
        }
        self.hash = hash;
        None
    }
}

impl std::fmt::Debug for Scan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scan")
            .field("avg", &self.avg)
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

/// The crate's table, unchanged: a seed would hide chunk lengths and end the
/// sharing between tenants and releases.
fn gear() -> &'static [u64; 256] {
    use std::borrow::Cow;
    use std::sync::LazyLock;

    static GEAR: LazyLock<[u64; 256]> = LazyLock::new(|| {
        let (gear, _): (Cow<'static, [u64]>, _) = get_gear_with_seed(0);
        gear[..]
            .try_into()
            .expect("a gear table has an entry for each value of a byte")
    });
    &GEAR
}
