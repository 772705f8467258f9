//! MurmurHash3 (32 bits) as git's changed-path filters use it.

/// How the bytes of a path are read.
///
/// Version 1 of the format was written by code that took them for signed: what is beyond ASCII gets
/// other hashes than in version 2, which is read from git 2.46 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FilterVersion {
    V1,
    V2,
}

impl FilterVersion {
    pub(super) const fn number(self) -> u32 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
        }
    }

    pub(super) const fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::V1),
            2 => Some(Self::V2),
            _ => None,
        }
    }

    const fn widen(self, byte: u8) -> u32 {
        match self {
            Self::V1 => byte as i8 as u32,
            Self::V2 => byte as u32,
        }
    }
}

pub(super) fn murmur3(version: FilterVersion, seed: u32, bytes: &[u8]) -> u32 {
    let scramble = |block: u32| {
        let block = block.wrapping_mul(0xcc9e_2d51).rotate_left(15);
        block.wrapping_mul(0x1b87_3593)
    };
    let mut state = seed;
    let (blocks, rest) = bytes.as_chunks::<4>();
    let gather = |bytes: &[u8]| {
        let shifted = bytes.iter().enumerate();
        shifted.fold(0u32, |sum, (at, byte)| {
            sum | version.widen(*byte) << (8 * at)
        })
    };
    for block in blocks {
        state ^= scramble(gather(block));
        state = state
            .rotate_left(13)
            .wrapping_mul(5)
            .wrapping_add(0xe654_6b64);
    }
    if !rest.is_empty() {
        // Here the bytes are combined by exclusive or, which differs once one is negative.
        let shifted = rest.iter().enumerate();
        let tail = shifted.fold(0u32, |sum, (at, byte)| {
            sum ^ version.widen(*byte) << (8 * at)
        });
        state ^= scramble(tail);
    }
    state ^= bytes.len() as u32;
    state = (state ^ state >> 16).wrapping_mul(0x85eb_ca6b);
    state = (state ^ state >> 13).wrapping_mul(0xc2b2_ae35);
    state ^ state >> 16
}

#[cfg(test)]
mod tests {
    use super::{FilterVersion, murmur3};

    #[test]
    fn the_published_values_come_out() {
        for (seed, text, expected) in [
            (0, "", 0),
            (0, "Hello world!", 0x627b_0c2c),
            (
                0,
                "The quick brown fox jumps over the lazy dog",
                0x2e4f_f723,
            ),
        ] {
            let hash = |version| murmur3(version, seed, text.as_bytes());
            assert_eq!(hash(FilterVersion::V1), expected, "{text}");
            assert_eq!(hash(FilterVersion::V2), expected, "{text}");
        }
        let beyond = "\u{e9}\u{e9}\u{e9}".as_bytes();
        let hash = |version| murmur3(version, 7, beyond);
        assert_ne!(hash(FilterVersion::V1), hash(FilterVersion::V2));
    }
}
