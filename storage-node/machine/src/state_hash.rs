//! A hash of the logical state that follows every write and does not depend on
//! the order of writes.
//!
//! It is the sum, modulo 2^256, of the BLAKE3 hashes of all pairs. Replacing a
//! value subtracts the old pair and adds the new one.

use std::ops::ControlFlow;

use crate::fault::Fault;
use crate::keys::{Key, Seal};
use crate::reader::{RANGE, Reader};

/// The sum of the hashes of some pairs; limbs from least to most significant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum([u64; 4]);

impl Sum {
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        let mut limbs = [0; 4];
        for (limb, word) in limbs.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *limb = u64::from_le_bytes(*word);
        }
        Self(limbs)
    }

    pub(crate) fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (word, limb) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(self.0) {
            *word = limb.to_le_bytes();
        }
        bytes
    }

    /// Adds a pair.
    pub(crate) fn add(&mut self, key: &[u8], value: &[u8]) {
        let mut carry = false;
        for (limb, more) in self.0.iter_mut().zip(pair(key, value).0) {
            let (sum, over) = limb.overflowing_add(more);
            let (sum, over_again) = sum.overflowing_add(u64::from(carry));
            *limb = sum;
            carry = over || over_again;
        }
    }

    /// Takes away a pair that was added.
    pub(crate) fn subtract(&mut self, key: &[u8], value: &[u8]) {
        let mut borrow = false;
        for (limb, less) in self.0.iter_mut().zip(pair(key, value).0) {
            let (rest, under) = limb.overflowing_sub(less);
            let (rest, under_again) = rest.overflowing_sub(u64::from(borrow));
            *limb = rest;
            borrow = under || under_again;
        }
    }
}

fn pair(key: &[u8], value: &[u8]) -> Sum {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(key.len() as u64).to_le_bytes());
    hasher.update(key);
    hasher.update(value);
    Sum::from_bytes(hasher.finalize().into())
}

/// The hash of the logical state, from all of its pairs. Scrub compares it with
/// the one that [`Query::StateHash`](storage_node_api::order::Query::StateHash)
/// answers from the same view.
pub fn recompute(state: &dyn Reader) -> Result<[u8; 32], Fault> {
    let seal = Seal.encode();
    let mut sum = Sum::default();
    state.scan(RANGE.0, RANGE.1, &mut |key, value| {
        if key != seal {
            sum.add(key, value);
        }
        ControlFlow::Continue(())
    })?;
    Ok(sum.to_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};

    use super::Sum;

    proptest! {
        #[test]
        fn order_does_not_matter_and_removal_undoes(
            pairs in vec((any::<[u8; 4]>(), vec(any::<u8>(), 0..9)), 0..30),
            turn in any::<usize>(),
        ) {
            let mut forward = Sum::default();
            for (key, value) in &pairs {
                forward.add(key, value);
            }
            let mut turned = pairs.clone();
            turned.rotate_left(turn % pairs.len().max(1));
            let mut other = Sum::default();
            other.add(b"key", b"value");
            for (key, value) in &turned {
                other.add(key, value);
            }
            other.subtract(b"key", b"value");
            assert_eq!(forward, other);
            assert_eq!(Sum::from_bytes(forward.to_bytes()), forward);
            other.add(b"key", b"value");
            assert_ne!(forward, other);
        }
    }

    #[test]
    fn the_border_of_key_and_value_counts() {
        let mut one = Sum::default();
        one.add(b"ab", b"c");
        let mut two = Sum::default();
        two.add(b"a", b"bc");
        assert_ne!(one, two);
    }
}
