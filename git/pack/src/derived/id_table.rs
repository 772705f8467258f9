use std::ops::Range;

use git_id::{HashKind, ObjectId};

use super::chunks::Chunks;
use super::file::{Damage, u32_at};

/// The sorted ids of a chunk file: `OIDF` says how many begin with each byte or a lesser one,
/// `OIDL` lists them.
#[derive(Debug)]
pub(super) struct IdTable {
    hash: HashKind,
    fanout: [u32; 256],
    ids: Range<usize>,
}

const FANOUT_BYTES: usize = 1024;

impl IdTable {
    pub(super) fn parse(content: &[u8], chunks: &Chunks, hash: HashKind) -> Result<Self, Damage> {
        let range = chunks.expect(*b"OIDF", FANOUT_BYTES)?;
        let (counts, _) = content[range].as_chunks::<4>();
        let mut fanout = [0; 256];
        let mut least = 0;
        for (slot, bytes) in fanout.iter_mut().zip(counts) {
            *slot = u32::from_be_bytes(*bytes);
            if *slot < least {
                return Err(Damage::Inconsistent("ids"));
            }
            least = *slot;
        }
        let bytes = (least as usize).checked_mul(hash.len_bytes());
        let ids = chunks.expect(*b"OIDL", bytes.ok_or(Damage::Truncated)?)?;
        Ok(Self { hash, fanout, ids })
    }

    pub(super) fn count(&self) -> u32 {
        self.fanout[255]
    }

    /// The id at a position below the count.
    pub(super) fn id<'a>(&self, content: &'a [u8], position: u32) -> &'a [u8] {
        let start = self.ids.start + position as usize * self.hash.len_bytes();
        &content[start..start + self.hash.len_bytes()]
    }

    pub(super) fn find(&self, content: &[u8], id: &[u8]) -> Option<u32> {
        let first = usize::from(*id.first()?);
        let mut low = first.checked_sub(1).map_or(0, |before| self.fanout[before]);
        let mut high = self.fanout[first];
        while low < high {
            let middle = low + (high - low) / 2;
            match self.id(content, middle).cmp(id) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }
}

/// For each byte, how many of the sorted ids begin with it or a lesser one.
pub(crate) fn fanout<'a>(ids: impl Iterator<Item = &'a ObjectId>) -> Vec<u8> {
    let mut counts = [0u32; 256];
    for id in ids {
        counts[usize::from(id.as_bytes()[0])] += 1;
    }
    let mut total = 0;
    let cumulative = counts.iter().flat_map(|count| {
        total += count;
        total.to_be_bytes()
    });
    cumulative.collect()
}

/// The header's byte for a hash function.
pub(super) fn hash_byte(hash: HashKind) -> u8 {
    match hash {
        HashKind::Sha1 => 1,
        HashKind::Sha256 => 2,
    }
}

/// Whether `content` starts with this signature, format version 1 and this hash function.
pub(super) fn check_header(
    content: &[u8],
    signature: [u8; 4],
    hash: HashKind,
) -> Result<(), Damage> {
    if u32_at(content, 0) != Some(u32::from_be_bytes(signature))
        || content.get(4..6) != Some(&[1, hash_byte(hash)])
    {
        return Err(Damage::Signature);
    }
    Ok(())
}
