use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};

use git_id::ObjectId;

use super::ewah::Ewah;
use super::select::select;
use super::{BitOrder, FULL_DAG, LOOKUP_TABLE, NAME_HASHES, SIGNATURE, TYPES};
use crate::Kind;
use crate::derived::file::seal;
use crate::derived::{Changes, Commits};
use crate::history::NumberMap;
use crate::objects::{Objects, ReadError};

/// Earlier bitmaps that are tried as what one differs from.
const TRIED: usize = 4;

/// The most differences that are followed to rebuild one bitmap.
const MAX_CHAIN: u32 = 24;

/// Why no bitmaps were made.
#[derive(Debug)]
pub(crate) enum BitmapError {
    /// An object that a commit reaches has no bit.
    NotCovered {
        commit: ObjectId,
    },
    Read(ReadError),
}

impl From<ReadError> for BitmapError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

/// A commit's bitmap, ready to be written.
struct Made {
    position: u32,
    /// The whole bitmap.
    whole: Ewah,
    /// How many entries before is the one that `stored` is the difference from; 0 for none.
    distance: u32,
    chain: u32,
    stored: Ewah,
}

/// The bitmap file for objects in an order that covers all that `commits` reach. `tips` get
/// bitmaps in any case, the first counting as the main line.
pub(crate) fn encode_bitmaps(
    objects: &Objects,
    order: &BitOrder,
    commits: &Commits,
    changes: &Changes,
    tips: &[ObjectId],
    cancel: &AtomicBool,
) -> Result<Vec<u8>, BitmapError> {
    let builder = Builder::new(objects, order, commits, changes)?;
    let places: std::collections::HashMap<ObjectId, u32> = (commits.rows().iter().zip(0..))
        .map(|(row, place)| (row.id, place))
        .collect();
    let tips: Vec<u32> = tips
        .iter()
        .filter_map(|tip| places.get(tip).copied())
        .collect();
    let made = builder.run(&select(commits, &tips), cancel)?;
    let hash = objects.hash();
    let mut out = SIGNATURE.to_vec();
    out.extend_from_slice(&(FULL_DAG | NAME_HASHES | LOOKUP_TABLE).to_be_bytes());
    out.extend_from_slice(&(made.len() as u32).to_be_bytes());
    out.extend_from_slice(order.checksum().as_bytes());
    for words in by_type(objects, order)? {
        Ewah::compress(&words).push_to(&mut out);
    }
    let mut offsets = Vec::with_capacity(made.len());
    for made in &made {
        offsets.push(out.len() as u64);
        out.extend_from_slice(&made.position.to_be_bytes());
        out.extend_from_slice(&[made.distance as u8, 0]);
        made.stored.push_to(&mut out);
    }
    push_lookup_table(&mut out, &made, &offsets);
    push_name_hashes(&mut out, order, commits, changes);
    seal(&mut out, hash);
    Ok(out)
}

/// The objects of each type.
fn by_type(objects: &Objects, order: &BitOrder) -> Result<[Vec<u64>; 4], ReadError> {
    let mut words = TYPES.map(|_| vec![0u64; order.count().div_ceil(64) as usize]);
    for bit in 0..order.count() {
        let number = order.number(bit);
        let (pack, position) = objects.place_of_number(number).expect("it has a number");
        let kind: Kind = objects.pack_list()[pack].kinds()?.at(position);
        let at = TYPES.iter().position(|other| *other == kind);
        words[at.expect("all kinds are listed")][bit as usize / 64] |= 1 << (bit % 64);
    }
    Ok(words)
}

/// Positions, offsets and what each differs from, sorted by position.
fn push_lookup_table(out: &mut Vec<u8>, made: &[Made], offsets: &[u64]) {
    let mut rows: Vec<usize> = (0..made.len()).collect();
    rows.sort_unstable_by_key(|at| made[*at].position);
    let mut row_of = vec![0u32; made.len()];
    for (row, at) in rows.iter().enumerate() {
        row_of[*at] = row as u32;
    }
    for at in rows {
        let from = match made[at].distance {
            0 => u32::MAX,
            distance => row_of[at - distance as usize],
        };
        out.extend_from_slice(&made[at].position.to_be_bytes());
        out.extend_from_slice(&offsets[at].to_be_bytes());
        out.extend_from_slice(&from.to_be_bytes());
    }
}

/// A hash of some path of each object, in the order of the index.
fn push_name_hashes(out: &mut Vec<u8>, order: &BitOrder, commits: &Commits, changes: &Changes) {
    let mut hashes = vec![0u32; order.count() as usize];
    for place in 0..commits.len() {
        for introduced in changes.introduced(place) {
            if let Some(bit) = order.bit(introduced.number) {
                hashes[order.position(bit) as usize] = introduced.name_hash;
            }
        }
    }
    out.extend(hashes.iter().flat_map(|hash| hash.to_be_bytes()));
}

struct Builder<'a> {
    order: &'a BitOrder,
    commits: &'a Commits,
    changes: &'a Changes,
    /// The bit of each commit.
    bits: Vec<u32>,
}

impl<'a> Builder<'a> {
    fn new(
        objects: &Objects,
        order: &'a BitOrder,
        commits: &'a Commits,
        changes: &'a Changes,
    ) -> Result<Self, BitmapError> {
        let bit = |id: &ObjectId| {
            let (pack, position) = objects.find_packed(id.as_bytes())?;
            order.bit(objects.number(pack, position))
        };
        let not_covered = |commit| BitmapError::NotCovered { commit };
        let bits = commits
            .rows()
            .iter()
            .map(|row| bit(&row.id).ok_or(not_covered(row.id)));
        let bits = bits.collect::<Result<_, _>>()?;
        match commits.rows().first() {
            Some(newest) if changes.is_partial => Err(not_covered(newest.id)),
            _ => Ok(Self {
                order,
                commits,
                changes,
                bits,
            }),
        }
    }

    /// Makes the bitmaps of the selected commits, which are given oldest first.
    fn run(&self, selected: &[u32], cancel: &AtomicBool) -> Result<Vec<Made>, BitmapError> {
        let mut made: Vec<Made> = Vec::with_capacity(selected.len());
        let mut made_at: NumberMap<u32> = NumberMap::default();
        let mut recent: VecDeque<Vec<u64>> = VecDeque::new();
        for place in selected {
            if cancel.load(Ordering::Relaxed) {
                return Err(ReadError::Cancelled.into());
            }
            let words = self.reached(*place, &made, &made_at)?;
            let whole = Ewah::compress(&words);
            let (mut best, mut distance, mut chain) = (None, 0, 0);
            for (back, other) in recent.iter().enumerate() {
                let base = &made[made.len() - 1 - back];
                if base.chain == MAX_CHAIN {
                    continue;
                }
                let difference: Vec<u64> = words.iter().zip(other).map(|(a, b)| a ^ b).collect();
                let difference = Ewah::compress(&difference);
                if difference.len() < best.as_ref().unwrap_or(&whole).len() {
                    (best, distance, chain) = (Some(difference), back as u32 + 1, base.chain + 1);
                }
            }
            recent.truncate(TRIED - 1);
            recent.push_front(words);
            made_at.insert(*place, made.len() as u32);
            made.push(Made {
                position: self.order.position(self.bits[*place as usize]),
                stored: best.unwrap_or_else(|| whole.clone()),
                whole,
                distance,
                chain,
            });
        }
        Ok(made)
    }

    /// What a commit reaches: what it and its ancestors brought, as far back as no bitmap has it
    /// already.
    fn reached(
        &self,
        commit: u32,
        made: &[Made],
        made_at: &NumberMap<u32>,
    ) -> Result<Vec<u64>, BitmapError> {
        let mut words = vec![0u64; self.order.count().div_ceil(64) as usize];
        // Newest first: what a newer commit's bitmap has, an older one's need not add.
        let mut open = BinaryHeap::from([Reverse(commit)]);
        while let Some(Reverse(place)) = open.pop() {
            let bit = self.bits[place as usize];
            if words[bit as usize / 64] & 1 << (bit % 64) != 0 {
                continue;
            }
            if let Some(at) = made_at.get(&place) {
                let mut earlier = vec![0; words.len()];
                made[*at as usize].whole.toggle(&mut earlier);
                words
                    .iter_mut()
                    .zip(&earlier)
                    .for_each(|(word, other)| *word |= other);
                continue;
            }
            words[bit as usize / 64] |= 1 << (bit % 64);
            for introduced in self.changes.introduced(place as usize) {
                let bit = self.order.bit(introduced.number);
                let commit = self.commits.rows()[place as usize].id;
                let bit = bit.ok_or(BitmapError::NotCovered { commit })?;
                words[bit as usize / 64] |= 1 << (bit % 64);
            }
            open.extend(
                self.commits
                    .parents(place as usize)
                    .iter()
                    .copied()
                    .map(Reverse),
            );
        }
        Ok(words)
    }
}
