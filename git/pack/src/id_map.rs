//! Hash maps keyed by object names.
//!
//! Names are chosen by whoever pushes, so the hash is keyed, but names are already
//! spread evenly, so it may be simple.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hasher};

use git_id::ObjectId;

pub(crate) type IdMap<V> = HashMap<ObjectId, V, IdHashing>;
pub(crate) type IdSet = HashSet<ObjectId, IdHashing>;

/// Builds hashers with a key that differs from map to map.
#[derive(Clone, Copy)]
pub(crate) struct IdHashing {
    key: u64,
}

impl Default for IdHashing {
    fn default() -> Self {
        Self {
            key: RandomState::new().hash_one(0u8) | 1,
        }
    }
}

impl BuildHasher for IdHashing {
    type Hasher = IdHasher;

    fn build_hasher(&self) -> IdHasher {
        IdHasher { state: self.key }
    }
}

/// Odd, with its bits well spread.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// Mixes the first 16 bytes of a name with the key.
pub(crate) struct IdHasher {
    state: u64,
}

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for word in bytes.chunks_exact(8).take(2) {
            let word = u64::from_le_bytes(word.try_into().expect("eight bytes"));
            let product = u128::from(self.state ^ word) * u128::from(MULTIPLIER);
            self.state = (product >> 64) as u64 ^ product as u64;
        }
    }

    /// The length of the name and the kind of its hash, the same for all keys of a map.
    fn write_usize(&mut self, _: usize) {}

    fn write_isize(&mut self, _: isize) {}

    fn finish(&self) -> u64 {
        self.state
    }
}

#[cfg(test)]
mod tests {
    use git_id::ObjectId;

    use super::IdMap;

    #[test]
    fn names_that_differ_only_in_a_few_bytes_are_told_apart() {
        let mut map = IdMap::default();
        for number in 0..1000u32 {
            let mut bytes = [0; 20];
            bytes[16..].copy_from_slice(&number.to_be_bytes());
            map.insert(ObjectId::from_bytes(&bytes).unwrap(), number);
        }
        assert_eq!(map.len(), 1000);
    }
}
