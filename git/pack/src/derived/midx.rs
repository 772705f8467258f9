//! The multi-pack-index (gitformat-pack(5)): one sorted list of the objects of many packs, with the
//! order of the bits of its bitmaps.

use std::ops::Range;
use std::path::{Path, PathBuf};

use git_id::{HashKind, ObjectId};

use super::bitmaps::{BitOrder, canonical};
use super::chunks::{ChunkId, Chunks, assemble, number_at, numbers};
use super::file::{Damage, Summed, load, seal, u32_at, u64_at};
use super::id_table::{IdTable, check_header, fanout, hash_byte};
use crate::objects::{Objects, Pack};

const SIGNATURE: [u8; 4] = *b"MIDX";

/// Bytes of the header: signature, version, hash, chunks, base files, packs.
const HEADER_BYTES: usize = 12;

/// Says that an offset is a place in the list of large ones.
const FLAG: u32 = 0x8000_0000;

/// Where a `pack` directory keeps it.
pub(crate) fn midx_path(directory: &Path) -> PathBuf {
    directory.join("multi-pack-index")
}

/// Where the bitmaps of the multi-pack-index with that checksum are.
pub(crate) fn midx_bitmap_path(directory: &Path, checksum: ObjectId) -> PathBuf {
    directory.join(format!("multi-pack-index-{checksum}.bitmap"))
}

/// An object of the list: where it is found.
struct Entry {
    id: ObjectId,
    /// The pack's place in the order of names.
    pack: u32,
    offset: u64,
}

/// A multi-pack-index that was made, ready to be written.
pub(crate) struct MadeIndex {
    pub(crate) file: Vec<u8>,
    pub(crate) checksum: ObjectId,
    /// The bits of its bitmaps.
    pub(crate) order: BitOrder,
}

/// The multi-pack-index of all packs of `objects`, which must lie in one directory. Objects
/// that are in several are taken from the first, as everywhere here; the first pack is the one whose
/// entries come first in the order of the bits.
pub(crate) fn encode_midx(objects: &Objects) -> MadeIndex {
    let packs = objects.pack_list();
    let mut by_name: Vec<usize> = (0..packs.len()).collect();
    by_name.sort_by_key(|at| index_name(&packs[*at]));
    let mut ordinals = vec![0u32; packs.len()];
    for (ordinal, at) in by_name.iter().enumerate() {
        ordinals[*at] = ordinal as u32;
    }
    // In the order of the bits: the first pack, then the others by name, each by offset.
    let mut bit_order: Vec<usize> = by_name.clone();
    bit_order.sort_by_key(|at| (*at != 0, ordinals[*at]));
    let (mut entries, mut bit_numbers, mut spans) =
        (Vec::new(), Vec::new(), vec![[0u32; 2]; packs.len()]);
    for at in bit_order {
        let first = entries.len() as u32;
        for position in packs[at].by_offset() {
            let number = objects.number(at, *position);
            if canonical(objects, at, *position) == number {
                bit_numbers.push(number);
                entries.push(Entry {
                    id: packs[at].id(*position),
                    pack: ordinals[at],
                    offset: packs[at].offset(*position),
                });
            }
        }
        spans[ordinals[at] as usize] = [first, entries.len() as u32 - first];
    }
    let mut by_id: Vec<u32> = (0..entries.len() as u32).collect();
    by_id.sort_unstable_by_key(|bit| entries[*bit as usize].id);
    let mut positions = vec![0u32; entries.len()];
    for (position, bit) in by_id.iter().enumerate() {
        positions[*bit as usize] = position as u32;
    }
    let names: Vec<String> = by_name.iter().map(|at| index_name(&packs[*at])).collect();
    let sorted: Vec<&Entry> = by_id.iter().map(|bit| &entries[*bit as usize]).collect();
    let (file, checksum) = encode(objects.hash(), &names, &sorted, &positions, &spans);
    MadeIndex {
        file,
        checksum,
        order: BitOrder::new(objects, checksum, bit_numbers, positions),
    }
}

fn encode(
    hash: HashKind,
    names: &[String],
    entries: &[&Entry],
    bit_positions: &[u32],
    spans: &[[u32; 2]],
) -> (Vec<u8>, ObjectId) {
    let mut packs: Vec<u8> = names
        .iter()
        .flat_map(|name| [name.as_bytes(), b"\0"].concat())
        .collect();
    packs.resize(packs.len().next_multiple_of(4), 0);
    let ids = || entries.iter().map(|entry| &entry.id);
    // Only where some offset takes more than 32 bits are those of more than 31 kept apart.
    let has_large = entries
        .iter()
        .any(|entry| u32::try_from(entry.offset).is_err());
    let mut large = Vec::new();
    let mut offset = |entry: &&Entry| {
        let short = u32::try_from(entry.offset).ok();
        let short = short.filter(|offset| !has_large || offset & FLAG == 0);
        let offset = short.unwrap_or_else(|| {
            large.extend_from_slice(&entry.offset.to_be_bytes());
            FLAG | (large.len() / 8 - 1) as u32
        });
        [entry.pack, offset]
    };
    let offsets = numbers(entries.iter().flat_map(&mut offset));
    let mut chunks: Vec<(ChunkId, Vec<u8>)> = vec![
        (*b"PNAM", packs),
        (*b"OIDF", fanout(ids())),
        (
            *b"OIDL",
            ids().flat_map(|id| id.as_bytes().to_vec()).collect(),
        ),
        (*b"OOFF", offsets),
    ];
    if has_large {
        chunks.push((*b"LOFF", large));
    }
    chunks.push((*b"RIDX", numbers(bit_positions.iter().copied())));
    chunks.push((*b"BTMP", numbers(spans.iter().flatten().copied())));
    let mut header = SIGNATURE.to_vec();
    header.extend_from_slice(&[1, hash_byte(hash), chunks.len() as u8, 0]);
    header.extend_from_slice(&(names.len() as u32).to_be_bytes());
    let mut file = assemble(&header, &chunks);
    let checksum = seal(&mut file, hash);
    (file, checksum)
}

/// The name by which a pack is listed.
fn index_name(pack: &Pack) -> String {
    let index = pack.path().with_extension("idx");
    index
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Reads the multi-pack-index of the directory where the packs of `objects` are: the order of the
/// bits of its bitmaps. `None` if there is none that can be used, such as one
/// that lists other packs.
pub(crate) fn load_midx_order(directory: &Path, objects: &Objects) -> Option<BitOrder> {
    load(&midx_path(directory), objects.hash(), |file| {
        Midx::parse(file, objects.hash())?.order(directory, objects)
    })
}

struct Midx {
    content: Vec<u8>,
    checksum: ObjectId,
    names: Vec<String>,
    ids: IdTable,
    offsets: Range<usize>,
    large: Range<usize>,
    bits: Range<usize>,
}

impl Midx {
    fn parse(file: Summed, hash: HashKind) -> Result<Self, Damage> {
        let content = file.content;
        check_header(&content, SIGNATURE, hash)?;
        let count = *content.get(6).ok_or(Damage::Truncated)?;
        if content.get(7) != Some(&0) {
            return Err(Damage::Unsupported("base files"));
        }
        let packs = u32_at(&content, 8).ok_or(Damage::Truncated)? as usize;
        let chunks = Chunks::parse(&content, HEADER_BYTES, count)?;
        let names = &content[chunks.get(*b"PNAM").ok_or(Damage::Truncated)?];
        let names: Vec<String> = names
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty())
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect();
        if names.len() != packs {
            return Err(Damage::Inconsistent("names"));
        }
        let ids = IdTable::parse(&content, &chunks, hash)?;
        let offsets = chunks.expect(*b"OOFF", ids.count() as usize * 8)?;
        let large = chunks.get(*b"LOFF").unwrap_or(0..0);
        if chunks.get(*b"RIDX").is_none() {
            return Err(Damage::Unsupported("no order for bitmaps"));
        }
        let bits = chunks.expect(*b"RIDX", ids.count() as usize * 4)?;
        Ok(Self {
            content,
            checksum: file.checksum,
            names,
            ids,
            offsets,
            large,
            bits,
        })
    }

    /// Pack and offset of the object at a position.
    fn place(&self, position: u32) -> Option<(usize, u64)> {
        let pack = number_at(&self.content, &self.offsets, position.checked_mul(2)?)?;
        let offset = number_at(&self.content, &self.offsets, position * 2 + 1)?;
        if self.large.is_empty() || offset & FLAG == 0 {
            return Some((pack as usize, u64::from(offset)));
        }
        let large = self.content.get(self.large.clone())?;
        Some((pack as usize, u64_at(large, (offset & !FLAG) as usize * 8)?))
    }

    /// What the bits stand for in these objects.
    fn order(&self, directory: &Path, objects: &Objects) -> Result<BitOrder, Damage> {
        let packs = objects.pack_list();
        let known = |name: &String| {
            let path = directory.join(name).with_extension("pack");
            packs
                .iter()
                .position(|pack| pack.path() == path)
                .ok_or(Damage::Foreign)
        };
        let packs_by_name = self
            .names
            .iter()
            .map(known)
            .collect::<Result<Vec<_>, _>>()?;
        let mut next_ranks = vec![0usize; packs.len()];
        let count = self.ids.count();
        let (mut numbers, mut positions) = (
            Vec::with_capacity(count as usize),
            Vec::with_capacity(count as usize),
        );
        let mut met = vec![false; count as usize];
        for bit in 0..count {
            let position = number_at(&self.content, &self.bits, bit).ok_or(Damage::Truncated)?;
            let seen = met
                .get_mut(position as usize)
                .ok_or(Damage::Inconsistent("bits"))?;
            if std::mem::replace(seen, true) {
                return Err(Damage::Inconsistent("bits"));
            }
            let (pack, offset) = self.place(position).ok_or(Damage::Truncated)?;
            let pack = *packs_by_name
                .get(pack)
                .ok_or(Damage::Inconsistent("packs"))?;
            // The bits of a pack are in the order of its entries.
            let rank = &mut next_ranks[pack];
            let entries = packs[pack].by_offset();
            let found = loop {
                let entry = *entries.get(*rank).ok_or(Damage::Inconsistent("offsets"))?;
                *rank += 1;
                if packs[pack].offset(entry) == offset {
                    break entry;
                }
            };
            if packs[pack].id_bytes(found) != self.ids.id(&self.content, position) {
                return Err(Damage::Inconsistent("ids"));
            }
            numbers.push(canonical(objects, pack, found));
            positions.push(position);
        }
        Ok(BitOrder::new(objects, self.checksum, numbers, positions))
    }
}
