//! Reachability bitmaps (git's `Documentation/technical/bitmap-format.txt`): for some commits,
//! everything that they reach, as a bit for each object of a pack or of a multi-pack-index.
//!
//! A bitmap that is stored as the difference from an earlier one is followed back to it. Tables of
//! where the bitmaps are, are written for git and not read: going through all of them once
//! costs less than the checksum.

mod build;
mod ewah;
mod order;
mod select;
mod set;

use std::path::Path;

use git_id::{HashKind, ObjectId};

pub(crate) use build::{BitmapError, encode_bitmaps};
pub(crate) use order::{BitOrder, canonical};
pub(crate) use set::Bitmaps;

use super::file::{Damage, Summed, load, u32_at};
use crate::Kind;
use ewah::Stored;

const SIGNATURE: &[u8; 6] = b"BITM\0\x01";

/// Every object that a commit with a bitmap reaches is numbered. Nobody writes files without.
const FULL_DAG: u16 = 1;

/// There is a hash of a path for each object.
const NAME_HASHES: u16 = 4;

/// There is a table of where the bitmaps are.
const LOOKUP_TABLE: u16 = 0x10;

/// The farthest back that a bitmap's difference refers.
const MAX_XOR_DISTANCE: usize = 160;

/// The order of the bitmaps by type at the beginning.
const TYPES: [Kind; 4] = [Kind::Commit, Kind::Tree, Kind::Blob, Kind::Tag];

/// A bitmap file in memory.
#[derive(Debug)]
pub(crate) struct BitmapFile {
    content: Vec<u8>,
    /// How many objects have bits.
    objects: u32,
    /// In the order of the file.
    entries: Vec<Entry>,
    /// Positions of commits, and their places in `entries`; sorted.
    places: Vec<(u32, u32)>,
}

/// A commit's bitmap.
#[derive(Clone, Copy, Debug)]
struct Entry {
    stored: Stored,
    /// The earlier entry that it is the difference from.
    from: Option<u32>,
}

impl BitmapFile {
    /// Reads the bitmaps of a pack or multi-pack-index with that checksum and so many objects;
    /// `None` if there are none that can be used.
    pub(crate) fn load(
        path: &Path,
        hash: HashKind,
        checksum: ObjectId,
        objects: u32,
    ) -> Option<Self> {
        load(path, hash, |file| Self::parse(file, checksum, objects))
    }

    fn parse(file: Summed, checksum: ObjectId, objects: u32) -> Result<Self, Damage> {
        let content = file.content;
        let rest = content.strip_prefix(SIGNATURE).ok_or(Damage::Signature)?;
        let flags = rest.first_chunk().map(|bytes| u16::from_be_bytes(*bytes));
        if flags.ok_or(Damage::Truncated)? & FULL_DAG == 0 {
            return Err(Damage::Unsupported("bitmaps that are not closed"));
        }
        let count = u32_at(&content, 8).ok_or(Damage::Truncated)?;
        let mut at = 12 + checksum.as_bytes().len();
        if content.get(12..at) != Some(checksum.as_bytes()) {
            return Err(Damage::Foreign);
        }
        for _ in TYPES {
            (_, at) = Stored::parse(&content, at)?;
        }
        let (mut entries, mut places) = (Vec::new(), Vec::new());
        for number in 0..count {
            let position = u32_at(&content, at).ok_or(Damage::Truncated)?;
            let distance = u32::from(*content.get(at + 4).ok_or(Damage::Truncated)?);
            let (stored, end) = Stored::parse(&content, at + 6)?;
            let from = match distance {
                0 => None,
                distance => Some(
                    number
                        .checked_sub(distance)
                        .ok_or(Damage::Inconsistent("bitmaps"))?,
                ),
            };
            if position >= objects || distance as usize > MAX_XOR_DISTANCE {
                return Err(Damage::Inconsistent("bitmaps"));
            }
            entries.push(Entry { stored, from });
            places.push((position, number));
            at = end;
        }
        places.sort_unstable();
        Ok(Self {
            content,
            objects,
            entries,
            places,
        })
    }

    /// Whether the commit at a position of the index has a bitmap; gives its place.
    pub(crate) fn find(&self, position: u32) -> Option<u32> {
        let at = self.places.binary_search_by_key(&position, |place| place.0);
        at.ok().map(|at| self.places[at].1)
    }

    /// The bitmap at a place that was found: a bit for each object that the commit reaches.
    pub(crate) fn words(&self, place: u32) -> Result<Vec<u64>, Damage> {
        let mut words = vec![0; self.objects.div_ceil(64) as usize];
        let mut next = Some(place);
        while let Some(place) = next {
            let entry = &self.entries[place as usize];
            entry.stored.toggle(&self.content, &mut words)?;
            next = entry.from;
        }
        let beyond = self.objects % 64;
        if beyond != 0 && words.last().is_some_and(|last| last >> beyond != 0) {
            return Err(Damage::Inconsistent("bitmaps"));
        }
        Ok(words)
    }
}

/// The places of the bits that are set in some words.
pub(crate) fn set_bits(words: &[u64]) -> impl Iterator<Item = u32> + '_ {
    words.iter().enumerate().flat_map(|(at, word)| {
        let mut rest = *word;
        std::iter::from_fn(move || {
            let bit = (rest != 0).then(|| rest.trailing_zeros())?;
            rest &= rest - 1;
            Some(at as u32 * 64 + bit)
        })
    })
}

#[cfg(test)]
mod tests {
    use git_id::{HashKind, ObjectId};

    use super::super::file::{seal, unseal};
    use super::ewah::Ewah;
    use super::{BitmapFile, SIGNATURE, set_bits};

    const OBJECTS: u32 = 70;

    fn pack() -> ObjectId {
        ObjectId::from_bytes(&[7; 20]).unwrap()
    }

    /// A file of bitmaps, each with a position, how far back what it differs from is, and the words.
    fn file(entries: &[(u32, u8, [u64; 2])]) -> Vec<u8> {
        let mut out = [SIGNATURE.as_slice(), &[0, 1]].concat();
        out.extend_from_slice(&(entries.len() as u32).to_be_bytes());
        out.extend_from_slice(pack().as_bytes());
        (0..4).for_each(|_| Ewah::compress(&[1]).push_to(&mut out));
        for (position, distance, words) in entries {
            out.extend_from_slice(&position.to_be_bytes());
            out.extend_from_slice(&[*distance, 0]);
            Ewah::compress(words).push_to(&mut out);
        }
        seal(&mut out, HashKind::Sha1);
        out
    }

    fn read(bytes: Vec<u8>) -> Option<BitmapFile> {
        BitmapFile::parse(unseal(bytes, HashKind::Sha1).ok()?, pack(), OBJECTS).ok()
    }

    #[test]
    fn differences_are_followed_to_a_whole_bitmap() {
        let bytes = file(&[
            (9, 0, [0b111, 1]),
            (3, 1, [0b1000, 1]),
            (5, 2, [1 << 63, 0]),
        ]);
        let bitmaps = read(bytes).unwrap();
        let bits = |position| {
            let words = bitmaps.words(bitmaps.find(position)?).ok()?;
            Some(set_bits(&words).collect::<Vec<_>>())
        };
        assert_eq!(bits(9), Some(vec![0, 1, 2, 64]));
        assert_eq!(bits(3), Some(vec![0, 1, 2, 3]));
        assert_eq!(bits(5), Some(vec![0, 1, 2, 63, 64]));
        assert_eq!(bits(4), None);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (what, entries) in [
            (
                "a difference from what is before the first",
                &[(9, 1, [1, 0])][..],
            ),
            ("a commit beyond the last object", &[(OBJECTS, 0, [1, 0])]),
            ("a difference from too far back", &[(1, 161, [1, 0])]),
        ] {
            assert!(read(file(entries)).is_none(), "{what}");
        }
        let bitmaps = read(file(&[(1, 0, [0, 1 << 6])])).unwrap();
        assert!(bitmaps.words(0).is_err(), "a bit beyond the last object");
        let foreign = unseal(file(&[]), HashKind::Sha1).unwrap();
        let other = ObjectId::from_bytes(&[8; 20]).unwrap();
        assert!(BitmapFile::parse(foreign, other, OBJECTS).is_err());
    }

    #[test]
    fn no_damage_goes_unnoticed() {
        let whole = file(&[(9, 0, [5, 1]), (3, 1, [u64::MAX, 1])]);
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x21;
            assert!(read(damaged.clone()).is_none(), "byte {at}");
            assert!(read(whole[..at].to_vec()).is_none(), "length {at}");
            // With a checksum that fits, nothing worse than a wrong answer may come of it.
            damaged.truncate(damaged.len() - 20);
            seal(&mut damaged, HashKind::Sha1);
            if let Some(bitmaps) = read(damaged) {
                (0..bitmaps.entries.len() as u32).for_each(|place| drop(bitmaps.words(place)));
            }
        }
    }
}
