/// A set of small numbers that grows as needed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bitmap {
    words: Vec<u64>,
    count: u32,
}

impl Bitmap {
    /// Makes room for the numbers below `numbers`.
    pub(crate) fn with_capacity(numbers: u32) -> Self {
        Self {
            words: vec![0; numbers.div_ceil(64) as usize],
            count: 0,
        }
    }

    /// Adds a number; whether it is new.
    pub(crate) fn insert(&mut self, number: u32) -> bool {
        let (word, bit) = (number as usize / 64, 1 << (number % 64));
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        self.count += u32::from(new);
        new
    }

    pub(crate) fn contains(&self, number: u32) -> bool {
        self.words
            .get(number as usize / 64)
            .is_some_and(|word| word & 1 << (number % 64) != 0)
    }

    /// How many numbers are in the set.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// The numbers in a range, in ascending order.
    pub(crate) fn range(&self, range: std::ops::Range<u32>) -> impl Iterator<Item = u32> + '_ {
        let words = range.start / 64..range.end.div_ceil(64);
        words
            .flat_map(|at| {
                let mut word = self.words.get(at as usize).copied().unwrap_or(0);
                std::iter::from_fn(move || {
                    let bit = (word != 0).then(|| word.trailing_zeros())?;
                    word &= word - 1;
                    Some(at * 64 + bit)
                })
            })
            .filter(move |number| range.contains(number))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.words.len() * 8
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::proptest;

    use super::Bitmap;

    proptest! {
        #[test]
        fn it_is_a_set(numbers: Vec<u16>, start in 0u32..70_000, length in 0u32..70_000) {
            let mut bitmap = Bitmap::with_capacity(100);
            let mut set = BTreeSet::new();
            for number in numbers {
                assert_eq!(bitmap.insert(u32::from(number)), set.insert(u32::from(number)));
            }
            assert_eq!(bitmap.count() as usize, set.len());
            let range = start..start + length;
            assert!(bitmap.range(range.clone()).eq(set.range(range).copied()));
            assert!((0..=u32::from(u16::MAX)).all(|number| bitmap.contains(number) == set.contains(&number)));
        }
    }
}
