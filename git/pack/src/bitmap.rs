use std::ops::Range;

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

    /// Takes out all numbers that are in the other set.
    pub(crate) fn subtract(&mut self, other: &Self) {
        for (word, taken) in self.words.iter_mut().zip(&other.words) {
            self.count -= (*word & taken).count_ones();
            *word &= !taken;
        }
    }

    /// Adds all numbers of a range.
    pub(crate) fn insert_range(&mut self, range: Range<u32>) {
        let needed = range.end.div_ceil(64) as usize;
        if needed > self.words.len() {
            self.words.resize(needed, 0);
        }
        for (at, mask) in Self::masks(&range, needed) {
            self.count += (mask & !self.words[at]).count_ones();
            self.words[at] |= mask;
        }
    }

    /// The numbers in a range, in ascending order.
    pub(crate) fn range(&self, range: Range<u32>) -> impl Iterator<Item = u32> + '_ {
        Self::masks(&range, self.words.len()).flat_map(|(at, mask)| {
            let mut word = self.words[at] & mask;
            std::iter::from_fn(move || {
                let bit = (word != 0).then(|| word.trailing_zeros())?;
                word &= word - 1;
                Some(at as u32 * 64 + bit)
            })
        })
    }

    /// How many numbers of a range are in the set.
    pub(crate) fn count_range(&self, range: Range<u32>) -> u32 {
        Self::masks(&range, self.words.len())
            .map(|(at, mask)| (self.words[at] & mask).count_ones())
            .sum()
    }

    /// The words below `end` that have a part in a range, and their bits that do.
    fn masks(range: &Range<u32>, end: usize) -> impl Iterator<Item = (usize, u64)> + use<> {
        let Range { start, end: stop } = *range;
        let words = start as usize / 64..end.min(stop.div_ceil(64) as usize);
        words.map(move |at| {
            let first = at as u64 * 64;
            let from = u64::from(start).saturating_sub(first);
            let below = u64::from(stop).saturating_sub(first);
            let upper = if below >= 64 {
                u64::MAX
            } else {
                (1 << below) - 1
            };
            (at, upper & (u64::MAX << from))
        })
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
        fn it_is_a_set(numbers: Vec<u16>, others: Vec<u16>, start in 0u32..70_000, length in 0u32..70_000) {
            let mut bitmap = Bitmap::with_capacity(100);
            let mut set = BTreeSet::new();
            for number in numbers {
                assert_eq!(bitmap.insert(u32::from(number)), set.insert(u32::from(number)));
            }
            assert_eq!(bitmap.count() as usize, set.len());
            let range = start..start + length;
            assert!(bitmap.range(range.clone()).eq(set.range(range.clone()).copied()));
            assert_eq!(bitmap.count_range(range.clone()) as usize, set.range(range.clone()).count());
            assert!(bitmap.range(start..u32::MAX).eq(set.range(start..).copied()));
            assert!((0..=u32::from(u16::MAX)).all(|number| bitmap.contains(number) == set.contains(&number)));
            bitmap.insert_range(range.clone());
            set.extend(range.clone());
            assert!(bitmap.range(0..u32::MAX).eq(set.iter().copied()));
            assert_eq!(bitmap.count() as usize, set.len());
            let mut other = Bitmap::default();
            for number in others {
                other.insert(u32::from(number));
                set.remove(&u32::from(number));
            }
            bitmap.subtract(&other);
            assert!(bitmap.range(0..u32::MAX).eq(set.iter().copied()));
            assert_eq!(bitmap.count() as usize, set.len());
        }
    }
}
