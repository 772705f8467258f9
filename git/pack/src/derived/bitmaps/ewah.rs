//! Compressed bitmaps as git's files hold them: EWAH, words of 64 bits.
//!
//! A marker word gives a run (bit 0: of what; bits 1 to 32: how many words) and how many words follow
//! as they are (bits 33 to 63).

use super::super::file::{Damage, u32_at, u64_at};

/// The most words that one marker's run has.
const MAX_RUN: usize = u32::MAX as usize;

/// The most words that follow one marker as they are.
const MAX_LITERALS: usize = (1 << 31) - 1;

/// A compressed bitmap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ewah {
    /// Bits that it speaks of; those beyond are not set.
    bits: u32,
    words: Vec<u64>,
    last_marker: u32,
}

impl Ewah {
    /// Compresses the bits of some words.
    pub(super) fn compress(words: &[u64]) -> Self {
        let used = words
            .iter()
            .rposition(|word| *word != 0)
            .map_or(0, |at| at + 1);
        let (bits, mut rest) = (
            (used as u64 * 64).min(u64::from(u32::MAX)) as u32,
            &words[..used],
        );
        let is_fill = |word: &u64| *word == 0 || *word == u64::MAX;
        let mut out = Vec::new();
        loop {
            let fill = rest.first().copied().filter(is_fill).unwrap_or(0);
            let run = rest.iter().take(MAX_RUN).take_while(|word| **word == fill);
            let (run, after) = rest.split_at(run.count());
            let literals = after
                .iter()
                .take(MAX_LITERALS)
                .take_while(|word| !is_fill(word));
            let (literals, after) = after.split_at(literals.count());
            let last_marker = out.len();
            out.push(fill & 1 | (run.len() as u64) << 1 | (literals.len() as u64) << 33);
            out.extend_from_slice(literals);
            rest = after;
            if rest.is_empty() {
                return Self {
                    bits,
                    words: out,
                    last_marker: last_marker as u32,
                };
            }
        }
    }

    /// How many words it takes.
    pub(super) fn len(&self) -> usize {
        self.words.len()
    }

    pub(super) fn push_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bits.to_be_bytes());
        out.extend_from_slice(&(self.words.len() as u32).to_be_bytes());
        out.extend(self.words.iter().flat_map(|word| word.to_be_bytes()));
        out.extend_from_slice(&self.last_marker.to_be_bytes());
    }

    /// Turns over in `target` all bits that are set here.
    pub(super) fn toggle(&self, target: &mut [u64]) {
        let words = self.words.iter().copied();
        toggle(words, target).expect("what was compressed here fits what it was made of");
    }
}

/// A compressed bitmap in a file: where its words are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored {
    start: usize,
    words: usize,
}

impl Stored {
    /// Reads the head of the bitmap at `at`; gives it and where it ends.
    pub(super) fn parse(content: &[u8], at: usize) -> Result<(Self, usize), Damage> {
        let words = u32_at(content, at + 4).ok_or(Damage::Truncated)? as usize;
        let start = at + 8;
        let end = words
            .checked_mul(8)
            .and_then(|bytes| bytes.checked_add(start + 4));
        let end = end
            .filter(|end| *end <= content.len())
            .ok_or(Damage::Truncated)?;
        Ok((Self { start, words }, end))
    }

    /// Turns over in `target` all bits that are set here; fails if there are more.
    pub(super) fn toggle(&self, content: &[u8], target: &mut [u64]) -> Result<(), Damage> {
        let word = |at| u64_at(content, self.start + at * 8).unwrap_or(0);
        toggle((0..self.words).map(word), target)
    }
}

fn toggle(mut words: impl Iterator<Item = u64>, target: &mut [u64]) -> Result<(), Damage> {
    let mut at = 0;
    while let Some(marker) = words.next() {
        let (run, literals) = (
            (marker >> 1 & 0xffff_ffff) as usize,
            (marker >> 33) as usize,
        );
        // Runs of zeroes may go beyond the end: some writers fill up their last word.
        let end = target.len().min(at + run);
        if marker & 1 == 1 {
            if end < at + run {
                return Err(Damage::Inconsistent("bitmaps"));
            }
            target[at..end].iter_mut().for_each(|word| *word = !*word);
        }
        at = end;
        for _ in 0..literals {
            let word = words.next().ok_or(Damage::Truncated)?;
            match target.get_mut(at) {
                Some(target) => *target ^= word,
                None if word == 0 => continue,
                None => return Err(Damage::Inconsistent("bitmaps")),
            }
            at += 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop_oneof, proptest};
    use proptest::strategy::Just;

    use super::{Ewah, Stored};

    fn words() -> impl Strategy<Value = Vec<u64>> {
        let word = prop_oneof![Just(0), Just(u64::MAX), any::<u64>()];
        let run = (word, 1usize..5).prop_map(|(word, count)| vec![word; count]);
        proptest::collection::vec(run, 0..12).prop_map(|runs| runs.concat())
    }

    proptest! {
        #[test]
        fn what_is_compressed_comes_back(words in words(), other in words()) {
            let compressed = Ewah::compress(&words);
            assert!(compressed.len() <= words.len() + 1);
            let mut out = vec![9; 3];
            compressed.push_to(&mut out);
            let (stored, end) = Stored::parse(&out, 3).unwrap();
            assert_eq!(end, out.len());
            let mut target = vec![0; words.len().max(other.len())];
            stored.toggle(&out, &mut target).unwrap();
            assert_eq!(&target[..words.len()], &words);
            Ewah::compress(&other).toggle(&mut target);
            compressed.toggle(&mut target);
            assert_eq!(&target[..other.len()], &other);
            for cut in 3..out.len() {
                assert!(Stored::parse(&out[..cut], 3).is_err());
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, room in 0usize..100) {
            let mut bytes = bytes;
            let words = bytes.len() as u32 / 8;
            bytes.splice(0..0, [0, 0, 0, 0].into_iter().chain(words.to_be_bytes()));
            bytes.extend_from_slice(&[0; 4]);
            if let Ok((stored, _)) = Stored::parse(&bytes, 0) {
                let _ = stored.toggle(&bytes, &mut vec![0; room]);
            }
        }
    }

    #[test]
    fn more_bits_than_objects_are_refused() {
        let refused = |words: &[u64], room: usize| {
            let mut out = Vec::new();
            Ewah::compress(words).push_to(&mut out);
            let (stored, _) = Stored::parse(&out, 0).unwrap();
            stored.toggle(&out, &mut vec![0; room]).is_err()
        };
        assert!(!refused(&[5, u64::MAX], 2));
        assert!(refused(&[5, u64::MAX], 1));
        assert!(refused(&[5, 6], 1));
        assert!(!refused(&[], 0));
    }
}
